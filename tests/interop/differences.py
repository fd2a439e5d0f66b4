"""Where our gateway's answers differ from those of nuropb-gw 0.1.4, and why ours are better.

The suite fails on a difference that is not declared here, and on a declared one that does not occur: what 0.1.4 says
and what ours says are both written down. A declaration of a step is Differs(why, theirs, ours).
"""

import re
from dataclasses import dataclass
from typing import Any


class Like:
    """Equal to every text that the pattern matches as a whole."""

    def __init__(self, pattern):
        self.pattern = pattern

    def __eq__(self, other):
        return isinstance(other, str) and re.fullmatch(self.pattern, other, re.DOTALL) is not None

    def __repr__(self):
        return f"Like({self.pattern!r})"


@dataclass
class Differs:
    why: str
    theirs: Any
    ours: Any


def refusal(error, description, **more):
    """The form of 0.1.4's answer to invalid input: no envelope."""
    return {"error": error, "description": description, **more}


def response(error=None, description=None, result=None, trace_id="t"):
    return {"type": "response", "payload": {"trace_id": trace_id, "result": result, "error": error and {"error": error, "description": description}}}


def decode_error(theirs, ours, name="JSONDecodeError"):
    """The answer to invalid JSON: the parser's message and the position."""
    return Differs(
        "the same error in the same shape; ours names the byte, theirs the line, column and character",
        [refusal(name, f"Error decoding JSON: {theirs}")],
        [refusal("JSONDecodeError", f"Error decoding JSON: {ours}")],
    )


def silence(description, **more):
    return Differs(
        "0.1.4 drops the message without a word and its sender waits for ever; ours says what is wrong",
        [],
        [refusal("NuropbValidationError", description, **more)],
    )


def missing(key):
    text = f"Error decoding JSON: '{key}'"
    return Differs("the same answer, and trace_id tells the sender which request it was", [refusal("KeyError", text)], [refusal("KeyError", text, trace_id="t")])


def not_sent(theirs, ours):
    return Differs(
        "0.1.4 sends it off and gives back the exception of wherever it broke; ours is not sent, and says which member is wrong",
        [theirs],
        [response("NuropbValidationError", ours)],
    )


NO_KEY = response("AssertionError", "AssertionError: A non-string value was supplied for self.routing_key")

def hello(**more):
    return {"type": "event", "payload": {"topic": "hello", "event": {"session_id": "<hex32>", "user_id": "ann", "username": "Ann", **more}}}


MESSAGE_DIFFERENCES = {
    "hello": Differs(
        "ours brings what the session can be resumed with after its socket is lost (resume.enabled); clients that do not know it ignore it",
        [hello()],
        [hello(resume={"token": Like("[0-9a-f]+"), "window_ms": 30000})],
    ),
    "the context": Differs(
        "0.1.4 sends the user's name as the token (its property `bearer_token` returns `_username`); a service can verify ours",
        [response(result={"user_id": "ann", "Authorisation": "Ann", "trace_id": "t"})],
        [response(result={"user_id": "ann", "Authorisation": "secret-ann", "trace_id": "t"})],
    ),
    "NaN": Differs(
        "NaN is no JSON: 0.1.4 would hand it to consumers whose parsers refuse the whole message",
        [response(result="<NaN>")],
        [refusal("JSONDecodeError", Like(r"Error decoding JSON: Expecting value: byte \d+"))],
    ),
    "trace_id a float": Differs(
        "0.1.4 puts it into an AMQP header of a type that its library can't write, and the request is never sent",
        [response("UnsupportedAMQPFieldException", Like("UnsupportedAMQPFieldException: .*"), trace_id=1.5)],
        [response(trace_id=1.5)],
    ),
    "trace_id a big integer": Differs(
        "0.1.4 puts it into an AMQP header of 64 bits, and the request is never sent",
        [response("error", "error: int too large to convert", trace_id=2**70)],
        [response(trace_id=2**70)],
    ),
    "not JSON": decode_error("Expecting property name enclosed in double quotes: line 1 column 2 (char 1)", "Expecting property name enclosed in double quotes: byte 1"),
    "nothing at all": decode_error("Expecting value: line 1 column 1 (char 0)", "Expecting value: byte 0"),
    "two values": decode_error("Extra data: line 1 column 4 (char 3)", "Extra data: byte 3"),
    "JSON cut off": decode_error("Expecting property name enclosed in double quotes: line 1 column 30 (char 29)", "Expecting property name enclosed in double quotes: byte 29"),
    "bytes that are no text": decode_error("'utf-16-le' codec can't decode byte 0xfd in position 2: truncated data", "Expecting value: byte 0", "UnicodeDecodeError"),
    "no type": silence("Message type is not defined"),
    "type null": silence("Message type is not defined"),
    "type a number": silence("Unknown message type 3"),
    "type command": Differs(
        "0.1.4 drops it without a word; ours has commands, and a policy that has to allow them",
        [],
        [response("NuropbAuthorizationError", Like("Service .*, method echo: this user may not command it .policy.")),],
    ),
    "type response": silence('Unknown message type "response"', trace_id="t"),
    "no payload": silence("Message payload is not defined"),
    "payload null": silence("Message payload is not defined"),
    "no service": missing("service"),
    "no method": missing("method"),
    "no params at all": missing("params"),
    "none of them": missing("service"),
    "service null": not_sent(NO_KEY, "'service' is not a string"),
    "service a number": not_sent(NO_KEY, "'service' is not a string"),
    "service empty": not_sent(response("NuropbNotDeliveredError", "Service  not available. unable to call method echo"), "'service' is empty"),
    "method null": not_sent(response("AttributeError", "'NoneType' object has no attribute 'startswith'"), "'method' is not a string"),
    "method a number": not_sent(response("AttributeError", "'int' object has no attribute 'startswith'"), "'method' is not a string"),
    "method empty": not_sent(response("NuropbHandlingError", "Unknown method "), "'method' is empty"),
}

# A handshake ends in {"user": …} (the hello's), {"refused": HTTP status} or {"closed": code or None, before any hello}.
UNAUTHORIZED = Differs("0.1.4 accepts the handshake and then closes without a code or a reason; HTTP has a status for it", {"closed": None}, {"refused": 401})
REFUSED_TOKEN = Differs("0.1.4 closes without a code or a reason; 4501 tells the consumer to get another token first", {"closed": None}, {"closed": 4501})

HANDSHAKE_DIFFERENCES = {
    "no token": UNAUTHORIZED,
    "empty token": UNAUTHORIZED,
    "cookie of another name": UNAUTHORIZED,
    "wrong token": REFUSED_TOKEN,
    "another scheme": REFUSED_TOKEN,
    "lower case bearer": Differs("the name of a scheme knows no case (RFC 9110, section 11.1)", {"closed": None}, {"user": "ann"}),
    "wrong header, right cookie": Differs(
        "a token in the header decides: 0.1.4 goes on to the cookie, so that a mistyped or revoked token acts as another user",
        {"user": "bob"},
        {"closed": 4501},
    ),
    "origin with the suffix in its name": Differs("a plain suffix test lets evilexample.com in for example.com", {"user": "ann"}, {"refused": 403}),
    "origin with a port": Differs("the list names hosts; 0.1.4 compares the port as a part of the name", {"refused": 403}, {"user": "ann"}),
    "origin in capitals": Differs("names of hosts have no case", {"refused": 403}, {"user": "ann"}),
}
