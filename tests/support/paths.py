"""Paths of the programs under test, which scripts/test sets in the environment."""

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(os.environ.get("NUROPB_BIN") or ROOT / "build" / "release" / "bin")
BROKER_SCRIPT = Path(os.environ.get("NUROPB_TEST_BROKER") or ROOT / "scripts" / "broker")
PEERS_PYTHON = Path(os.environ.get("NUROPB_PEERS_PYTHON") or ROOT / "build" / "peers-venv" / "bin" / "python")


# The versions of the package `websockets`: None for Debian 12's, else a folder beside the peers (tests/peers.txt).
WEBSOCKETS = (None, "websockets-debian-13", "websockets-newest")


def with_websockets(version):
    """The environment of a program that imports this version."""
    if version is None:
        return dict(os.environ)
    path = PEERS_PYTHON.parents[1] / version
    assert (path / "websockets").exists(), f"{path} is missing: scripts/test makes it, with the other peers"
    return {**os.environ, "PYTHONPATH": str(path)}


def binary(name):
    path = BIN / name
    assert path.exists(), f"{path} is missing: build it (scripts/test does), or point NUROPB_BIN at the folder it is in"
    return path


def peers_python():
    assert PEERS_PYTHON.exists(), (
        f"{PEERS_PYTHON} is missing: scripts/test makes it (a venv with nuropb==0.1.8 and nuropb-gw==0.1.4), "
        "or point NUROPB_PEERS_PYTHON at one"
    )
    return PEERS_PYTHON
