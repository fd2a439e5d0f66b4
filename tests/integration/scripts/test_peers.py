"""scripts/lib/peers.sh: the peers' virtual environment has a suitable Python, whatever the machine's own is."""

import subprocess
import sys

import pytest

from support.paths import ROOT


def sourced(folder, command):
    """The output of a command that has peers.sh, with its folder below `folder`."""
    sources = "; ".join(f". {ROOT}/scripts/lib/{name}" for name in ("progress.sh", "peers.sh"))
    done = subprocess.run(["bash", "-ec", f"{sources}; {command}"], cwd=folder, capture_output=True, text=True, timeout=120)
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize("bound, below", [("2.7", False), ("3.0", False), (f"3.{sys.version_info.minor}", False), (f"3.{sys.version_info.minor + 1}", True), ("3.100", True), ("4.0", True)])
def test_versions_are_compared_by_their_numbers(folder, bound, below):
    assert sourced(folder, f"python_is_below {bound} && echo below || echo not") == (0, "below\n" if below else "not\n")


def test_a_venv_has_the_python_of_a_root_folder(folder):
    """The machine's own root serves as the other one: its loader, its C library and its Python, named by their paths in there."""
    code, said = sourced(folder, "peers_venv_in_root /")
    assert code == 0, said
    venv = folder / "build" / "peers-venv"
    asked = subprocess.run([venv / "bin" / "python3", "-c", "import sys, ssl, ctypes; print(sys.executable, sys.prefix, sys.base_prefix, *sys.path)"], capture_output=True, text=True, timeout=60)
    assert asked.returncode == 0, asked.stderr
    executable, prefix, base, *path = asked.stdout.split()
    assert (executable, prefix) == (str(venv / "bin" / "python"), str(venv)) and base.strip("/") == "usr"
    assert any(entry.startswith(f"{venv}/lib/") and entry.endswith("site-packages") for entry in path)

    # The machine's pip works for it, and a script as pip writes them runs with that Python.
    pip = subprocess.run([venv / "bin" / "pip", "--version"], capture_output=True, text=True, timeout=60)
    assert pip.returncode == 0 and pip.stdout.startswith("pip "), pip.stdout + pip.stderr
    script = venv / "bin" / "peer"
    script.write_text(f"#!{executable}\nimport sys\nprint(sys.prefix, *sys.argv[1:])\n")
    script.chmod(0o755)
    assert subprocess.run([script, "a word", "*"], capture_output=True, text=True, timeout=60).stdout == f"{venv} a word *\n"
