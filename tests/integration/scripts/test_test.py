"""scripts/test tells the truth: a failure anywhere makes it fail, and what was skipped is said. The real script, in a tree
where what it calls is small and does as it is told."""

import os
import shutil
import subprocess

import pytest

from support.paths import ROOT

CTEST = """#!/bin/sh
echo "Test project somewhere"
echo "1/2 Test #1: a.test ...................   Passed    0.00 sec"
if [ "$FAILING" = ctest ]; then echo "50% tests passed, 1 tests failed out of 2"; exit 8; fi
echo "100% tests passed, 0 tests failed out of 2"
"""
STUBS = {
    "scripts/install-packages": "exit 0",
    "scripts/lint": '[ "$FAILING" != lint ]',
    "scripts/build": '[ "$FAILING" != "build-$1" ]',
    "scripts/broker": 'case $1 in start) [ "$FAILING" != broker ] ;; url) echo amqp://nobody@127.0.0.1:1/ ;; esac',
    "build/tsan/bin/ring_stress": 'echo "[==========] 3 tests from 1 test suite ran."; [ "$FAILING" != tsan ]',
}

SUITES = ("integration/gateway", "integration/scripts", "integration/deploy", "integration/service", "interop", "conformance", "browser", "client", "chaos")

DOCS = "integration/scripts/test_docs.py"  # a suite of its own, and not run twice


@pytest.fixture
def tree(folder):
    for name, text in STUBS.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"#!/bin/sh\n{text}\n")
        file.chmod(0o755)
    shutil.copy(ROOT / "scripts" / "test", folder / "scripts" / "test")
    (folder / "scripts" / "lib").mkdir()
    shutil.copy(ROOT / "scripts" / "lib" / "progress.sh", folder / "scripts" / "lib")
    (folder / "path").mkdir()
    (folder / "path" / "ctest").write_text(CTEST)
    (folder / "path" / "ctest").chmod(0o755)
    for suite in SUITES:
        (folder / "tests" / suite).mkdir(parents=True)
        (folder / "tests" / suite / "test_it.py").write_text(f"import os\ndef test_it(): assert os.environ.get('FAILING') != {suite!r}\n")
    (folder / "tests" / DOCS).write_text("def test_it(): pass\n")
    shutil.copy(ROOT / "tests" / "peers.txt", folder / "tests" / "peers.txt")
    return folder


def run(tree, *words, peers=True, **environment):
    if peers:
        (tree / "build" / "peers-venv").mkdir(parents=True, exist_ok=True)
        shutil.copy(tree / "tests" / "peers.txt", tree / "build" / "peers-venv" / "complete")
    else:
        environment |= {"PIP_INDEX_URL": "http://127.0.0.1:9/", "PIP_FIND_LINKS": ""}
    environment = {**os.environ, "NUROPB_REQUIRE_INTEROP": "0", "FAILING": "", "PATH": f"{tree / 'path'}:{os.environ['PATH']}", **environment}
    return subprocess.run([tree / "scripts" / "test", *words], env=environment, capture_output=True, text=True, timeout=400)


def test_all_passed(tree):
    done = run(tree)
    assert done.returncode == 0 and "all passed" in done.stdout, done.stdout + done.stderr
    table = done.stdout.split("== results\n")[1]
    for name in ("lint", "unit", "model", "fuzz", "stress (asan", "stress (tsan", "mesh", "gateway", "docs", "scripts", "interop", "conformance", "pages in Chromium", "chaos"):
        assert name in table, table
    assert table.count("2 passed") == 5 and table.count("1 passed") == len(SUITES) + 1 and table.count("3 passed") == 1, table


# What fails, and a label that comes upon it.
FAILURES = {"lint": "lint", "build-asan": "fuzz", "build-tsan": "stress", "build-release": "mesh", "ctest": "unit", "tsan": "stress",
            "integration/gateway": "integration", "integration/service": "integration", "integration/scripts": "scripts", "integration/deploy": "deploy"}
FAILURES |= {suite: suite for suite in SUITES if suite not in FAILURES}


@pytest.mark.parametrize("what", FAILURES)
def test_one_failure_is_enough(tree, what):
    done = run(tree, FAILURES[what], "model", FAILING=what)
    assert done.returncode == 1 and "all passed" not in done.stdout, done.stdout + done.stderr
    table = done.stdout.split("== results\n")[1]
    assert "FAILED" in table and "model" in table, "the others still run"


def test_without_a_broker_nothing_of_it_is_run(tree):
    done = run(tree, "interop", "model", FAILING="broker")
    assert done.returncode == 1 and "without a broker" in done.stderr and "all passed" not in done.stdout


def test_a_lane_that_ends_too_early_is_a_failure(tree):
    text = (tree / "scripts" / "test").read_text()
    assert text.count("\nby_themselves() {\n") == 1
    (tree / "scripts" / "test").write_text(text.replace("\nby_themselves() {\n", "\nby_themselves() {\n  exit 3\n"))
    done = run(tree, "browser", "model")
    assert done.returncode == 1 and "all passed" not in done.stdout and "model" in done.stdout.split("== results\n")[1]


def test_without_pypi_it_says_so_loudly(tree):
    done = run(tree, "interop", peers=False)
    assert done.returncode == 0 and "!! SKIPPED" in done.stdout, done.stdout + done.stderr
    done = run(tree, "interop", peers=False, NUROPB_REQUIRE_INTEROP="1")
    assert done.returncode == 1 and "!! SKIPPED" in done.stdout


def test_a_venv_of_another_list_is_made_again(tree):
    (tree / "tests" / "peers.txt").write_text("# nothing\n")
    (tree / "build" / "peers-venv").mkdir(parents=True)
    (tree / "build" / "peers-venv" / "complete").write_text("something else\n")
    done = subprocess.run([tree / "scripts" / "test", "interop"], env={**os.environ, "FAILING": "", "PATH": f"{tree / 'path'}:{os.environ['PATH']}"},
                          capture_output=True, text=True, timeout=400)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (tree / "build" / "peers-venv" / "complete").read_text() == "# nothing\n" and (tree / "build" / "peers-venv" / "bin" / "python").exists()


def test_only_what_was_asked_for(tree):
    done = run(tree, "model")
    table = done.stdout.split("== results\n")[1]
    assert done.returncode == 0 and "model" in table and "unit" not in table and "release" not in table
    assert run(tree, "no-such-label").returncode == 2
