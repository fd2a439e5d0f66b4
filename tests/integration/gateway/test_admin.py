"""meshd's admin socket: every request gets a clear answer, and no client can block meshd."""

import http.client
import json
import socket
import stat

import pytest

from support import metrics
from support.ctl import ctl
from support.waiting import wait_until


def admin_key(gateway):
    return (gateway.folder / "run" / "admin.key").read_text()


class Admin(http.client.HTTPConnection):
    def __init__(self, gateway):
        super().__init__("meshd", timeout=20)
        self.path = str(gateway.folder / "run" / "admin.sock")

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


def ask(gateway, method, target, body=None, key=...):
    """(status, text); with the right key by default"""
    connection = Admin(gateway)
    key = admin_key(gateway) if key is ... else key
    try:
        connection.request(method, target, body, {} if key is None else {"Authorization": f"Bearer {key}"})
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def error(gateway, name, body):
    status, text = ask(gateway, "POST", f"/operations/{name}", body)
    assert status == 400, (name, body, status, text)
    return json.loads(text)["error"]


@pytest.mark.parametrize("body, part", [
    (b"", "not JSON"), (b"{", "not JSON"), (b"\xff", "not JSON"), (b"[]", "no JSON object"), (b"[" * 5000 + b"]" * 5000, "not JSON"), (b"{}", "'message' is missing")])
def test_bodies_that_are_none(gateway, body, part):
    assert part in error(gateway, "send_to_all", body)


@pytest.mark.parametrize("name", ["", "x", "send_to_", "send_to_nobody", "close_", "sessions/", "../metrics", "send_to_all?x", "%2e" * 1000])
def test_operations_that_are_none(gateway, name):
    assert "unknown operation" in error(gateway, name, b"{}")


def test_other_methods_and_pages(gateway):
    assert ask(gateway, "GET", "/operations/sessions")[0] == 405
    assert ask(gateway, "POST", "/metrics", b"{}")[0] == 405
    assert ask(gateway, "POST", "/", b"{}")[0] == 404
    assert ask(gateway, "GET", "/metrics")[0] == 200
    assert "nuropb_gateway_push_sends_total" in ask(gateway, "GET", "/metrics")[1]


def test_a_body_that_is_too_large_ends_the_visit(gateway):
    connection = Admin(gateway)
    try:
        with pytest.raises((OSError, http.client.HTTPException)):
            connection.request("POST", "/operations/send_to_all", b'{"message":"' + b"x" * 40_000_000 + b'"}', {"Authorization": f"Bearer {admin_key(gateway)}"})
            connection.getresponse()
    finally:
        connection.close()
    assert ask(gateway, "POST", "/operations/sessions", b"{}")[0] == 200


def test_what_acts_and_what_shows_a_client_takes_the_key(gateway):
    good = admin_key(gateway)
    refused = metrics.value(gateway, "admin_refused_total")
    wrong = [None, "", good[:-1], good + "0", "0" * 64, good.upper() if good.upper() != good else "x" * 64]
    for key in wrong:
        for target in ("/operations/send_to_all", "/operations/sessions", "/operations/no_such_one", "/tap"):
            status, text = ask(gateway, "POST", target, b'{"message": 1}', key)
            assert status == 401 and "admin.key" in json.loads(text)["error"], (key, target, text)
            assert good not in text
    assert metrics.value(gateway, "admin_refused_total") == refused + 4 * len(wrong)
    gateway.meshd.wait_for_log("request on the admin socket refused.*it has no key")
    assert good not in gateway.meshd.log()
    for page in ("/metrics", "/healthz", "/readyz"):
        assert ask(gateway, "GET", page, key=None)[0] in (200, 503), "figures take no key, here as on metrics.listen"
    assert ask(gateway, "POST", "/operations/sessions", b"{}")[0] == 200


def test_a_large_body_without_the_key_is_not_read(gateway):
    with socket.socket(socket.AF_UNIX) as link:
        link.settimeout(45)
        link.connect(str(gateway.folder / "run" / "admin.sock"))
        link.sendall(b"POST /operations/send_to_all HTTP/1.1\r\nHost: meshd\r\nContent-Length: 1000000\r\n\r\n")
        assert link.recv(1024).startswith(b"HTTP/1.1 401 ")


def test_ctl_names_the_key_file_that_it_cannot_read(gateways):
    gateway = gateways()
    file = gateway.folder / "run" / "admin.key"
    ctl(gateway, "sessions")
    right = file.read_text()
    file.write_text("0" * 64)
    assert "not the key of the admin socket" in ctl(gateway, "sessions", code=1)["stderr"]
    file.write_text(right)
    ctl(gateway, "sessions")
    gateway.meshd.kill()
    file.unlink()
    said = ctl(gateway, "sessions", code=1)["stderr"]
    assert str(file) in said and "No such file" in said
    gateway.start_meshd()
    gateway.until_ready()
    assert file.stat().st_mode & 0o777 == 0o600 and file.read_text() != right, "a new key is made for one that was removed"
    ctl(gateway, "sessions")


def test_those_who_say_nothing_hold_nobody_up(gateway):
    silent = []
    try:
        for _ in range(40):
            one = socket.socket(socket.AF_UNIX)
            one.connect(str(gateway.folder / "run" / "admin.sock"))
            silent.append(one)

        def answered():
            try:
                return ask(gateway, "GET", "/metrics")[0] == 200
            except (OSError, http.client.HTTPException):
                return False
        wait_until(answered, "room, once the silent ones had their time")
    finally:
        for one in silent:
            one.close()


def test_for_its_own_user_only(gateway):
    mode = (gateway.folder / "run" / "admin.sock").stat().st_mode
    assert stat.S_ISSOCK(mode) and stat.S_IMODE(mode) == 0o600


def test_without_a_meshd_ctl_says_so(gateways):
    gateway = gateways()
    gateway.meshd.kill()
    said = ctl(gateway, "sessions", code=1)["stderr"]
    assert "admin.sock" in said and "is nuropb-meshd running" in said
    gateway.start_meshd()
    gateway.until_ready()
