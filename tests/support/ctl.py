"""nuropb-ctl, as an operator runs it."""

import json
import subprocess

from .paths import binary


def ctl(gateway, *words, code=0, stdin=None):
    """The output as JSON; the exit code has to be `code` (None: any)."""
    command = [str(word) for word in (binary("nuropb-ctl"), "--config", gateway.config_file, *words, "--json")]
    done = subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=60)
    assert code is None or done.returncode == code, (command, done.returncode, done.stdout, done.stderr)
    return json.loads(done.stdout) if done.stdout else {"stderr": done.stderr}
