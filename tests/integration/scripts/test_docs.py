"""Every command of README.md and docs/ runs and prints what the pages show.

A page's ```sh blocks run in order, in one bash with `set -euo pipefail`, in a tree that looks like a fresh clone; pages
other than the first begin where that one ends, with its gateway running, and the last one stops it. All of them run once
more in one bash, in the order of docs/README.md. Each line of a ```console block has to occur in the output of the block
before it, `…` standing for anything. Ports of the pages are replaced by free ones.

```cpp, ```cmake, ```js, ```python and ```html blocks have to stand in a file of tests/package or examples, which a test runs.

A block under `<!-- not run here -->` must stand in NOT_RUN_HERE, with the file that runs the same command. The tutorial is
walked in a browser: tests/browser/test_tutorial.py.
"""

import os
import re
import subprocess

import pytest

from support.pages import DOCS, INDEX, PAGES, Block, blocks_of, book, links_of, make_clone, missing, run
from support.paths import BIN, ROOT

FIRST, LAST, TUTORIAL = (DOCS / "tasks" / name for name in ("install-and-run.md", "stop.md", "tutorial.md"))
NOT_RUN_HERE = {
    # the command: (the pages that show it, the file that runs it, its line there)
    "scripts/quickstart": ({"README.md", "docs/tasks/install-and-run.md", "docs/tasks/tutorial.md"}, ".ci/run", "scripts/quickstart --smoke"),
    "scripts/test": ({"README.md"}, ".ci/run", "NUROPB_REQUIRE_INTEROP=1 scripts/test"),
    "scripts/build release nuropb-programs": (
        {"docs/tasks/install-and-run.md"}, "scripts/quickstart", "  scripts/build release nuropb-programs"),
}
LIMIT = 600  # seconds for a page, on a machine that does other things as well

BLOCKS = {page: blocks_of(page) for page in PAGES}
# The first page's call is over, and a reader is slow enough for meshd to have heard of it.
ITS_SESSION_HAS_ENDED = Block("the test itself", 0, "until build/release/bin/nuropb-ctl --config .run/mine/gateway.toml sessions | grep '^0 sessions'; do sleep 0.1; done", True, "")


def run_all(blocks, clone, limit=LIMIT):
    # Other suites may share the machine: the limits of the pages are for a reader's.
    outputs = run(blocks, clone, {"NUROPB_BROKER_DIR": str(clone / "broker"), "NUROPB_WAIT_LIMIT": "240"}, limit)
    differences = [difference for block, output in zip(blocks, outputs) for difference in missing(block, output)]
    assert not differences, "\n\n".join(differences)


def running(page):
    return [block for block in BLOCKS[page] if block.runs]


@pytest.fixture
def clone(folder):
    if BIN.resolve() != (ROOT / "build" / "release" / "bin").resolve():
        pytest.skip("the pages run what scripts/build has built, and NUROPB_BIN names something else")
    yield make_clone(folder)
    subprocess.run([ROOT / "scripts" / "broker", "stop"], env={**os.environ, "NUROPB_BROKER_DIR": str(folder / "broker")}, check=True, timeout=200)


@pytest.mark.parametrize("page", [page for page in PAGES if running(page) and page not in (LAST, TUTORIAL)], ids=lambda page: str(page.relative_to(ROOT)))
def test_every_command_of_a_page_runs(page, clone):
    follows = [] if page == FIRST else [ITS_SESSION_HAS_ENDED, *running(page)]
    run_all([*running(FIRST), *follows, *running(LAST)], clone)


def test_the_pages_run_in_the_order_of_the_book(clone):
    """Each page leaves the gateway, the broker and the shell in the state that the next one needs."""
    pages = [page for page in book() if page in BLOCKS and running(page) and page != TUTORIAL]
    # The reference comes behind the last page, and is read beside the others, while the gateway runs.
    in_order = [page for page in pages if not page.is_relative_to(DOCS / "reference")]
    assert in_order[0] == FIRST and in_order[-1] == LAST
    pages.sort(key=lambda page: page == LAST)
    blocks = []
    for page in pages:
        blocks += running(page) if page in (FIRST, LAST) else [ITS_SESSION_HAS_ENDED, *running(page)]
    run_all(blocks, clone, limit=4 * LIMIT)


def test_the_index_leads_to_each_page():
    """Of the reference, a page may also be a part of one that the index names."""
    named = set(book())
    parts = {(page.parent / path).resolve() for page in named if page.is_relative_to(DOCS / "reference") for path, _ in links_of(page)}
    assert [page for page in sorted(DOCS.rglob("*.md")) if page not in named | parts | {INDEX} or (page.parent == DOCS / "tasks" and page not in named)] == []


def test_waits_of_the_pages_have_a_limit():
    for page, blocks in BLOCKS.items():
        for block in blocks:
            assert not re.search(r"^\s*(until|while) .*sleep", block.text, re.MULTILINE), f"{page}:{block.line}: scripts/wait-for has a limit, and says what it waits for"


def test_what_is_not_run_here_is_run_elsewhere():
    seen = {}
    for blocks in BLOCKS.values():
        for block in blocks:
            if not block.runs:
                seen.setdefault(block.text, set()).add(block.page)
    assert seen == {command: pages for command, (pages, _, _) in NOT_RUN_HERE.items()}
    for command, (_, file, line) in NOT_RUN_HERE.items():
        assert command in line
        assert re.search(rf"^{re.escape(line)}$", (ROOT / file).read_text(), re.MULTILINE), f"{file} does not run: {line}"


def test_the_figures_of_the_readme_are_those_of_the_performance_page():
    measured = dict(re.findall(r"^\| ([a-z_]+\.\w+) \| (\S+) ", (ROOT / "docs" / "reference" / "performance.md").read_text(), re.MULTILINE))
    rows = re.findall(r"^\|[^|]+\| ([^|]+) \| ([^|]+) \| (\w+\.\w+), (\w+\.\w+) \|$", (ROOT / "README.md").read_text(), re.MULTILINE)
    assert len(rows) == 5
    for here, beside, our_figure, their_figure in rows:
        for cell, figure in ((here, our_figure), (beside, their_figure)):
            number, unit = re.match(r"([\d.,]+) ?(ms|kB)?", cell).groups()
            shown = float(number.replace(",", "")) * (1000 if unit else 1)  # the page has them in µs and B
            assert shown == pytest.approx(float(measured[figure].replace(",", "")), rel=0.005), f"{figure}: README.md says {cell}"


def test_links_lead_somewhere():
    for page in [*PAGES, *ROOT.glob("scripts/*.md"), *ROOT.glob("deploy/*.md"), *ROOT.glob("examples/*.md")]:
        for path, anchor in links_of(page):
            target = page.parent / path if path else page
            assert target.exists(), f"{page}: {path}"
            if anchor and target.suffix == ".md":
                assert anchor in anchors_of(target), f"{page}: {path}#{anchor}: there is no such heading"


def anchors_of(page):
    """The anchors that GitHub derives from headings."""
    prose = re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in re.findall(r"^#+ (.*)$", prose, re.MULTILINE)}


def test_the_sample_config_is_what_the_programs_print():
    printed = subprocess.run([BIN / "nuropb-meshd", "--sample-config"], capture_output=True, text=True, check=True).stdout
    assert (ROOT / "deploy" / "nuropb-gateway.toml").read_text() == printed, "write it again: nuropb-meshd --sample-config >deploy/nuropb-gateway.toml"


def test_versions_that_pages_name_are_those_that_are_tested():
    tested = dict(re.findall(r"^(?:#: )?([a-z-]+)==(\S+)$", (ROOT / "tests" / "peers.txt").read_text(), re.MULTILINE))
    version = re.search(r"^project\(\S+ VERSION (\d+\.\d+)\.", (ROOT / "CMakeLists.txt").read_text(), re.MULTILINE)[1]
    for page in [*PAGES, ROOT / "examples" / "README.md", ROOT / "examples" / "service.py", ROOT / "scripts" / "service-venv", ROOT / "scripts" / "quickstart"]:
        text = page.read_text()
        for package, named in re.findall(r"(?<![\w-])`?(nuropb|nuropb-gw)`?(?: |==)(\d+\.\d+\.\d+)", text):
            assert named == tested[package], f"{page}: {package} {named}, and tests/peers.txt has {tested[package]}"
        for named in re.findall(r"find_package\(nuropb-gateway (\S+) ", text):
            assert named == version, f"{page}: {named}"


def test_settings_that_pages_name_exist():
    sections, section = {}, ""
    for line in (ROOT / "deploy" / "nuropb-gateway.toml").read_text().splitlines():
        if opened := re.fullmatch(r"\[(\w+)\]", line):
            section = opened[1]
        elif key := re.match(r"(\w+) = ", line):
            sections.setdefault(section, set()).add(key[1])
    for page in PAGES:
        for section, key in re.findall(r"`(\w+)\.([a-z_]+)`", page.read_text()):
            if section in sections and f"{section}.{key}" not in ("admin.sock", "admin.key", "gateway.toml"):  # files
                assert key in sections[section], f"{page}: {section}.{key}"
