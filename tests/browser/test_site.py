"""scripts/docs: the site is built, its links hold, it is searched in Chromium, and it loads nothing from elsewhere."""

import os
import re
import subprocess
import sys

import pytest

from support.browser import serving
from support.pages import DOCS, book
from support.paths import ROOT

sys.path.insert(0, str(ROOT / "scripts" / "lib" / "site"))
import build as site_builder  # noqa: E402
from check import mistakes_of  # noqa: E402


@pytest.fixture(scope="module")
def site():
    if os.environ.get("NUROPB_WITHOUT_PEERS"):
        pytest.skip("mkdocs-material could not be installed from PyPI")
    done = subprocess.run([ROOT / "scripts" / "docs"], capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    return ROOT / "build" / "site"


async def test_it_is_read_and_searched_without_a_network(site, browser):
    assert mistakes_of(site) == []
    with serving(site) as origin:
        async with browser:
            page = await browser.page(f"{origin}/docs/index.html")
            # In the order of the book, beginning with it.
            links = await page.evaluate("[...document.querySelectorAll('.md-nav--primary a.md-nav__link[href$=\".html\"]')].map((link) => link.href).join()")
            shown = [link.removeprefix(origin + "/") for link in links.split(",")]
            wanted = [str(page.relative_to(ROOT)).replace(".md", ".html") for page in book()]
            assert [link for link in shown if link in wanted] == wanted
            await page.evaluate("document.querySelector('.md-search__input').focus()")
            await page.evaluate("(() => { const box = document.querySelector('.md-search__input'); box.value = 'trusted_proxies'; box.dispatchEvent(new Event('input', {bubbles: true})); box.dispatchEvent(new KeyboardEvent('keyup', {bubbles: true})); })()")
            found = await page.until("[...document.querySelectorAll('.md-search-result__link')].map((link) => link.href).join() || null")
            assert "behind-a-proxy.html" in found, found
            loaded = await page.evaluate("performance.getEntriesByType('resource').map((entry) => entry.name).join()")
            assert all(name.startswith(origin) for name in loaded.split(",")), loaded
            footer = await page.evaluate("document.querySelector('.md-copyright').textContent")
            assert f"Version {site_builder.version_of(ROOT)}" in footer, footer


def test_every_page_is_in_it(site):
    for page in [ROOT / "README.md", *DOCS.rglob("*.md")]:
        name = "index.html" if page.name == "README.md" else page.name.replace(".md", ".html")
        assert (site / page.relative_to(ROOT)).with_name(name).exists(), page


def test_a_link_that_leads_nowhere_is_named(folder):
    (folder / "README.md").write_text("[gone](docs/gone.md)\n")
    with pytest.raises(SystemExit, match=r"README\.md: the link docs/gone\.md leads nowhere"):
        site_builder.Source(folder, folder / "source").add((folder / "README.md").relative_to(folder))


def test_files_become_pages_and_blocks_stay(folder):
    (folder / "README.md").write_text("[settings](all.toml#x) ![it](a.png)\n\n```sh\necho '[a](all.toml)'\n```\n")
    (folder / "all.toml").write_text("[a]\n```\n")
    (folder / "a.png").write_bytes(b"\x89PNG")
    site_builder.Source(folder, folder / "source").add((folder / "README.md").relative_to(folder))
    assert (folder / "source" / "README.md").read_text() == "[settings](all.toml.md#x) ![it](a.png)\n\n```sh\necho '[a](all.toml)'\n```\n"
    assert (folder / "source" / "all.toml.md").read_text() == "# `all.toml`\n\n````toml\n[a]\n```\n````\n"
    assert (folder / "source" / "a.png").exists()


@pytest.mark.parametrize("html, says", [
    ('<a href="gone.html">x</a>', "the link gone.html leads nowhere"),
    ('<a href="#gone">x</a>', "the link #gone names no heading of its page"),
    ('<img src="gone.png">', "the link gone.png leads nowhere"),
    ('<script src="https://cdn.example/x.js"></script>', "loads https://cdn.example/x.js"),
    ('<script src="//cdn.example/x.js"></script>', "loads //cdn.example/x.js"),
    ('<link rel="preconnect" href="https://fonts.example">', "loads https://fonts.example"),
])
def test_what_is_wrong_with_a_page_is_named(folder, html, says):
    (folder / "index.html").write_text(f'<h1 id="top">x</h1><a href="#top">ok</a><a href="https://example.com/">ok</a>{html}')
    assert mistakes_of(folder) == [f"index.html: {says}"]


def test_styles_load_nothing(folder):
    (folder / "style.css").write_text("a { background: url(data:image/png;base64,AA) } @font-face { src: url('https://fonts.example/a.woff2') }")
    assert mistakes_of(folder) == ["style.css: loads https://fonts.example/a.woff2"]


def test_versions_of_requirements_are_exact():
    lines = [line for line in (ROOT / "scripts/lib/site/requirements.txt").read_text().splitlines() if not line.startswith("#")]
    assert lines and all(re.fullmatch(r"[\w-]+==[\d.]+", line) for line in lines)
