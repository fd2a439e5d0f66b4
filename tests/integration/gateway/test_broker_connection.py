"""How meshd connects to its broker: amqps with a CA, a list of URLs, and a clear log line for each kind of failure."""

import asyncio
import re
from urllib.parse import urlsplit

import pytest

from support.broker import with_parts
from support.consumer import Consumer
from support.ports import free_port
from support.services import demo_service
from support.waiting import eventually

PASSWORD = "s3cret-broker-pass"


async def test_amqps(private_broker, gateways, folder):
    made, url = private_broker.certificates, private_broker.tls_url
    gateway = gateways(url, settings={"amqp": {"ca_file": str(made.ca)}})
    with demo_service(private_broker.url, folder) as demo:
        async with await Consumer.open(gateway.url) as consumer:
            assert await consumer.result(demo.service, "echo", {"value": "x" * 300_000}) == {"value": "x" * 300_000}


async def test_new_credentials_drop_no_socket_and_lose_no_request(private_broker, gateways, folder):
    private_broker.ctl("add_user", "renewed", "one")
    private_broker.ctl("set_permissions", "renewed", ".*", ".*", ".*")
    secret = folder / "password"
    secret.write_text("one\n")
    gateway = gateways(with_parts(private_broker.url, user="renewed", password="not-this-one"), settings={"amqp": {"password_file": str(secret)}})
    with demo_service(private_broker.url, folder) as demo:
        async with await Consumer.open(gateway.url) as consumer:
            assert await consumer.result(demo.service, "add", {"a": 1, "b": 1}) == 2
            await asyncio.to_thread(private_broker.ctl, "change_password", "renewed", "two")
            (folder / "new").write_text("two\n")
            (folder / "new").rename(secret)
            renewed = asyncio.create_task(asyncio.to_thread(gateway.meshd.wait_for_log, "now uses new credentials"))
            asked = 0
            while not renewed.done() or asked < 100:
                assert await consumer.result(demo.service, "add", {"a": asked, "b": 1}) == asked + 1
                asked += 1
            await renewed
            await eventually(gateway.edges[0].ready, "the gateway is ready with them")


async def test_amqps_with_a_certificate_of_a_stranger(private_broker, gateways):
    """Refused with a clear line, unless the check is switched off."""
    made, url = private_broker.certificates, private_broker.tls_url
    refused = gateways(url, wait_ready=False, settings={"amqp": {"ca_file": str(made.stranger)}})
    refused.meshd.wait_for_log(r"(?i)certificate")
    assert not refused.edges[0].ready()
    careless = gateways(url, settings={"amqp": {"ca_file": str(made.stranger), "verify_peer": False}})
    assert careless.edges[0].ready()


async def test_amqps_to_a_name_that_the_certificate_does_not_bear(private_broker, gateways):
    """127.0.0.2 reaches the same machine, but is not what the certificate says."""
    url = private_broker.tls_url.replace("localhost", "127.0.0.2")
    forwarder = await asyncio.start_server(lambda r, w: forward(r, w, private_broker.tls_url), "127.0.0.2", urlsplit(url).port)
    async with forwarder:
        gateway = gateways(url, wait_ready=False, settings={"amqp": {"ca_file": str(private_broker.certificates.ca)}})
        await asyncio.to_thread(gateway.meshd.wait_for_log, r"(?i)certificate|host ?name")
        assert not gateway.edges[0].ready()


async def forward(reader, writer, url):
    """Passes bytes between a connection and the broker at this URL."""
    onward_reader, onward_writer = await asyncio.open_connection("127.0.0.1", urlsplit(url).port)

    async def pump(source, sink):
        try:
            while data := await source.read(65536):
                sink.write(data)
                await sink.drain()
        except OSError:
            pass
        sink.close()
    await asyncio.gather(pump(reader, onward_writer), pump(onward_reader, writer))


async def test_a_wrong_password(broker_url, gateways):
    gateway = gateways(with_parts(broker_url, password=PASSWORD), wait_ready=False)
    gateway.secrets.add(PASSWORD)
    line = gateway.meshd.wait_for_log(r"(?i)^.*(password|credential|login|access.refused).*$")[0]
    assert re.search(r"(?i)refused|wrong|denied", line), line
    assert gateway.meshd.running()


async def test_a_missing_virtual_host_that_is_made_later(private_broker, gateways):
    """A clear log line, and the next attempt succeeds."""
    gateway = gateways(with_parts(private_broker.url, vhost="made-later"), wait_ready=False)
    line = gateway.meshd.wait_for_log(r"(?i)^.*(vhost|virtual host).*$")[0]
    assert "made-later" in line, line
    user = private_broker.url.split("//")[1].split(":")[0]
    await asyncio.to_thread(private_broker.ctl, "add_vhost", "made-later")
    await asyncio.to_thread(private_broker.ctl, "set_permissions", "-p", "made-later", user, ".*", ".*", ".*")
    await eventually(gateway.edges[0].ready, lambda: f"it is connected:\n{gateway.meshd.tail(10)}")
    await asyncio.to_thread(gateway.stop)  # a virtual host that goes while it is in use may be the end of meshd: 404
    await asyncio.to_thread(private_broker.ctl, "delete_vhost", "made-later")


@pytest.mark.parametrize("speaks", ["http", "nothing", "hangs up"])
async def test_a_port_that_is_not_amqp(broker_url, gateways, speaks):
    async def serve(reader, writer):
        if speaks == "http":
            await reader.read(8)
            writer.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
        elif speaks == "nothing":
            await reader.read()
        writer.close()
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    # gateways() waits for files, not for the broker, and would keep our server from running: hence the thread's wait.
    gateway = gateways(with_parts(broker_url, port=port), wait_ready=False, settings={"amqp": {"connect_timeout_ms": 500}})
    match = await asyncio.to_thread(gateway.meshd.wait_for_log, rf"(?i)^.*{port}.*(answer|speak|closed|reset).*AMQP.*$")
    assert match
    assert gateway.meshd.running()
    server.close()


async def test_nobody_listens(broker_url, gateways):
    port = free_port()
    gateway = gateways(with_parts(broker_url, port=port), wait_ready=False)
    assert gateway.meshd.wait_for_log(rf"(?i)^.*{port}.*refused.*$|^.*refused.*{port}.*$")


async def test_the_next_url_of_the_list(broker_url, gateways, demo):
    """The first broker is down, so the second is used."""
    gateway = gateways(broker_url, settings={"amqp": {"urls": [with_parts(broker_url, port=free_port()), broker_url]}})
    async with await Consumer.open(gateway.url) as consumer:
        assert await consumer.result(demo, "echo", {"value": 1}) == {"value": 1}


async def test_another_time_to_expire_costs_no_time_off_the_mesh(broker_url, gateways):
    """Changes the value and changes it back: the previous run's queue has another x-expires and no consumer."""
    gateway = gateways(settings={"amqp": {"response_queue_expires_ms": 600_000}})
    with demo_service(broker_url, gateway.folder) as demo:
        for expires, moved in ((601_000, True), (602_000, True), (600_000, False)):
            gateway.meshd.stop()
            gateway.settings["amqp"]["response_queue_expires_ms"] = expires
            gateway.write_config()
            gateway.start_meshd()
            gateway.until_ready()
            log = gateway.meshd.log()
            assert ("the response queue of an earlier run exists with other properties" in log) == moved, log
            assert "broker not ready" not in log, log
            ann = await Consumer.open(gateway.edges[0].url)
            assert await ann.result(demo.service, "add", {"a": expires, "b": 1}) == expires + 1
            await ann.close()
