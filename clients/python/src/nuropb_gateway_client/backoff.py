"""How long to wait before the next connect."""

from __future__ import annotations

import random
from typing import Callable, Optional

from .settings import Settings

PAUSE = (4002, 4005, 4006)
"""Close codes that say: reconnect after a pause (docs/reference/close-codes.md)."""
LONGER = 2.0


class Backoff:
    """Full jitter: clients that were thrown out together do not come back together."""

    def __init__(self, settings: Settings, chance: Callable[[], float] = random.random) -> None:
        self._settings, self._chance = settings, chance
        self._attempt = 0

    def reset(self) -> None:
        self._attempt = 0

    def next(self, code: int = 0, retry_after: Optional[float] = None) -> float:
        """Seconds. After a Retry-After the random part comes on top of it, so that nobody comes too early."""
        settings = self._settings
        first = max(LONGER, settings.min_delay) if code in PAUSE else settings.min_delay
        limit = min(max(settings.max_delay, first if code in PAUSE else 0.0), first * 2.0 ** min(self._attempt, 60))
        self._attempt += 1
        if retry_after is not None and retry_after > 0:
            return min(retry_after, settings.max_retry_after) + self._chance() * max(settings.min_delay, min(limit, retry_after))
        return self._chance() * limit
