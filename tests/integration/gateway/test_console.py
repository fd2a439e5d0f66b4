"""The console's listener: which requests it answers, and for which users. (The page in a browser: tests/browser/test_console.py.)"""

import http.client
import json

import pytest

from support.gateway import Gateway
from support.ports import free_port


@pytest.fixture(scope="module")
def console(broker_url):
    with Gateway(broker_url, settings={"console": {"enabled": True, "port": 0, "users": ["ann"], "hosts": ["console.example"]}}) as running:
        yield running


def ask(gateway, path, method="GET", body=None, **headers):
    connection = http.client.HTTPConnection("127.0.0.1", gateway.edges[0].console_port, timeout=20)
    try:
        connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read().decode()
    finally:
        connection.close()


def test_the_page_is_closed_to_everything_from_elsewhere(console):
    status, headers, page = ask(console, "/")
    assert status == 200 and "<title>NuroPb gateway: console</title>" in page
    policy = dict(part.strip().split(" ", 1) for part in headers["Content-Security-Policy"].split(";"))
    assert policy["default-src"] == "'none'" and policy["script-src"] == policy["style-src"] == "'self'" and policy["frame-ancestors"] == "'none'"
    assert policy["connect-src"] == f"'self' ws://127.0.0.1:{console.edges[0].port}"
    assert headers["X-Content-Type-Options"] == "nosniff" and headers["X-Frame-Options"] == "DENY" and headers["Referrer-Policy"] == "no-referrer"
    assert "unsafe" not in headers["Content-Security-Policy"] and "<script>" not in page and "style=" not in page
    for file, kind in (("console.js", "text/javascript"), ("console.css", "text/css")):
        status, headers, text = ask(console, f"/{file}")
        assert status == 200 and headers["Content-Type"].startswith(kind) and "://" not in text.replace("http://www.w3.org", "")


def test_figures_are_for_those_who_are_named(console):
    status, _, text = ask(console, "/api/status", Authorization="Bearer secret-ann")
    assert status == 200
    figures = json.loads(text)
    assert figures["service"] == console.name and figures["workers"][0]["pid"] == console.edges[0].process.pid
    for token, wanted, word in (("secret-bob", 403, "console.users"), ("not-a-token", 401, "token refused")):
        status, _, text = ask(console, "/api/status", Authorization=f"Bearer {token}")
        assert status == wanted and word in text, text
    assert ask(console, "/api/status")[0] == 401
    assert ask(console, "/api/status", Cookie="Authorization=secret-ann")[0] == 401  # what a browser sends by itself is nothing
    assert ask(console, "/api/status", Authorization="Bearer " + "x" * 14_000)[0] == 401


def test_nobody_kills_where_it_is_not_allowed(console):
    status, _, text = ask(console, "/api/kill", "POST", '{"slot": 0}', Authorization="Bearer secret-ann")
    assert status == 403 and "console.kill_workers" in text
    assert console.edges[0].process.running()


@pytest.mark.parametrize("path", ["/", "/api/about", "/api/status"])
def test_a_name_that_was_made_to_lead_here_is_refused(console, path):
    for host in ("evil.example", "console.example.evil", "", "127.0.0.1.evil.example:80", "user@127.0.0.1", "a b"):
        assert ask(console, path, Host=host, Authorization="Bearer secret-ann")[0] in (400, 421), host
    for host in ("localhost:1", "127.0.0.1", "[::1]:80", "console.example"):
        assert ask(console, path, Host=host, Authorization="Bearer secret-ann")[0] == 200, host


def test_other_origins_are_refused(console):
    for origin in ("http://evil.example", "null", f"http://127.0.0.1:{console.edges[0].port}"):
        assert ask(console, "/api/status", Origin=origin, Authorization="Bearer secret-ann")[0] == 403
    assert ask(console, "/api/status", Sec_Fetch_Site="cross-site", Authorization="Bearer secret-ann")[0] == 403
    own = f"http://127.0.0.1:{console.edges[0].console_port}"
    assert ask(console, "/api/status", Origin=own, Sec_Fetch_Site="same-origin", Authorization="Bearer secret-ann")[0] == 200


@pytest.mark.parametrize("method, path, wanted", [("POST", "/api/status", 405), ("GET", "/api/kill", 405), ("GET", "/../etc/passwd", 404), ("GET", "/console_files.cpp", 404), ("DELETE", "/", 405)])
def test_what_there_is_not(console, method, path, wanted):
    assert ask(console, path, method, Authorization="Bearer secret-ann")[0] == wanted


def test_a_body_is_bounded(console):
    assert ask(console, "/api/kill", "POST", "x" * 5000, Authorization="Bearer secret-ann")[0] == 413


def test_it_is_off_unless_it_is_wanted(gateways):
    gateway = gateways(settings={"console": {"users": ["ann"], "port": free_port()}})
    assert gateway.edges[0].console_port == 0
    with pytest.raises(OSError):
        http.client.HTTPConnection("127.0.0.1", gateway.settings["console"]["port"], timeout=5).connect()
