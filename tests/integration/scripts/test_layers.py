"""The rooms of meshd include only rooms below their own, as meshd/README.md draws them."""

import re

from support.paths import ROOT

# From above. Rooms of one line do not include each other.
LAYERS = [["admin"], ["routing"], ["push", "snorky"], ["resume"], ["sessions"], ["workers"], ["tracing", "auth"]]
LEVEL = {room: level for level, rooms in enumerate(LAYERS) for room in rooms}
INCLUDE = re.compile(r'^#include "meshd/(\w+)/', re.MULTILINE)


def test_rooms_of_meshd_include_only_rooms_below():
    wrong, seen = [], 0
    for room, level in LEVEL.items():
        for file in sorted((ROOT / "meshd" / room).glob("*.?pp")):
            for other in INCLUDE.findall(file.read_text()):
                if other not in LEVEL or other == room:
                    continue
                seen += 1
                if LEVEL[other] <= level:
                    wrong.append(f"{file.relative_to(ROOT)} includes {other}/")
    assert wrong == []
    assert seen > 50, "the includes were not found"


def test_only_the_composition_root_includes_it():
    named = [path for path in (ROOT / "meshd").rglob("*.?pp") if re.search(r'#include "meshd/meshd(_objects)?\.hpp"', path.read_text())]
    assert {path.name for path in named} == {"main.cpp", "meshd.cpp", "meshd_objects.hpp"}
    outside = [path for path in (ROOT / "meshd").rglob("*.?pp") if '#include "meshd/admin/' in path.read_text() and path.parent.name != "admin"]
    assert {path.name for path in outside} == {"meshd_objects.hpp"}


def test_every_room_has_a_guide():
    assert [room for room in LEVEL if not (ROOT / "meshd" / room / "README.md").exists()] == []
