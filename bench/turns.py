"""What the benchmarks with a broker share: a broker of their own, turns of a few seconds, CPU by process, figures."""

import json
import os
import statistics
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from support.paths import BROKER_SCRIPT  # noqa: E402


def cpu_seconds(pid):
    """Of all threads, by the scheduler's own clock in nanoseconds; /proc/PID/stat counts in hundredths of a second."""
    total = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        try:
            total += int((task / "schedstat").read_text().split()[0])
        except OSError:  # a thread that has just ended
            pass
    return total / 1e9


@contextmanager
def private_broker(folder, *options):
    environment = {**os.environ, "NUROPB_BROKER_DIR": str(folder / "broker")}

    def ask(*words):
        return subprocess.run([str(BROKER_SCRIPT), *words], env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, check=True).stdout.strip()

    try:
        ask("start", *options)
        yield ask("url"), int(ask("pid"))
    finally:
        ask("stop")


def measured(command, secret):
    """Runs a load generator, which ends with one line of JSON."""
    done = subprocess.run([str(word) for word in command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"{Path(command[0]).name} ended with {done.returncode}: {done.stdout}{done.stderr}".replace(secret, "…"))
    return json.loads(done.stdout)


def busy_seconds():
    """Of the whole machine, since its start."""
    with open("/proc/stat", encoding="ascii") as stat:
        user, nice, system, _, _, irq, softirq, steal = (int(word) for word in stat.readline().split()[1:9])
    return (user + nice + system + irq + softirq + steal) / 100


def turn(contender, shared, load, seconds):
    """One contender's turn: what its load generator found, and the CPU µs per request of every process."""
    watched = {**shared, **contender.processes}
    before = {name: sum(map(cpu_seconds, pids)) for name, pids in watched.items()}
    busy = busy_seconds()
    found = contender.run(*load, seconds)
    busy = busy_seconds() - busy
    if found["errors"] or not found["answered"]:
        raise RuntimeError(f"{contender.title}: {found}")
    used = {name: sum(map(cpu_seconds, pids)) - before[name] for name, pids in watched.items()}
    used["load"] = found["cpu_seconds"]
    found["cpu_us"] = {name: spent / found["answered"] * 1e6 for name, spent in used.items()}
    found["others_cores"] = max(0.0, busy - sum(used.values())) / found["seconds"]
    return found


class Figures:
    def __init__(self):
        self.all = {}

    def add(self, name, values, unit, baseline=None, ratios=None, digits=3):
        figure = {"value": statistics.median(values), "unit": unit, "min": min(values), "max": max(values)}
        if baseline:
            figure |= {"baseline": baseline, "ratio": statistics.median(ratios), "ratio_min": min(ratios), "ratio_max": max(ratios)}
        self.all[name] = {key: round(value, digits) if isinstance(value, float) else value for key, value in figure.items()}

    def table(self):
        for name, figure in self.all.items():
            line = f"  {name:26} {figure['value']:12,.2f} {figure['unit']:4}  ({figure['min']:,.2f} .. {figure['max']:,.2f})"
            if "baseline" in figure:
                line += f"   {figure['ratio']:.2f} of {figure['baseline']} ({figure['ratio_min']:.2f} .. {figure['ratio_max']:.2f})"
            print(line)


def print_costs(full, titles):
    """Who the time goes to: what the two cores did for one request."""
    print("\nCPU µs per request, medians over the rounds")
    for name, turns in full.items():
        parts = {part: statistics.median(turn["cpu_us"][part] for turn in turns) for part in turns[0]["cpu_us"]}
        print(f"  {titles[name]:20} " + "  ".join(f"{part} {us:.1f}" for part, us in parts.items()))
