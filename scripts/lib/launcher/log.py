"""The launcher's log, on standard error, which may be full, closed, or a pipe that nothing reads. A line that cannot be
written is dropped and counted; the launcher's loop never waits for a write.

Lines have the same format as those of meshd and the edges (common/log.hpp), as text or as JSON, and `log.level` applies to them."""

import atexit
import datetime
import errno
import json
import os
import select
import sys
import threading
import time
from collections import deque

STDERR = 2
MOST_LINES = 2000  # limit of queued lines
LAST_WORDS = 1.0  # seconds for queued lines at the end


def keep_standard_descriptors():
    """Opens descriptors 0, 1 and 2: a file that is opened while one is closed would get its number, and log lines would go into it."""
    while True:
        try:
            fd = os.open(os.devnull, os.O_RDWR)
        except OSError:
            return
        if fd > STDERR:
            os.close(fd)
            return
        os.set_inheritable(fd, True)


LEVELS = ("debug", "info", "warning", "error")


class Form:
    """Format and level of the lines. Until the settings are known: text, `info` and above."""

    json, lowest = False, LEVELS.index("info")

    def follow(self, settings):
        """`settings`: the section [log]."""
        self.json, self.lowest = settings["format"] == "json", LEVELS.index(settings["level"])

    def wants(self, level):
        return LEVELS.index(level) >= self.lowest

    def line(self, level, text):
        now = datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        if self.json:
            return json.dumps({"time": now, "level": level, "process": "launcher", "message": text}, ensure_ascii=False, separators=(",", ":"))
        return f"{now} {level.upper():7} launcher {text}"


FORM = Form()


def dropped_notice(count, reason):
    return FORM.line("warning", f"{count} line{' was' if count == 1 else 's were'} dropped: {reason}")


class Log:
    """Lines are written by a thread, which may block."""

    def __init__(self, fd=STDERR):
        self.fd = fd
        self.lines = deque()
        self.changed = threading.Condition()
        self.dropped = 0  # in total
        self.found_no_room = 0  # since the last report
        self.writes = False  # a line is being written
        self.thread = None

    def put(self, text):
        with self.changed:
            if len(self.lines) >= MOST_LINES:
                self.found_no_room += 1
                self.dropped += 1
                return
            if self.found_no_room:
                self.lines.append(self._notice_of_room())  # in place of the dropped ones
            self.lines.append(text)
            if self.thread is None:
                self.thread = threading.Thread(target=self._run, name="log", daemon=True)
                self.thread.start()
            self.changed.notify_all()

    def flush(self, limit=LAST_WORDS):
        """Waits until all is written, or that many seconds are over. Returns True if the queue is empty."""
        with self.changed:
            return self.changed.wait_for(lambda: not (self.lines or self.found_no_room or self.writes), limit)

    def _notice_of_room(self):
        count, self.found_no_room = self.found_no_room, 0
        return dropped_notice(count, "the reader of the log is too slow")

    def _run(self):
        failed, reason = 0, None  # lines that could not be written since the last report
        while True:
            with self.changed:
                self.writes = False
                self.changed.notify_all()
                self.changed.wait_for(lambda: self.lines or self.found_no_room)
                self.writes = True
                line = self.lines.popleft() if self.lines else self._notice_of_room()
            reason = self._write(dropped_notice(failed, reason)) if failed else None
            if reason is None:
                failed, reason = 0, self._write(line)
            if reason is not None:
                failed += 1
                with self.changed:
                    self.dropped += 1

    def _write(self, line):
        """The reason why it could not be written, or None."""
        left = (line + "\n").encode("utf-8", "backslashreplace")
        while left:
            try:
                left = left[os.write(self.fd, left):]
            except OSError as error:
                if error.errno != errno.EAGAIN:
                    return error.strerror
                # Another process has made the descriptor non-blocking for all that share it.
                try:
                    room = select.poll()
                    room.register(self.fd, select.POLLOUT)
                    room.poll(1000)  # milliseconds
                except (OSError, ValueError):
                    time.sleep(1.0)
        return None


class LogStream:
    """Replaces sys.stderr, so that writes of Python and argparse cannot fail either. If the log is JSON, each of these lines
    becomes an object of its own."""

    encoding, errors = "utf-8", "backslashreplace"

    def __init__(self, log):
        self.log, self.rest = log, ""

    def write(self, text):
        *lines, self.rest = (self.rest + text).split("\n")
        for line in lines:
            self.log.put(FORM.line("error", line) if FORM.json else line)
        return len(text)

    def flush(self):
        pass

    def isatty(self):
        return False

    def fileno(self):
        return STDERR


LOG = Log()


def begin():
    """To be called before anything is logged."""
    keep_standard_descriptors()
    sys.stderr = LogStream(LOG)
    atexit.register(LOG.flush)


def say(text, level="info"):
    if FORM.wants(level):
        LOG.put(FORM.line(level, text))


def answer(text):
    """Prints the answer to standard output; the exit code says the same if that is impossible."""
    try:
        os.write(1, (text + "\n").encode("utf-8", "backslashreplace"))
    except OSError:
        pass
