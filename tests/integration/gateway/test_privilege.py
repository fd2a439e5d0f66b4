"""What the processes of a running gateway may do, seen from outside: users, capabilities, system calls, secrets."""

import errno
import os
import pwd
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from support import tracing
from support.certificates import Certificates
from support.consumer import Consumer
from support.gateway import Gateway, health
from support.launched import alive
from support.paths import ROOT as REPOSITORY, binary
from support.processes import Process
from support.waiting import wait_until

ROOT = os.geteuid() == 0
as_root = pytest.mark.skipif(not ROOT, reason="an edge changes its user only where root starts it")

# Words that stand nowhere else, so that finding one means something.
COOKIE_SECRET = "cookie-secret-Ue9Ahgh3ooTh4eiD5ohPh"
JWT_SECRET = "jwt-secret-oos6Aiquai8aeshaing4Quee3eiquei8"
BACKEND_KEY = "backend-key-aeb8Loh4iere7Xiephu3"
ETCD_PASSWORD = "etcd-password-Thoh1eegh6ai"
AMQP_PASSWORD = "amqp-password-uu2ohNgai4ei"
PEER_KEY = "peer-key-ieth9quah4Aesh1phooqu7oo1"
CLIENT_TOKEN = "client-token-Ohd4iemaeX5eishie"
SET_PASSWORD = "set-password-Noo4aiSh9uoz"


@pytest.fixture(scope="module")
def gateway(broker_url):
    settings = {
        "auth": {"authorizers": ["tokens", "jwt", "session_cookie"], "session_cookie": "user"},
        "cookie": {"secret_file": "cookie-secrets"},
        "jwt": {"secret_file": "jwt-secrets", "algorithms": ["HS256"]},
        "backend": {"key_file": "backends.toml", "port": 0},
        "snorky": {"path": "/ws"},
    }
    files = {"cookie-secrets": COOKIE_SECRET + "\n", "jwt-secrets": JWT_SECRET + "\n",
             "backends.toml": f'[keys]\nshop = "{BACKEND_KEY}"\n'}
    with Gateway(broker_url, settings=settings, files=files) as running:
        yield running


def status(pid):
    return dict(line.split(":\t", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines() if ":\t" in line)


def limit(pid, name):
    line = next(line for line in Path(f"/proc/{pid}/limits").read_text().splitlines() if line.startswith(name))
    return line[len(name):].split()[:2]


def test_an_edge_has_no_more_than_it_needs(gateway):
    pid = gateway.edges[0].process.pid
    is_now = status(pid)
    assert is_now["NoNewPrivs"] == "1"
    assert is_now["Seccomp"] == "2"
    assert {is_now[name].strip("0") for name in ("CapInh", "CapPrm", "CapEff", "CapAmb")} == {""}
    assert limit(pid, "Max processes") == ["0", "0"]
    if ROOT:
        assert limit(pid, "Max core file size") == ["0", "0"]
        try:
            user = pwd.getpwnam("nuropb-edge")
        except KeyError:
            user = pwd.getpwnam("nobody")
        assert is_now["Uid"].split() == [str(user.pw_uid)] * 4
        assert is_now["Gid"].split() == [str(user.pw_gid)] * 4
        assert is_now["Groups"].split() == [str(user.pw_gid)]
    # Nothing is open but sockets, what they are waited for with, and the log.
    odd = {fd: name for fd, name in gateway.edges[0].process.descriptors().items() if fd > 2 and not name.startswith(("socket:", "anon_inode:", "pipe:"))}
    assert not odd, odd


def test_meshd_keeps_its_rights_to_itself(gateway):
    pid = gateway.meshd.pid
    for task in Path(f"/proc/{pid}/task").iterdir():
        of_thread = status(f"{pid}/task/{task.name}")
        assert (of_thread["NoNewPrivs"], of_thread["Seccomp"]) == ("1", "2"), task
    if ROOT:
        assert limit(pid, "Max core file size") == ["0", "0"]


def places_of(pid, secrets):
    """Where the secrets are: in a process's memory and in what it can open by itself."""
    found = []
    for name in ("environ", "cmdline"):
        text = Path(f"/proc/{pid}/{name}").read_bytes()
        found += [(secret, name) for secret in secrets if secret in text]
    for where, memory in tracing.memory_of(pid):
        found += [(secret, where) for secret in secrets if secret in memory]
    for fd in Path(f"/proc/{pid}/fd").iterdir():
        try:
            target = os.readlink(fd)
            text = fd.read_bytes() if target.startswith("/") and not target.startswith("/dev/") else b""
        except OSError:
            continue
        found += [(secret, target) for secret in secrets if secret in text]
    return found


def test_no_secret_is_in_an_edge(gateway):
    (gateway.folder / "amqp-password").write_text(AMQP_PASSWORD)
    (gateway.folder / "etcd-password").write_text(ETCD_PASSWORD)
    # By every way that a setting can take: file, environment and command line, with files beside them.
    port_file = gateway.folder / "other.port"
    other = Process("other-edge", [binary("nuropb-edge"), "--config", gateway.config_file, "--port-file", port_file,
                                   "--set", f"amqp.urls=amqp://gw:{SET_PASSWORD}@127.0.0.1:1/", "--set", "etcd.user=gw", "--set", f"etcd.password_file={gateway.folder}/etcd-password",
                                   "--set", f"amqp.password_file={gateway.folder}/amqp-password"], gateway.folder,
                    {"NUROPB_AMQP_MANAGEMENT_URL": f"http://gw:{AMQP_PASSWORD}@127.0.0.1:1/", "SOME_OTHER": SET_PASSWORD})
    with other:
        wait_until(lambda: port_file.exists() and port_file.read_text().strip(), "the other edge listens")
        url_password = gateway.amqp_url.split("://", 1)[1].split("@", 1)[0].split(":", 1)[1]
        sealing = (gateway.folder / "run" / "secret").read_bytes()
        secrets = [word.encode() for word in (COOKIE_SECRET, JWT_SECRET, BACKEND_KEY, ETCD_PASSWORD, AMQP_PASSWORD, SET_PASSWORD, *gateway.tokens)] + [sealing]
        if url_password != "guest":
            secrets.append(url_password.encode())
        for pid in (gateway.edges[0].process.pid, other.pid):
            assert places_of(pid, secrets) == []
            assert places_of(pid, [b"/websocket"]), "the search finds nothing at all"
    # And the same search finds them where they belong.
    known = {secret for secret, _ in places_of(gateway.meshd.pid, secrets)}
    assert {COOKIE_SECRET.encode(), JWT_SECRET.encode(), sealing} <= known


def secrets_table():
    """{secret: (edge, meshd)} of docs/tasks/hardening.md."""
    text = (REPOSITORY / "docs" / "tasks" / "hardening.md").read_text()
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.split("| secret | edge | meshd |", 1)[1].split("\n\n", 1)[0].splitlines()[2:]]
    return {re.sub(r" \(.*", "", row[0]): (row[1], row[2]) for row in rows}


async def test_each_process_holds_the_secrets_that_the_page_says(broker_url, folder):
    certificates = Certificates(folder / "certificates")
    numbers = load_pem_private_key(certificates.key.read_bytes(), None).private_numbers()
    settings = {
        "auth": {"authorizers": ["tokens", "jwt", "session_cookie"], "session_cookie": "user"},
        "cookie": {"secret_file": "cookie-secrets"}, "jwt": {"secret_file": "jwt-secrets", "algorithms": ["HS256"]},
        "backend": {"key_file": "backends.toml", "port": 0}, "snorky": {"path": "/ws"}, "push": {"key_file": "peer-keys"}, "console": {"enabled": True, "port": 0},
        "amqp": {"password_file": "broker-password"}, "tls": {"certificate_files": [str(certificates.certificate)], "key_files": [str(certificates.key)]},
    }
    password = urlsplit(broker_url).password
    files = {"cookie-secrets": COOKIE_SECRET, "jwt-secrets": JWT_SECRET, "backends.toml": f'[keys]\nshop = "{BACKEND_KEY}"\n', "peer-keys": PEER_KEY, "broker-password": password}
    with Gateway(broker_url.replace(f":{password}@", ":none@"), settings=settings, files=files, tokens={CLIENT_TOKEN: {"user_id": "ann"}}, secrets={PEER_KEY}) as gateway:
        run = gateway.folder / "run"
        held = {
            "password of the broker": [password.encode()],
            "secrets for tokens": [COOKIE_SECRET.encode(), JWT_SECRET.encode()],
            "key that seals tickets": [(run / "secret").read_bytes()],
            "key of the admin socket": [(run / "admin.key").read_bytes()],
            "keys of gateways": [PEER_KEY.encode()],
            # As OpenSSL has a number in memory, and as the file has it.
            "private keys of certificates": [numbers.p.to_bytes(128, "little")],
            "keys of backends": [BACKEND_KEY.encode()],
            "tokens of clients, of the console's users as well": [CLIENT_TOKEN.encode()],
        }
        table = secrets_table()
        assert set(table) == set(held), "each secret has its row, and each row its secret"
        edge, meshd = gateway.edges[0].process.pid, gateway.meshd.pid
        # The passwords that a guest has are words that stand everywhere.
        looked_for = {name: [secret for secret in secrets if secret != b"guest"] for name, secrets in held.items()}
        for process, pid, column in (("edge", edge, 0), ("meshd", meshd, 1)):
            for name, secrets in looked_for.items():
                found = {secret for secret, _ in places_of(pid, secrets)}
                says = table[name][column]
                if says == "yes":
                    assert found == set(secrets), f"{process} has the {name}"
                else:  # "once used" is not yet
                    assert says in ("no", "once used") and not found, f"{process}: {name}"
        # An edge's children have none of them at all, the one that has read the private key included.
        children = [int(child) for child in Path(f"/proc/{edge}/task/{edge}/children").read_text().split()]
        assert sorted(status(child)["Name"] for child in children) == ["nuropb-dialer", "nuropb-edge-tls", "nuropb-log"]
        everything = [secret for secrets in looked_for.values() for secret in secrets] + [certificates.key.read_bytes().splitlines()[10]]
        for child in children:
            assert places_of(child, everything) == [], status(child)["Name"]


FORBIDDEN_TO_EDGES = [
    ("execve",), ("fork",), ("clone", 0x10f00), ("ptrace", 16, 1), ("process_vm_readv", 1), ("mount",), ("unshare", 0x10000000), ("setuid", 0), ("kill", 1, 0),
    ("socket", socket.AF_INET, socket.SOCK_STREAM, 0), ("listen", 3, 1), ("bind", 3), ("mmap", 0, 4096, 7, 0x22, -1, 0), ("bpf",), ("io_uring_setup", 1, 0),
    # Whatever else listens on a Unix socket that its user may open, meshd's admin socket among it; and other hosts.
    ("connect", 3), ("socketpair", socket.AF_UNIX, socket.SOCK_DGRAM), ("sendto", 3, 0, 0, socket.MSG_FASTOPEN), ("sendmsg", 3, 0, socket.MSG_FASTOPEN),
    *(("socket", socket.AF_UNIX, kind, 0) for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_SEQPACKET)),
]
FORBIDDEN_TO_MESHD = {"execve": (), "fork": (), "ptrace": (16, 1), "listen": (3, 1), "mmap": (0, 4096, 7, 0x22, -1, 0), "socket": (socket.AF_PACKET, socket.SOCK_RAW, 0), "kill": (1, 0)}


def test_a_forbidden_call_is_an_edges_last(broker_url):
    with Gateway(broker_url, edges=len(FORBIDDEN_TO_EDGES), wait_ready=False) as gateway:
        for edge, (name, *arguments) in zip(gateway.edges, FORBIDDEN_TO_EDGES):
            wait_until(edge.attached, "attached")
            edge.process.killed = True
            assert tracing.call(edge.process.pid, name, *arguments) is None, name
            assert tracing.ended_by_sigsys(edge.process.popen.wait(45)), name


@pytest.mark.parametrize("name", FORBIDDEN_TO_MESHD)
def test_a_forbidden_call_is_meshds_last(broker_url, name):
    with Gateway(broker_url, edges=0, wait_ready=False) as gateway:
        gateway.meshd.wait_for_log("broker ready")
        gateway.meshd.killed = True
        assert tracing.call(gateway.meshd.pid, name, *FORBIDDEN_TO_MESHD[name]) is None
        assert tracing.ended_by_sigsys(gateway.meshd.popen.wait(45))


async def test_an_edge_opens_no_file_and_is_told_so(gateway):
    """Refused, not killed: libraries look for optional files."""
    process = gateway.edges[0].process
    assert tracing.call(process.pid, "open", 0, 0, 0) == -errno.EACCES
    assert process.running()
    async with await Consumer.open(gateway.url) as consumer:
        assert consumer.hello


def test_for_debugging_all_calls_are_allowed_and_it_is_said(broker_url):
    with Gateway(broker_url, edges=1, settings={"hardening": {"seccomp": False}}) as gateway:
        for process in (gateway.meshd, gateway.edges[0].process):
            process.wait_for_log("system calls are not restricted")
            assert tracing.call(process.pid, "listen", 999, 1) == -errno.EBADF
            assert process.running()


@as_root
def test_certificates_are_read_again_though_the_edge_may_not_read_them(broker_url, folder):
    certificates = Certificates(folder / "certificates")
    first, second = (certificates.certificate, certificates.key), certificates.issue("second")
    cert, key = folder / "cert.pem", folder / "key.pem"

    def use(pair):
        for target, source in zip((cert, key), pair):
            target.with_suffix(".new").write_bytes(Path(source).read_bytes())
            target.with_suffix(".new").chmod(0o600)
            target.with_suffix(".new").rename(target)
    use(first)
    with Gateway(broker_url, edges=1, settings={"tls": {"certificate_files": [str(cert)], "key_files": [str(key)]}}) as gateway:
        edge = gateway.edges[0].process
        denied = subprocess.run([sys.executable, "-c", f"open({str(key)!r})"], user=int(status(edge.pid)["Uid"].split()[0]), capture_output=True, text=True)
        assert "PermissionError" in denied.stderr
        use(second)
        edge.signal(signal.SIGHUP)
        edge.wait_for_log("certificates read again")
        key.unlink()
        edge.signal(signal.SIGHUP)
        edge.wait_for_log(f"certificates not changed.*{key.name}")
        # Its reader and its log's writer end with it, so that a port does not stay taken.
        children = Path(f"/proc/{edge.pid}/task/{edge.pid}/children").read_text().split()
        assert sorted(status(child)["Name"] for child in children) == ["nuropb-dialer", "nuropb-edge-tls", "nuropb-log"]
        assert {status(child)["Seccomp"] for child in children} == {"2"}
        edge.kill()
        wait_until(lambda: not any(alive(child) for child in children), "they end")


@as_root
def test_another_users_processes_reach_nothing_of_meshds(gateway):
    stranger = pwd.getpwnam("daemon").pw_uid
    edge = int(status(gateway.edges[0].process.pid)["Uid"].split()[0])

    def connect(uid, name):
        kind = "SOCK_SEQPACKET" if name == "meshd.sock" else "SOCK_STREAM"
        # From within the folder, as if nothing above it kept one out.
        code = f"import os, socket; os.setgroups([{os.stat(gateway.folder / 'run').st_gid if uid == edge else 1}]); os.setresuid({uid}, {uid}, {uid}); socket.socket(socket.AF_UNIX, socket.{kind}).connect({name!r})"
        done = subprocess.run([sys.executable, "-c", code], cwd=gateway.folder / "run", capture_output=True, text=True)
        return "refused" if "PermissionError" in done.stderr else done.stderr or "connected"

    assert connect(stranger, "meshd.sock") == "refused"
    assert connect(stranger, "admin.sock") == "refused"
    assert connect(edge, "admin.sock") == "refused"
    assert connect(edge, "meshd.sock") == "connected"
    for name in ("secret", "instance"):
        assert (gateway.folder / "run" / name).stat().st_mode & 0o777 == 0o600


def test_an_edge_is_turned_away_from_the_admin_socket(gateway):
    """Also an edge of meshd's own user, whom no file mode excludes."""
    abi = abi_of_edges()

    def visit():
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as admin:
            admin.settimeout(45)
            admin.connect(str(gateway.folder / "run" / "admin.sock"))
            try:
                admin.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
                return admin.recv(16)
            except (ConnectionResetError, BrokenPipeError):
                return b""
    assert visit().startswith(b"HTTP/1.1 200")
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as worker:
        worker.settimeout(45)
        worker.connect(str(gateway.folder / "run" / "meshd.sock"))
        assert say_hello(worker, abi) == b"NPWM", "welcome"
        assert visit() == b""
        gateway.meshd.wait_for_log("an edge at the admin socket was turned away")
    wait_until(lambda: visit().startswith(b"HTTP/1.1 200"), "it is no worker any more")


def say_hello(worker, abi):
    worker.send(struct.pack("=III", 0x4C48504E, abi, 0))
    return worker.recv(1024)[:4]


def abi_of_edges():
    version = subprocess.run([binary("nuropb-edge"), "--version"], capture_output=True, text=True, check=True).stdout
    return int(re.search(r"ABI (\d+)", version)[1])


async def test_an_edge_that_has_left_meshd_has_no_key_to_the_admin_socket(gateway):
    """If edges run as meshd's own user, no file mode excludes them, and an edge that has detached is no worker any more."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as worker:
        worker.settimeout(45)
        worker.connect(str(gateway.folder / "run" / "meshd.sock"))
        assert say_hello(worker, abi_of_edges()) == b"NPWM", "it is an edge, for meshd"

    def operate(name, body, key=""):
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as admin:
            admin.settimeout(45)
            admin.connect(str(gateway.folder / "run" / "admin.sock"))
            try:
                admin.sendall(f"POST {name} HTTP/1.1\r\nHost: x\r\n{key}Connection: close\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode())
                return b"".join(iter(lambda: admin.recv(65536), b""))
            except (ConnectionResetError, BrokenPipeError):
                return b""
    async with await Consumer.open(gateway.url) as consumer:
        # At first it may be turned away for the worker that it was.
        wait_until(lambda: operate("/operations/sessions", "{}").startswith(b"HTTP/1.1 401 "), "it is no worker any more")
        for name, body in (("/operations/send_to_all", '{"message": "forged"}'), ("/operations/close_all", "{}"), ("/operations/reload", "{}"), ("/tap", '{"user_id": "ann"}')):
            assert operate(name, body).startswith(b"HTTP/1.1 401 "), name
        key = f"Authorization: Bearer {(gateway.folder / 'run' / 'admin.key').read_text()}\r\n"
        assert operate("/operations/send_to_all", '{"message": "genuine"}', key).startswith(b"HTTP/1.1 200 ")
        assert await consumer.other() == "genuine", "and nothing before it"
    # An edge can't read the key, nor anything else: tracing.call() makes the call as if its own code had.
    assert tracing.call(gateway.edges[0].process.pid, "open", 0, 0, 0) == -errno.EACCES


async def test_an_edge_comes_back_to_another_meshd_though_it_can_connect_to_nothing(gateways):
    gateway = gateways()
    edge = gateway.edges[0].process
    async with await Consumer.open(gateway.url) as consumer:
        for _ in range(2):
            gateway.meshd.kill()
            gateway.start_meshd()
            gateway.until_ready()
        assert consumer.open_still
        gateway.meshd.wait_for_log(rf"worker attached .*pid={edge.pid}\b")
        dialer = [int(child) for child in Path(f"/proc/{edge.pid}/task/{edge.pid}/children").read_text().split() if status(child)["Name"] == "nuropb-dialer"]
        assert len(dialer) == 1 and status(dialer[0])["Seccomp"] == "2" and status(dialer[0])["CapEff"].strip("0") == ""
        # Without it there is no way to the next meshd: the edge ends, so that another one takes its place.
        os.kill(dialer[0], signal.SIGKILL)
        gateway.meshd.kill()
        gateway.start_meshd()
        edge.wait_for_log("can't connect to meshd any more", may_end=True)
        assert edge.popen.wait(45) == 0


@as_root
def test_a_user_that_does_not_exist_is_no_user(broker_url):
    with Gateway(broker_url, edges=0, wait_ready=False) as gateway:
        for program in ("nuropb-edge", "nuropb-meshd"):
            process = gateway.run("refused", program, "--set", "hardening.edge_user=no-such-user")
            process.killed = True
            assert process.popen.wait(45) == 78
            assert "no such user: 'no-such-user'" in process.log()


@as_root
async def test_as_the_units_of_systemd_run_it(broker_url, folder, demo):
    """meshd and edges as users of their own, neither of them root, and meshd can end an edge."""
    def as_user(user, groups, capability, program):
        return ["setpriv", f"--reuid={user}", f"--regid={user if user != 'nobody' else 'nogroup'}", f"--groups={groups}", f"--inh-caps=-all,+{capability}", f"--ambient-caps=+{capability}",
                f"--bounding-set=-all,+{capability}", binary(program), "--config", gateway.config_file]
    gateway = Gateway(broker_url, edges=0, files={"password": broker_url.split(":", 2)[2].split("@")[0]})
    gateway.folder.chmod(0o755)
    gateway.write_config()
    for file in gateway.folder.iterdir():
        shutil.chown(file, "daemon")
        file.chmod(0o600)
    run, port_file = gateway.folder / "run", gateway.folder / "edge.port"
    run.mkdir(0o710)
    shutil.chown(run, "daemon", "daemon")
    (gateway.folder / "edge-ports").mkdir()
    shutil.chown(gateway.folder / "edge-ports", "nobody")
    port_file = gateway.folder / "edge-ports" / "port"
    # The units' settings have no password in them, so that edges may read them.
    gateway.config_file.write_text(gateway.config_file.read_text().replace(broker_url, broker_url.split(":", 2)[0] + ":" + broker_url.split(":", 2)[1] + ":none@" + broker_url.split("@")[1])
                                   .replace("[amqp]", f'[amqp]\npassword_file = "{gateway.folder}/password"'))
    gateway.config_file.chmod(0o644)
    if subprocess.run([*as_user("daemon", "daemon", "kill", "nuropb-meshd"), "--version"], capture_output=True).returncode != 0:
        pytest.skip("the programs are where other users can't run them")
    with Process("meshd", [*as_user("daemon", "nogroup", "kill", "nuropb-meshd"), "--set", "hardening.edge_user=nobody"], gateway.folder) as meshd:
        wait_until((run / "meshd.sock").exists, meshd.tail)
        with Process("edge", [*as_user("nobody", "nogroup", "net_bind_service", "nuropb-edge"), "--port-file", port_file], gateway.folder) as edge:
            wait_until(lambda: port_file.exists() and port_file.read_text().strip(), edge.tail)
            port = int(port_file.read_text())
            wait_until(lambda: health(port)[1].get("broker") == "ready", lambda: meshd.tail() + edge.tail())
            assert status(edge.pid)["CapEff"].strip("0") == "" and status(edge.pid)["Seccomp"] == "2"
            async with await Consumer.open(f"ws://127.0.0.1:{port}/websocket") as consumer:
                assert await consumer.result(demo, "add", {"a": 1, "b": 2}) == 3
            for target in (b"secret", b"password"):
                assert places_of(edge.pid, [(gateway.folder / ("run/secret" if target == b"secret" else "password")).read_bytes()]) == []


def listeners(process):
    """The addresses that it listens on."""
    pid, inodes = process.pid, {what[8:-1] for what in process.descriptors().values() if what.startswith("socket:[")}
    found = set()
    for table in ("tcp", "tcp6", "udp", "udp6"):
        for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
            words = line.split()
            # 0A: TCP's LISTEN; 07: UDP without a peer.
            if words[9] in inodes and words[3] == ("0A" if table.startswith("tcp") else "07"):
                found.add(f"{table} {words[1]}")
    for line in Path(f"/proc/{pid}/net/unix").read_text().splitlines()[1:]:
        words = line.split()
        if words[6] in inodes and int(words[3], 16) & 0x10000:
            found.add(words[7] if len(words) > 7 else "unnamed")
    return found


async def test_meshd_listens_on_its_unix_sockets_only(gateway):
    async with await Consumer.open(gateway.url):
        run = gateway.folder / "run"
        heard = listeners(gateway.meshd)
        loopback = {address for address in heard if address.startswith("tcp 0100007F:")}
        assert heard - loopback == {str(run / "meshd.sock"), str(run / "admin.sock")}
        assert any(address.startswith("tcp ") for address in listeners(gateway.edges[0].process)), "the search finds nothing at all"
