"""The pages of docs/ as a reader uses them: their commands, the output of these, and the order of the pages."""

import os
import re
import subprocess
from dataclasses import dataclass, field

from .paths import ROOT
from .ports import free_port

DOCS = ROOT / "docs"
INDEX = DOCS / "README.md"
PAGES = [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]
PORTS = ("8880", "8881", "8882", "9880", "2379", "2380", "5801", "8000")
# By the test mesh_package, and tests/client/test_examples.py.
COMPILED = [path for folder in ("tests/package", "examples") for path in (ROOT / folder).iterdir() if path.is_file()]
SHOWN_ONLY = ("cpp", "cmake", "js", "python", "html")  # by a page; a file that a test runs has the same lines
PLAYED = "transcript"  # by tests/client/test_transcript.py
NOT_RUN = "<!-- not run here -->"


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
        assert fence in ("sh", "console", "json", "", PLAYED, *SHOWN_ONLY), f"{page}:{begun}: nothing runs a block of '{fence}'"
        if fence in SHOWN_ONLY:
            text = "\n".join(inside)
            assert any(text in path.read_text() for path in COMPILED), f"{page}:{begun}: no file that a test runs has this block"
        if fence == "sh":
            found.append(Block(str(page.relative_to(ROOT)), begun, "\n".join(inside), before != NOT_RUN, section))
        elif fence == "console":
            assert found and found[-1].runs, f"{page}:{begun}: an output without a command that is run"
            found[-1].shown += inside
        fence, before = None, ""
    assert fence is None, f"{page}: a fence is not closed"
    return found


def links_of(page):
    """Relative links of a page as (path, anchor), without those in code blocks."""
    prose = re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    for path, anchor in re.findall(r"\]\(([^)#\s]*)(?:#([^)]*))?\)", prose):
        if not path.startswith(("http:", "https:")):
            yield path, anchor


def book():
    """The pages in the order of the lists of docs/README.md."""
    found = []
    for path in re.findall(r"^(?:\d+\.|\*) \[[^]]*\]\(([^)#]*)", INDEX.read_text(), re.MULTILINE):
        page = (INDEX.parent / path).resolve()
        if page.suffix == ".md" and page not in found:
            found.append(page)
    return found


class Ports:
    """Replaces the ports that the pages name with free ones."""

    def __init__(self):
        self.instead = {port: str(free_port()) for port in PORTS}

    def put_into(self, text):
        # In one pass: a free port may have the digits of another of these in it.
        return re.sub(rf"\b({'|'.join(PORTS)})\b", lambda port: self.instead[port[0]], text)


def make_clone(folder):
    """A reader's checkout with the programs that scripts/build has built, and its own .run folder."""
    folder.mkdir(exist_ok=True)
    for name in ("scripts", "deploy", "docs", "build", "tests", "connectors", "clients", "examples", "edge"):
        (folder / name).symlink_to(ROOT / name)
    return folder


def run(blocks, folder, environment, limit):
    """Runs them in one bash and returns the output of each."""
    script = "set -euo pipefail\n" + "".join(f"echo '@@{number}'\n{block.text}\n" for number, block in enumerate(blocks)) + "echo @@end\n"
    script = Ports().put_into(script)
    done = subprocess.run(
        # If a page fails half-way, the processes that it has started end with its shell.
        ["bash", "-c", "trap 'kill $(jobs -p) 2>/dev/null || true; wait || true' EXIT\n" + script],
        cwd=folder, env={**os.environ, **environment}, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=limit,
    )
    outputs = dict(re.findall(r"^@@(\d+)\n(.*?)(?=^@@)", done.stdout, re.MULTILINE | re.DOTALL))
    if done.returncode != 0 or not done.stdout.endswith("@@end\n"):
        last = blocks[int(re.findall(r"^@@(\d+)$", done.stdout, re.MULTILINE)[-1])]
        raise AssertionError(f"exit code {done.returncode} at {last.page}:{last.line}\n{last.text}\n---\n{done.stdout[-6000:]}")
    assert len(outputs) == len(blocks)
    return [outputs[str(number)] for number in range(len(blocks))]


def missing(block, output):
    """The lines that the page shows and that are missing in the output; `…` stands for any text."""
    def is_there(line):
        pattern = ".*".join(re.escape(part) for part in line.split("…"))
        return re.search(f"^{pattern}$", output, re.MULTILINE)
    lines = [line for line in block.shown if not is_there(line)]
    return [f"{block.page}:{block.line}: the page shows\n  " + "\n  ".join(lines) + f"\nbut the output is\n{output}"] if lines else []
