"""What a call ends with in place of a result. The type says what may be done; `name` is the one that the gateway or the
service gave (docs/reference/close-codes.md)."""

from __future__ import annotations

from typing import Any, Mapping, Optional

TRANSPORT = "NuropbTransportError"
TIMEOUT = "NuropbTimeoutError"
NOT_DELIVERED = "NuropbNotDeliveredError"


class GatewayError(Exception):
    """The base of all that this package raises for a call or a connection."""

    retryable = False
    """Nothing has run, and another time may be better."""
    unknown_outcome = False
    """It may have run, or may still."""

    def __init__(self, description: str = "", *, name: Optional[str] = None, reason: Optional[str] = None,
                 code: Optional[int] = None, details: Optional[Mapping[str, Any]] = None) -> None:
        super().__init__(description)
        self.description = description
        self.name = name or type(self).__name__
        self.reason = reason
        self.code = code  # the close code, or the status of HTTP, where a connection that ended is the cause
        self.details = dict(details) if details is not None else {}  # the error as it came

    def __str__(self) -> str:
        return self.description if self.name == type(self).__name__ else f"{self.name}: {self.description}"


class ServiceError(GatewayError):
    """The service, or the gateway for it (its policy, a malformed request), has said no. The same again is refused again."""


class NotDelivered(GatewayError):
    """Nothing has run: no connection, no such service now, over a limit. It may be tried again."""

    retryable = True


class UnknownOutcome(GatewayError):
    """It was sent, and nobody can tell whether it ran."""

    unknown_outcome = True


class Timeout(GatewayError):
    """Its time is over. Always raised as one of the two types below."""


class TimeoutNotSent(Timeout, NotDelivered):
    """Its time was over before it was sent: nothing has run."""


class TimeoutUnknown(Timeout, UnknownOutcome):
    """It was sent, and no answer came in time: it may have run."""


class SnorkyError(ServiceError):
    """A service of Snorky's has said no."""


class Closed(GatewayError):
    """The client has ended: by its user, or by a close code after which it does not come back."""


class Malformed(GatewayError):
    """What came is no message of the gateway's."""


def not_sent_when_closed(why: GatewayError) -> NotDelivered:
    """For a call of a client that is closed for good: nothing has run, and trying again on it can't help."""
    error = NotDelivered(f"not sent: {why.description}")
    error.retryable = False
    error.__cause__ = why
    return error


def error_of(said: Mapping[str, Any]) -> GatewayError:
    """From the gateway's or a service's `{"error": …, "description": …}`. Members may be anything: services write them."""
    name = _text(said.get("error"), "error")
    description = _text(said.get("description"), name)
    reason = said.get("reason")
    kind = _kind(name, description, said.get("outcome"))
    return kind(description, name=name, reason=reason if isinstance(reason, str) else None, details=said)


def snorky_error_of(message: object) -> GatewayError:
    description = _text(message, "no text")
    if "may have run" in description:
        return UnknownOutcome(description, name="SnorkyError")
    return SnorkyError(description)


def _kind(name: str, description: str, outcome: object) -> type[GatewayError]:
    if name == TIMEOUT:
        return TimeoutNotSent if "not sent" in description and outcome != "unknown" else TimeoutUnknown
    if outcome == "unknown":
        return UnknownOutcome
    return NotDelivered if name in (TRANSPORT, NOT_DELIVERED) else ServiceError


def _text(value: object, instead: str) -> str:
    return value if isinstance(value, str) and value else instead if value is None or value == "" else repr(value)[:1000]
