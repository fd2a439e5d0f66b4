"""All components are killed, stopped, disconnected and overloaded under traffic, and every single request must end correctly."""

import pytest

from chaos import scheduler
from chaos.ledger import ANSWERED, REFUSED, TIMEOUT, UNKNOWN, Event, Fault, Ledger, Request, Socket, Verdict, percentile
from chaos.run import Run
from chaos.world import LARGEST_MESSAGE, World
from support.broker import Broker

SEED = 20


@pytest.fixture(scope="module")
def broker(scratch):
    node = Broker(scratch / "chaos-broker", lines=[f"max_message_size = {LARGEST_MESSAGE}"])
    node.start()
    yield node
    node.stop()


def right(run):
    print(run.table())
    assert run.right(), run.table()


@pytest.mark.limit(400)
async def test_every_request_ends_once_whatever_dies(broker, folder):
    async with World(folder, broker, SEED) as world:
        run = await Run(world, every=0.8, quiet=2).go(18)
        right(run)
        assert {fault.kind for fault in world.ledger.faults} == set(scheduler.FAULTS) - world.impossible
        assert min(run.recoveries()["meshd kill"]) < 20.0, "with nothing else in its way; how long it takes, the table says"
        answered = run.verdict.outcomes[ANSWERED]
        assert answered > 300 and answered > len(world.ledger.requests) / 3, "most of it went on"


@pytest.mark.limit(400)
async def test_edges_killed_again_and_again_concern_their_own_sockets_only(broker, folder):
    """The ledger checks that no other socket closes and no request on one fails; here: the duration and the leftovers."""
    async with World(folder, broker, SEED) as world:
        run = await Run(world, every=0.45, quiet=3, without=set(scheduler.FAULTS) - {"edge kill"}).go(6)
        right(run)
        took = run.recoveries()["edge kill"]
        assert len(took) > 7
        # Within a second, it is said, and the table shows it; of a machine that does other things as well, not each time.
        assert min(took) < 2.0 and percentile(took, 0.6) < 10.0, sorted(took)
        quiet, killed = run.latencies({"edge kill"})
        assert percentile(killed, 0.99) < 3 * percentile(quiet, 0.99) + 3000, "ms; by how much, the table says"
        before, after = run.costs
        assert before["meshd pid"] == after["meshd pid"], "so what it has more of would have been found"


@pytest.mark.limit(300)
async def test_what_the_broker_refuses_of_one_consumer_is_nobody_elses_affair(broker, folder):
    async with World(folder, broker, SEED) as world:
        run = await Run(world, every=1.0, quiet=2, without=set(scheduler.FAULTS) - {"refused by broker"}).go(8)
        right(run)
        notes = [fault.note for fault in world.ledger.faults]
        assert len(notes) > 3 and all("NuropbTransportError" in note and "taken" not in note for note in notes), notes
        assert UNKNOWN not in run.verdict.outcomes, run.table()
        assert world.reader.text.count("broker ready") == 1, "the connection is the first one still"


@pytest.mark.limit(300)
async def test_attackers_harm_only_themselves(broker, folder):
    async with World(folder, broker, SEED) as world:
        run = await Run(world, every=1.5, quiet=4, without=set(scheduler.FAULTS) - scheduler.ATTACKS).go(14)
        right(run)
        notes = {kind: " ".join(fault.note for fault in world.ledger.faults if fault.kind == kind) for kind in scheduler.ATTACKS}
        assert "NuropbValidationError" in notes["costs others"] and "JSONDecodeError" in notes["costs others"], notes
        assert " forged messages" in notes["guesses addresses"] and not notes["guesses addresses"].startswith("0 "), notes
        assert "closed with 4501" in notes["takes shares"] and "closed with 4005" in notes["takes shares"], notes
        assert set(run.verdict.outcomes) <= {ANSWERED, REFUSED, TIMEOUT}, run.table()  # the ledger knows which of these were expected
        assert len(world.pids()) == world.edges + 1 and world.reader.text.count(" started, pid ") == world.edges + 1, "no process was replaced"


def test_the_same_seed_draws_the_same_faults():
    first = scheduler.plan(7, 60)
    assert first == scheduler.plan(7, 60) and first != scheduler.plan(8, 60)
    assert {fault.kind for fault in first} == set(scheduler.FAULTS)
    assert [fault.at for fault in first] == sorted(fault.at for fault in first)
    assert all(scheduler.FAULTS[fault.kind][0] <= fault.lasts <= scheduler.FAULTS[fault.kind][1] and 0 <= fault.draw < 1 for fault in first)
    assert not any(fault.kind == "edge kill" for fault in scheduler.plan(7, 60, without=["edge kill"]))


class Written:
    """A handmade ledger: does verdict() find the errors?"""

    def __init__(self, folder):
        self.ledger = Ledger(folder / "executions")
        self.socket = Socket(1, "mesh", 100.0, 5000)
        self.ledger.sockets.append(self.socket)
        self.lines = []

    def request(self, id="1/1", kind="plain", outcome=ANSWERED, runs=1, calls=1, answers=1):
        request = self.ledger.requests[id] = Request(id, kind, self.socket, 110.0)
        if outcome:
            request.end(outcome)
            request.ended, request.answers = 111.0, answers
        self.lines += [f"{id} correlation{n % calls} request" for n in range(runs)]
        return self

    def fault(self, kind, begun=110.5, ended=110.6, ports=()):
        self.ledger.faults.append(Fault(kind, 0.0, begun, ended, set(ports)))
        return self

    def verdict(self):
        self.ledger.file.write_text("".join(line + "\n" for line in self.lines))
        found = Verdict(self.ledger)
        return len(found.lost), len(found.duplicated), len(found.unexplained)


def test_the_verdict_finds_what_is_wrong(folder):
    def written():
        return Written(folder)
    assert written().request().verdict() == (0, 0, 0)
    assert written().request(outcome=None).verdict() == (1, 0, 0)
    assert written().request(answers=2).verdict() == (0, 1, 0)
    assert written().request(runs=2).verdict() == (0, 1, 0)
    assert written().request(kind="idempotent", runs=2).verdict() == (0, 0, 0)
    assert written().request(kind="idempotent", runs=2, calls=2).verdict() == (0, 1, 0)
    assert written().request(runs=0).verdict() == (0, 0, 1), "answered by nobody"
    for outcome, excuse in ((TIMEOUT, "service stopped"), (UNKNOWN, "meshd kill"), (REFUSED, "broker blocked")):
        assert written().request(outcome=outcome, runs=0).verdict() == (0, 0, 1)
        assert written().request(outcome=outcome, runs=0).fault("edge kill").verdict() == (0, 0, 1)
        assert written().request(outcome=outcome, runs=0).fault(excuse, 90.0, 100.0).verdict() == (0, 0, 1), "long over"
        assert written().request(outcome=outcome, runs=0).fault(excuse).verdict() == (0, 0, 0)
    assert written().request(outcome=REFUSED).fault("meshd kill").verdict() == (0, 0, 1), "refused for certain, and ran"
    for outcome in (TIMEOUT, UNKNOWN, REFUSED):
        assert written().request(outcome=outcome, runs=0).fault("refused by broker").verdict() == (0, 0, 1), "that is one consumer's own affair"
    assert written().request(kind="command", runs=0).verdict() == (1, 0, 0)

    def lost_socket(*faults):
        it = written()
        it.socket.closed, it.socket.close = 120.0, (1006, "")
        for fault in faults:
            it.fault(*fault)
        return it.verdict()
    assert lost_socket() == (0, 0, 1)
    assert lost_socket(("edge kill", 120.0, 120.2, {4999})) == (0, 0, 1), "another edge's"
    assert lost_socket(("edge kill", 120.0, 120.2, {5000})) == (0, 0, 0)
    assert lost_socket(("meshd kill", 120.0, 120.2)) == (0, 0, 1)

    def events(*seen, fault=None):
        it = written()
        it.socket.subscribed["t"] = 101.0
        for number in (1, 2):
            it.ledger.events[f"2/{number}"] = Event(f"2/{number}", "t", 110.0 + number, 110.1 + number)
        it.socket.seen = [(id, 112.0) for id in seen]
        return (it.fault(*fault) if fault else it).verdict()
    assert events("2/1", "2/2") == (0, 0, 0)
    assert events("2/1") == (1, 0, 0)
    assert events("2/1", fault=("meshd kill", 112.0, 112.2)) == (0, 0, 0)
    assert events("2/1", "2/2", "2/2") == (0, 1, 0)
    assert events("2/2", "2/1") == (0, 0, 1)

    def lost_session(stopped, close="unknown"):
        """Its edge was stopped at that time, and meshd was killed before that was detected."""
        it = written().fault("edge stopped", stopped, 118.0, {5000}).fault("meshd kill", 117.0, 117.2)
        it.socket.role, it.socket.subscribed["t"] = "resuming", 101.0
        it.socket.connected, it.socket.closed, it.socket.close, it.socket.ours = 105.0, 118.2, close, close is None
        it.ledger.events["2/1"] = Event("2/1", "t", 110.0, 110.1)
        return it.verdict()
    assert lost_session(109.0) == (0, 0, 0), "what was kept for it went with meshd, and it was told so"
    assert lost_session(109.0, close=None) == (1, 0, 0), "it was resumed: then nothing may be missing"
    assert lost_session(113.0) == (1, 0, 0), "it came before the edge stood still"
    assert lost_session(104.0) == (1, 0, 0), "that was another edge, before it was resumed on this one"
    assert lost_session(109.0, close="expired") == (0, 0, 1), "nobody lets it wait so long"
