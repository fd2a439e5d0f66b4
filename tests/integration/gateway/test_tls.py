"""TLS on the consumers' side: versions and ciphers, certificates by name, reloading, certificates of consumers, bad files."""

import asyncio
import re
import shutil
import signal
import ssl
import subprocess
import time

import pytest
from websockets.exceptions import InvalidMessage

from support import metrics
from support.certificates import Certificates
from support.consumer import Consumer
from support.gateway import Gateway, health
from support.paths import binary
from support.waiting import eventually, wait_until
from support.websocket import Refusal

# Under TLS 1.3 a client thinks itself in before the server has looked at its certificate: the refusal comes afterwards.
REFUSED = (OSError, InvalidMessage)
EC = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1")


@pytest.fixture(scope="module")
def certificates(scratch):
    made = Certificates(scratch / "edge-certificates")
    made.one = made.issue("one", "one.test", "DNS:one.test,DNS:localhost", key=EC)
    made.two = made.issue("two", "two.test", "DNS:two.test,DNS:*.two.test")
    made.fresh = made.issue("fresh", "fresh.test", "DNS:one.test,DNS:localhost", key=EC)
    made.ann = made.issue("ann", "ann", "email:ann@example.com", key=EC)
    made.unknown = made.issue("unknown", "ann", "DNS:ann", issuer="stranger", key=EC)
    return made


def tls_settings(certificates, **more):
    pairs = (certificates.one, certificates.two)
    return {"certificate_files": [str(pair[0]) for pair in pairs], "key_files": [str(pair[1]) for pair in pairs], **more}


@pytest.fixture(scope="module")
def secure(broker_url, certificates):
    with Gateway(broker_url, settings={"tls": tls_settings(certificates)}) as running:
        yield running


def trusting(certificates, own=None):
    context = ssl.create_default_context(cafile=str(certificates.ca))
    if own:
        context.load_cert_chain(*own)
    return context


def s_client(port, *words):
    """(whether the handshake succeeded, what openssl said)."""
    done = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{port}", *words], input=b"", capture_output=True, timeout=60)
    text = (done.stdout + done.stderr).decode("latin-1")
    return "Cipher is (NONE)" not in text and "BEGIN CERTIFICATE" in text, text


def subject(port, name, folder=None):
    """The name in the certificate that the server presents for this SNI."""
    ok, text = s_client(port, "-servername", name) if name else s_client(port, "-noservername")
    assert ok, text
    return re.search(r"subject=CN = (\S+)", text)[1]


OLD = ("-cipher", "ALL:@SECLEVEL=0")


@pytest.mark.parametrize("words, taken", [
    (("-tls1_3",), True),
    (("-tls1_2",), True),
    (("-tls1_1", *OLD), False),
    (("-tls1", *OLD), False),
    (("-tls1_2", "-cipher", "ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES128-GCM-SHA256"), True),
    (("-tls1_2", "-cipher", "ECDHE-RSA-CHACHA20-POLY1305:ECDHE-ECDSA-CHACHA20-POLY1305"), True),
    (("-tls1_2", "-cipher", "AES128-GCM-SHA256:AES256-GCM-SHA384"), False),          # no forward secrecy
    (("-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-SHA:ECDHE-RSA-AES256-SHA384"), False),  # CBC
    (("-tls1_2", "-cipher", "aNULL:eNULL:@SECLEVEL=0"), False),
])
def test_versions_and_ciphers(secure, words, taken):
    ok, text = s_client(secure.edges[0].port, "-servername", "one.test", *words)
    assert ok == taken, text


def test_only_tls_1_3_where_asked_for(gateways, certificates):
    gateway = gateways(settings={"tls": tls_settings(certificates, min_version="1.3")})
    assert s_client(gateway.edges[0].port, "-tls1_3")[0]
    assert not s_client(gateway.edges[0].port, "-tls1_2")[0]


@pytest.mark.parametrize("asked, shown", [
    ("one.test", "one.test"), ("two.test", "two.test"), ("deep.two.test", "two.test"), ("TWO.test", "two.test"),
    ("a.b.two.test", "one.test"), ("unheard.of", "one.test"), (None, "one.test"),
])
def test_the_name_asked_for_chooses_the_certificate(secure, asked, shown):
    assert subject(secure.edges[0].port, asked) == shown


def test_no_renegotiation_and_no_tickets(secure):
    ok, text = s_client(secure.edges[0].port, "-tls1_2")
    assert ok and not re.search(r"TLS session ticket:", text), text
    assert "Compression: NONE" in text


async def test_messages_of_all_sizes(secure, certificates, demo):
    async with await Consumer.open(secure.url.replace("127.0.0.1", "localhost"), ssl=trusting(certificates)) as consumer:
        for size in (0, 1, 1000, 16_383, 16_384, 16_385, 100_000, 1_500_000):
            assert await consumer.result(demo, "echo", {"x": "y" * size}) == {"x": "y" * size}
        many = [await consumer.begin(demo, "echo", {"n": n}) for n in range(300)]
        assert [(await answer)["result"]["n"] for answer in many] == list(range(300))


async def test_plain_http_on_a_tls_port_is_no_crash(secure):
    assert health(secure.edges[0].port)[0] is None
    assert secure.edges[0].health()[0] == 200


async def test_reload_without_dropping_a_socket(gateways, certificates, demo, folder):
    for name, source in zip(("server.pem", "server.key"), certificates.one):
        shutil.copy(source, folder / name)
    gateway = gateways(settings={"tls": {"certificate_files": [str(folder / "server.pem")], "key_files": [str(folder / "server.key")]}})
    edge = gateway.edges[0]
    async with await Consumer.open(gateway.url.replace("127.0.0.1", "localhost"), ssl=trusting(certificates)) as consumer:
        assert subject(edge.port, "one.test") == "one.test"

        # A key that does not fit: the former certificate stays in force, and the log says so.
        shutil.copy(certificates.fresh[0], folder / "server.pem")
        edge.process.popen.send_signal(signal.SIGHUP)
        edge.process.wait_for_log(r"ERROR +edge certificates not changed.*is not the key of")
        assert subject(edge.port, "one.test") == "one.test"

        (folder / "server.pem").unlink()
        edge.process.popen.send_signal(signal.SIGHUP)
        edge.process.wait_for_log(r"ERROR +edge certificates not changed.*can't be read")
        assert subject(edge.port, "one.test") == "one.test"

        for name, source in zip(("server.pem", "server.key"), certificates.fresh):
            shutil.copy(source, folder / name)
        edge.process.popen.send_signal(signal.SIGHUP)
        await eventually(lambda: subject(edge.port, "one.test") == "fresh.test", "the new certificate is shown")
        assert await consumer.result(demo, "echo", {"still": "here"}) == {"still": "here"}
        async with await Consumer.open(gateway.url.replace("127.0.0.1", "localhost"), ssl=trusting(certificates)) as later:
            assert await later.result(demo, "echo", {"n": 1}) == {"n": 1}


@pytest.mark.parametrize("what, says", [
    ("no certificate", "nowhere.pem: can't be read"),
    ("no key", "nowhere.key: can't be read"),
    ("not PEM", "rubbish.pem: no certificate in PEM"),
    ("another's key", "is not the key of"),
    ("a key with a password", "locked.key: no key in PEM without a password"),
    ("ciphers", "tls.ciphers"),
    ("no CA", "nowhere.pem: can't be read (tls.client_ca_file)"),
])
def test_bad_files_are_a_clear_error_at_start(certificates, folder, what, says):
    certificate, key = certificates.one
    extra = {}
    if what == "no certificate":
        certificate = folder / "nowhere.pem"
    elif what == "no key":
        key = folder / "nowhere.key"
    elif what == "not PEM":
        certificate = folder / "rubbish.pem"
        certificate.write_text("rubbish\n")
    elif what == "another's key":
        key = certificates.two[1]
    elif what == "a key with a password":
        subprocess.run(["openssl", "ec", "-in", key, "-aes128", "-passout", "pass:x", "-out", folder / "locked.key"], check=True, capture_output=True)
        key = folder / "locked.key"
    elif what == "ciphers":
        extra["ciphers"] = "NO-SUCH-CIPHER"
    else:
        extra.update(client_certificates="required", client_ca_file=str(folder / "nowhere.pem"))
    settings = {"tls.certificate_files": certificate, "tls.key_files": key, "listen.port": 0, "gateway.runtime_dir": folder, **{f"tls.{k}": v for k, v in extra.items()}}
    words = [word for name, value in settings.items() for word in ("--set", f"{name}={value}")]
    done = subprocess.run([binary("nuropb-edge"), *words], capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL)
    assert done.returncode == 78 and says in done.stderr, done
    assert "PRIVATE KEY" not in done.stderr


@pytest.mark.parametrize("words, says", [
    (("tls.certificate_files=a.pem",), "tls.key_files: 0 for 1"),
    (("tls.client_certificates=optional",), "needs tls.certificate_files"),
    (("listen.proxy_protocol=true",), "listen.trusted_proxies is empty"),
    (("listen.trusted_proxies=10.0.0.1/8",), "nor a CIDR block"),
])
def test_settings_that_make_no_sense(words, says):
    done = subprocess.run([binary("nuropb-edge"), "--check-config", *(part for word in words for part in ("--set", word))], capture_output=True, text=True, timeout=60)
    assert done.returncode == 2 and says in done.stderr, done


async def test_certificates_of_consumers(gateways, certificates):
    settings = tls_settings(certificates, client_certificates="optional", client_ca_file=str(certificates.ca))
    gateway = gateways(settings={"tls": settings})
    url = gateway.url.replace("127.0.0.1", "localhost")
    # A token counts, whatever the certificate says; without one it is the certificate's name that meshd judges, and
    # where no authorizer maps it the answer is no.
    async with await Consumer.open(url, "secret-bob", ssl=trusting(certificates, certificates.ann)) as consumer:
        assert consumer.hello["payload"]["event"]["user_id"] == "bob"
    async with await Consumer.open(url, None, hello=False, ssl=trusting(certificates, certificates.ann)) as consumer:
        assert (await consumer.closed())[0] == 4501
    # One that nobody whom we trust has signed ends the handshake.
    with pytest.raises(REFUSED):
        await Consumer.open(url, "secret-bob", ssl=trusting(certificates, certificates.unknown))
    async with await Consumer.open(url, "secret-bob", ssl=trusting(certificates)):
        pass


async def test_a_certificate_is_a_user_where_the_config_asks_for_it(gateways, certificates):
    settings = tls_settings(certificates, client_certificates="optional", client_ca_file=str(certificates.ca))
    gateway = gateways(settings={"tls": settings, "auth": {"authorizers": ["tokens", "client_certificate"]}})
    url = gateway.url.replace("127.0.0.1", "localhost")
    async with await Consumer.open(url, None, ssl=trusting(certificates, certificates.ann)) as consumer:
        assert consumer.hello["payload"]["event"]["user_id"] == "ann"
    async with await Consumer.open(url, "secret-bob", ssl=trusting(certificates, certificates.ann)) as consumer:
        assert consumer.hello["payload"]["event"]["user_id"] == "bob"
    async with await Consumer.open(url, "wrong", hello=False, ssl=trusting(certificates, certificates.ann)) as consumer:
        assert (await consumer.closed())[0] == 4501, "a bad token is no reason to look further"


@pytest.mark.parametrize("which, user", [("cn", "ann"), ("email", "ann@example.com"), ("uri", None)])
async def test_a_certificates_name_is_the_user_where_an_authorizer_says_so(gateways, certificates, which, user):
    settings = tls_settings(certificates, client_certificates="optional", client_ca_file=str(certificates.ca), client_name=which)
    gateway = gateways(settings={"tls": settings, "auth": {"authorizers": ["tokens", "client_certificate"]}})
    url = gateway.url.replace("127.0.0.1", "localhost")
    if user is None:  # it has no such name, so it shows nothing at all
        with pytest.raises(Refusal):
            await Consumer.open(url, None, ssl=trusting(certificates, certificates.ann))
        return
    async with await Consumer.open(url, None, ssl=trusting(certificates, certificates.ann)) as consumer:
        assert consumer.hello["payload"]["event"]["user_id"] == user
    with pytest.raises(Refusal):
        await Consumer.open(url, None, ssl=trusting(certificates))


def with_certificates(certificates, **more):
    """Settings of a gateway that authenticates clients by their certificates."""
    return {"tls": tls_settings(certificates, client_certificates="optional", client_ca_file=str(certificates.ca), **more), "auth": {"authorizers": ["tokens", "client_certificate"], "expiry_warning_s": 1}}


async def test_a_session_ends_with_the_certificate_that_began_it(gateways, certificates, demo):
    gateway = gateways(edges=1, settings=with_certificates(certificates))
    url = gateway.url.replace("127.0.0.1", "localhost")
    # As long as it takes to come in on a busy machine; what counts is that the session ends by itself.
    end = int(time.time()) + 15
    short, other = certificates.issue_until("short", "eve", end), certificates.issue_until("long", "eve", end + 86_400)
    async with await Consumer.open(url, None, ssl=trusting(certificates, short)) as eve, await Consumer.open(url, None, ssl=trusting(certificates, other)) as lasting, \
            await Consumer.open(url, "secret-bob", ssl=trusting(certificates, short)) as bob:
        assert eve.hello["payload"]["event"]["user_id"] == "eve"
        assert await eve.result(demo, "add", {"a": 1, "b": 2}) == 3
        # A meshd that comes meanwhile knows it, too.
        gateway.meshd.kill()
        gateway.start_meshd()
        gateway.until_ready()
        assert (await eve.closed())[0] == 4401 and time.time() >= end
        assert await lasting.result(demo, "add", {"a": 1, "b": 2}) == 3
        assert await bob.result(demo, "add", {"a": 1, "b": 2}) == 3, "a token's session ends with the token"
    assert metrics.value(gateway, 'auth_failures_total{reason="expired"}') == 1
    with pytest.raises(REFUSED):
        await Consumer.open(url, None, ssl=trusting(certificates, short))
    gateway.edges[0].process.wait_for_log('client certificate refused .*reason="?certificate has expired')
    await eventually(lambda: metrics.value(gateway, 'auth_failures_total{reason="certificate"}') == 1, "it is counted")


async def test_a_session_ends_with_the_authority_that_vouched_for_it(gateways, certificates):
    """An intermediate CA that expires before its client's certificate does."""
    end = int(time.time()) + 15
    middle, middle_key = certificates.issue("middle", "middle", None, key=EC)
    (certificates.folder / "authority.names").write_text("basicConstraints=critical,CA:TRUE\n")
    certificates._authority("ca", "-in", "middle.csr", "-out", "middle.pem", "-notext", "-extfile", "authority.names", "-startdate", "20200101000000Z", "-enddate", time.strftime("%Y%m%d%H%M%SZ", time.gmtime(end)))
    leaf, key = certificates.issue_until("below", "eve", end + 86_400, issuer="middle")
    chain = certificates.folder / "below-chain.pem"
    chain.write_text(leaf.read_text() + middle.read_text())
    gateway = gateways(settings=with_certificates(certificates))
    async with await Consumer.open(gateway.url.replace("127.0.0.1", "localhost"), None, ssl=trusting(certificates, (chain, key))) as eve:
        assert eve.hello["payload"]["event"]["user_id"] == "eve"
        assert (await eve.closed())[0] == 4401 and time.time() >= end


async def test_revoked_certificates(gateways, certificates, folder):
    lists = folder / "revoked.pem"
    day = int(time.time()) + 86_400
    good, bad = certificates.issue_until("good", "gus", day), certificates.issue_until("bad", "mal", day)
    lists.write_text(certificates.revocations())
    gateway = gateways(settings=with_certificates(certificates, client_crl_file=str(lists)))
    edge, url = gateway.edges[0].process, gateway.url.replace("127.0.0.1", "localhost")
    for pair, user in ((good, "gus"), (bad, "mal")):
        async with await Consumer.open(url, None, ssl=trusting(certificates, pair)) as consumer:
            assert consumer.hello["payload"]["event"]["user_id"] == user

    async def reloaded(text, what):
        lists.write_text(text)
        so_far = edge.log().count(what)
        edge.signal(signal.SIGHUP)
        await eventually(lambda: edge.log().count(what) > so_far, edge.tail)
    certificates.revoke("bad")
    await reloaded(certificates.revocations(), "certificates read again")
    with pytest.raises(REFUSED):
        await Consumer.open(url, None, ssl=trusting(certificates, bad))
    edge.wait_for_log('client certificate refused address=127.0.0.1:[0-9]+ reason="?certificate revoked')
    await eventually(lambda: metrics.value(gateway, 'auth_failures_total{reason="certificate"}') == 1, "it is counted")
    async with await Consumer.open(url, None, ssl=trusting(certificates, good)):
        pass
    async with await Consumer.open(url, "secret-bob", ssl=trusting(certificates)):
        pass
    # What is no list is named, and the former ones stay in force: also where only the second of two is broken.
    revoked = lists.read_text()
    for text in ("", "rubbish", revoked + "-----BEGIN X509 CRL-----\nrubbish\n-----END X509 CRL-----\n"):
        await reloaded(text, "certificates not changed")
        assert re.search(rf"certificates not changed .*{lists.name}.*tls.client_crl_file", edge.log())
        with pytest.raises(REFUSED):
            await Consumer.open(url, None, ssl=trusting(certificates, bad))
    # An expired list is no list: an attacker who keeps us from the next one gains nothing.
    await reloaded(certificates.revocations(seconds=1), "certificates read again")
    async def refused():
        try:
            async with await Consumer.open(url, None, hello=False, ssl=trusting(certificates, good)):
                return False
        except REFUSED:
            return True
    await eventually(refused, "the list's time is over")
    lists.write_text(certificates.revocations())
    gateway.edges[0].process.signal(signal.SIGHUP)
    async def taken():
        return not await refused()
    await eventually(taken, "with a fresh list it goes on")


def test_lists_without_client_certificates_are_a_mistake_in_the_settings(folder):
    config = folder / "gateway.toml"
    config.write_text('[amqp]\nurls = ["amqp://x/"]\n[tls]\nclient_crl_file = "revoked.pem"\n')
    done = subprocess.run([binary("nuropb-meshd"), "--config", config, "--print-config"], capture_output=True, text=True)
    assert done.returncode != 0 and "tls.client_crl_file: does nothing without tls.client_certificates" in done.stderr + done.stdout


async def test_required_certificates(gateways, certificates):
    settings = tls_settings(certificates, client_certificates="required", client_ca_file=str(certificates.ca))
    gateway = gateways(settings={"tls": settings}, health_certificate=certificates.ann)
    url = gateway.url.replace("127.0.0.1", "localhost")
    with pytest.raises(REFUSED):
        await Consumer.open(url, "secret-bob", ssl=trusting(certificates))
    gateway.edges[0].process.wait_for_log('client certificate refused .*reason="?it has sent none')
    async with await Consumer.open(url, "secret-bob", ssl=trusting(certificates, certificates.ann)):
        pass


@pytest.mark.parametrize("first", [b"", b"\x16\x03\x01", bytes.fromhex("1603010200010001fc0303") + bytes(64)])
async def test_a_tls_handshake_that_does_not_go_on_is_ended(gateways, certificates, first):
    gateway = gateways(settings={"tls": tls_settings(certificates), "limits": {"handshake_ms": 300}})
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.edges[0].port)
    writer.write(first)
    try:
        await asyncio.wait_for(reader.read(), 45)  # returns only at the end of the connection
    except ConnectionError:
        pass
    writer.close()


async def test_over_the_limit_it_closes_before_the_handshake(gateways, certificates):
    gateway = gateways(settings={"tls": tls_settings(certificates), "limits": {"connections": 1}})
    url = gateway.url.replace("127.0.0.1", "localhost")
    async def first():
        try:
            return await Consumer.open(url, ssl=trusting(certificates))
        except REFUSED:
            return None  # the health check that found the gateway ready has not left yet
    async with await eventually(first, "there is room for the first one"):
        reader, writer = await asyncio.open_connection("127.0.0.1", gateway.edges[0].port)
        try:
            assert await asyncio.wait_for(reader.read(), 45) == b"", "not a byte of TLS"
        except ConnectionError:
            pass
        writer.close()
    wait_until(lambda: gateway.edges[0].health()[0] == 200, "there is room again")
