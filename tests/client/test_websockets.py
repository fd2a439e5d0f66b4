"""What uses the package `websockets` works with Debian 12's version, with Debian 13's, and with the newest from PyPI: the page on
resume, and the consumers of these tests. (The examples: test_examples.py.)"""

import os
import re
import subprocess

import pytest

from support.gateway import health
from support.paths import ROOT, WEBSOCKETS, with_websockets
from support.processes import Process
from support.waiting import wait_until

TESTS = ROOT / "tests"
# Headers, refusals, subprotocols, close codes, a reset, TLS, a session that is resumed, Snorky, and a page's DevTools.
OF_EACH_KIND = (
    "integration/gateway/test_handshake.py::test_over_the_limit_of_connections",
    "integration/gateway/test_deaths.py::test_no_verdict_without_meshd",
    "integration/gateway/test_authorization.py::test_subprotocol",
    "integration/gateway/test_authorization.py::test_first_message",
    "integration/gateway/test_tls.py::test_a_certificates_name_is_the_user_where_an_authorizer_says_so",
    "integration/gateway/test_resume.py::test_what_was_missed_and_what_is_still_to_come",
    "integration/gateway/test_snorky.py",
    "browser/test_pages.py",
)


@pytest.fixture(params=WEBSOCKETS, ids=lambda version: version or "debian-12")
def environment(request):
    if request.param and os.environ.get("NUROPB_WITHOUT_PEERS"):
        pytest.skip("PyPI could not be reached")  # scripts/test says so at its end
    return with_websockets(request.param)


def test_the_versions_are_those(environment):
    """Otherwise the other tests prove nothing."""
    version = subprocess.run(["/usr/bin/python3", "-c", "import websockets; print(websockets.__version__)"], env=environment, capture_output=True, text=True, check=True).stdout
    folder = environment.get("PYTHONPATH", "")
    major = int(version.split(".")[0])
    assert major == 15 if folder.endswith("debian-13") else major > 15 if folder.endswith("newest") else major < 14


def test_the_consumer_of_the_page_on_resume(environment, gateways, demo, folder):
    page = (ROOT / "docs" / "tasks" / "resume.md").read_text()
    [program] = re.findall(r"^cat >.run/mine/consumer.py <<'TEXT'\n(.*?)^TEXT$", page, re.MULTILINE | re.DOTALL)
    assert program.count('"service": "demo"') == 1
    (folder / "consumer.py").write_text(program.replace('"service": "demo"', f'"service": "{demo}"'))
    gateway = gateways(edges=2, shared_port=True)
    with Process("consumer", ["/usr/bin/python3", "-u", folder / "consumer.py", gateway.url, "secret-ann"], folder, environment) as consumer:
        # Which edge answers is chance, so both are asked by and by.
        wait_until(lambda: health(gateway.port)[1].get("pending") == 1, consumer.tail)
        for edge in gateway.edges:
            edge.process.kill()
            edge.start()
        wait_until(lambda: not consumer.running(), consumer.tail, 60)
        lines = consumer.log().splitlines()
    # It is not pending where the edge was killed before it had passed the request on: then it is sent again.
    assert lines[0] == "lost the socket" and any(re.fullmatch(r"resumed, still pending: \[('1')?\]", line) for line in lines), lines
    assert lines[-1].startswith("answer ") and lines[-1].endswith(" None"), lines


def test_the_consumers_of_these_tests(environment, broker_url):
    if "PYTHONPATH" not in environment:
        pytest.skip("all others run with this one")
    done = subprocess.run(["/usr/bin/python3", "-m", "pytest", "-q", "-p", "no:cacheprovider", *OF_EACH_KIND], cwd=TESTS, env={**environment, "NUROPB_TEST_AMQP_URL": broker_url},
                          capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]
    assert re.search(r"^\d+ passed", done.stdout, re.MULTILINE), done.stdout[-2000:]
