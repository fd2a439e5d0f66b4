"""A skipped test is allowed by name, or it fails CI (scripts/lib/skips.py, tests/allowed_skips.toml)."""

import subprocess
import sys

import pytest

from support.paths import ROOT

SKIPS = ROOT / "scripts" / "lib" / "skips.py"
LIST = '''
[[skip]]
test = "integration/deploy/test_units.py"
reason = "the units are not started anywhere: *"
because = "only root boots a systemd"
[[skip]]
test = "RingHostile.*"
reason = ""
because = "a race on purpose"
'''
PYTEST = "SKIPPED [2] integration/deploy/test_units.py:24: the units are not started anywhere: needs root\n"
CTEST = "   12/253 Test  #13: RingHostile.ARace ............***Skipped   0.05 sec\n"
GOOGLETEST = "[  SKIPPED ] RingHostile.ARace (0 ms)\n"


def check(folder, text, allowed=LIST):
    (folder / "allowed.toml").write_text(allowed)
    (folder / "the-suite.log").write_text(text)
    return subprocess.run([sys.executable, SKIPS, folder / "allowed.toml", folder / "the-suite.log"], capture_output=True, text=True)


@pytest.mark.parametrize("text", ["", PYTEST, CTEST, GOOGLETEST, "3 passed, 2 skipped in 1.0s\n"])
def test_what_is_on_the_list_is_allowed(folder, text):
    done = check(folder, text)
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize("text, said", [
    (PYTEST.replace("test_units", "test_package"), "the-suite: integration/deploy/test_package.py: the units are not started anywhere: needs root\n"),
    (PYTEST.replace("the units are", "nothing is"), "the-suite: integration/deploy/test_units.py: nothing is not started anywhere: needs root\n"),
    (CTEST.replace("RingHostile", "Sandbox"), "the-suite: Sandbox.ARace\n"),
    (CTEST.replace("***Skipped", "***Not Run").replace("RingHostile", "Sandbox"), "the-suite: Sandbox.ARace\n"),
    (GOOGLETEST.replace("RingHostile", "Sandbox"), "the-suite: Sandbox.ARace\n"),
    ("SKIPPED [1] tests/browser/test_pages.py: no Chromium\n", "the-suite: browser/test_pages.py: no Chromium\n"),
])
def test_what_is_not_on_the_list_is_named(folder, text, said):
    done = check(folder, text)
    assert (done.returncode, done.stdout) == (1, said)


def test_a_list_without_a_reason_is_refused(folder):
    done = check(folder, "", '[[skip]]\ntest = "*"\nreason = "*"\n')
    assert done.returncode == 2 and "without because" in done.stderr


def test_the_list_of_this_repository_can_be_read():
    done = subprocess.run([sys.executable, SKIPS, ROOT / "tests" / "allowed_skips.toml"], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
