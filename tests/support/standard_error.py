"""Programs whose standard error is not a usable file: full, closed, or a pipe that nothing reads."""

import os
import threading

# Prefixes of a command, each of which executes that command in its own process.
_PIPE = "import os, sys; r, w = os.pipe(); os.dup2(w, 2); os.close(w); {rest}os.execv(sys.argv[1], sys.argv[1:])"
WRAPPERS = {
    "closed": ["/bin/sh", "-c", 'exec "$@" 2>&-', "sh"],
    "full device": ["/bin/sh", "-c", 'exec "$@" 2>/dev/full', "sh"],
    "broken pipe": ["/usr/bin/python3", "-c", _PIPE.format(rest="os.close(r); ")],
    "pipe that nothing reads": ["/usr/bin/python3", "-c", _PIPE.format(rest="os.set_inheritable(r, True); ")],
}


class Reader:
    """Reads a FIFO that a program writes its log into; stalls on request. `with Reader(folder / "log") as reader`,
    then a command behind reader.wrapper()."""

    def __init__(self, path):
        self.path, self.text = path, ""
        os.mkfifo(path)
        self._fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        os.set_blocking(self._fd, True)
        self._goes_on = threading.Event()
        self._goes_on.set()
        self._ends = False
        self._keep = os.open(path, os.O_WRONLY)  # so that it does not end while no program has opened it yet
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def wrapper(self):
        return ["/bin/sh", "-c", f'exec "$@" 2>"{self.path}"', "sh"]

    def _run(self):
        while not self._ends:
            read = os.read(self._fd, 65536)
            self._goes_on.wait()
            if not read:
                return
            self.text += read.decode("utf-8", "replace")

    def stall(self):
        self._goes_on.clear()

    def fill(self):
        """Fills the pipe, so that writes block while the reader stalls."""
        os.set_blocking(self._keep, False)
        try:
            while os.write(self._keep, b"filled up by the test\n"):
                pass
        except BlockingIOError:
            pass

    def go_on(self):
        self._goes_on.set()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._ends = True
        self.go_on()
        os.close(self._keep)
        self._thread.join(10)
        os.close(self._fd)
