"""The file that exists while the gateway accepts clients (--ready-file)."""

import os
import stat
from pathlib import Path

from launcher.log import say


class ReadyFile:
    def __init__(self, name):
        self.path = Path(name) if name else None
        self.due = False  # still has to be written
        self._said = False

    def why_not(self):
        """Why the file could not be written later, or None. Removes a file of an earlier run."""
        if self.path is None:
            return None
        try:
            if not stat.S_ISREG(self.path.lstat().st_mode):
                return f"{self.path} is not a regular file, so it is not replaced"
        except FileNotFoundError:
            pass
        except OSError as error:
            return f"{self.path}: {error.strerror}"
        trial = self.path.with_name(f".{self.path.name}.{os.getpid()}")
        try:
            os.close(os.open(trial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666))
            trial.unlink()
            self.path.unlink(missing_ok=True)
        except OSError as error:
            return f"{self.path} can't be written: {error.strerror}"
        return None

    def write(self):
        if self.path is None or not self.due:
            return
        try:
            self.path.write_text("ready\n")
            self.due = False
        except OSError as error:
            if not self._said:
                say(f"{self.path} can't be written now: {error.strerror}; trying again", "warning")
            self._said = True

    def remove(self):
        self.due = False
        try:
            if self.path is not None:
                self.path.unlink(missing_ok=True)
        except OSError as error:
            say(f"{self.path} can't be removed: {error.strerror}", "warning")
