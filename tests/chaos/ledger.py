"""Requests, their outcomes, and whether both sides agree. Clients record each request, its outcome and each
event they see; the service, in a file of its own, each execution; the faults, when they were. `Verdict` compares."""

import time
from bisect import bisect_left
from collections import Counter, defaultdict
from dataclasses import dataclass, field

# How a request may end (design.md, rule 1), and what a client sees if its socket ends first.
ANSWERED, REFUSED, TIMEOUT, UNKNOWN, SOCKET_LOST, WRONG = "answered", "refused", "timeout", "unknown", "socket lost", "wrong"

BROKER = {"broker restart", "broker kill", "network cut", "network hang", "broker blocked"}
SERVICE = {"service stopped", "service restart"}
QUEUES = {"queues deleted"}

MUST_RUN = {"plain", "slow", "idempotent", "hold"}  # to be answered; a command is, once the broker has it

# Which faults account for which outcome of a request that was under way meanwhile. Anything else is unexplained.
# An edge's death is no excuse for anything but its own sockets: the clients' check of that is `Socket.edge_died`. And that a
# consumer sends what the broker refuses ("refused by broker") is an excuse for nothing, and no attack (attackers.py) is.
EXCUSES = {
    TIMEOUT: BROKER | SERVICE | QUEUES | {"all paused"},
    UNKNOWN: BROKER | QUEUES | {"meshd kill"},
    REFUSED: BROKER | QUEUES | {"meshd kill"},
}
EVENT_EXCUSES = BROKER | QUEUES | {"meshd kill"}  # mesh events that did not arrive
CHANNEL_EXCUSES = {"meshd kill"}  # Snorky's, which need no broker
RESUME_WINDOW = 30.0  # seconds for which a session is kept (resume.window_ms)


@dataclass(slots=True)
class Request:
    id: str
    kind: str  # of KINDS in clients.py
    socket: "Socket"
    sent: float
    outcome: str = None
    detail: str = ""
    ended: float = None
    answers: int = 0

    @property
    def may_run_twice(self):
        return self.kind == "idempotent"

    def end(self, outcome, detail=""):
        self.answers += 1
        if self.outcome is None or self.outcome == SOCKET_LOST:
            self.outcome, self.detail, self.ended = outcome, detail, time.monotonic()


@dataclass
class Socket:
    """One connection of a client."""
    client: int
    role: str
    opened: float
    port: int  # its own end's, by which the edge is found that has it
    connected: float = 0.0  # when that port was; of a resumed session, later than `opened`
    subscribed: dict = field(default_factory=dict)  # topic or channel → since when
    closed: float = None
    close: tuple = None  # code, reason
    ours: bool = False  # the client itself closed it
    seen: list = field(default_factory=list)  # (id, when) of events, in the order in which they came


@dataclass(slots=True)
class Event:
    id: str  # "publisher/number"
    topic: str
    sent: float
    done: float = None  # when it was acknowledged; None: it was not


@dataclass
class Fault:
    """One that was injected."""
    kind: str
    planned: float
    begun: float = None
    ended: float = None  # it is repaired, and what it hit has recovered as far as that can be seen from outside
    ports: set = frozenset()  # of the sockets that the dead edge had
    note: str = ""


class Ledger:
    def __init__(self, file):
        self.file = file  # the service's
        self.requests, self.events, self.sockets, self.faults = {}, {}, [], []
        self.refused_connects = Counter()

    def executions(self):
        """{id: set of correlation ids, one for each execution as a list}."""
        ran = defaultdict(list)
        for line in self.file.read_text().splitlines():
            request, correlation, _ = line.split()
            ran[request].append(correlation)
        return ran


class Verdict:
    """`lost`, `duplicated` and `unexplained` are lists of sentences; all empty if every outcome is right."""

    settle = 6.0  # after a fault's end, for a machine that is slow

    def __init__(self, ledger):
        self.ledger = ledger
        self.lost, self.duplicated, self.unexplained = [], [], []
        self.outcomes = Counter()
        self.begun = min((socket.opened for socket in ledger.sockets), default=0.0)
        self.ran = ledger.executions()
        self.edge_deaths = [fault for fault in ledger.faults if fault.kind in ("edge kill", "edge stopped")]
        for request in ledger.requests.values():
            self._judge(request)
        for unasked in set(self.ran) - set(ledger.requests):
            self.unexplained.append(f"{unasked} ran, and nobody asked for it")
        self.events = {"mesh": Counter(), "resuming": Counter(), "snorky": Counter()}
        self.by_topic = defaultdict(list)
        for event in ledger.events.values():
            self.by_topic[event.topic].append(event)
        for socket in ledger.sockets:
            self._judge_socket(socket)
            self._judge_events(socket)

    def _during(self, kinds, begin, end):
        return any(fault.kind in kinds and fault.begun is not None and fault.begun <= end and (fault.ended or end) + self.settle >= begin for fault in self.ledger.faults)

    def _judge(self, request):
        say = f"{request.id} ({request.kind}): {request.outcome} {request.detail}"
        self.outcomes[request.outcome or "lost"] += 1
        times, calls = len(self.ran.get(request.id, ())), len(set(self.ran.get(request.id, ())))
        if request.outcome is None:
            self.lost.append(f"{say}: no outcome")
            return
        if request.answers > 1:
            self.duplicated.append(f"{say}: {request.answers} answers")
        if times > 1 and not request.may_run_twice:
            self.duplicated.append(f"{say}: ran {times} times")
        if calls > 1:
            self.duplicated.append(f"{say}: ran under {calls} correlation ids")
        if request.outcome == WRONG:
            self.unexplained.append(say)
        elif request.outcome == ANSWERED and times == 0 and request.kind in MUST_RUN:
            self.unexplained.append(f"{say}: answered, and never ran")
        elif request.outcome == REFUSED and times > 0:
            self.unexplained.append(f"{say}: refused for certain, and ran")
        expected = {"nobody": REFUSED, "hold": TIMEOUT}.get(request.kind)
        if request.outcome in EXCUSES and request.outcome != expected and not self._during(EXCUSES[request.outcome], request.sent, request.ended):
            self.unexplained.append(f"{say}, {request.ended - request.sent:.1f} s after it was sent, and no fault accounts for it")
        if request.kind == "command" and request.outcome == ANSWERED and times == 0 and not self._during(BROKER | SERVICE, request.sent, request.ended + 5):
            self.lost.append(f"{say}: the broker has it, and it never ran")

    def _judge_socket(self, socket):
        if socket.closed is None or socket.ours:
            return
        if socket.role == "resuming":
            # A session, over any number of sockets. Who has none just when meshd dies has lost it, and is told so.
            if socket.close not in ("unknown", "missed_too_much") or not self._during({"meshd kill"}, socket.closed - RESUME_WINDOW, socket.closed):
                self.unexplained.append(f"the session of client {socket.client} could not be resumed: {socket.close}")
            return
        # A socket that was opened while the dying edge's sockets were looked up is not among them.
        if not any(fault.begun - 1 <= socket.closed and (socket.port in fault.ports or abs(socket.opened - fault.begun) < 1) for fault in self.edge_deaths):
            self.unexplained.append(f"a socket of client {socket.client} ({socket.role}) closed with {socket.close}, and its edge lives")

    def _judge_events(self, socket):
        if not socket.subscribed:
            return
        counts = self.events[socket.role]
        seen = Counter(id for id, _ in socket.seen)
        counts["received"] += len(socket.seen)
        for id, times in seen.items():
            if times > 1:
                self.duplicated.append(f"event {id} came {times} times to client {socket.client}")
        last = {}
        for id, _ in socket.seen:
            publisher, number = id.split("/")
            if int(number) < last.get(publisher, -1):
                self.unexplained.append(f"event {id} came to client {socket.client} after number {last[publisher]}")
            last[publisher] = int(number)
        excuses = CHANNEL_EXCUSES if socket.role == "snorky" else EVENT_EXCUSES
        # A socket on a stopped edge gets nothing from then on, and is closed only when the stop is detected. A resumed session
        # gets those events all the same; a session that was lost with meshd meanwhile (_judge_socket) was told so.
        until = socket.closed or float("inf")
        if socket.role != "resuming" or (socket.closed and not socket.ours):
            since = max(socket.opened, socket.connected)
            until = min([until, *(f.begun for f in self.edge_deaths if socket.port in f.ports and since < f.begun)])
        for topic, since in socket.subscribed.items():
            published = self.by_topic[topic]
            for event in published[bisect_left(published, since, key=lambda e: e.sent):]:
                if event.sent > until:
                    break
                if event.done is None or event.done + 2 > until or event.id in seen:
                    continue
                if self._during(excuses, event.sent, event.done + 2):
                    counts["missed for a fault"] += 1
                else:
                    self.lost.append(f"event {event.id} of {topic} never came to client {socket.client} ({socket.role}), {event.sent - self.begun:.1f} s after the first socket opened, {event.sent - since:.1f} s after it subscribed")


def percentile(values, share):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else float("nan")
