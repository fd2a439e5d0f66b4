"""Calls that fail on some machines, though not on the usual ones, are made in one place or not at all."""

import re
import subprocess

from support.paths import ROOT

ITSELF = "tests/integration/scripts/test_calls.py"


def places(pattern):
    """The files that contain it."""
    listed = subprocess.run(["git", "ls-files", "--cached", "--others", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    found = set()
    for name in listed:
        file = ROOT / name
        if name == ITSELF or not file.is_file() or file.is_symlink():
            continue
        text = file.read_bytes()
        if re.search(pattern.encode(), text):
            found.add(name)
    return found


def test_nothing_waits_by_select():
    """select() knows no descriptor above 1,023; poll(), epoll and Python's selectors do. Windows has nothing else."""
    assert places(r"\bselect\.select\(|\bFD_SET\(|\bpselect\(|\bfrom select import\b") == set()
    assert places(r"\bSelectSelector\b") == {"connectors/python/nuropb_gateway_backend.py"}


def test_websockets_are_opened_where_the_version_is_known():
    """The parameter for headers has two names (tests/client/test_websockets.py runs these with three versions)."""
    assert places(r"\bwebsockets\.connect\(") == {"tests/support/websocket.py", "examples/consumer.py", "docs/tasks/resume.md"}
    assert places(r"\bInvalidStatusCode\b") == {"tests/support/websocket.py"}
