"""Each folder of the edge and of meshd is a room with a README, and only the composition roots include them from above. Which room may include
which is in scripts/lib/structure.toml, and scripts/lint checks it."""

import re
import tomllib

import pytest

from support.paths import ROOT

ROOMS = tomllib.loads((ROOT / "scripts" / "lib" / "structure.toml").read_text())["rooms"]


def test_every_folder_with_code_is_a_room_with_a_readme():
    folders = {path.parent.relative_to(ROOT).as_posix() for top in ("common", "shm", "edge", "meshd") for path in (ROOT / top).rglob("*.[ch]pp")}
    assert folders - {"meshd"} == set(ROOMS), "a new room needs a row in structure.toml"
    assert [room for room in sorted(folders) if not (ROOT / room / "README.md").exists()] == []


def test_the_readme_of_the_edge_says_the_same():
    rows = re.findall(r"^\| \[`(\w+)/`\]\(.*\) \|.*\|(.*)\|$", (ROOT / "edge" / "README.md").read_text(), re.MULTILINE)
    said = {room: set(re.findall(r"`(\w+)/`", rest)) for room, rest in rows}
    assert said == {room.removeprefix("edge/"): {other.removeprefix("edge/") for other in others if other.startswith("edge/")}
                    for room, others in ROOMS.items() if room.startswith("edge/")}


@pytest.mark.parametrize("header, by", [
    (r"meshd/meshd(_objects)?\.hpp", {"main.cpp", "meshd.cpp", "meshd_objects.hpp"}),
    (r"meshd/admin/\w+\.hpp", {"meshd_objects.hpp"}),
    (r"edge/edge\.hpp", {"main.cpp", "edge.cpp"}),
    (r"edge/relay/relays\.hpp", {"edge.hpp"}),
])
def test_only_a_composition_root_includes_what_is_above_all_others(header, by):
    folder = header.split(r"/")[1] if header.count("/") == 2 else None
    found = {path.name for top in ("edge", "meshd") for path in (ROOT / top).rglob("*.[ch]pp")
             if re.search(rf'#include "{header}"', path.read_text()) and path.parent.name != folder}
    assert found == by
