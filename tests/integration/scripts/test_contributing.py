"""CONTRIBUTING.md names files, variants, labels and tests that exist; and nothing of weight lies in the root that does not belong there."""

import json
import os
import re
import shutil
import subprocess

import pytest

from support.paths import ROOT

PAGE = (ROOT / "CONTRIBUTING.md").read_text()
# The folders of the design, and what a root has.
IN_ROOT = {"README.md", "LICENSE", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "CMakeLists.txt", "CMakePresets.json", "common", "shm", "edge", "meshd", "tests", "bench",
           "scripts", "deploy", "docs", "cmake", "connectors", "clients", "examples"}


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


def cached(preset, presets):
    """A preset's variables, including the inherited ones."""
    own = presets[preset]
    return {**(cached(own["inherits"], presets) if "inherits" in own else {}), **own.get("cacheVariables", {})}


def test_warnings_are_errors_for_contributors_and_not_in_what_a_user_builds():
    presets = {preset["name"]: preset for preset in json.loads((ROOT / "CMakePresets.json").read_text())["configurePresets"]}
    strict = {name for name in presets if not presets[name].get("hidden") and cached(name, presets).get("NUROPB_WERROR") == "ON"}
    assert strict == {"debug", "asan", "tsan", "coverage", "fuzz", "arm64"}
    assert re.search(r"^option\(NUROPB_WERROR .* OFF\)$", (ROOT / "CMakeLists.txt").read_text(), re.MULTILINE)
    # The quickstart and the package build `release` as the preset has it; the tests, in a folder that they make, strictly.
    assert "NUROPB_WERROR" not in (ROOT / "scripts/quickstart").read_text() + (ROOT / "scripts/package").read_text()
    assert "\nexport NUROPB_WERROR=ON\n" in (ROOT / "scripts/test").read_text()


# What cmake is given beside the preset: for a new folder, for one that is configured, and where nothing is said.
@pytest.mark.parametrize("said, configured, given", [("ON", False, ["-DNUROPB_WERROR=ON"]), ("ON", True, []), (None, False, []), ("OFF", False, ["-DNUROPB_WERROR=OFF"])])
def test_a_folder_that_is_configured_is_not_built_again_for_stricter_warnings(folder, said, configured, given):
    (folder / "scripts/lib").mkdir(parents=True)
    (folder / "path").mkdir()
    shutil.copy(ROOT / "scripts/build", folder / "scripts")
    shutil.copy(ROOT / "scripts/lib/progress.sh", folder / "scripts/lib")
    for program in ("cmake", "ninja"):
        (folder / "path" / program).write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" >{folder}/{program}\n')
        (folder / "path" / program).chmod(0o755)
    (folder / "build/release").mkdir(parents=True)
    if configured:
        (folder / "build/release/CMakeCache.txt").touch()
    environment = {name: value for name, value in os.environ.items() if name != "NUROPB_WERROR"} | {"PATH": f"{folder / 'path'}:{os.environ['PATH']}"}
    if said:
        environment["NUROPB_WERROR"] = said
    subprocess.run([folder / "scripts/build", "release", "nuropb-ctl"], env=environment, check=True, capture_output=True, timeout=60)
    assert (folder / "cmake").read_text().split() == ["--preset", "release", *given]
    assert (folder / "ninja").read_text().split() == ["-C", "build/release", "nuropb-ctl"]


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


def test_documents_that_comments_cite_are_in_the_tree():
    """A comment that names the source of a rule is useless without that source."""
    folders = [ROOT / name for name in IN_ROOT if (ROOT / name).is_dir()]
    documents = {file.name for folder in folders for file in folder.rglob("*.md")} | {file.name for file in ROOT.glob("*.md")}
    cited = 0
    for file in sorted(file for folder in folders for kind in ("*.hpp", "*.cpp") for file in folder.rglob(kind)):
        for number, line in enumerate(file.read_text().splitlines(), 1):
            for name in re.findall(r"//.*?\b([\w-]+\.md)\b", line):
                cited += 1
                assert name in documents, f"{file.relative_to(ROOT)}:{number}: there is no {name}"
    assert cited > 50
