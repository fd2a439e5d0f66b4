"""scripts/bench merges what the benchmarks write, says which failed, and compares figures with kept ones. The real script
over small benchmarks and made-up figures."""

import json
import re
import shutil
import subprocess
import tomllib
import xml.dom.minidom

import pytest

from support.paths import ROOT


@pytest.fixture
def tree(folder):
    (folder / "scripts").mkdir()
    shutil.copy(ROOT / "scripts" / "bench", folder / "scripts" / "bench")
    (folder / "bench").mkdir()
    for module in (ROOT / "bench").glob("*.py"):
        shutil.copy(module, folder / "bench")
    for name in ("install-packages", "build"):
        (folder / "scripts" / name).write_text('#!/bin/sh\necho "$0" "$@" >>"$(dirname "$0")/asked"\n')
        (folder / "scripts" / name).chmod(0o755)
    (folder / "scripts" / "lib").mkdir()
    (folder / "scripts" / "lib" / "progress.sh").write_text("")
    (folder / "scripts" / "lib" / "peers.sh").write_text('peers_venv() { echo "peers $1" >>scripts/asked; [ ! -e offline ]; }\n')
    return folder


def add(tree, name, text, programs=(), peers=False):
    file = tree / "bench" / name / "run"
    file.parent.mkdir(parents=True)
    file.write_text(f"#!/bin/sh\n{text}\n")
    file.chmod(0o755)
    (file.parent / "needs.toml").write_text(f"programs = {json.dumps(programs)}\n" + "peers = true\n" * peers)


def asked(tree):
    """What was installed, built and fetched since the last call."""
    file = tree / "scripts" / "asked"
    lines = [line.rpartition("/scripts/")[2] for line in file.read_text().splitlines()]
    file.unlink()
    return lines


def writing(text):
    return f"test \"$1\" = --json && cat >\"$2\" <<'TEXT'\n{text}\nTEXT"


def run(tree, *words):
    return subprocess.run([tree / "scripts" / "bench", *words, "--json", tree / "all.json"], capture_output=True, text=True, timeout=90)


def test_figures_are_merged(tree):
    add(tree, "one", writing('{"figures": {"a_ns": {"value": 1, "unit": "ns"}}, "runs": 3}'))
    add(tree, "two", writing('{"figures": {"b_per_s": {"value": 2, "unit": "1/s"}}}'))
    done = run(tree)
    assert done.returncode == 0, done.stderr
    merged = json.loads((tree / "all.json").read_text())
    assert merged["figures"] == {"a_ns": {"value": 1, "unit": "ns"}, "b_per_s": {"value": 2, "unit": "1/s"}}
    assert merged["benchmarks"]["one"]["runs"] == 3 and merged["machine"]["cores"] > 0
    assert run(tree, "two").returncode == 0
    assert list(json.loads((tree / "all.json").read_text())["figures"]) == ["b_per_s"]


@pytest.mark.parametrize("text", ["exit 3", "exit 0", writing("no json"), writing('{"figures": {}}'), writing('{"other": 1}')])
def test_one_that_fails_is_named_and_the_others_run(tree, text):
    add(tree, "bad", text)
    add(tree, "good", writing('{"figures": {"b": {"value": 2, "unit": "1"}}}'))
    done = run(tree)
    assert done.returncode == 1 and "bad" in done.stderr
    assert list(json.loads((tree / "all.json").read_text())["figures"]) == ["b"]


def test_two_of_one_name(tree):
    for name in ("one", "two"):
        add(tree, name, writing('{"figures": {"a": {"value": 1, "unit": "1"}}}'))
    done = run(tree)
    assert done.returncode == 1 and "'a'" in done.stderr


def fine(name):
    return writing(f'{{"figures": {{"{name}": {{"value": 1, "unit": "1"}}}}}}')


def test_only_what_they_run_is_built(tree):
    add(tree, "one", fine("one"), ["a", "b"])
    add(tree, "two", fine("two"), ["b", "c"])
    add(tree, "loopback", fine("three"), ["d"])  # one of those that --quick runs
    for words, programs in ((["one"], "a b"), (["two"], "b c"), (["two", "one"], "b c a"), ([], "d a b c"), (["--quick"], "d"), (["two", "--quick"], "b c")):
        done = run(tree, *words)
        assert done.returncode == 0, done.stderr
        assert asked(tree) == ["install-packages --bench", f"build release {programs}"], words


def test_a_benchmark_finds_the_programs_that_it_names_and_no_others(tree, monkeypatch):
    monkeypatch.delenv("NUROPB_BIN", raising=False)  # which would name another folder
    built = tree / "build" / "release" / "bin"
    built.mkdir(parents=True)
    for name in ("a", "b", "c", "b.so"):
        (built / name).write_text(name)
    add(tree, "one", 'ls "$NUROPB_BIN" >found; cat "$NUROPB_BIN"/b >>found\n' + fine("one"), ["a", "b"])
    assert run(tree, "one").returncode == 0
    assert (tree / "found").read_text() == "a\nb\nb.so\nb"


def test_it_brings_the_peers_of_those_that_need_them(tree, monkeypatch):
    monkeypatch.delenv("NUROPB_PEERS_PYTHON", raising=False)
    add(tree, "with", fine("with"), peers=True)
    add(tree, "without", fine("without"))
    assert run(tree, "without").returncode == 0 and asked(tree) == ["install-packages --bench"], "and nothing is built"
    for words in (["with"], []):
        assert run(tree, *words).returncode == 0 and asked(tree) == ["install-packages --bench", "peers build/peers.log"]
    (tree / "offline").touch()
    done = run(tree, "with")
    assert done.returncode == 0 and "could not be installed from PyPI" in done.stderr, "what can be measured is"
    assert asked(tree)[1:] == ["peers build/peers.log"]
    monkeypatch.setenv("NUROPB_PEERS_PYTHON", "/usr/bin/python3")
    assert run(tree, "with").returncode == 0 and asked(tree) == ["install-packages --bench"], "another one was named"


@pytest.mark.parametrize("text", [None, "programs = 5\n", "programs = [5]\n", "peers = true\n", 'programs = []\nprogram = "a"\n', 'programs = []\npeers = "yes"\n', "no toml"])
def test_a_list_that_is_none_is_named(tree, text):
    add(tree, "one", fine("one"))
    file = tree / "bench" / "one" / "needs.toml"
    file.unlink()
    if text is not None:
        file.write_text(text)
    done = run(tree, "one")
    assert done.returncode == 2 and "bench/one/needs.toml" in done.stderr and not (tree / "scripts" / "asked").exists(), done.stderr


def test_each_benchmark_names_targets_of_the_build():
    """That it names enough shows when it is run: it finds no others."""
    targets = set()
    for file in [*ROOT.glob("*/CMakeLists.txt"), *ROOT.glob("*/*/CMakeLists.txt")]:
        targets |= set(re.findall(r"^add_(?:executable|library)\(([\w-]+)", file.read_text(), re.MULTILINE))
    for file in ROOT.glob("bench/*/run"):
        named = tomllib.loads((file.parent / "needs.toml").read_text())
        assert named["programs"] and set(named["programs"]) <= targets, file
        text = "".join(source.read_text() for source in (file, *file.parent.glob("*.py")))
        assert named.get("peers", False) == ("PEERS_PYTHON" in text), file


def test_no_such_benchmark(tree):
    add(tree, "one", "exit 0")
    done = run(tree, "none")
    assert done.returncode == 2 and "none" in done.stderr and "one" in done.stderr


def test_the_short_form_runs_what_noise_does_not_change(tree):
    for name in ("loopback", "ring"):
        add(tree, name, f'echo "$@" >"{tree}/{name}.words"; ' + writing(f'{{"figures": {{"{name}.a": {{"value": 1, "unit": "ns"}}}}}}'))
    assert run(tree, "--quick").returncode == 0
    assert "--quick" in (tree / "loopback.words").read_text() and not (tree / "ring.words").exists()


KEPT = {
    "loopback.cpu": {"ratio": 2.0, "margin": 0.2, "better": "lower", "quick": True},
    "loopback.rate": {"ratio": 0.7, "margin": 0.2, "better": "higher"},
    "memory.bytes": {"value": 10_000, "margin": 0.1, "better": "lower", "quick": True},
}


def check(tree, figures, *words, kept=None):
    """Checks these results without running anything."""
    (tree / "kept.json").write_text(json.dumps({"figures": KEPT if kept is None else kept}))
    results = {"machine": {"cpu": "a cpu", "cores": 2, "kernel": "6"}, "date": "2026-01-01", "benchmarks": {}, "figures": figures}
    (tree / "results.json").write_text(json.dumps(results))
    return run(tree, "--results", tree / "results.json", "--check", tree / "kept.json", *words)


def figures(cpu, rate, size):
    return {"loopback.cpu": {"value": 5, "unit": "µs", "ratio": cpu}, "loopback.rate": {"value": 9, "unit": "1/s", "ratio": rate}, "memory.bytes": {"value": size, "unit": "B"}}


@pytest.mark.parametrize("measured", [figures(2.0, 0.7, 10_000), figures(2.39, 0.57, 10_990), figures(0.1, 7, 1)], ids=["the same", "noise", "better"])
def test_a_run_that_is_as_good_passes(tree, measured):
    done = check(tree, measured)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name, measured", [
    ("loopback.cpu", figures(2.41, 0.7, 10_000)), ("loopback.rate", figures(2.0, 0.55, 10_000)), ("memory.bytes", figures(2.0, 0.7, 11_010))])
def test_a_figure_that_has_fallen_is_named_and_no_other(tree, name, measured):
    done = check(tree, measured)
    assert done.returncode == 1
    assert re.findall(r"FALLEN: (\S+):", done.stderr) == [name]


def test_a_figure_that_is_missing_has_fallen_unless_only_some_were_to_run(tree):
    measured = figures(2.0, 0.7, 10_000)
    del measured["loopback.rate"]
    done = check(tree, measured)
    assert done.returncode == 1 and "loopback.rate: it has no ratio" in done.stderr
    add(tree, "loopback", "exit 0")
    assert check(tree, measured, "loopback").returncode == 0
    assert check(tree, measured, "--quick").returncode == 0, "it is not one of the short form"
    assert check(tree, {}, "loopback").returncode == 1, "a run of which nothing can be said"


def test_kept_figures_that_make_no_sense(tree):
    done = check(tree, figures(2.0, 0.7, 10_000), kept={"loopback.cpu": {"ratio": 2.0, "margin": 0.2}})
    assert done.returncode == 2 and "loopback.cpu needs" in done.stderr


def test_the_kept_file_is_whole():
    kept = json.loads((ROOT / "bench" / "expected.json").read_text())["figures"]
    assert any(figure.get("quick") for figure in kept.values())
    for name, figure in kept.items():
        assert ("ratio" in figure) != ("value" in figure) and figure["better"] in ("lower", "higher") and 0 < figure["margin"] < 1, name


def test_the_table_says_what_is_met(tree):
    measured = {"gateway.loopback_cpu": {"value": 4, "unit": "µs", "baseline": "echo", "ratio": 1.5}, "memory.edge_plain": {"value": 20_000, "unit": "B"}}
    said = check(tree, measured, kept={"gateway.loopback_cpu": {"ratio": 1.5, "margin": 0.1, "better": "lower"}}).stdout
    assert re.search(r"^gateway.loopback_cpu .* met$", said, re.MULTILINE)
    assert re.search(r"^memory.edge_plain .* MISSED$", said, re.MULTILINE)
    assert re.search(r"^ring.wakeup .* not measured$", said, re.MULTILINE)


def test_the_report_is_a_page_and_its_plots(tree):
    measured = {f"scaling.edges_{edges}": {"value": 1000 * edges, "unit": "1/s", "min": 1, "max": 2} for edges in (1, 2, 4, 8)}
    measured["memory.edge_plain"] = {"value": 20_000, "unit": "B", "min": 1, "max": 2}
    measured["latency.half_rate"] = {"value": 50_000, "unit": "1/s", "min": 1, "max": 2}
    benchmarks = {"latency": {"histogram_ms": {"the gateway": [[0.5, 0.1], [0.99, 2.5], [1.0, 30]]}, "others_cores_max": 1.5}, "peers": {"absent": {"A peer": "not installed"}}}
    results = {"machine": {"cpu": "a cpu", "cores": 2, "kernel": "6.1"}, "date": "2026-01-01", "benchmarks": benchmarks, "figures": measured}
    (tree / "results.json").write_text(json.dumps(results))
    done = run(tree, "--results", tree / "results.json", "--report", tree / "page")
    assert done.returncode == 0, done.stderr
    page = (tree / "page.md").read_text()
    assert "2026-01-01, a cpu, 2 cores" in page and "1.5 cores" in page and "* A peer: not installed" in page
    assert re.search(r"^\* memory.edge_plain: .", page, re.MULTILINE) and not re.search(r"^\* memory.edge_tls: ", page, re.MULTILINE), "only what is missed has a reason"
    plots = re.findall(r"\]\((\S+\.svg)\)", page)
    assert plots == ["page-latency.svg", "page-scaling.svg"]
    for plot in plots:
        lines = xml.dom.minidom.parse(str(tree / plot)).getElementsByTagName("path")
        assert any(" L" in line.getAttribute("d") for line in lines), plot
