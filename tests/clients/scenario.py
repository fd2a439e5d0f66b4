"""Scenarios as they are written: reads the files of `scenarios/` and says where one of them is wrong."""

import tomllib
from dataclasses import dataclass, field
from pathlib import Path

FOLDER = Path(__file__).resolve().parent / "scenarios"

# What a client may be unable to do. A driver names in `ready` which of these its client can, and a scenario names what it needs.
CAPABILITIES = {
    "outcomes": "tells by the kind of an error whether the call has not run, may have run, or was refused",
    "events": "subscribes to topics and publishes",
    "push": "reports messages that the gateway's operators and services send to the user",
    "concurrent": "makes calls while others have no answer yet",
    "timeouts": "ends a call whose answer does not come, by its own clock",
    "reconnect": "connects again by itself after a lost connection",
    "resume": "resumes the session of a lost socket",
    "provider": "takes a function as its token, and asks it again when the token expires or is refused",
    "queue": "keeps calls that are made without a connection, up to a bound, and sends them once there is one",
    "cancel": "lets the application give up a call",
    "heartbeat": "notices a silent connection also while no call waits",
    "callbacks": "survives an application's function that raises or never ends",
    "first-message": "sends the token in the first message",
    "gaps": "says with an event that events before it may be missing, and why",
    "buffers": "keeps a bounded number of events for a slow listener, and counts those that it leaves out",
    "http-status": "is told the HTTP status of a refused handshake, and honors Retry-After",
    "message-limit": "takes no message that is longer than a limit of its own",
    "size-errors": "ends the one call whose message is too big for the gateway, instead of sending it again",
}

# The verb of a step → (the words that it may be given; None: any).
APP = ("open", "reopen", "close", "call", "command", "describe", "publish", "subscribe", "unsubscribe", "cancel", "on", "release")
VERBS = {
    "app": APP,
    "expect": ("open", "down", "lost", "close", "outcome", "event", "message", "expiring", "error", "asked"),
    "none": ("open", "down", "lost", "close", "outcome", "event", "message", "expiring", "error", "asked"),
    "heard": None,
    "gateway": ("kill_edges", "start_edges", "kill_meshd", "start_meshd", "drain", "kick", "send", "tokens", "until"),
    "network": ("cut", "hang", "mend", "until_lost"),
    "broker": ("away", "back"),
    "service": ("take", "answer", "untouched"),
    "other": ("publish", "publish_until_heard", "close"),
}
KEYS = {"name", "what", "needs", "edges", "settings", "tokens", "jwt", "broker", "stranger", "answers", "steps"}
CHANGES = {"kill_edges", "start_edges", "kill_meshd", "start_meshd", "drain", "tokens", "until"}  # or look at all of a gateway


class Mistake(Exception):
    """A scenario that can't be run because of an error in its file."""


@dataclass
class Scenario:
    name: str
    what: str
    steps: list
    needs: tuple = ()
    edges: int = 1
    settings: dict = field(default_factory=dict)
    tokens: "dict | None" = None   # those that the gateway knows, in place of the usual two
    jwt: "dict | None" = None      # {variable: {"lasts": seconds, …}}: tokens of an issuer that the gateway trusts
    broker: bool = False           # its connection may be cut
    stranger: "list | None" = None  # for each connection the messages of a server that is no gateway; a hello after the last list
    answers: "list | None" = None  # the HTTP responses of a server that is no gateway

    @property
    def alone(self):
        """Whether it changes its gateway, which no other scenario can use then."""
        return bool(self.edges > 1 or self.settings or self.tokens or self.jwt or self.broker or CHANGES & {step.get("gateway") for step in self.steps})

    def missing(self, capabilities):
        """The capabilities that it needs and that the client lacks."""
        return [one for one in self.needs if one not in capabilities]


def read(file):
    """The scenarios of one file."""
    try:
        tables = tomllib.loads(Path(file).read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise Mistake(f"{file}: {error}") from error
    if set(tables) != {"scenario"} or not isinstance(tables["scenario"], list):
        raise Mistake(f"{file}: it has to hold tables [[scenario]] and nothing else")
    return [_scenario(file, number, table) for number, table in enumerate(tables["scenario"], 1)]


def read_all(folder=FOLDER):
    found = [scenario for file in sorted(Path(folder).glob("*.toml")) for scenario in read(file)]
    names = [scenario.name for scenario in found]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise Mistake(f"{folder}: two scenarios have the name {', '.join(twice)}")
    return found


def _scenario(file, number, table):
    where = f"{file}: scenario {table.get('name', number)!r}"
    if unknown := set(table) - KEYS:
        raise Mistake(f"{where}: unknown: {', '.join(sorted(unknown))}")
    for key, kind in (("name", str), ("what", str), ("steps", list)):
        if not isinstance(table.get(key), kind) or not table[key]:
            raise Mistake(f"{where}: `{key}` is missing, or is not a {kind.__name__} with something in it")
    if unknown := set(table.get("needs", ())) - set(CAPABILITIES):
        raise Mistake(f"{where}: no capability is called {', '.join(sorted(unknown))}")
    for at, step in enumerate(table["steps"], 1):
        _check_step(f"{where}, step {at}", step)
    return Scenario(**{**table, "needs": tuple(table.get("needs", ()))})


def _check_step(where, step):
    # The first word is the verb: a later one of the same name is a member of what is said.
    first = next(iter(step), None) if isinstance(step, dict) else None
    if first not in VERBS:
        raise Mistake(f"{where}: it begins with {first!r}, not with one of {', '.join(VERBS)}")
    known = VERBS[first]
    if known is not None and step[first] not in known:
        raise Mistake(f"{where}: {first} = {step[first]!r} is none of {', '.join(known)}")
