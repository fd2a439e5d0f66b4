"""scripts/lib/structure.py finds includes against the direction of the rooms, and classes that are more than one job."""

import importlib.util
import subprocess
import sys

import pytest

from support.paths import ROOT

spec = importlib.util.spec_from_file_location("structure", ROOT / "scripts" / "lib" / "structure.py")
structure = importlib.util.module_from_spec(spec)
spec.loader.exec_module(structure)

TABLE = """
[rooms]
"edge" = ["edge/relay", "common"]
"edge/relay" = ["common"]
"common" = []
[large]
[scattered]
"""


@pytest.fixture
def tree(folder):
    for name in ("common", "shm", "edge/relay", "meshd", "scripts/lib"):
        (folder / name).mkdir(parents=True)
    (folder / "scripts" / "lib" / "structure.toml").write_text(TABLE)
    (folder / "common" / "a.hpp").write_text("#pragma once\n")
    (folder / "edge" / "edge.hpp").write_text('#include "edge/relay/relay.hpp"\n#include "common/a.hpp"\n')
    (folder / "edge" / "relay" / "relay.hpp").write_text('#include "common/a.hpp"\n')
    return folder


def faults(tree):
    return list(structure.faults(tree))


def test_includes_run_in_one_direction(tree):
    assert faults(tree) == []
    (tree / "edge" / "relay" / "relay.cpp").write_text('#include "common/a.hpp"\n\n#include "edge/edge.hpp"\n')
    assert faults(tree) == ["edge/relay/relay.cpp:3: edge/relay may not include edge (edge/edge.hpp)"]


def class_with(members, methods):
    text = "class Large final : public Base {\n public:\n  Large();\n  struct Inner {\n    int not_ours_ = 0;\n  };\n"
    text += "".join(f"  [[nodiscard]] int f{n}(int a) const {{ return a + {n}; }}\n" for n in range(methods - 1))
    text += " private:\n  static constexpr int limit_ = 10'000;\n"
    return text + "".join(f"  std::map<int, std::string> m{n}_{{1'000}};  // a; comment_\n" for n in range(members)) + "};\n"


@pytest.mark.parametrize("members, methods, right", [(25, 45, True), (26, 1, False), (1, 46, False)])
def test_a_class_has_one_job(tree, members, methods, right):
    (tree / "meshd" / "large.hpp").write_text(class_with(members, methods))
    said = faults(tree)
    assert said == ([] if right else [f"meshd/large.hpp: class Large has {members} data members and {methods} methods; at most 25 and 45 are one job"])
    (tree / "scripts" / "lib" / "structure.toml").write_text(TABLE.replace("[large]", '[large]\nLarge = "it is known"'))
    assert faults(tree) == (["scripts/lib/structure.toml: class Large is listed as too large, and is not"] if right else [])


def test_a_class_is_in_one_file(tree):
    (tree / "meshd" / "x.hpp").write_text("class X {\n public:\n  int f();\n  struct Y { int g(); };\n};\n")
    (tree / "meshd" / "x.cpp").write_text("namespace n {\nint X::f() {\n  return 1;\n}\n}\n")
    (tree / "meshd" / "uses.cpp").write_text("X::Y make(const X& x) {\n  return x.f() ? X::Y{} : X::Y{};\n}\n")
    assert faults(tree) == []
    (tree / "meshd" / "more.cpp").write_text("X::X() : a_(1) {\n}\n")
    assert faults(tree) == ["class X is defined in 2 files: meshd/more.cpp, meshd/x.cpp"]


def test_this_tree_is_as_it_says():
    done = subprocess.run([sys.executable, ROOT / "scripts" / "lib" / "structure.py"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
