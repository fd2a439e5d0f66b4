"""The session of a socket, and how a lost one is resumed (docs/tasks/resume.md). Knows no socket: it is given
messages and says what is to be written.

    hello → asking → open                 a session of its own
                   → catching → open      one that was lost: what was missed comes first
"""

from __future__ import annotations

import random
import secrets
from dataclasses import dataclass, replace
from typing import Any, Callable, Dict, List, Mapping, Optional, Protocol, Tuple

from .errors import Malformed

ACK_MESSAGES, ACK_BYTES = 32, 32768  # so that the gateway need not keep what was seen
PATIENCE = 5.0  # seconds for a gateway that can't say yet whether a session is kept
AGAIN_FROM, AGAIN_SPAN = 0.05, 0.2


@dataclass(frozen=True)
class SessionInfo:
    """Who one is."""

    session_id: str
    user_id: str
    username: Any = None


@dataclass
class _Kept:
    """What the session can be resumed with."""

    token: str
    window: float  # seconds
    seq: int       # the last that was seen


class Owner(Protocol):
    """Who has the socket, the calls and the listeners."""

    def write(self, message: Mapping[str, Any]) -> None: ...
    def again_later(self, delay: float, ask: Callable[[], None]) -> None: ...  # unless the socket is lost by then
    def deliver(self, message: Any, size: int) -> None: ...
    def forsake(self) -> None: ...
    def lost(self, reason: str) -> None: ...
    def began(self, info: SessionInfo, resumed: bool, pending: Optional[List[str]]) -> None: ...


class Session:
    def __init__(self, owner: Owner, resume: bool, clock: Callable[[], float], chance: Callable[[], float] = random.random) -> None:
        self._owner, self._resume, self._clock, self._chance = owner, resume, clock, chance
        self._step = "hello"
        self._kept: Optional[_Kept] = None
        self._info: Optional[SessionInfo] = None
        self._asked = ""                         # the trace_id of the last `resume`
        self._last = 0                           # of `resumed`: where what was missed ends
        self._pending: List[Any] = []            # of `resumed`: what is still to come
        self._patience: Optional[float] = None   # until when an unclear answer is asked for again
        self._held: List[Tuple[Any, int]] = []   # said to the socket's own session while another one is resumed
        self._unseen = [0, 0]                    # messages and bytes since the last ack

    @property
    def kept(self) -> bool:
        return self._kept is not None

    def socket_opened(self) -> None:
        self._step = "hello"

    def socket_lost(self) -> None:
        self._held = []
        if self._kept is None:
            self._owner.forsake()
        elif self._patience is None:
            self._patience = self._clock() + self._kept.window

    def forget(self, reason: str) -> None:
        """The session is not to be resumed any more."""
        if self._kept is None:
            return
        self._kept = self._patience = None
        self._owner.forsake()
        self._owner.lost(reason)

    def garbled(self, reason: str) -> None:
        """What came can't be read. In a session that is resumed it would come again; what comes before is a stranger's."""
        if self._step in ("catching", "open"):
            self.forget(reason)

    def end(self) -> None:
        self._kept = self._patience = None
        self._held = []

    def take(self, message: Any, size: int) -> None:
        """Malformed, or what a wrong member raises: it was no message of the gateway's."""
        if self._step == "hello":
            self._greet(message)
        elif self._step == "asking":
            self._while_asking(message, size)
        else:
            seq = message.get("seq") if isinstance(message, dict) else None
            if self._kept is not None and isinstance(seq, int) and not isinstance(seq, bool):
                if seq > self._kept.seq:
                    self._numbered(message, seq, size)
            else:
                self._owner.deliver(message, size)
            if self._step == "catching" and self._kept is not None and self._kept.seq >= self._last:
                self._caught_up()

    def _greet(self, message: Any) -> None:
        if isinstance(message, dict) and "payload" not in message and "error" in message:
            return  # about something that was said too early
        event = message["payload"]["event"]
        if message["type"] != "event" or message["payload"]["topic"] != "hello":
            raise Malformed("the first message is no hello")
        self._info = SessionInfo(_a_text(event["session_id"]), _a_text(event["user_id"]), event.get("username"))
        self._step = "asking"
        if self._resume and isinstance(event.get("resume"), dict):
            self._ask()
            return
        self.forget("off")
        self._begin(resumed=False)

    def _ask(self) -> None:
        self._asked = f"resume-{secrets.token_hex(6)}"
        payload: Dict[str, Any] = {"trace_id": self._asked}
        if self._kept is not None:
            payload.update(token=self._kept.token, seq=self._kept.seq)
        self._owner.write({"type": "resume", "payload": payload})

    def _while_asking(self, message: Any, size: int) -> None:
        payload = message.get("payload") if isinstance(message, dict) else None
        if isinstance(payload, dict):
            if message.get("type") == "response" and payload.get("trace_id") == self._asked:
                self._answered(payload, message.get("seq"))
                return
            if message.get("type") == "event" and payload.get("topic") == "resumed" and self._kept is not None:
                self._resumed(self._kept, payload["event"])
                return
        elif isinstance(message, dict) and message.get("trace_id") == self._asked and "error" in message:
            self._refused(message)
            return
        self._held.append((message, size))

    def _answered(self, payload: Dict[str, Any], seq: Any) -> None:
        error = payload.get("error")
        if error is not None:
            self._refused(error)
            return
        resume = payload["result"]["resume"]
        self._kept = _Kept(_a_text(resume["token"]), resume["window_ms"] / 1000, _a_number(seq))
        self._begin(resumed=False)

    def _refused(self, error: Dict[str, Any]) -> None:
        reason = error.get("reason")
        if self._patience is None:
            self._patience = self._clock() + PATIENCE
        if (not reason or reason == "in_use") and self._clock() < self._patience:
            self._owner.again_later(AGAIN_FROM + AGAIN_SPAN * self._chance(), self._ask)
        elif self._kept is None:
            self._begin(resumed=False)  # it can't be kept: then without
        else:
            self.forget(str(reason or error.get("error")))
            self._ask()

    def _resumed(self, kept: _Kept, event: Dict[str, Any]) -> None:
        resume, pending = event["resume"], event["pending"]
        if not isinstance(pending, list):
            raise Malformed("`pending` of the event resumed is no list")
        kept.token, kept.window = _a_text(resume["token"]), resume["window_ms"] / 1000
        self._last, self._pending = _a_number(event["seq"]), pending
        assert self._info is not None  # the hello came first
        self._info = replace(self._info, session_id=_a_text(event["session_id"]))
        self._held = []  # the resumed session has had them too
        self._step = "catching"
        if kept.seq >= self._last:
            self._caught_up()

    def _caught_up(self) -> None:
        self._begin(resumed=True)

    def _begin(self, resumed: bool) -> None:
        self._step = "open"
        self._patience = None
        held, self._held = self._held, []
        assert self._info is not None
        self._owner.began(self._info, resumed, self._pending if resumed else None)
        for message, size in held:
            self._owner.deliver(message, size)

    def _numbered(self, message: Dict[str, Any], seq: int, size: int) -> None:
        assert self._kept is not None
        self._kept.seq = seq
        rest = {name: value for name, value in message.items() if name != "seq"}
        # A pushed message that could hold no number came in an envelope.
        wrapped = rest.get("type") == "message" and len(rest) == 2 and "payload" in rest
        self._owner.deliver(rest["payload"] if wrapped else rest, size)
        self._unseen[0] += 1
        self._unseen[1] += size
        if self._unseen[0] >= ACK_MESSAGES or self._unseen[1] >= ACK_BYTES:
            self._unseen = [0, 0]
            self._owner.write({"type": "ack", "payload": {"seq": seq}})


def _a_text(value: Any) -> str:
    if not isinstance(value, str):
        raise Malformed(f"not a text: {value!r:.100}")
    return value


def _a_number(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise Malformed(f"not a number: {value!r:.100}")
    return value
