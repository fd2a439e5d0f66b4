import pytest

from nuropb_gateway_client.session import ACK_MESSAGES, Session


class Owner:
    """Keeps what the session does."""

    def __init__(self):
        self.written, self.delivered, self.begun, self.losses, self.forsaken, self.later = [], [], [], [], 0, []

    def write(self, message):
        self.written.append(message)

    def again_later(self, delay, ask):
        self.later.append(ask)

    def deliver(self, message, size):
        self.delivered.append(message)

    def forsake(self):
        self.forsaken += 1

    def lost(self, reason):
        self.losses.append(reason)

    def began(self, info, resumed, pending):
        self.begun.append((info.session_id, resumed, pending))


class Talk:
    def __init__(self, resume=True):
        self.now, self.owner = 0.0, Owner()
        self.session = Session(self.owner, resume, lambda: self.now, lambda: 0.5)

    def hello(self, id="s", resume=True):
        self.session.socket_opened()
        event = {"session_id": id, "user_id": "ann", "username": "Ann", **({"resume": {"token": f"hello-{id}", "window_ms": 30000}} if resume else {})}
        self.take({"type": "event", "payload": {"topic": "hello", "event": event}})

    def take(self, message, size=10):
        self.session.take(message, size)

    @property
    def asked(self):
        return self.owner.written[-1]["payload"]

    def kept(self, seq=1):
        self.take({"seq": seq, "type": "response", "payload": {"trace_id": self.asked["trace_id"], "result": {"session_id": "s", "resume": {"token": "t1", "window_ms": 30000}}, "error": None}})

    def refused(self, **error):
        self.take({"type": "response", "payload": {"trace_id": self.asked["trace_id"], "result": None, "error": {"error": "NuropbResumeFailed", "description": "", **error}}})

    def resumed(self, seq, pending=(), token="t2"):
        self.take({"type": "event", "payload": {"topic": "resumed", "event": {"session_id": "s", "seq": seq, "resume": {"token": token, "window_ms": 30000}, "pending": list(pending)}}})

    def begin(self):
        self.hello()
        self.kept()
        return self


def test_it_asks_to_be_kept():
    talk = Talk()
    talk.hello()
    assert talk.owner.written[-1]["type"] == "resume" and set(talk.asked) == {"trace_id"} and talk.owner.begun == []
    talk.kept()
    assert talk.owner.begun == [("s", False, None)] and talk.session.kept


@pytest.mark.parametrize("mine, offered", [(False, True), (True, False)])
def test_without(mine, offered):
    talk = Talk(mine)
    talk.hello(resume=offered)
    assert talk.owner.written == [] and talk.owner.begun == [("s", False, None)]
    talk.session.socket_lost()
    assert talk.owner.forsaken == 1 and not talk.session.kept


def test_what_comes_before_the_answer_is_held():
    talk = Talk()
    talk.hello()
    talk.take({"type": "response", "payload": {"trace_id": "other"}})
    assert talk.owner.delivered == []
    talk.kept()
    assert talk.owner.delivered == [{"type": "response", "payload": {"trace_id": "other"}}]


def test_numbers():
    talk = Talk().begin()
    for seq in (2, 2, 3, 1):
        talk.take({"seq": seq, "type": "x", "n": seq})
    talk.take({"seq": 4, "type": "message", "payload": {"seq": 9}})
    talk.take({"seq": 5, "type": "message", "payload": 1, "more": 2})
    talk.take({"type": "x", "n": "without"})
    assert talk.owner.delivered == [{"type": "x", "n": 2}, {"type": "x", "n": 3}, {"seq": 9}, {"type": "message", "payload": 1, "more": 2}, {"type": "x", "n": "without"}]


def test_it_says_what_it_has_seen():
    talk = Talk().begin()
    for seq in range(2, 2 + ACK_MESSAGES):
        talk.take({"seq": seq, "type": "x"})
    assert talk.owner.written[-1] == {"type": "ack", "payload": {"seq": 1 + ACK_MESSAGES}}
    talk.take({"seq": 100, "type": "x"}, size=40000)
    assert talk.owner.written[-1] == {"type": "ack", "payload": {"seq": 100}}
    assert sum(one["type"] == "ack" for one in talk.owner.written) == 2


def lost(talk, id="new"):
    talk.session.socket_lost()
    talk.hello(id)
    return talk


def test_it_takes_a_lost_one_up():
    talk = lost(Talk().begin())
    assert (talk.asked["token"], talk.asked["seq"]) == ("t1", 1) and talk.owner.forsaken == 0
    talk.take({"type": "x", "n": "to the new one"})
    talk.resumed(3, ["a"])
    assert len(talk.owner.begun) == 1
    talk.take({"seq": 2, "type": "x"})
    talk.take({"seq": 3, "type": "y"})
    assert talk.owner.begun[1] == ("s", True, ["a"]) and talk.owner.delivered == [{"type": "x"}, {"type": "y"}]
    lost(talk)
    assert (talk.asked["token"], talk.asked["seq"]) == ("t2", 3)


def test_nothing_was_missed():
    talk = lost(Talk().begin())
    talk.resumed(1)
    assert talk.owner.begun[-1] == ("s", True, [])


@pytest.mark.parametrize("reason", ["unknown", "expired", "ended", "other_user", "used", "missed_too_much", "too_many", "bad_seq", "off"])
def test_it_is_lost(reason):
    talk = lost(Talk().begin())
    talk.refused(reason=reason)
    assert talk.owner.losses == [reason] and talk.owner.forsaken == 1
    assert set(talk.asked) == {"trace_id"}, "the new one is to be kept"
    talk.kept()
    assert talk.owner.begun[-1] == ("s", False, None) or talk.owner.begun[-1] == ("new", False, None)


@pytest.mark.parametrize("error", [{"reason": "in_use"}, {}])
def test_it_asks_again_for_as_long_as_it_may_be_kept(error):
    talk = lost(Talk().begin())
    for _ in range(3):
        talk.refused(**error)
        talk.owner.later.pop()()
        talk.now += 9
    assert talk.owner.losses == [] and talk.asked["token"] == "t1"
    talk.now = 31
    talk.refused(**error)
    assert talk.owner.losses == [error.get("reason", "NuropbResumeFailed")]


def test_an_error_without_an_envelope_is_an_answer_too():
    talk = lost(Talk().begin())
    talk.take({"error": "NuropbTransportError", "description": "over a limit", "trace_id": talk.asked["trace_id"]})
    assert len(talk.owner.later) == 1 and talk.owner.losses == []


def test_one_that_can_not_be_kept_goes_on_without():
    talk = Talk()
    talk.hello()
    talk.refused(reason="off")
    assert talk.owner.begun == [("s", False, None)] and not talk.session.kept


def test_the_gateway_has_it_off_meanwhile():
    talk = Talk().begin()
    talk.session.socket_lost()
    talk.hello("new", resume=False)
    assert talk.owner.losses == ["off"] and talk.owner.begun[-1] == ("new", False, None)


def test_garbled():
    """In a session that is resumed it would come again; before the hello it is a stranger's."""
    talk = Talk().begin()
    talk.session.garbled("why")
    assert talk.owner.losses == ["why"] and not talk.session.kept
    talk = Talk().begin()
    talk.session.socket_lost()
    talk.session.socket_opened()
    talk.session.garbled("why")
    assert talk.session.kept


@pytest.mark.parametrize("message", [None, 5, [], {}, {"type": "event"}, {"type": "event", "payload": {"topic": "hello", "event": {"session_id": 1, "user_id": "a"}}}, {"type": "x", "payload": {"topic": "hello", "event": {}}}])
def test_no_hello(message):
    talk = Talk()
    with pytest.raises(Exception):
        talk.take(message)
    assert talk.owner.begun == []


@pytest.mark.parametrize("event", [{}, {"session_id": "s", "seq": "1", "resume": {"token": "t", "window_ms": 1}, "pending": []}, {"session_id": "s", "seq": 1, "resume": {"token": 5, "window_ms": 1}, "pending": []},
                                   {"session_id": "s", "seq": 1, "resume": {"token": "t", "window_ms": 1}, "pending": "a"}, {"session_id": "s", "seq": 1, "resume": {"token": "t", "window_ms": None}, "pending": []}])
def test_a_malformed_resumed(event):
    talk = lost(Talk().begin())
    with pytest.raises(Exception):
        talk.take({"type": "event", "payload": {"topic": "resumed", "event": event}})
    assert len(talk.owner.begun) == 1
