"""Mistakes in settings and in the files that they name: `nuropb-ctl config check` and `nuropb-meshd --check-config` are one check. It
opens everything that the start opens, and names file, line, key and reason of each mistake, all of them at once."""

import json
import os
import subprocess
import time

import pytest

from support.certificates import Certificates
from support.paths import binary

GOOD = {"tokens.toml": '[tokens."secret-ann"]\nuser_id = "ann"\n', "policy.toml": 'default = ["request"]\n', "long.secret": "s" * 64 + "\n"}
BASE = '[auth]\ntoken_file = "tokens.toml"\n'


@pytest.fixture
def place(folder):
    for name, text in GOOD.items():
        (folder / name).write_text(text)
        (folder / name).chmod(0o600)
    return folder


def check(folder, text, *words):
    """The lines of both programs, which are the same, and the exit code."""
    config = folder / "gateway.toml"
    if text is not None:
        config.write_text(text)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("NUROPB_")}
    said = [subprocess.run([binary(program), "--config", config, *words, *last], capture_output=True, text=True, timeout=60, env=environment, cwd=folder)
            for program, last in (("nuropb-ctl", ("config", "check")), ("nuropb-meshd", ("--check-config",)))]
    assert said[0].stderr == said[1].stderr and said[0].returncode == said[1].returncode, (said[0].stderr, said[1].stderr)
    return said[0].stderr.replace(f"{folder}/", "").splitlines(), said[0].returncode


# What stands in the config file, and in other files; what the one line says of it.
MISTAKES = {
    "unknown key": ("[listen]\nprot = 1\n", {}, "gateway.toml:2: unknown key 'listen.prot' (did you mean 'port'?)"),
    "unknown section": ("[lisen]\nport = 1\n", {}, "gateway.toml:1: unknown section 'lisen' (did you mean 'listen'?)"),
    "section as a value": ("listen = 1\n", {}, "'listen' is not a table"),
    "wrong type": ('[listen]\nport = "x"\n', {}, "gateway.toml:2: listen.port: is not a whole number"),
    "out of range": ("[listen]\nport = 70000\n", {}, "gateway.toml:2: listen.port: 70000 is above 65535"),
    "list for text": ('[auth]\nheader = ["a"]\n', {}, "gateway.toml:2: auth.header: is not a string"),
    "text for list": ('[listen]\norigins = "*"\n', {}, "gateway.toml:2: listen.origins: is not a list of strings"),
    "unknown choice": ('[log]\nlevel = "loud"\n', {}, "gateway.toml:2: log.level: is not one of"),
    "missing quote": ('[listen]\npath = "/x\nport = 1\n', {}, "gateway.toml:2: not TOML: "),
    "missing token file": ('[auth]\ntoken_file = "tokenz.toml"\n', {}, "tokenz.toml: can't be read: No such file or directory (auth.token_file names it, gateway.toml:2)"),
    "folder as a token file": ('[auth]\ntoken_file = "."\n', {}, "can't be read: Is a directory (auth.token_file names it, gateway.toml:2)"),
    "token file in UTF-16": ('[auth]\ntoken_file = "t"\n', {"t": "x = 1\n".encode("utf-16")}, "is written in UTF-16"),
    "a user without an id": ('[auth]\ntoken_file = "t"\n', {"t": '[tokens."x"]\n'}, "t"),
    "no token file": ('[auth]\nauthorizers = ["tokens"]\n', {}, "auth.token_file is not set (the authorizer \"tokens\" needs it"),
    "missing certificate": (BASE + '[tls]\ncertificate_files = ["c.pem"]\nkey_files = ["k.pem"]\n', {}, "c.pem: can't be read: No such file or directory (tls.certificate_files names it, gateway.toml:4)"),
    "a key without its certificate": (BASE + '[tls]\nkey_files = ["k.pem"]\n', {}, "tls.key_files: 1 for 0 tls.certificate_files"),
    "no certificate": (BASE + '[tls]\ncertificate_files = ["tokens.toml"]\nkey_files = ["tokens.toml"]\n', {}, "no certificate in PEM"),
    "empty certificate": (BASE + '[tls]\ncertificate_files = ["e"]\nkey_files = ["e"]\n', {"e": ""}, "e: is empty (tls.certificate_files names it, gateway.toml:4)"),
    "password with a slash": (BASE + '[amqp]\nurls = ["amqp://user:pa/ss@127.0.0.1/"]\n', {}, "gateway.toml:4: amqp.urls: has an entry that has a '/' in its user or password"),
    "password with an at": (BASE + '[amqp]\nurls = ["amqp://user:pa@ss@127.0.0.1/"]\n', {}, "gateway.toml:4: amqp.urls: has an entry that has more than one '@'"),
    "broker without a scheme": (BASE + '[amqp]\nurls = ["127.0.0.1:5672"]\n', {}, "begins with neither amqp:// nor amqps://"),
    "password file of two lines": (BASE + '[amqp]\npassword_file = "p"\n', {"p": "one\ntwo\n"}, "amqp.password_file"),
    "missing password file": (BASE + '[amqp]\npassword_file = "p"\n', {}, "can't be read: No such file or directory (amqp.password_file names it, gateway.toml:4)"),
    "missing authorities of the broker": (BASE + '[amqp]\nurls = ["amqps://h/"]\nca_file = "ca"\n', {}, "ca: can't be read: No such file or directory (amqp.ca_file names it, gateway.toml:5)"),
    "authorities that are none": (BASE + '[amqp]\nurls = ["amqps://h/"]\nca_file = "tokens.toml"\n', {}, "can't be read as PEM certificates (amqp.ca_file names it"),
    "certificate without a key": (BASE + '[amqp]\nurls = ["amqps://h/"]\ncertificate_file = "c"\n', {}, "one is set without the other"),
    "policy: unknown verb": (BASE + 'policy_file = "p"\n', {"p": 'default = ["ask"]\n'}, "p:1: "),
    "policy: unknown key": (BASE + 'policy_file = "p"\n', {"p": '[[allow]]\nverbs = ["request"]\nmethod = ["x"]\n'}, "p:3: unknown key 'method'"),
    "policy: mixed rule": (BASE + 'policy_file = "p"\n', {"p": '[[allow]]\nverbs = ["request"]\ntopics = ["x"]\n'}, "make it two rules"),
    "policy: not TOML": (BASE + 'policy_file = "p"\n', {"p": "default = [\n"}, "p:"),
    "missing policy": (BASE + 'policy_file = "p"\n', {}, "p: can't be read: No such file or directory (auth.policy_file names it, gateway.toml:3)"),
    "JWT without keys": ('[auth]\nauthorizers = ["jwt"]\n', {}, "jwt"),
    "JWT with a short secret": ('[auth]\nauthorizers = ["jwt"]\n[jwt]\nsecret_file = "s"\nalgorithms = ["HS256"]\n', {"s": "short\n"}, "s"),
    "JWT with no key in its file": ('[auth]\nauthorizers = ["jwt"]\n[jwt]\nkey_file = "k"\n', {"k": "nothing\n"}, "k: "),
    "missing key set": ('[auth]\nauthorizers = ["jwt"]\n[jwt]\njwks_file = "j"\n', {}, "j: can't be read: No such file or directory (jwt.jwks_file names it, gateway.toml:4)"),
    "unknown algorithm": ('[auth]\nauthorizers = ["jwt"]\n[jwt]\nalgorithms = ["RS1"]\n', {}, "gateway.toml:4: jwt.algorithms: has an entry that is not one of"),
    "unknown authorizer": ('[auth]\nauthorizers = ["ldap"]\n', {}, "gateway.toml:2: auth.authorizers: has an entry that is not one of"),
    "an authorizer twice": ('[auth]\nauthorizers = ["jwt", "jwt"]\n', {}, "names 'jwt' twice"),
    "introspection without a URL": ('[auth]\nauthorizers = ["introspection"]\n', {}, "introspection.url is not set"),
    "mesh without a service": ('[auth]\nauthorizers = ["mesh"]\n', {}, "auth.mesh_service is not set"),
    "origin with a star": (BASE + '[listen]\norigins = ["*.example.com"]\n', {}, "gateway.toml:4: listen.origins: has the entry '*.example.com', which matches no page: write 'example.com'"),
    "origin with a path": (BASE + '[listen]\norigins = ["https://x.y/"]\n', {}, "matches no page: an origin has no path, so write 'https://x.y'"),
    "origin with a port and no scheme": (BASE + '[listen]\norigins = ["x.y:8443"]\n', {}, "write the scheme before a port"),
    "origin with the scheme's own port": (BASE + '[listen]\norigins = ["https://x.y:443"]\n', {}, "write 'https://x.y'"),
    "console on the clients' port": (BASE + '[listen]\nport = 9000\n[console]\nenabled = true\nport = 9000\nusers = ["ann"]\n', {}, "gateway.toml:7: console.port: 9000 is the port of listen.port as well"),
    "metrics on the clients' port, everywhere": (BASE + '[listen]\naddress = "0.0.0.0"\nport = 9000\n[metrics]\nlisten = "127.0.0.1:9000"\n', {}, "metrics.listen: 9000 is the port of listen.port as well"),
    "a name for an address": (BASE + '[listen]\naddress = "localhost"\n', {}, "gateway.toml:4: listen.address: is 'localhost' instead of an IP address"),
    "unknown edge user": (BASE + '[hardening]\nedge_user = "no-such-user"\n', {}, "hardening.edge_user: no such user: 'no-such-user'"),
    "a file for the runtime folder": (BASE + '[gateway]\nruntime_dir = "tokens.toml"\n', {}, "is not a folder (gateway.runtime_dir names it, gateway.toml:4)"),
    "a file on the way to the runtime folder": (BASE + '[gateway]\nruntime_dir = "tokens.toml/x"\n', {}, "gateway.runtime_dir names it, gateway.toml:4"),
    "a runtime folder with a long path": (BASE + f'[gateway]\nruntime_dir = "/tmp/{"x" * 120}"\n', {}, "at most 107 bytes"),
    "missing services file": (BASE + '[snorky]\npath = "/ws"\nservices_file = "s"\n', {}, "s: can't be read: No such file or directory (snorky.services_file names it, gateway.toml:5)"),
    "missing keys of other gateways": (BASE + '[push]\nkey_file = "k"\n', {}, "k: can't be read: No such file or directory (push.key_file names it, gateway.toml:4)"),
    "etcd with a missing password": (BASE + '[etcd]\nurls = ["http://127.0.0.1:2379"]\nuser = "u"\npassword_file = "p"\n', {}, "can't be read: No such file or directory (etcd.password_file names it, gateway.toml:6)"),
    "headers that are none": (BASE + '[tracing]\notlp_url = "http://127.0.0.1:4318"\nheaders_file = "h"\n', {"h": "no colon\n"}, "h: "),
    "collector at a bad address": (BASE + '[tracing]\notlp_url = "127.0.0.1:4318"\n', {}, "gateway.toml:4: tracing.otlp_url"),
    "users revoked in a missing file": (BASE + 'revoked_file = "r"\n', {}, "r: can't be read: No such file or directory (auth.revoked_file names it, gateway.toml:3)"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_each_mistake_is_one_line_with_its_place(place, name):
    text, files, said = MISTAKES[name]
    for file, content in files.items():
        (place / file).write_bytes(content if isinstance(content, bytes) else content.encode())
        (place / file).chmod(0o600)
    lines, code = check(place, text)
    mistakes = [line for line in lines if not line.startswith("warning: ")]
    assert code == 2 and len(mistakes) == 1, lines
    assert said in mistakes[0], mistakes


# The gateway starts with these, and something is probably not as intended.
WARNINGS = {
    "a secret and no HS": ('[auth]\nauthorizers = ["jwt"]\n[jwt]\nsecret_file = "long.secret"\nkey_file = "key.pem"\nalgorithms = ["RS256"]\n', "gateway.toml:4: jwt.secret_file: is never used (jwt.algorithms names none of HS256, HS384 and HS512)"),
    "HS and no secret": ('[auth]\nauthorizers = ["jwt"]\n[jwt]\nkey_file = "key.pem"\nalgorithms = ["RS256", "HS256"]\n', "gateway.toml:5: jwt.algorithms: no token with HS256, HS384 or HS512 can be verified"),
    "tokens that are not asked for": (BASE + 'authorizers = ["mesh"]\nmesh_service = "s"\n', "gateway.toml:2: auth.token_file: is never used (auth.authorizers does not name \"tokens\")"),
    "no token": ('[auth]\ntoken_file = "empty"\n', "empty: has no token, so no client can connect with one (auth.token_file names it, gateway.toml:2)"),
    "a console without users": (BASE + "[console]\nenabled = true\n", "console.users: no user can open the console"),
    "a file that all can read": ('[auth]\ntoken_file = "open.toml"\n', "can be read by every user of this host (chmod o-r)"),
    "two stars in a topic": (BASE + 'policy_file = "stars"\n', "the topic 'x.**' has '**', which stands only for itself"),
    "authorities without TLS": (BASE + '[amqp]\nca_file = "ca.pem"\n', "amqp.ca_file: is never used (no URL of amqp.urls begins with amqps://)"),
    "an expired certificate": (BASE + '[tls]\ncertificate_files = ["old.pem"]\nkey_files = ["old.key"]\n', "the certificate has expired"),
}


@pytest.fixture(scope="module")
def certificates(scratch):
    out = Certificates(scratch / "certificates-of-the-check")
    out.issue_until("old", "old", time.time() - 3600)
    return out


@pytest.fixture
def keys(place, certificates):
    """ca.pem; server.pem with server.key; stranger.key, which belongs to another certificate; old.pem, which has expired."""
    for file in ("ca.pem", "server.pem", "server.key", "stranger.key", "old.pem", "old.key"):
        (place / file).write_bytes((certificates.folder / file).read_bytes())
        (place / file).chmod(0o600)
    subprocess.run(["openssl", "pkey", "-in", place / "server.key", "-pubout", "-out", place / "key.pem"], check=True, capture_output=True)


@pytest.mark.parametrize("name", WARNINGS)
def test_a_setting_without_effect_is_a_warning(place, keys, name):
    text, said = WARNINGS[name]
    for file, content, mode in (("empty", "", 0o600), ("open.toml", GOOD["tokens.toml"], 0o644), ("stars", '[[allow]]\nverbs = ["subscribe"]\ntopics = ["x.**"]\n', 0o600)):
        (place / file).write_text(content)
        (place / file).chmod(mode)
    lines, code = check(place, text)
    assert code == 0 and len(lines) == 1 and lines[0].startswith("warning: ") and said in lines[0], lines


def test_a_key_of_another_certificate(place, keys):
    lines, code = check(place, BASE + '[tls]\ncertificate_files = ["server.pem"]\nkey_files = ["stranger.key"]\n')
    assert code == 2 and len(lines) == 1 and "stranger.key: is not the key of " in lines[0] and "(tls.key_files names it, gateway.toml:5)" in lines[0], lines
    lines, code = check(place, BASE + '[amqp]\nurls = ["amqps://h/"]\ncertificate_file = "server.pem"\nkey_file = "stranger.key"\n')
    assert code == 2 and len(lines) == 1 and "is not the key of " in lines[0] and "amqp.key_file names it" in lines[0], lines
    assert check(place, BASE + '[tls]\ncertificate_files = ["server.pem"]\nkey_files = ["server.key"]\n') == ([], 0)


def test_everything_at_once(place):
    """Settings and files, in one go, in the order of the file and then of the sections."""
    lines, code = check(place, '[listen]\nport = 70000\naddress = "localhost"\n[auth]\ntoken_file = "tokenz.toml"\npolicy_file = "p"\n[push]\nkey_file = "k"\n')
    assert code == 2 and len(lines) == 5, lines
    for line, said in zip(lines, ("gateway.toml:2: ", "gateway.toml:3: ", "tokenz.toml: ", "p: ", "k: ")):
        assert said in line, lines


def test_a_config_that_cannot_be_read(place):
    lines, code = check(place, None)
    assert code == 2 and lines == ["gateway.toml: can't be read: No such file or directory"], lines
    if os.geteuid() != 0:
        pytest.skip("only root can become another user")
    (place / "gateway.toml").write_text(BASE)
    (place / "gateway.toml").chmod(0o600)
    place.chmod(0o755)
    said = subprocess.run(["setpriv", "--reuid", "65534", "--clear-groups", binary("nuropb-ctl"), "--config", place / "gateway.toml", "config", "check"], capture_output=True, text=True)
    if "setpriv" in said.stderr:
        pytest.skip("the programs are where other users can't run them")
    assert said.returncode == 2 and "can't be read: Permission denied" in said.stderr, said


def test_what_is_right_says_ok_and_json_says_the_same(place):
    assert check(place, BASE) == ([], 0)
    said = subprocess.run([binary("nuropb-ctl"), "--json", "--config", place / "gateway.toml", "config", "check"], capture_output=True, text=True)
    assert json.loads(said.stdout) == {"file": str(place / "gateway.toml"), "ok": True, "mistakes": [], "warnings": []}


def test_the_start_finds_nothing_that_the_check_did_not(place):
    """The check is right about what stops a start: each of these, with the check's own reason."""
    for name in ("missing policy", "missing token file", "unknown edge user", "a file for the runtime folder", "missing keys of other gateways"):
        text, _, _ = MISTAKES[name]
        if "[gateway]" not in text:
            text = f'[gateway]\nruntime_dir = "{place}/run"\nmesh = "loopback"\n' + text
        mistakes, code = check(place, text)
        assert code == 2, name
        started = subprocess.run([binary("nuropb-meshd"), "--config", place / "gateway.toml"], capture_output=True, text=True, timeout=60, cwd=place)
        assert started.returncode in (2, 78), (name, started)
        reason = mistakes[0].split(" (")[0].split(": ")[-1]
        assert reason in started.stderr + started.stdout, (name, mistakes, started)
