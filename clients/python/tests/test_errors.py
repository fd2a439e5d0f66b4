import pickle

import pytest

from nuropb_gateway_client.errors import (
    GatewayError, NotDelivered, ServiceError, SnorkyError, Timeout, TimeoutNotSent, TimeoutUnknown, UnknownOutcome, error_of, snorky_error_of,
)

# (what is said, its type, retryable, unknown_outcome)
SAID = [
    ({"error": "NuropbNotDeliveredError", "description": "no such service"}, NotDelivered, True, False),
    ({"error": "NuropbTransportError", "description": "over a limit; it was not sent"}, NotDelivered, True, False),
    ({"error": "NuropbTransportError", "description": "lost on the way", "outcome": "unknown"}, UnknownOutcome, False, True),
    ({"error": "NuropbTimeoutError", "description": "no answer in time; it was not sent"}, TimeoutNotSent, True, False),
    ({"error": "NuropbTimeoutError", "description": "no answer in time"}, TimeoutUnknown, False, True),
    ({"error": "NuropbTimeoutError", "description": "not sent", "outcome": "unknown"}, TimeoutUnknown, False, True),
    ({"error": "NuropbAuthorizationError", "description": "policy"}, ServiceError, False, False),
    ({"error": "OutOfStock", "description": "none left"}, ServiceError, False, False),
    ({"error": "OutOfStock", "outcome": "unknown"}, UnknownOutcome, False, True),
    ({"error": None, "description": None}, ServiceError, False, False),
    ({"error": {"a": 1}, "description": ["b"]}, ServiceError, False, False),
    ({}, ServiceError, False, False),
]


@pytest.mark.parametrize("said, kind, retryable, unknown", SAID)
def test_what_is_said_has_a_type(said, kind, retryable, unknown):
    error = error_of(said)
    assert type(error) is kind and (error.retryable, error.unknown_outcome) == (retryable, unknown)
    assert error.details == said and isinstance(str(error), str) and str(error)


def test_a_timeout_is_of_both_families():
    assert issubclass(TimeoutNotSent, (Timeout,)) and issubclass(TimeoutNotSent, NotDelivered)
    assert issubclass(TimeoutUnknown, Timeout) and issubclass(TimeoutUnknown, UnknownOutcome)


def test_its_name_and_text():
    error = error_of({"error": "OutOfStock", "description": "none left", "reason": "r"})
    assert (error.name, error.description, error.reason, str(error)) == ("OutOfStock", "none left", "r", "OutOfStock: none left")
    assert str(NotDelivered("not sent")) == "not sent" and NotDelivered("x").name == "NotDelivered"
    assert error_of({"error": "E"}).description == "E"


def test_it_can_be_pickled():
    """Between processes, as workers of an application do."""
    error = pickle.loads(pickle.dumps(error_of({"error": "OutOfStock", "description": "none left"})))
    assert type(error) is ServiceError and error.name == "OutOfStock" and error.details["description"] == "none left"


def test_snorky():
    assert type(snorky_error_of("Unknown command")) is SnorkyError
    assert type(snorky_error_of("the way was lost; it may have run")) is UnknownOutcome
    assert isinstance(snorky_error_of({"a": 1}), GatewayError)
