"""Pages, each with its own origin, and a browser to open them."""

import pytest

from support.browser import Browser, serving


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
