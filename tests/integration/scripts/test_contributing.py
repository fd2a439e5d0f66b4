"""CONTRIBUTING.md names files, variants, labels and tests that exist; and nothing of weight lies in the root that does not belong there."""

import json
import re
import subprocess

from support.paths import ROOT

PAGE = (ROOT / "CONTRIBUTING.md").read_text()
# The folders of the design, and what a root has.
IN_ROOT = {"README.md", "LICENSE", "CHANGELOG.md", "CONTRIBUTING.md", "CMakeLists.txt", "CMakePresets.json", "common", "shm", "edge", "meshd", "tests", "bench",
           "scripts", "deploy", "docs", "cmake", "connectors", "examples"}


def test_files_that_it_names_exist():
    named = re.findall(r"`((?:common|shm|edge|meshd|tests|bench|scripts|deploy|docs|cmake)/[\w./-]+)`", PAGE)
    assert len(named) > 40
    assert [path for path in named if not (ROOT / path).exists()] == []
    links = [link for link in re.findall(r"\]\(([^)#]+)\)", PAGE) if not link.startswith("http")]
    assert links and [link for link in links if not (ROOT / link).exists()] == []


def test_each_variant_is_explained_and_can_be_built():
    presets = {preset["name"] for preset in json.loads((ROOT / "CMakePresets.json").read_text())["configurePresets"] if not preset.get("hidden")}
    assert set(re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE)) == presets
    usage = subprocess.run([ROOT / "scripts" / "build", "--help"], capture_output=True, text=True, check=True).stdout
    assert all(name in usage for name in presets), usage


def test_tests_that_it_shows_exist():
    built = "".join(file.read_text() for file in (ROOT / "tests").rglob("CMakeLists.txt"))
    for program in ("common_test", "shm_test", "mesh_unit_test", "meshd_test", "edge_test"):
        assert f"`{program}`" in PAGE and f"nuropb_test({program} unit" in built
    assert "TEST_F(EdgeTest, " in (ROOT / "tests/unit/edge/edge_test.cpp").read_text()
    for file, word in re.findall(r"pytest (\S+\.py) -k (\w+)", PAGE):
        text = (ROOT / "tests" / file).read_text()
        assert file.endswith("test_docs.py") or re.search(rf"def test_\w*{word}", text), f"{file} -k {word}"
    assert (ROOT / "docs/tasks/tls.md").exists()


def test_the_root_holds_what_belongs_there():
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode == 0:  # not in a tree without git
        here = {path.split("/")[0] for path in listed.stdout.split()}
        assert {name for name in here if not name.startswith(".")} <= IN_ROOT
    assert all((ROOT / name).exists() for name in IN_ROOT)


def test_each_folder_has_a_readme():
    for folder in ("common", "shm", "edge", "meshd", "tests", "bench", "scripts", "deploy", "docs", "connectors", "examples"):
        assert (ROOT / folder / "README.md").exists(), folder
