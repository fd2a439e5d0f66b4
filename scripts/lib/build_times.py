"""Implements `scripts/build --times`: builds from scratch and reports the processor time of each part.

Processor time, not wall-clock time: load on the machine affects the latter far more. ccache is not used, and build/ is
neither used nor changed: these builds have a folder of their own, which is removed.
"""

import os
import resource
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
FOLDER = ROOT / "build" / "times"

# (title, variant, targets)
PARTS = {
    "quickstart": ("scripts/quickstart", "release", ["nuropb-programs"]),
    "tests-release": ("scripts/test, programs that run as shipped", "release", ["tests_release"]),
    "tests-asan": ("scripts/test, with AddressSanitizer", "asan", ["tests_asan"]),
    "tests-tsan": ("scripts/test, with ThreadSanitizer", "tsan", ["tests_tsan"]),
}
SLOWEST = 8


def processor_seconds():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def run(command, log):
    environment = {**os.environ, "CCACHE_DISABLE": "1"}
    with open(log, "ab") as out:
        code = subprocess.run(command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, stdout=out, stderr=out).returncode
    if code != 0:
        lines = Path(log).read_text(errors="replace").splitlines()[-20:]
        sys.exit("\n".join([*lines, f"scripts/build: {' '.join(map(str, command))} failed with exit code {code}, see {log}"]))


def measure(variant, targets):
    """(processor seconds, seconds by the clock, {output: seconds by the clock}) of a build of these targets from nothing"""
    folder, log = FOLDER / variant, FOLDER / f"{variant}.log"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    run(["cmake", "--preset", variant, "-B", folder], log)
    before, started = processor_seconds(), time.monotonic()
    run(["ninja", "-C", folder, *targets], log)
    used, passed = processor_seconds() - before, time.monotonic() - started
    files = {}
    for line in (folder / ".ninja_log").read_text().splitlines()[1:]:
        begin, end, _, output, _ = line.split("\t")
        files[output] = (int(end) - int(begin)) / 1000
    shutil.rmtree(folder)
    return used, passed, files


def processor():
    for line in open("/proc/cpuinfo", encoding="utf-8"):
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return "an unknown processor"


def compiler():
    return subprocess.run(["c++", "--version"], stdout=subprocess.PIPE, text=True, check=True).stdout.splitlines()[0]


def main(words):
    if unknown := set(words) - set(PARTS):
        print(f"scripts/build: --times knows {', '.join(PARTS)}, not {', '.join(sorted(unknown))}", file=sys.stderr)
        return 2
    print(f"{time.strftime('%Y-%m-%d')}, {os.cpu_count()} cores of {processor()}, {compiler()}\n")
    print("| what is built, from nothing | processor | by the clock | compiled |")
    print("| --- | ---: | ---: | ---: |", flush=True)
    slowest = {}
    for name in words or PARTS:
        title, variant, targets = PARTS[name]
        used, passed, files = measure(variant, targets)
        compiled = [output for output in files if output.endswith((".o", ".gch"))]
        print(f"| {title} | {used / 60:.1f} min | {passed / 60:.1f} min | {len(compiled)} |", flush=True)
        slowest[title] = sorted(((files[output], output) for output in compiled), reverse=True)[:SLOWEST]
    for title, files in slowest.items():
        print(f"\nLongest of {title}:")
        for seconds, output in files:
            print(f"  {seconds:6.1f} s  {output}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
