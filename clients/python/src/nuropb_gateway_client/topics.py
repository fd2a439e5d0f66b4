"""AMQP's topic patterns: `*` for one word, `#` for any number."""

from __future__ import annotations

from typing import List, Optional


def matches(pattern: str, topic: str) -> bool:
    """Whether the pattern stands for the topic."""
    wanted, words = _split(pattern), _split(topic)
    at = word = again = 0
    hash_at: Optional[int] = None
    while word < len(words):
        if at < len(wanted) and wanted[at] == "#":
            hash_at, again = at, word
            at += 1
        elif at < len(wanted) and wanted[at] in ("*", words[word]):
            at += 1
            word += 1
        elif hash_at is None:
            return False
        else:
            # Only the last `#` takes one word more: all that stands before it was found at its earliest place. So the cost
            # is at most words times words, not exponential.
            again += 1
            at, word = hash_at + 1, again
    return all(one == "#" for one in wanted[at:])


def _split(topic: str) -> List[str]:
    # RabbitMQ counts no word in an empty topic.
    return topic.split(".") if topic else []
