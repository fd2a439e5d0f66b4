"""The rooms of edge/ include each other in one direction, as edge/README.md says."""

import re
from pathlib import Path

EDGE = Path(__file__).resolve().parents[3] / "edge"

# Besides their own files, and those that lie directly in edge/.
MAY_INCLUDE = {
    "http_api": {"sessions", "protocol", "link"},
    "relay": {"sessions", "protocol", "link"},
    "sessions": {"protocol", "link"},
    "protocol": set(),
    "link": set(),
    "transport": set(),
}
ROOT = {"edge.hpp", "edge.cpp", "main.cpp"}


def includes():
    """Of each file: the rooms of what it includes, and where it says so."""
    for path in sorted(EDGE.rglob("*.[ch]pp")):
        for line in path.read_text().splitlines():
            if found := re.match(r'#include "edge/(\w+)/[\w.]+"', line):
                yield path.relative_to(EDGE), found.group(1), line


def test_rooms_include_in_one_direction():
    wrong = []
    for path, room, line in includes():
        own = path.parts[0] if len(path.parts) > 1 else ""
        if not own and path.name in ROOT:
            continue
        if room != own and room not in MAY_INCLUDE.get(own, set()):
            wrong.append(f"edge/{path}: {line}")
    assert not wrong, "\n".join(wrong)


def test_rooms_are_known():
    rooms = {path.parent.name for path in EDGE.glob("*/*.hpp")}
    assert rooms == set(MAY_INCLUDE)


def test_readme_says_the_same():
    rows = re.findall(r"^\| \[`(\w+)/`\]\(.*\) \|.*\|(.*)\|$", (EDGE / "README.md").read_text(), re.MULTILINE)
    said = {room: set(re.findall(r"`(\w+)/`", rest)) for room, rest in rows}
    assert said == {room: rooms for room, rooms in MAY_INCLUDE.items() if room != "transport"}


def test_each_room_has_a_readme():
    missing = [room for room in MAY_INCLUDE if room != "transport" and not (EDGE / room / "README.md").exists()]
    assert not missing
