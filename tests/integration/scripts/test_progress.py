"""Long-running scripts report their progress: each of these waits until the line has been read, however long
that takes, and only then lets the work end. (The launcher's and quickstart's lines: in their own tests.)"""

import os
import re
import shutil
import subprocess

from support.paths import ROOT
from support.processes import Process
from support.waiting import wait_until

from test_bench import add, tree as bench_tree, writing  # noqa: F401
from test_install_packages import SCRIPT, machine  # noqa: F401
from test_test import tree  # noqa: F401

OFTEN = {"NUROPB_SAY_EVERY": "1"}
PROGRESS = ROOT / "scripts/lib/progress.sh"


def hold(go):
    """Shell: until the test says go."""
    return f'until [ -e "{go}" ]; do sleep 0.05; done'


def bash(text, **options):
    return subprocess.run(["bash", "-euo", "pipefail", "-c", f". {PROGRESS}\n{text}"], capture_output=True, text=True, timeout=60, **options)


def test_an_installation_says_what_apt_does(machine, folder):  # noqa: F811
    apt = machine / "path" / "apt-get"
    apt.write_text(f"#!/bin/sh\n[ $1 = update ] && exit\necho 'Unpacking spin (6.5.2) ...'\n{hold(machine / 'go')}\n")
    with Process("installing", [SCRIPT], folder, {**OFTEN, "PATH": f"{machine / 'path'}:/usr/bin:/bin"}) as installing:
        wait_until(lambda: re.search(r"^installing, \d+ s so far: Unpacking spin", installing.log(), re.MULTILINE), installing.tail, 60)
        (machine / "go").touch()
        wait_until(lambda: not installing.running(), installing.tail, 60)
        assert installing.popen.returncode == 0, installing.tail()


def test_suites_that_run_are_named_now_and_then(tree, folder):  # noqa: F811
    """Also suites that run in parallel and print nothing before all have ended."""
    go = folder / "go"
    for suite in ("integration/gateway", "integration/service"):
        (tree / "tests" / suite / "test_it.py").write_text(
            f"import os, time\ndef test_one(): pass\ndef test_it():\n  while not os.path.exists({str(go)!r}): time.sleep(0.05)\n")
    venv = tree / "build" / "peers-venv"
    venv.mkdir(parents=True)
    shutil.copy(tree / "tests" / "peers.txt", venv / "complete")
    environment = {**OFTEN, "FAILING": "", "PATH": f"{tree / 'path'}:{os.environ['PATH']}"}
    with Process("tests", [tree / "scripts" / "test", "integration", "mesh"], folder, environment) as tests:
        wait_until(lambda: re.search("still running: .*gateway against RabbitMQ 1 tests", tests.log()), tests.tail, 60)
        go.touch()
        wait_until(lambda: not tests.running(), tests.tail, 120)
        assert tests.popen.returncode == 0 and tests.log().endswith("all passed\n"), tests.log()


def test_a_benchmark_that_measures_is_named(bench_tree, folder):  # noqa: F811
    go = folder / "go"
    add(bench_tree, "slow", f"{hold(go)}\n" + writing('{"figures": {"a": {"value": 1, "unit": "ns"}}}'))
    with Process("bench", [bench_tree / "scripts" / "bench"], folder, OFTEN) as bench:
        wait_until(lambda: "slow has been measuring for " in bench.log(), bench.tail, 60)
        go.touch()
        wait_until(lambda: not bench.running(), bench.tail, 60)
        assert bench.popen.returncode == 0, bench.tail()


def test_the_end_of_what_is_waited_for_is_the_end_of_the_telling(folder):
    done = bash(f'patiently "nothing" {folder}/log sh -c "echo said; exit 7" || echo "code $?"; cat {folder}/log', env={**os.environ, **OFTEN})
    assert done.stdout == "code 7\nsaid\n" and done.stderr == "", done


def test_a_build_is_no_flood_in_a_log():
    lines = "".join(f"[release {n}/340] Building CXX object a{n}.o\n" for n in range(1, 341))
    failed = "FAILED: a.o\na.cpp:1: error: no\nninja: build stopped\n"
    done = bash("thinned", input=lines + failed)
    said = done.stdout.splitlines()
    assert said[0].startswith("[release 1/340]") and "[release 340/340] Building CXX object a340.o" in said and done.stdout.endswith(failed)
    assert len(said) < 20, said
