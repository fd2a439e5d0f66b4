"""Close codes and error names: those of the code are those of docs/reference/close-codes.md, and each has a test that
provokes it.

A test says so behind its first line, `provokes: 4001, NuropbTimeoutError`, and the code or name has to occur in it.
Who adds a close code adds it in common/close_codes.hpp (constant and `all`), to the page, and marks its test.
"""

import re

from support.paths import ROOT

PAGE = (ROOT / "docs" / "reference" / "close-codes.md").read_text()
HEADER = (ROOT / "common" / "close_codes.hpp").read_text()
BEGINS = re.compile(r"^(?:TEST(?:_F|_P)?\(|(?:async )?def test_)")


def codes():
    return {name: number for name, number in re.findall(r"uint16_t (\w+) =\s+(\d+);", HEADER)}


def names():
    """The error names that any part of the gateway puts on a wire."""
    known = dict(re.findall(r'string_view (\w+) = "(\w+)"', (ROOT / "common" / "error_names.hpp").read_text()))
    found = set()
    for part in ("common", "edge", "meshd"):
        for file in [*(ROOT / part).rglob("*.cpp"), *(ROOT / part).rglob("*.hpp")]:
            if file.name == "error_names.hpp" or "demo" in file.parts:
                continue
            text = file.read_text()
            found |= {known[name] for name in re.findall(r"error_name::(\w+)", text) if name in known}
            found |= set(re.findall(r'"([A-Z]\w+Error)"', text))
    return found


def provoked():
    """{code or name: [where]}, of every test with such a mark."""
    found = {}
    for folder in ("unit", "integration", "interop", "conformance"):
        for file in [*(ROOT / "tests" / folder).rglob("*.cpp"), *(ROOT / "tests" / folder).rglob("*.py")]:
            lines = file.read_text().splitlines()
            for number, line in enumerate(lines):
                marked = re.search(r"(?://|#) provokes: (.+)$", line)
                if not marked or file.name == "test_codes.py":
                    continue
                where = f"{file.relative_to(ROOT)}:{number + 1}"
                assert BEGINS.match(line), f"{where}: a mark stands behind the first line of a test"
                end = next((n for n in range(number + 1, len(lines)) if BEGINS.match(lines[n])), len(lines))
                body = "\n".join(lines[number + 1:end])
                for what in re.split(r",\s*", marked[1].strip()):
                    assert re.search(rf"\b{what}\b", body), f"{where}: the test does not look for {what}"
                    found.setdefault(what, []).append(where)
    return found


def test_the_page_has_every_close_code():
    page = re.findall(r"^\| (\d+) \| `(\w+)` \|", PAGE, re.MULTILINE)
    assert len(page) == len(set(page))
    assert {name: number for number, name in page} == codes() != {}
    listed = re.search(r"all\{(.*?)\};", HEADER, re.DOTALL)[1]
    assert sorted(re.findall(r"\w+", listed)) == sorted(codes()), "close_code::all has each once"
    assert all(re.search(r"\| (yes|no)\b[^|]*\|$", line) for line in PAGE.splitlines() if re.match(r"\| \d+ \|", line))
    for number, _, answer in re.findall(r"^\| (4\d+) \| (`\w+`) \|.*\| (yes|no)\b[^|]*\|$", PAGE, re.MULTILINE):
        assert (int(number) < 4500) == (answer == "yes"), f"{number} is on the wrong side of 4500"


def test_the_page_has_every_error_name():
    page = re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE)
    assert len(page) == len(set(page))
    assert set(page) == names()


def test_each_has_a_test_that_provokes_it():
    have, need = set(provoked()), {*codes().values(), *names()}
    assert need <= have, f"no test provokes {sorted(need - have)}"
    assert have <= need, f"tests provoke what nothing says: {sorted(have - need)}"
