"""Fixtures for the tests that run real processes: brokers, gateways, services (tests/support/README.md)."""

import asyncio
import inspect
import os
import shutil
import tempfile
from pathlib import Path

import pytest

from support.broker import Broker, declare_exchanges
from support.certificates import Certificates
from support.etcd import Etcd
from support.gateway import TOKENS, Gateway
from support.launched import LIMIT, Launched
from support.processes import Process
from support.services import demo_service, python_service
from support.waiting import wait_until

TEST_LIMIT = 240.0  # for the one that hangs; several suites may share the machine


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem):
    """Runs `async def` tests, each in an event loop of its own and within its limit."""
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    marker = pyfuncitem.get_closest_marker("limit")
    limit = max(TEST_LIMIT, marker.args[0]) if marker else TEST_LIMIT
    arguments = {name: pyfuncitem.funcargs[name] for name in pyfuncitem._fixtureinfo.argnames}
    asyncio.run(asyncio.wait_for(pyfuncitem.obj(**arguments), limit))
    return True


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """Adds the end of the logs of every process that had to do with a failed test."""
    report = (yield).get_result()
    if report.failed:
        for process in Process.everything:
            if process.running() or not process.shown:
                state = "running" if process.running() else f"ended with {process.popen.returncode}"
                report.sections.append((f"{process.name}, pid {process.pid}, {state}", process.tail() or "(no output)"))
    if call.when == "teardown":
        for process in Process.everything:
            process.shown = not process.running()  # what ended during an earlier test is no news for a later one


@pytest.fixture(scope="session")
def scratch():
    """A folder for this run. NUROPB_TEST_KEEP=1 leaves it for reading."""
    folder = Path(tempfile.mkdtemp(prefix="nuropb-tests-"))
    yield folder
    if not os.environ.get("NUROPB_TEST_KEEP"):
        for used in (folder, *Gateway.folders):
            shutil.rmtree(used, ignore_errors=True)


@pytest.fixture
def folder(scratch):
    """A folder for one test."""
    return Path(tempfile.mkdtemp(dir=scratch))


@pytest.fixture(scope="session")
def broker_url(scratch):
    """The URL of a broker that tests share and leave alone."""
    url = os.environ.get("NUROPB_TEST_AMQP_URL")
    if url:
        declare_exchanges(url)
        yield url
        return
    node = Broker(scratch / "broker")
    node.start()
    try:
        declare_exchanges(node.url)
        yield node.url
    finally:
        node.stop()


@pytest.fixture(scope="session")
def _private_node(scratch):
    node = Broker(scratch / "private-broker", Certificates(scratch / "certificates"))
    node.start()
    yield node
    node.stop()


@pytest.fixture
def private_broker(_private_node):
    """A broker that a test may stop, kill, suspend and misconfigure. It is running again for the next one."""
    yield _private_node
    try:
        _private_node.resume()
    except AssertionError:
        pass  # it was not suspended, or is not running at all
    _private_node.start()


@pytest.fixture(scope="session")
def managed_broker(scratch):
    """A node with the management plugin, shared by those who make virtual hosts there, each their own."""
    node = Broker(scratch / "managed-broker", management=True)
    node.start()
    yield node
    node.stop()


@pytest.fixture
def etcd(folder):
    """A running etcd of one test."""
    member = Etcd(folder / "etcd")
    member.start()
    yield member
    member.stop()


@pytest.fixture(scope="module")
def module_folder(scratch):
    return Path(tempfile.mkdtemp(dir=scratch))


@pytest.fixture(scope="module")
def gateway(broker_url):
    """A gateway with one edge that the tests of a module share and leave as they found it."""
    with Gateway(broker_url) as running:
        yield running


@pytest.fixture
def gateways(broker_url):
    """Starts gateways for one test: gateways(edges=4, …). All are stopped and checked at its end."""
    started = []

    def start(url=broker_url, **options):
        running = Gateway(url, **options)
        started.append(running)
        return running.__enter__()

    yield start
    failures = []
    for running in started:
        try:
            running.stop()
        except AssertionError as failure:
            failures.append(str(failure))
        finally:
            running.end()
    assert not failures, failures


@pytest.fixture(scope="module")
def demo(broker_url, module_folder):
    """The name of a running demo service."""
    with demo_service(broker_url, module_folder) as process:
        yield process.service


@pytest.fixture(scope="module")
def python(broker_url, module_folder):
    """The name of a running service of the real Python peer."""
    if os.environ.get("NUROPB_WITHOUT_PEERS"):
        pytest.skip("the real peers could not be installed from PyPI")  # scripts/test says so at its end
    with python_service(broker_url, module_folder) as process:
        yield process.service


@pytest.fixture
def without_peers():
    """Skips a test that needs Node where there is none."""
    if os.environ.get("NUROPB_WITHOUT_PEERS") and not os.environ.get("NUROPB_NODE"):
        pytest.skip("Node could not be installed from PyPI")  # scripts/test says so at its end


@pytest.fixture
def launch(folder, broker_url):
    """Starts launchers for one test: launch(edges=2, …).until_ready()."""
    started = []

    def make(**options):
        started.append(Launched(folder, broker_url, **options))
        return started[-1].start()

    yield make
    for launched in started:
        launched.process.stop(LIMIT)
        wait_until(lambda: not launched.children(), launched.process.log)  # of one that was killed they end in their own time
        text = launched.process.log()
        assert not any(token in text for token in TOKENS), "a token in a log"
