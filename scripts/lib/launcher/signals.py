"""Interprets the launcher's signals."""

import signal

SAME_WISH = 1.0  # seconds in which a repeated stop signal counts as the same (`timeout` sends two at once)
STOP = {signal.SIGTERM, signal.SIGINT}
REQUESTS = {signal.SIGHUP, signal.SIGUSR1}


class Signals:
    """Reads the list of (number, when) that the signal handlers fill."""

    def __init__(self, told):
        self.told = told
        self.stopping_since = None

    def next_request(self):
        """The next SIGHUP or SIGUSR1, in their order; None if there is none."""
        for at, (number, _) in enumerate(self.told):
            if number in REQUESTS:
                del self.told[at]
                return number
        return None

    def told_to_stop(self):
        """While stopping: whether another stop signal has asked to hurry."""
        earliest = -1.0 if self.stopping_since is None else self.stopping_since + SAME_WISH
        return any(number in STOP and when >= earliest for number, when in self.told)

    def begin_to_stop(self, now):
        self.stopping_since = min([when for number, when in self.told if number in STOP], default=now)
        self.told[:] = [(number, when) for number, when in self.told if when >= self.stopping_since + SAME_WISH]
