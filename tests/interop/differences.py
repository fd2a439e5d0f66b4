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
    """The shape of 0.1.4 for input that it can't take: no envelope."""
    return {"error": error, "description": description, **more}


def response(error=None, description=None, result=None, trace_id="t"):
    return {"type": "response", "payload": {"trace_id": trace_id, "result": result, "error": error and {"error": error, "description": description}}}


NOTHING = []
SILENT = "0.1.4 drops the message without a word, and a consumer waits for ever"
WORDING = "the same error; its text is our parser's, with the byte's offset"
TRACED = "the same error, and trace_id tells the consumer which request it was"

MESSAGE_DIFFERENCES = {}
HANDSHAKE_DIFFERENCES = {}
