"""Every command of README.md and docs/ runs, and what the pages show comes out of it.

A page's ```sh blocks run in order, in one bash with `set -euo pipefail`, in a tree that looks like a fresh clone; pages
other than the first begin where that one ends, with its gateway running. Each line of a ```console block has to occur
in the output of the block before it, `…` standing for anything. Ports of the pages are replaced by free ones.

```cpp, ```cmake and ```js blocks have to stand in a file of tests/package or examples, which a test builds and runs.

A block under `<!-- not run here -->` must stand in NOT_RUN_HERE, with the file that runs the same command.
"""

import os
import re
import subprocess
from dataclasses import dataclass, field

import pytest

from support.paths import BIN, ROOT
from support.ports import free_port

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
FIRST = ROOT / "docs" / "tasks" / "install-and-run.md"
NOT_RUN_HERE = {
    # the command: (the pages that show it, the file that runs it, its line there)
    "scripts/quickstart": ({"README.md", "docs/tasks/install-and-run.md"}, ".ci/run", "scripts/quickstart --smoke"),
    "scripts/test": ({"README.md"}, ".ci/run", "NUROPB_REQUIRE_INTEROP=1 scripts/test"),
    "scripts/build release nuropb-meshd nuropb-edge nuropb-ctl nuropb-demo-service": (
        {"docs/tasks/install-and-run.md"}, "scripts/quickstart", "scripts/build release nuropb-meshd nuropb-edge nuropb-ctl nuropb-demo-service"),
}
# By the test mesh_package, and tests/client/test_examples.py.
COMPILED = [path for folder in ("tests/package", "examples") for path in (ROOT / folder).iterdir() if path.is_file()]
PORTS = ("8880", "8881", "8882", "9880", "2379", "2380", "5801")
LIMIT = 600  # seconds for a page, on a machine that does other things as well


@dataclass
class Block:
    page: str
    line: int
    text: str
    runs: bool
    section: str
    shown: list = field(default_factory=list)  # lines of console blocks that follow it


def blocks_of(page):
    """The sh blocks of a page, each with the console blocks that follow it."""
    found, section, fence, before = [], "", None, ""
    for number, line in enumerate(page.read_text().splitlines(), 1):
        if fence is None:
            opened = re.fullmatch(r"```(\w*)", line)
            if opened:
                fence, begun, inside = opened[1], number, []
            else:
                assert not line.startswith("```"), f"{page}:{number}: a fence that this test can't read: {line}"
                if line.startswith("## "):
                    section = line[3:]
                before = line or before
            continue
        if line != "```":
            inside.append(line)
            continue
        assert fence in ("sh", "console", "json", "cpp", "cmake", "js", ""), f"{page}:{begun}: nothing runs a block of '{fence}'"
        if fence in ("cpp", "cmake", "js"):
            text = "\n".join(inside)
            assert any(text in path.read_text() for path in COMPILED), f"{page}:{begun}: no file that a test runs has this block"
        if fence == "sh":
            found.append(Block(str(page.relative_to(ROOT)), begun, "\n".join(inside), before != "<!-- not run here -->", section))
        elif fence == "console":
            assert found and found[-1].runs, f"{page}:{begun}: an output without a command that is run"
            found[-1].shown += inside
        fence, before = None, ""
    assert fence is None, f"{page}: a fence is not closed"
    return found


BLOCKS = {page: blocks_of(page) for page in PAGES}
# The first page's call is over, and a reader is slow enough for meshd to have heard of it.
ITS_SESSION_HAS_ENDED = Block("the test itself", 0, "until build/release/bin/nuropb-ctl --config .run/mine/gateway.toml sessions | grep '^0 sessions'; do sleep 0.1; done", True, "")


def run(blocks, folder, broker_folder):
    """Runs them in one bash and returns the output of each."""
    script = "set -euo pipefail\n" + "".join(f"echo '@@{number}'\n{block.text}\n" for number, block in enumerate(blocks)) + "echo @@end\n"
    # In one pass: a free port may have the digits of another of these in it.
    instead = {port: str(free_port()) for port in PORTS}
    script = re.sub(rf"\b({'|'.join(PORTS)})\b", lambda port: instead[port[0]], script)
    done = subprocess.run(
        # Should a page fail half-way, what it has started ends with its shell.
        ["bash", "-c", "trap 'kill $(jobs -p) 2>/dev/null || true; wait || true' EXIT\n" + script],
        cwd=folder, env={**os.environ, "NUROPB_BROKER_DIR": str(broker_folder)}, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=LIMIT,
    )
    outputs = dict(re.findall(r"^@@(\d+)\n(.*?)(?=^@@)", done.stdout, re.MULTILINE | re.DOTALL))
    assert done.returncode == 0 and done.stdout.endswith("@@end\n"), f"exit code {done.returncode}\n{script}\n---\n{done.stdout}"
    assert len(outputs) == len(blocks)
    return [outputs[str(number)] for number in range(len(blocks))]


def matches(shown, output):
    pattern = ".*".join(re.escape(part) for part in shown.split("…"))
    return re.search(f"^{pattern}$", output, re.MULTILINE) is not None


@pytest.fixture
def clone(folder, tmp_path_factory):
    """What a reader has in front of them, but with a .run of its own."""
    if BIN.resolve() != (ROOT / "build" / "release" / "bin").resolve():
        pytest.skip("the pages run what scripts/build has built, and NUROPB_BIN names something else")
    for name in ("scripts", "deploy", "docs", "build", "tests", "connectors", "examples"):
        (folder / name).symlink_to(ROOT / name)
    yield folder
    subprocess.run([ROOT / "scripts" / "broker", "stop"], env={**os.environ, "NUROPB_BROKER_DIR": str(folder / "broker")}, check=True, timeout=200)


@pytest.mark.parametrize("page", [page for page in PAGES if any(block.runs for block in BLOCKS[page])], ids=lambda page: str(page.relative_to(ROOT)))
def test_every_command_of_a_page_runs(page, clone):
    first = [block for block in BLOCKS[FIRST] if block.runs]
    blocks = [block for block in BLOCKS[page] if block.runs]
    if page != FIRST:
        blocks = [block for block in first if block.section != "Stop"] + [ITS_SESSION_HAS_ENDED] + blocks + [block for block in first if block.section == "Stop"]
    for block, output in zip(blocks, run(blocks, clone, clone / "broker")):
        for line in block.shown:
            assert matches(line, output), f"{block.page}:{block.line}: the page shows\n  {line}\nbut the output is\n{output}"


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
    for page in [*PAGES, *ROOT.glob("scripts/*.md"), *ROOT.glob("deploy/*.md")]:
        prose = re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
        for link in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", prose):
            if not link.startswith("http"):
                assert (page.parent / link).exists(), f"{page}: {link}"


def test_the_sample_config_is_what_the_programs_print():
    printed = subprocess.run([BIN / "nuropb-meshd", "--sample-config"], capture_output=True, text=True, check=True).stdout
    assert (ROOT / "deploy" / "nuropb-gateway.toml").read_text() == printed, "write it anew: nuropb-meshd --sample-config >deploy/nuropb-gateway.toml"


def test_settings_that_pages_name_exist():
    sections, section = {}, ""
    for line in (ROOT / "deploy" / "nuropb-gateway.toml").read_text().splitlines():
        if opened := re.fullmatch(r"\[(\w+)\]", line):
            section = opened[1]
        elif key := re.match(r"(\w+) = ", line):
            sections.setdefault(section, set()).add(key[1])
    for page in PAGES:
        for section, key in re.findall(r"`(\w+)\.([a-z_]+)`", page.read_text()):
            if section in sections and f"{section}.{key}" != "admin.sock":  # a file
                assert key in sections[section], f"{page}: {section}.{key}"
