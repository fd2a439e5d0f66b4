"""The RabbitMQ of another Debian release, installed with scripts/debian-root."""

import os
import subprocess

import pytest

from .paths import ROOT

DENIED = "deprecated_features.permit.transient_nonexcl_queues = false"


def rabbitmq_root(release="testing"):
    """The root folder of a Debian release with RabbitMQ in it, for Broker(root=…). If it can't be created, the test is skipped, or fails
    with NUROPB_REQUIRE_INTEROP=1. The first call on a machine may take minutes."""
    done = subprocess.run([ROOT / "scripts" / "debian-root", release, "--with", "rabbitmq-server"], capture_output=True, text=True, timeout=1200)
    if done.returncode == 0:
        return done.stdout.strip()
    reason = f"no root of Debian {release} could be made: {done.stderr.strip().splitlines()[-1]}"
    if os.environ.get("NUROPB_REQUIRE_INTEROP") == "1":
        pytest.fail(reason)
    pytest.skip(reason)
