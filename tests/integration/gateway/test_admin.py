"""What meshd does over its admin socket: clear answers to whatever is asked, and nobody who asks holds it up."""

import http.client
import json
import socket
import stat

import pytest

from support.ctl import ctl
from support.waiting import wait_until


class Admin(http.client.HTTPConnection):
    def __init__(self, gateway):
        super().__init__("meshd", timeout=20)
        self.path = str(gateway.folder / "run" / "admin.sock")

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


def ask(gateway, method, target, body=None):
    """(status, text)"""
    connection = Admin(gateway)
    try:
        connection.request(method, target, body)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def error(gateway, name, body):
    status, text = ask(gateway, "POST", f"/operations/{name}", body)
    assert status == 400, (name, body, status, text)
    return json.loads(text)["error"]


@pytest.mark.parametrize("body, part", [
    (b"", "not JSON"), (b"{", "not JSON"), (b"\xff", "not JSON"), (b"[]", "no JSON object"), (b"[" * 5000 + b"]" * 5000, "not JSON"), (b"{}", "no 'message'")])
def test_bodies_that_are_none(gateway, body, part):
    assert part in error(gateway, "send_to_all", body)


@pytest.mark.parametrize("name", ["", "x", "send_to_", "send_to_nobody", "close_", "sessions/", "../metrics", "send_to_all?x", "%2e" * 1000])
def test_operations_that_are_none(gateway, name):
    assert "no operation" in error(gateway, name, b"{}")


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
            connection.request("POST", "/operations/send_to_all", b'{"message":"' + b"x" * 40_000_000 + b'"}')
            connection.getresponse()
    finally:
        connection.close()
    assert ask(gateway, "POST", "/operations/sessions", b"{}")[0] == 200


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
