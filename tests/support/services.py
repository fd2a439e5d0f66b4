"""Mesh services for the gateway to call, each a process."""

import uuid
from contextlib import contextmanager

from .broker import declare_exchanges
from .paths import ROOT, binary, peers_python
from .processes import Process


def unique(name):
    """A service name that no other run on the same broker has."""
    return f"{name}-{uuid.uuid4().hex[:8]}"


@contextmanager
def demo_service(url, folder, name=None, instance=None, wait_ready=True, host=None):
    """nuropb-demo-service, which is built on our mesh library: echo, add, slow(ms), fail. `host`: of hosts.py, where it runs; not here then."""
    name = name or unique("demo")
    command = [binary("nuropb-demo-service"), "--url", url, "--service", name, *(["--instance", instance] if instance else [])]
    with Process("demo-service", host.command(*command) if host else command, folder) as process:
        if wait_ready:
            process.wait_for_log("^ready$")
        process.service = name
        yield process


@contextmanager
def python_service(url, folder, name=None, instance=None, wait_ready=True):
    """The real nuropb 0.1.8 (tests/interop/peers/service.py)."""
    name = name or unique("python")
    declare_exchanges(url)
    script = ROOT / "tests" / "interop" / "peers" / "service.py"
    with Process("python-service", [peers_python(), script, url, name, *([instance] if instance else [])], folder) as process:
        if wait_ready:
            process.wait_for_log("^ready$", timeout=120)
        process.service = name
        yield process


@contextmanager
def cpp_service(url, folder, name=None, key_file=None):
    """nuropb-test-service (tests/interop/peers/service.cpp), which answers in every way that a service can."""
    name = name or unique("cpp")
    with Process("cpp-service", [binary("nuropb-test-service"), "--url", url, "--service", name, *(["--key-file", key_file] if key_file else [])], folder) as process:
        process.wait_for_log("^ready$")
        process.service = name
        yield process
