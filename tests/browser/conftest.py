"""Pages, each from an origin of its own, and a browser to open them in."""

import contextlib
import functools
import http.server
import threading

import pytest

from support.browser import Browser


@contextlib.contextmanager
def serving(folder):
    """The origin under which a folder's pages are served."""
    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=folder))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def empty_page(folder):
    (folder / "index.html").write_text("<!doctype html><title>empty</title>")
    with serving(folder) as origin:
        yield origin


@pytest.fixture
def stranger(folder):
    """The same page from an origin that the gateway does not know."""
    with serving(folder) as origin:
        yield origin


@pytest.fixture
def browser(folder):
    return Browser(folder)
