"""What the tests of this folder share."""

import subprocess

import pytest

from support.paths import BIN, ROOT


@pytest.fixture(scope="session")
def package(scratch):
    """The package that scripts/package builds; once for all tests."""
    if BIN.resolve() != (ROOT / "build" / "release" / "bin").resolve():
        pytest.skip("cpack packs what scripts/build has built, and NUROPB_BIN names something else")
    made = subprocess.run([ROOT / "scripts" / "package", scratch / "package"], capture_output=True, text=True, timeout=3000)
    assert made.returncode == 0, made.stdout + made.stderr
    return made.stdout.strip()
