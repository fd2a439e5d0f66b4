"""Records which tests passed on which system with which RabbitMQ in docs/reference/tested.json, and writes docs/reference/tested.md from it.

    scripts/test --record [LABEL...]    records what that run showed
    python3 scripts/lib/evidence.py     writes the page again

A record is one suite on one system with one RabbitMQ; the newest replaces an older one. Only suites that passed are
recorded, so the page says when something last worked, and never that something works today."""

import argparse
import datetime
import json
import platform
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
RECORDS = ROOT / "docs" / "reference" / "tested.json"
PAGE = ROOT / "docs" / "reference" / "tested.md"

# A row of scripts/test's table: name, outcome, counts, seconds.
LINE = re.compile(r"^(?P<name>.{42}) (?P<outcome>passed|FAILED|SKIPPED) +(?P<counts>.*?) +(?P<seconds>\d+) s$")
# Suites that ran elsewhere than in scripts/test itself have a prefix.
ELSEWHERE = re.compile(r"^(?:(?P<system>Debian \d+)|RabbitMQ (?P<rabbitmq>[\d.]+)): (?P<suite>.*)$")
SUITES = {"mesh": "mesh against RabbitMQ", "gateway": "gateway against RabbitMQ"}

HEAD = """# What was tested, and when

`scripts/test --record` writes this page and `tested.json`, from what its suites said of themselves. A number is how many tests passed;
a suite that failed is not recorded, so a cell says when that suite last passed there, and at which commit ("+": with changes that were
not committed). An empty cell: it was not run there.
[Platforms](platforms.md) has the versions of compilers and libraries.

"""


def results(text):
    """(name, counts) of each suite that passed and counted its tests."""
    for line in text.splitlines():
        found = LINE.match(line)
        if found and found["outcome"] == "passed" and found["counts"] and "FAILED" not in found["counts"]:
            yield found["name"].strip(), found["counts"].strip()


def this_system():
    words = dict(line.split("=", 1) for line in Path("/etc/os-release").read_text().splitlines() if "=" in line)
    name = words["NAME"].strip('"').replace(" GNU/Linux", "")
    system = f"{name} {words.get('VERSION_ID', '').strip(chr(34))}".strip()
    return system if platform.machine() == "x86_64" else f"{system}, {platform.machine()}"


def recorded(records, name, counts, system, rabbitmq, denied, date, commit, elsewhere):
    """Adds one row to `records`. `elsewhere`: the RabbitMQ of other systems, by name or by the start of its version."""
    found = ELSEWHERE.match(name)
    suite = name
    if found:
        suite = SUITES.get(found["suite"], found["suite"])
        system = found["system"] or system
        rabbitmq = elsewhere[found["system"] or found["rabbitmq"]]
        denied = denied and not found["system"]
    made = {"system": system, "rabbitmq": rabbitmq, "denied": denied, "suite": suite, "counts": counts, "date": date, "commit": commit}
    place = {"system", "rabbitmq", "denied", "suite"}
    kept = [one for one in records if any(one[key] != made[key] for key in place)]
    return sorted(kept + [made], key=lambda one: (one["system"], version(one["rabbitmq"]), one["denied"], one["suite"]))


def version(text):
    return [int(number) for number in re.findall(r"\d+", text)]


def page(records):
    columns = sorted({(one["system"], one["rabbitmq"], one["denied"]) for one in records}, key=lambda c: (c[0], version(c[1]), c[2]))
    cells = {(one["suite"], one["system"], one["rabbitmq"], one["denied"]): f"{one['counts'].replace(' passed', '')}, {one['date']}, {one['commit']}" for one in records}
    titles = [f"{system}, RabbitMQ {rabbitmq}{', transient queues denied' * denied}" for system, rabbitmq, denied in columns]
    lines = ["| suite | " + " | ".join(titles) + " |", "| --- |" + " --- |" * len(columns)]
    for suite in sorted({one["suite"] for one in records}):
        lines.append(f"| {suite} | " + " | ".join(cells.get((suite, *column), "") for column in columns) + " |")
    return HEAD + "\n".join(lines) + "\n"


def read():
    return json.loads(RECORDS.read_text()) if RECORDS.exists() else []


def main():
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("--results", type=Path, help="the table of a run of scripts/test")
    ask.add_argument("--rabbitmq", help="the version of the package that the run's brokers were of")
    ask.add_argument("--denied", action="store_true", help="transient queues that are not exclusive were denied")
    ask.add_argument("--elsewhere", action="append", default=[], metavar="PLACE=VERSION", help="the RabbitMQ of suites whose name starts with PLACE")
    asked = ask.parse_args()
    records = read()
    if asked.results:
        if not asked.rabbitmq:
            ask.error("--results needs --rabbitmq")
        commit = subprocess.run(["git", "-C", ROOT, "describe", "--always", "--abbrev=7", "--exclude=*", "--dirty=+"], capture_output=True, text=True, check=True).stdout.strip()
        elsewhere = {place: upstream(package) for place, package in (one.split("=", 1) for one in asked.elsewhere)}
        for name, counts in results(asked.results.read_text()):
            try:
                records = recorded(records, name, counts, this_system(), upstream(asked.rabbitmq), asked.denied, datetime.date.today().isoformat(), commit, elsewhere)
            except KeyError as place:
                print(f"not recorded, because the RabbitMQ version is unknown: {name} ({place})", file=sys.stderr)
        RECORDS.write_text(json.dumps(records, indent=1, ensure_ascii=False) + "\n")
    PAGE.write_text(page(records))


def upstream(package):
    """The upstream version of a Debian version: 4.0.5-6+deb13u2 is 4.0.5."""
    return re.sub(r"^\d+:", "", package).rsplit("-", 1)[0]


if __name__ == "__main__":
    main()
