#!/usr/bin/env python3
"""A manual page of section 8, generated from the program's --help, so that its options are always current.

usage: manual.py PROGRAM VERSION FILE
"""

import os
import re
import subprocess
import sys
from pathlib import Path

SUMMARY = {
    "nuropb-meshd": "the NuroPb gateway's connection to the service mesh",
    "nuropb-edge": "a process of the NuroPb gateway that holds consumers' sockets",
    "nuropb-gateway": "starts and keeps the processes of the NuroPb gateway",
}
EXIT = [("0", "an orderly stop"), ("2", "a mistake in the settings, which was printed"),
        ("78", "it can't start, and starting again would end the same way: a file is missing, a port is taken")]
# Content that --help does not have: (heading, [(term, text)] or a text).
MORE = {
    "nuropb-meshd": [
        ("DESCRIPTION", "The one process that holds the broker's credentials and the AMQP connection. Edges hand it requests over shared memory; it stamps them with "
         "who asks, publishes them, and ships the answers back. It may be restarted at any time: no socket drops. It should have a user of its own."),
        ("SIGNALS", [("SIGTERM, SIGINT", "settles what it has begun, and ends"), ("SIGHUP", "reads tokens, policies, keys and revoked users again")]),
        ("EXIT STATUS", EXIT),
    ],
    "nuropb-edge": [
        ("DESCRIPTION", "Holds sockets, checks messages, and remembers who waits for which answer. It has no secret and, once it listens, no files. Any number of "
         "them share one port; each needs a running meshd, and waits for it. Started by root, it becomes the user of hardening.edge_user."),
        ("SIGNALS", [("SIGTERM, SIGINT", "drains: /readyz says no (drain.grace_ms), sockets close one after the other (drain.spread_ms), what is pending is finished "
                      "(drain.limit_ms)"), ("SIGHUP", "reads certificates and their keys again")]),
        ("EXIT STATUS", EXIT),
    ],
    "nuropb-gateway": [
        ("DESCRIPTION", "The launcher: where no systemd runs the units nuropb-meshd.service and nuropb-edge@.service, it does what they would. Starts meshd and "
         "gateway.edges edges, starts again what dies or hangs, drains and rolls them."),
        ("SIGNALS", [("SIGTERM, SIGINT", "drains the edges, then stops meshd; a second one kills what is left"),
                     ("SIGHUP", "goes over to the programs and settings that are on the disk by now, without closing the port"),
                     ("SIGUSR1", "meshd and the edges read tokens and certificates again")]),
        ("EXIT STATUS", [*EXIT, ("1", "something failed or had to be killed while stopping")]),
    ],
}
FILES = [("/etc/nuropb-gateway/gateway.toml", "the settings of an installed gateway"),
         ("/etc/nuropb-gateway/secrets/", "passwords, tokens and keys, which only meshd may read"),
         ("/run/nuropb-gateway/", "gateway.runtime_dir: sockets of meshd, and what outlives it")]
SEE = "nuropb-meshd(8), nuropb-edge(8), nuropb-gateway(8), nuropb-ctl(1), nuropb-gateway.toml(5)"


def escape(text):
    text = text.replace("\\", r"\e").replace("-", r"\-")
    return re.sub(r"^([.'])", r"\\&\1", text, flags=re.MULTILINE)


def options_of(said):
    """[(option, text)] of a --help of CLI11 or argparse."""
    found = []
    for line in said.splitlines():
        if begun := re.fullmatch(r"  (-.*?)(?:  +(\S.*)| +)?", line):
            words = re.sub(r",(?=-)", ", ", begun[1])
            # CLI11's columns may be separated by a single blank.
            if not begun[2] and (apart := re.fullmatch(r"(--\S+ [A-Z]\S*(?: \.\.\.)?) (\S.*)", words)):
                found.append((apart[1], apart[2]))
            else:
                found.append((words, begun[2] or ""))
        elif found and re.match(r" {10,}\S", line):
            found[-1] = (found[-1][0], f"{found[-1][1]} {line.strip()}".strip())
    return found


def terms(pairs):
    return "".join(f".TP\n\\fB{escape(term)}\\fR\n{escape(text)}\n" for term, text in pairs)


def main():
    program, version, file = Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3])
    name = program.name
    # Shows paths as installed, not as built.
    environment = {**os.environ, "COLUMNS": "400"}
    said = subprocess.run([program, "--help"], capture_output=True, text=True, check=True, env=environment).stdout
    said = re.sub(r"\(default:\s+\S+/bin\)", "(default: /usr/sbin)", said)
    options = options_of(said)
    assert any("--config" in option for option, _ in options), f"{name} --help is not understood:\n{said}"
    page = f'.TH {name.upper()} 8 "" "nuropb-gateway {version}" "NuroPb gateway"\n.SH NAME\n{escape(name)} \\- {escape(SUMMARY[name])}\n'
    page += f".SH SYNOPSIS\n.B {escape(name)}\n[\\fIoption\\fR]...\n"
    for heading, body in [MORE[name][0], ("OPTIONS", options), *MORE[name][1:], ("FILES", FILES)]:
        page += f".SH {heading}\n" + (terms(body) if isinstance(body, list) else escape(body) + "\n")
    page += (".SH ENVIRONMENT\n" + escape("A variable NUROPB_SECTION_KEY, like NUROPB_LISTEN_PORT, wins over the file; --set wins over both.")
             + f"\n.SH SEE ALSO\n{escape(SEE)}\n.PP\n" + escape("/usr/share/doc/nuropb-gateway/docs/README.md") + "\n")
    file.write_text(page)


if __name__ == "__main__":
    main()
