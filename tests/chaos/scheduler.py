"""Which faults, when: drawn from a seed, so that a run that found something can be repeated."""

import random
from dataclasses import dataclass

# How many seconds a fault lasts, at least and at most, and how often it is drawn beside the others. What can't be told
# from outside (how long RabbitMQ takes to start) has no duration here.
FAULTS = {
    "edge kill": (0, 0, 8),
    "meshd kill": (0, 0, 4),
    "edge stopped": (0, 0, 1),
    "service stopped": (0.5, 2.0, 2),
    "service restart": (0, 0, 2),
    "network cut": (0.2, 2.0, 2),
    "network hang": (0.5, 2.0, 1),
    "broker blocked": (1.0, 3.0, 1),
    "queues deleted": (0, 0, 1),
    "refused by broker": (1.0, 2.0, 2),  # a consumer sends what the broker refuses
    "costs others": (1.0, 2.0, 1),  # the attackers of attackers.py
    "guesses addresses": (1.0, 2.0, 1),
    "takes shares": (1.0, 2.0, 1),
    "broker restart": (0, 0, 1),
    "broker kill": (0, 0, 1),
    "log reader stalls": (1.0, 3.0, 1),
    "log disk full": (1.0, 3.0, 1),
    "all paused": (5.5, 6.5, 1),  # longer than the hung_after_s of world.py, shorter than the broker's two heartbeats
}

ATTACKS = {"costs others", "guesses addresses", "takes shares"}


@dataclass(frozen=True)
class Planned:
    at: float  # seconds from the beginning
    kind: str
    lasts: float
    draw: float  # from 0 to 1: which of several it hits


def plan(seed, seconds, every=1.0, without=()):
    """Faults in their order: each kind once, as far as the time allows, then by weight. `every`: seconds between two, in
    the mean. They may overlap; those that hit the same process wait for one another."""
    chance = random.Random(seed)
    kinds = [kind for kind in FAULTS if kind not in without]
    first = list(kinds)
    chance.shuffle(first)
    out, at = [], 0.0
    while True:
        at += every * (0.3 + 1.4 * chance.random())
        kind = first.pop() if first else chance.choices(kinds, [FAULTS[kind][2] for kind in kinds])[0]
        shortest, longest, _ = FAULTS[kind]
        if at >= seconds:
            return out
        out.append(Planned(round(at, 3), kind, round(chance.uniform(shortest, longest), 3), round(chance.random(), 6)))
