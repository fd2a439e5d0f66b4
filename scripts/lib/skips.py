"""Lists the skipped tests in the output of the test runners that tests/allowed_skips.toml does not allow.

usage: skips.py ALLOWED LOG...

Prints a line for each skip that is not allowed, and exits with 1 if there is one. A skip is identified by the test's
name (ctest), or by file and reason (pytest -ra).
"""

import fnmatch
import re
import sys
import tomllib
from pathlib import Path

# "SKIPPED [2] integration/deploy/test_units.py:24: the units are not started anywhere: needs root". For a mark pytest prints no line number.
PYTEST = re.compile(r"^SKIPPED \[\d+\] ([^:\s]+)(?::\d+)?: (.*)$")
# " 12/253 Test  #13: RingHostile.ARace ............***Skipped   0.05 sec", and GoogleTest's own "[  SKIPPED ] RingHostile.ARace (0 ms)".
CTEST = re.compile(r"Test\s+#\d+: (\S+) \.+\s*\*\*\*(?:Skipped|Not Run)")
GOOGLETEST = re.compile(r"^\[  SKIPPED \] (\S+) \(")


class Allowed:
    def __init__(self, file):
        self.entries = tomllib.loads(Path(file).read_text(encoding="utf-8")).get("skip", [])
        for entry in self.entries:
            if missing := {"test", "reason", "because"} - entry.keys():
                raise ValueError(f"{file}: an entry without {', '.join(sorted(missing))}: {entry}")

    def allows(self, test, reason):
        return any(fnmatch.fnmatchcase(test, entry["test"]) and fnmatch.fnmatchcase(reason, entry["reason"]) for entry in self.entries)


def skips(text):
    """[(test, reason)]; the reason is empty if the runner does not print it."""
    found = []
    for line in text.splitlines():
        if match := PYTEST.match(line):
            found.append((match[1].removeprefix("tests/"), match[2].strip()))
        elif match := CTEST.search(line) or GOOGLETEST.match(line):
            found.append((match[1], ""))
    return found


def main(allowed_file, *logs):
    allowed = Allowed(allowed_file)
    wrong = []
    for log in logs:
        for test, reason in skips(Path(log).read_text(encoding="utf-8", errors="replace")):
            if not allowed.allows(test, reason):
                wrong.append(f"{Path(log).stem}: {test}{': ' if reason else ''}{reason}")
    for line in dict.fromkeys(wrong):
        print(line)
    return 1 if wrong else 0


if __name__ == "__main__":
    if len(sys.argv) < 2:
        print(__doc__.strip(), file=sys.stderr)
        sys.exit(2)
    try:
        sys.exit(main(*sys.argv[1:]))
    except (OSError, ValueError) as mistake:
        print(f"skips.py: {mistake}", file=sys.stderr)
        sys.exit(2)
