"""Common parts of a benchmark's `run`: options, output, error reporting."""

import argparse
import json
import signal
import subprocess
import sys


def options(description, seconds=3.0, rounds=5, quick=(1.0, 3)):
    """The common options; `quick` has the seconds and rounds of the short form."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--json", metavar="FILE", help="writes the figures")
    parser.add_argument("--seconds", type=float, default=seconds, help="of each turn (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=rounds, help="turns of each (default: %(default)s)")
    parser.add_argument("--quick", action="store_true", help=f"{quick[1]} rounds of {quick[0]:g} s")
    parser.set_defaults(short=quick)
    return parser


def parsed(parser):
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.seconds, arguments.rounds = arguments.short
    return arguments


def finish(figures, arguments, title, noise=None, **more):
    """Prints the table and writes the file. `noise`: the most cores that others used in any turn."""
    print(f"\nmedian (min .. max) of {arguments.rounds} rounds, {title}")
    figures.table()
    if noise is not None:
        print(f"  in the worst turn other processes of this machine used {noise:.1f} cores")
        more["others_cores_max"] = round(noise, 2)
    if arguments.json:
        with open(arguments.json, "w", encoding="utf-8") as file:
            file.write(json.dumps({"figures": figures.all, **more}, indent=2) + "\n")


def run(name, main):
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # runs the clean-up of the others
    try:
        sys.exit(main())
    except (RuntimeError, AssertionError, OSError, ValueError, subprocess.SubprocessError) as error:
        print(f"bench/{name}/run: {error}", file=sys.stderr)
        sys.exit(1)
