"""scripts/wait-for: waits for conditions, at most up to its limit. scripts/service-venv: what it refuses."""

import subprocess
import time

import pytest

from support.paths import ROOT


def run(script, *words, **options):
    return subprocess.run([ROOT / "scripts" / script, *words], capture_output=True, text=True, timeout=90, **options)


def test_it_waits_until_the_condition_holds(folder):
    later = subprocess.Popen(["bash", "-c", 'sleep 0.5; echo it is here >"$0"', folder / "state"])
    done = run("wait-for", "the state", f"cat {folder}/state")
    assert (done.returncode, done.stdout) == (0, "it is here\n"), done
    later.wait()


def test_it_gives_up_and_says_what_it_waited_for():
    began = time.monotonic()
    done = run("wait-for", "--limit", "3", "the impossible", "echo not yet; false")
    assert done.returncode == 1 and not done.stdout and time.monotonic() - began < 30
    assert "waiting for the impossible, " in done.stderr  # while it waits
    assert "gave up waiting for the impossible after 3 s: echo not yet; false\nnot yet\n" in done.stderr
    done = run("wait-for", "the impossible", "false", env={"NUROPB_WAIT_LIMIT": "1", "PATH": "/usr/bin:/bin"})
    assert done.returncode == 1 and "after 1 s" in done.stderr


def test_of_a_log_only_new_lines_count(folder):
    log = folder / "log"
    log.write_text("rolled before\n")
    done = run("wait-for", "--limit", "1", "--log", log, "rolled", "true")
    assert done.returncode == 1 and "'rolled' did not appear" in done.stderr and "rolled before" in done.stderr, done
    done = run("wait-for", "--log", log, "rolled", "bash", "-c", f'(sleep 0.3; echo "now rolled"; echo "rolled twice") >>{log} &')
    assert (done.returncode, done.stdout) == (0, "now rolled\n"), done
    done = run("wait-for", "--log", folder / "other", "[1]", "bash", "-c", f"echo 'a [1] b' >{folder}/other")  # a text, not a pattern
    assert (done.returncode, done.stdout) == (0, "a [1] b\n"), done


def test_a_command_that_fails_is_not_waited_for(folder):
    done = run("wait-for", "--log", folder / "log", "rolled", "bash", "-c", "exit 7")
    assert done.returncode == 1 and "failed" in done.stderr


@pytest.mark.parametrize("words", [(), ("one",), ("--limit", "x", "a", "true"), ("--limit",), ("--log",), ("--log", "f", "text"), ("--other", "a", "true"), ("a", "b", "c")])
def test_wrong_usage(words):
    done = run("wait-for", *words)
    assert done.returncode == 2 and "usage:" in done.stderr


def test_service_venv_leaves_one_that_is_there(folder):
    python = folder / "venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text("#!/bin/sh\nexit 0\n")
    python.chmod(0o755)
    done = run("service-venv", folder / "venv")
    assert done.returncode == 0 and "exists" in done.stdout and sorted(path.name for path in (folder / "venv").iterdir()) == ["bin"]
    for words in ((), ("--no-such-option",), ("one", "two")):
        assert run("service-venv", *words).returncode == 2
