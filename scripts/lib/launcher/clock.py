"""Time in which the launcher itself ran. A whole machine or control group can be paused (the freezer, a virtual machine's
snapshot, SIGSTOP to all): during that time no process can send a life sign, and none may be considered hung."""

import time

LONGEST_GAP = 1.5  # maximum seconds between two turns of the launcher's loop, which runs at least once a second


class AwakeClock:
    def __init__(self, now=time.monotonic):
        self._now = now
        self._last, self._awake = now(), 0.0

    def now(self):
        """Seconds. A longer time since the last call counts as LONGEST_GAP."""
        at = self._now()
        self._awake += min(at - self._last, LONGEST_GAP)
        self._last = at
        return self._awake
