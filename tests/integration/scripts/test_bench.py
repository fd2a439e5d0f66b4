"""scripts/bench merges what the benchmarks write, and says which failed. The real script over small benchmarks."""

import json
import shutil
import subprocess

import pytest

from support.paths import ROOT


@pytest.fixture
def tree(folder):
    (folder / "scripts").mkdir()
    shutil.copy(ROOT / "scripts" / "bench", folder / "scripts" / "bench")
    for name in ("install-packages", "build"):
        (folder / "scripts" / name).write_text("#!/bin/sh\nexit 0\n")
        (folder / "scripts" / name).chmod(0o755)
    return folder


def add(tree, name, text):
    file = tree / "bench" / name / "run"
    file.parent.mkdir(parents=True)
    file.write_text(f"#!/bin/sh\n{text}\n")
    file.chmod(0o755)


def writing(text):
    return f"test \"$1\" = --json && cat >\"$2\" <<'TEXT'\n{text}\nTEXT"


def run(tree, *words):
    return subprocess.run([tree / "scripts" / "bench", *words, "--json", tree / "all.json"], capture_output=True, text=True, timeout=30)


def test_figures_are_merged(tree):
    add(tree, "one", writing('{"figures": {"a_ns": {"value": 1, "unit": "ns"}}, "runs": 3}'))
    add(tree, "two", writing('{"figures": {"b_per_s": {"value": 2, "unit": "1/s"}}}'))
    done = run(tree)
    assert done.returncode == 0, done.stderr
    merged = json.loads((tree / "all.json").read_text())
    assert merged["figures"] == {"a_ns": {"value": 1, "unit": "ns"}, "b_per_s": {"value": 2, "unit": "1/s"}}
    assert merged["benchmarks"]["one"]["runs"] == 3 and merged["machine"]["cores"] > 0
    assert run(tree, "two").returncode == 0
    assert list(json.loads((tree / "all.json").read_text())["figures"]) == ["b_per_s"]


@pytest.mark.parametrize("text", ["exit 3", "exit 0", writing("no json"), writing('{"figures": {}}'), writing('{"other": 1}')])
def test_one_that_fails_is_named_and_the_others_run(tree, text):
    add(tree, "bad", text)
    add(tree, "good", writing('{"figures": {"b": {"value": 2, "unit": "1"}}}'))
    done = run(tree)
    assert done.returncode == 1 and "bad" in done.stderr
    assert list(json.loads((tree / "all.json").read_text())["figures"]) == ["b"]


def test_two_of_one_name(tree):
    for name in ("one", "two"):
        add(tree, name, writing('{"figures": {"a": {"value": 1, "unit": "1"}}}'))
    done = run(tree)
    assert done.returncode == 1 and "'a'" in done.stderr


def test_no_such_benchmark(tree):
    add(tree, "one", "exit 0")
    done = run(tree, "none")
    assert done.returncode == 2 and "none" in done.stderr and "one" in done.stderr
