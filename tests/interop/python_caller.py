"""Runs peers/client.py, a caller with the real nuropb 0.1.8."""

import json
import subprocess

from support.paths import ROOT, peers_python


def call(url, *calls):
    """The outcome of each call, as a Python caller gets it. All calls use one connection, in order."""
    script = ROOT / "tests" / "interop" / "peers" / "client.py"
    done = subprocess.run([str(peers_python()), str(script), url, json.dumps(calls)], capture_output=True, text=True, timeout=300)
    outcomes = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(outcomes) == len(calls), done.stdout + done.stderr
    return outcomes
