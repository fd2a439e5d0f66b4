"""scripts/test: a failure anywhere makes it fail, and skipped tests are reported. The real script, in a tree
where what it calls is small and does as it is told."""

import os
import re
import shutil
import subprocess
import sys

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
    "scripts/debian-root": 'echo "$@" >>debian-root.log; [ "$FAILING" != debian-root ] && echo "$PWD/roots/$1"',
    "scripts/broker": 'echo "$1 of ${NUROPB_BROKER_ROOT:-here}, $NUROPB_BROKER_CONFIG" >>broker.log; case $1 in start) [ "$FAILING" != broker ] ;; url) echo amqp://nobody@127.0.0.1:1/ ;; esac',
    "scripts/lib/in-debian-root": '[ "$1" = "$PWD/roots/trixie" ] && [ "$FAILING" != "13:$2" ] && case $2 in ctest) exec ctest ;; esac',
    "build/tsan/bin/ring_stress": 'echo "[==========] 3 tests from 1 test suite ran."; [ "$FAILING" != tsan ]',
}

SUITES = ("integration/gateway", "integration/scripts", "integration/deploy", "integration/service", "interop", "conformance", "browser", "client", "clients", "chaos")

BESIDE = "clients/python/tests"  # which stands beside the package, and not in tests

DOCS = "integration/scripts/test_docs.py"  # a suite of its own, and not run twice


@pytest.fixture
def tree(folder):
    for name, text in STUBS.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"#!/bin/sh\n{text}\n")
        file.chmod(0o755)
    shutil.copy(ROOT / "scripts" / "test", folder / "scripts" / "test")
    (folder / "scripts" / "lib").mkdir(exist_ok=True)
    for name in ("progress.sh", "peers.sh", "rabbitmq_release.sh", "debian13.sh", "arm64.sh", "other_pythons.sh", "again.sh", "skips.py"):
        shutil.copy(ROOT / "scripts" / "lib" / name, folder / "scripts" / "lib")
    (folder / "path").mkdir()
    (folder / "path" / "ctest").write_text(CTEST)
    (folder / "path" / "ctest").chmod(0o755)
    for suite in SUITES:
        (folder / "tests" / suite).mkdir(parents=True)
        (folder / "tests" / suite / "test_it.py").write_text(f"import os\ndef test_it(): assert os.environ.get('FAILING') != {suite!r}\n")
    (folder / BESIDE).mkdir(parents=True)
    (folder / BESIDE / "test_it.py").write_text(f"import os\ndef test_it(): assert os.environ.get('FAILING') != {BESIDE!r}\n")
    (folder / "tests" / DOCS).write_text("def test_it(): pass\n")
    for name in ("peers.txt", "allowed_skips.toml", "pytest.ini"):
        shutil.copy(ROOT / "tests" / name, folder / "tests" / name)
    return folder


def run(tree, *words, peers=True, **environment):
    if peers:
        (tree / "build" / "peers-venv").mkdir(parents=True, exist_ok=True)
        shutil.copy(tree / "tests" / "peers.txt", tree / "build" / "peers-venv" / "complete")
    else:
        environment |= {"PIP_INDEX_URL": "http://127.0.0.1:9/", "PIP_FIND_LINKS": ""}
    environment = {**os.environ, "NUROPB_REQUIRE_INTEROP": "0", "NUROPB_PYTHONS": "", "FAILING": "", "PATH": f"{tree / 'path'}:{os.environ['PATH']}", **environment}
    environment.pop("NUROPB_ROOTS", None)
    return subprocess.run([tree / "scripts" / "test", *words], env=environment, capture_output=True, text=True, timeout=400)


def test_all_passed(tree):
    packages_of(tree / "roots" / "testing", rabbitmq_server="4.3.6-1")
    done = run(tree)
    assert done.returncode == 0 and "all passed" in done.stdout, done.stdout + done.stderr
    table = done.stdout.split("== results\n")[1]
    for name in ("lint", "unit", "model", "fuzz", "stress (asan", "stress (tsan", "mesh", "gateway", "docs", "the Python client by itself", "scenarios for every client", "the clients, examples", "scripts", "interop", "conformance", "pages in Chromium", "chaos",
                 "Debian 13: build", "Debian 13: unit", "Debian 13: quickstart", "Debian 13: the library", "Debian 13: the Debian package",
                 "RabbitMQ 4.3: mesh", "RabbitMQ 4.3: gateway"):
        assert name in table, table
    # Each suite once, the Python client by itself, the documents, and the gateway once more with RabbitMQ 4.3.
    assert table.count("2 passed") == 7 and table.count("1 passed") == len(SUITES) + 3 and table.count("3 passed") == 1, table


# What fails, and a label that comes upon it.
FAILURES = {"lint": "lint", "build-asan": "fuzz", "build-tsan": "stress", "build-release": "mesh", "ctest": "unit", "tsan": "stress",
            "integration/gateway": "integration", "integration/service": "integration", "integration/scripts": "scripts", "integration/deploy": "deploy"}
FAILURES |= {f"13:{what}": "debian13" for what in ("scripts/build", "ctest", "scripts/quickstart", "sh")}
FAILURES |= {BESIDE: "client", "clients": "client"}
FAILURES |= {suite: suite for suite in SUITES if suite not in FAILURES}


@pytest.mark.parametrize("what", FAILURES)
def test_one_failure_is_enough(tree, what):
    done = run(tree, FAILURES[what], "model", FAILING=what)
    assert done.returncode == 1 and "all passed" not in done.stdout, done.stdout + done.stderr
    table = done.stdout.split("== results\n")[1]
    assert "FAILED" in table and "model" in table, "the others still run"


# A test that fails in its first run alone, as one does that a busy machine was too slow for: it leaves a mark.
ONCE = """import os, pathlib
import pytest
@pytest.mark.parametrize("what", ["a - b", "c"])
def test_it(what):
    mark = pathlib.Path(os.environ["ONCE"], what)
    if mark.exists(): return
    mark.touch()
    assert what == "c"
def test_other(): pass
"""


def test_a_failure_that_does_not_come_again_is_named_but_no_failure(tree):
    """In three suites that keep their own broker, the machine's or that of another release, or run in parts."""
    packages_of(tree / "roots" / "testing", rabbitmq_server="4.3.6-1")
    marks = tree / "marks"
    marks.mkdir()
    for suite in ("browser", "clients"):
        (tree / "tests" / suite / "test_it.py").write_text(ONCE.replace('["ONCE"]', f'["ONCE"], "{suite}"'))
        (marks / suite).mkdir()
    done = run(tree, "browser", "client", ONCE=str(marks))
    assert done.returncode == 0 and "all passed" in done.stdout, done.stdout + done.stderr
    table = done.stdout.split("== results\n")[1]
    for suite, row in (("browser", "pages in Chromium"), ("clients", "scenarios for every client")):
        assert re.search(rf"^{row} +FAILED +1 failed, 2 passed|^{row} +FAILED +2 passed, 1 failed", table, re.MULTILINE), table
        assert re.search(rf"^{row}, again +passed +1 passed", table, re.MULTILINE), table
        assert f"{row.replace(' ', '-')}: {suite}/test_it.py::test_it[a - b]" in table, table


def test_ctests_that_failed_run_again_by_their_numbers(tree):
    (tree / "build" / "asan" / "Testing" / "Temporary").mkdir(parents=True)
    ctest = tree / "path" / "ctest"
    ctest.write_text("""#!/bin/sh
echo "$@" >>ctest.log
case "$*" in
  *"-I 0,0,0,7,12"*) echo "100% tests passed, 0 tests failed out of 2" ;;
  *"-L ^unit$"*) printf '7:A.B\\n12:A.C/0\\n' >build/asan/Testing/Temporary/LastTestsFailed.log; echo "50% tests passed, 2 tests failed out of 4"; exit 8 ;;
  *) echo "100% tests passed, 0 tests failed out of 9"; rm -f build/asan/Testing/Temporary/LastTestsFailed.log ;;
esac
""")
    done = run(tree, "unit", "fuzz")
    assert done.returncode == 0 and "all passed" in done.stdout, done.stdout + done.stderr
    assert "unit--asan--ubsan-: A.B\nunit--asan--ubsan-: A.C/0\n" in done.stdout.split("== results\n")[1]


def test_many_failures_are_not_run_again(tree):
    (tree / "tests" / "browser" / "test_it.py").write_text("import pytest, pathlib\n@pytest.mark.parametrize('n', range(6))\ndef test_it(n):\n    with pathlib.Path('ran').open('a') as file: file.write('x')\n    assert False\n")
    done = run(tree, "browser", "model")
    assert done.returncode == 1 and "all passed" not in done.stdout and "none of them is run again" in done.stdout, done.stdout + done.stderr
    assert (tree / "tests" / "ran").read_text() == "x" * 6


def test_other_pythons(tree):
    """The machine's own stands for another one. A venv that can't be made is said, and one that is there is used."""
    done = run(tree, "client", NUROPB_PYTHONS="/usr/bin/python3", PIP_INDEX_URL="http://127.0.0.1:9/", PIP_FIND_LINKS="")
    version = f"{sys.version_info[0]}.{sys.version_info[1]}"
    assert done.returncode == 0 and f"the Python client with Python {version}" in done.stdout and "PyPI can't be reached" in done.stdout, done.stdout + done.stderr
    venv = tree / "build" / "pythons" / version
    shutil.rmtree(venv)
    (venv / "bin").mkdir(parents=True)
    (venv / "bin" / "python").symlink_to("/usr/bin/python3")
    (venv / "complete").touch()
    row = rf"^the Python client with Python {re.escape(version)} +(\w+)"
    for failing, outcome in (("", "passed"), (BESIDE, "FAILED")):
        done = run(tree, "client", NUROPB_PYTHONS="/usr/bin/python3", FAILING=failing)
        assert re.findall(row, done.stdout, re.MULTILINE) == [outcome] and (done.returncode == 0) is (outcome == "passed"), done.stdout + done.stderr


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


def test_without_a_root_of_debian_13_it_says_so_loudly(tree):
    done = run(tree, "debian13", "model", FAILING="debian-root")
    assert done.returncode == 0 and "!! SKIPPED: no root folder of Debian 13" in done.stdout, done.stdout + done.stderr
    assert "Debian 13: build" not in done.stdout and "SKIPPED  the root folder for it can't be created" in done.stdout
    done = run(tree, "debian13", "model", FAILING="debian-root", NUROPB_REQUIRE_INTEROP="1")
    assert done.returncode == 1 and "!! SKIPPED: no root folder of Debian 13" in done.stdout


@pytest.mark.parametrize("there", [None, "4.0.5-1"])
def test_without_a_root_with_rabbitmq_4_3_it_says_so_loudly(tree, there):
    if there:
        packages_of(tree / "roots" / "testing", rabbitmq_server=there)
    failing = "" if there else "debian-root"
    done = run(tree, "rabbitmq43", "model", FAILING=failing)
    assert done.returncode == 0 and "!! SKIPPED: no root folder with RabbitMQ 4.3" in done.stdout, done.stdout + done.stderr
    assert "RabbitMQ 4.3: mesh" not in done.stdout
    done = run(tree, "rabbitmq43", "model", FAILING=failing, NUROPB_REQUIRE_INTEROP="1")
    assert done.returncode == 1 and "!! SKIPPED: no root folder with RabbitMQ 4.3" in done.stdout


def test_the_newest_rabbitmq_is_that_of_its_label_only(tree):
    packages_of(tree / "roots" / "testing", rabbitmq_server="4.3.6-1")
    done = run(tree, "mesh", "rabbitmq43")
    assert done.returncode == 0, done.stdout + done.stderr
    assert {line.split(",")[0] for line in (tree / "broker.log").read_text().splitlines() if line.startswith("start")} == {"start of here", f"start of {tree}/roots/testing"}


def test_arm64_runs_only_by_name(tree):
    assert "arm64" not in run(tree).stdout.split("== results\n")[1]
    done = run(tree, "arm64", "model")
    table = done.stdout.split("== results\n")[1]
    assert done.returncode == 0 and "model" in table and "Debian 13" not in table, done.stdout + done.stderr
    for name in ("arm64: build", "arm64: unit, stress", "arm64: quickstart", "arm64: on a machine"):
        assert name in table, table
    assert (tree / "debian-root.log").read_text().splitlines()[-1].startswith(f"trixie {tree}/build/roots/trixie-to-arm64 --also arm64 --with")
    for what in ("scripts/build", "ctest", "scripts/lib/with-arm64", "scripts/lib/arm64-machine"):
        done = run(tree, "arm64", FAILING=f"13:{what}")
        assert done.returncode == 1 and "FAILED" in done.stdout.split("== results\n")[1], done.stdout + done.stderr


def test_without_a_root_for_arm64_it_says_so_loudly(tree):
    done = run(tree, "arm64", FAILING="debian-root")
    assert done.returncode == 0 and "!! SKIPPED: no root folder for arm64" in done.stdout, done.stdout + done.stderr
    assert run(tree, "arm64", FAILING="debian-root", NUROPB_REQUIRE_INTEROP="1").returncode == 1


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


def packages_of(root, **versions):
    """The packages of a root folder, from dpkg."""
    (root / "var" / "lib" / "dpkg").mkdir(parents=True)
    (root / "var" / "lib" / "dpkg" / "status").write_text("".join(
        f"Package: {name.replace('_', '-')}\nStatus: install ok installed\nArchitecture: all\nMaintainer: a@b\nDescription: d\nVersion: {version}\n\n" for name, version in versions.items()))


@pytest.mark.parametrize("words, release, version, labels", [
    (["--rabbitmq", "4.3"], "testing", "4.3.6-1", {"mesh", "integration", "chaos"}),
    (["--rabbitmq", "4.0", "mesh"], "trixie", "4.0.5-6+deb13u2", {"mesh"}),
    (["chaos", "--deny-deprecated", "--rabbitmq", "4.3"], "testing", "4.3.99", {"chaos"}),
])
def test_with_the_rabbitmq_of_another_release(tree, words, release, version, labels):
    packages_of(tree / "roots" / release, rabbitmq_server=version)
    done = run(tree, *words)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (tree / "debian-root.log").read_text() == f"{release} --with rabbitmq-server\n"
    denied = "deprecated_features.permit.transient_nonexcl_queues = false" if "--deny-deprecated" in words else ""
    assert f"with RabbitMQ {version}{', ' * bool(denied)}{denied}\n" in done.stdout, done.stdout
    table = done.stdout.split("== results")[1]
    for label, row in (("mesh", "mesh against RabbitMQ"), ("integration", "gateway against RabbitMQ"), ("chaos", "chaos: ")):
        assert (row in table) == (label in labels), table
    assert "unit" not in table
    if labels != {"chaos"}:
        assert f"start of {tree}/roots/{release}, {denied}\n" in (tree / "broker.log").read_text()


@pytest.mark.parametrize("there", [None, "4.4.0-1", "4.30.1"])
def test_without_that_rabbitmq_it_says_so_loudly(tree, there):
    if there:
        packages_of(tree / "roots" / "testing", rabbitmq_server=there)
    for required, code in (("0", 0), ("1", 1)):
        done = run(tree, "--rabbitmq", "4.3", FAILING="" if there else "debian-root", NUROPB_REQUIRE_INTEROP=required)
        assert done.returncode == code, done.stdout + done.stderr
        assert "RabbitMQ 4.3: mesh integration chaos" in done.stdout and "!! SKIPPED" in done.stdout, done.stdout
        assert "against RabbitMQ" not in done.stdout and ("FAILED" in done.stdout) == bool(code)
        assert not there or f"has RabbitMQ {there}, not 4.3" in done.stderr
    assert not (tree / "broker.log").exists()


def test_a_rabbitmq_that_no_release_has(tree):
    done = run(tree, "--rabbitmq", "3.13", NUROPB_REQUIRE_INTEROP="1")
    assert done.returncode == 1 and "no Debian release with RabbitMQ 3.13" in done.stderr


def test_a_skip_that_is_not_allowed_fails_where_none_is(tree):
    (tree / "tests" / "browser" / "test_it.py").write_text("import pytest\ndef test_it(): pytest.skip('the moon is full')\n")
    (tree / "tests" / "pytest.ini").write_text("[pytest]\naddopts = -ra\n")
    done = run(tree, "browser")
    assert done.returncode == 0 and "not on the list" in done.stdout and "browser/test_it.py: the moon is full" in done.stdout, done.stdout
    assert run(tree, "browser", NUROPB_REQUIRE_INTEROP="1").returncode == 1
    (tree / "tests" / "allowed_skips.toml").write_text("[[skip]]\ntest = 'browser/*'\nreason = 'the moon *'\nbecause = 'it is'\n")
    done = run(tree, "browser", NUROPB_REQUIRE_INTEROP="1")
    assert done.returncode == 0 and "not on the list" not in done.stdout, done.stdout
