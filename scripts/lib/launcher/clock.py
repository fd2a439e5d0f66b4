"""Time in which the launcher itself ran. All of a machine, or of a control group, can be paused for a while (the freezer, a
snapshot of a virtual machine, SIGSTOP to all): for that long no process can give a sign of life, and none is to blame."""

import time

LONGEST_GAP = 1.5  # seconds between two looks of the launcher's loop, which looks once a second when nothing happens


class AwakeClock:
    def __init__(self, now=time.monotonic):
        self._now = now
        self._last, self._awake = now(), 0.0

    def now(self):
        """Seconds. Of a longer time since the last call only LONGEST_GAP counts."""
        at = self._now()
        self._awake += min(at - self._last, LONGEST_GAP)
        self._last = at
        return self._awake
