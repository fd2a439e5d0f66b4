"""A bash that is given one block after the other, as a reader pastes them."""

import asyncio
import itertools
import os
import re
import subprocess

from .processes import _die_with_parent


class Terminal:
    """`with Terminal(folder, cwd) as terminal: output = await terminal.run("echo hello")`. A command that fails is an error."""

    def __init__(self, folder, cwd, environment=None):
        self.log = folder / "terminal.log"
        self.numbers = itertools.count(1)
        with open(self.log, "wb") as log:
            self.popen = subprocess.Popen(["bash"], cwd=cwd, env={**os.environ, **(environment or {})}, stdin=subprocess.PIPE, stdout=log, stderr=subprocess.STDOUT,
                                          preexec_fn=_die_with_parent)
        self._write("set -euo pipefail\ntrap 'kill $(jobs -p) 2>/dev/null || true; wait || true' EXIT\n")

    def _write(self, text):
        self.popen.stdin.write(text.encode())
        self.popen.stdin.flush()

    def _said(self):
        return self.log.read_text(errors="replace")

    async def run(self, text, limit=300):
        number = next(self.numbers)
        self._write(f"echo '@@{number} begins'\n{text}\necho '@@{number} ends'\n")
        async with asyncio.timeout(limit):
            while f"@@{number} ends" not in self._said():
                assert self.popen.poll() is None, f"exit code {self.popen.returncode} at\n{text}\n---\n{self._said()[-4000:]}"
                await asyncio.sleep(0.05)
        return re.search(rf"@@{number} begins\n(.*?)@@{number} ends", self._said(), re.DOTALL)[1]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.popen.stdin.close()
        self.popen.wait(60)
