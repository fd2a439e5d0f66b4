"""What PyPI would be given: its files, its types, that it is installed and works, with each version of websockets."""

import email.parser
import os
import re
import subprocess
import sys
import tarfile
import zipfile

import pytest

import nuropb_gateway_client
from support.paths import PEERS_PYTHON, ROOT, WEBSOCKETS, peers_python, with_websockets
from support.python_client import SOURCES, environment

PACKAGE = ROOT / "clients" / "python"
MODULES = {str(file.relative_to(SOURCES)) for file in (SOURCES / "nuropb_gateway_client").iterdir() if file.suffix == ".py" or file.name == "py.typed"}
EXAMPLE = ROOT / "examples" / "python_client.py"


@pytest.fixture
def tools():
    """The environment in which the peers' Python has build, twine and mypy."""
    if os.environ.get("NUROPB_WITHOUT_PEERS"):
        pytest.skip("PyPI could not be reached")  # scripts/test says so at its end
    return {**os.environ, "PYTHONPATH": f"{PEERS_PYTHON.parents[1] / 'python-tools'}", "PIP_NO_INDEX": "1"}


def run(*words, **options):
    done = subprocess.run([str(word) for word in words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=600, **options)
    assert done.returncode == 0, done.stdout
    return done.stdout


def built(folder, tools):
    """(wheel, sdist), of a copy: building leaves files beside the sources. The wheel is made from the sdist."""
    copy, out = folder / "copy", folder / "dist"
    for file in run("git", "ls-files", "--cached", "--others", "--exclude-standard", ".", cwd=PACKAGE).split():
        (copy / file).parent.mkdir(parents=True, exist_ok=True)
        (copy / file).write_bytes((PACKAGE / file).read_bytes())
    run(peers_python(), "-m", "build", "--no-isolation", "--outdir", out, copy, env=tools)
    [wheel], [sdist] = out.glob("*.whl"), out.glob("*.tar.gz")
    return wheel, sdist


def test_the_package(folder, tools, gateway, demo):
    wheel, sdist = built(folder, tools)
    assert "PASSED" in run(peers_python(), "-m", "twine", "check", "--strict", wheel, sdist, env=tools)
    version = nuropb_gateway_client.__version__
    assert (wheel.name, sdist.name) == (f"nuropb_gateway_client-{version}-py3-none-any.whl", f"nuropb_gateway_client-{version}.tar.gz")
    with zipfile.ZipFile(wheel) as archive:
        names, installed = set(archive.namelist()), folder / "installed"
        archive.extractall(installed)
    info = f"nuropb_gateway_client-{version}.dist-info"
    assert {name for name in names if not name.startswith(info)} == MODULES
    assert (installed / info / "licenses" / "LICENSE").read_text() == (ROOT / "LICENSE").read_text()
    metadata = email.parser.Parser().parsestr((installed / info / "METADATA").read_text())
    assert metadata["Requires-Python"] == ">=3.9" and metadata["License-Expression"] == "Apache-2.0"
    assert [name for name in metadata.get_all("Requires-Dist") if "extra" not in name] == ["websockets>=10"]
    assert "nuropb-gateway-client = nuropb_gateway_client.cli:main" in (installed / info / "entry_points.txt").read_text()
    with tarfile.open(sdist) as archive:
        inside = {name.split("/", 1)[1] for name in archive.getnames() if "/" in name}
    assert {f"src/{name}" for name in MODULES} | {"README.md", "LICENSE", "pyproject.toml"} <= inside
    program = "import sys, nuropb_gateway_client as c\nwith c.GatewaySync(sys.argv[1], 'secret-ann') as g: print(g.request(sys.argv[2], 'add', {'a': 1, 'b': 2}), c.__file__)"
    said = run(sys.executable, "-W", "error", "-c", program, gateway.url, demo, cwd=folder, env={**environment(), "PYTHONPATH": os.pathsep.join([str(installed), os.environ.get("PYTHONPATH", "")])})
    assert said == f"3 {installed}/nuropb_gateway_client/__init__.py\n"


def test_the_types(tools):
    """Strictly, of the sources and of what an application sees of them."""
    path = os.pathsep.join([tools["PYTHONPATH"], str(PEERS_PYTHON.parents[1] / "websockets-newest")])
    said = run(peers_python(), "-m", "mypy", "--strict", "--cache-dir", os.devnull, SOURCES / "nuropb_gateway_client", EXAMPLE,
               env={**tools, "PYTHONPATH": path, "MYPYPATH": str(SOURCES)})
    assert re.fullmatch(r"Success: no issues found in \d+ source files\n", said)


# Of handshakes, closes, endings and messages of strangers, which each version has in a way of its own.
SCENARIOS = "python and (hello or codes or malformed or handshakes or Retry or without-a-token or odd or silence or drained or closed-before or too-big)"


# Debian 12's is what all other tests use.
@pytest.mark.parametrize("websockets", [version for version in WEBSOCKETS if version])
def test_with_other_versions_of_websockets(websockets, broker_url):
    """Its unit tests, and against a gateway what each version has in another way: handshakes, closes, endings."""
    if os.environ.get("NUROPB_WITHOUT_PEERS"):
        pytest.skip("PyPI could not be reached")
    environment = {**with_websockets(websockets), "NUROPB_TEST_AMQP_URL": broker_url}
    pytest_ = [sys.executable, "-W", "error", "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    path = os.pathsep.join([environment["PYTHONPATH"], str(PEERS_PYTHON.parents[1] / "opentelemetry")])
    assert re.search(r"^\d+ passed in", run(*pytest_, "tests", cwd=PACKAGE, env={**environment, "PYTHONPATH": path}), re.MULTILINE)
    for words in (("client/python/test_sessions.py", "client/python/test_coming_back.py", "client/python/test_terminal.py::test_a_program_that_ends_leaves_nothing"),
                  ("clients/test_scenarios.py", "-k", SCENARIOS)):
        said = run(*pytest_[:1], *pytest_[3:], *words, cwd=ROOT / "tests", env=environment)
        assert re.search(r"^\d+ passed[, ]", said, re.MULTILINE), said


def test_it_reads_as_python_3_9_does():
    """The oldest that it promises, also where this machine does not have it: its grammar."""
    import ast
    for name in MODULES:
        if name.endswith(".py"):
            ast.parse((SOURCES / name).read_text(), name, feature_version=(3, 9))


def test_no_file_is_long():
    assert {name: lines for name in MODULES if (lines := len((SOURCES / name).read_text().splitlines())) >= 450} == {}


def test_the_readme_names_each_module():
    named = set(re.findall(r"^\| `(\w+\.py)`", (PACKAGE / "README.md").read_text(), re.MULTILINE))
    assert named == {name.split("/")[1] for name in MODULES} - {"__init__.py", "__main__.py", "py.typed"}
