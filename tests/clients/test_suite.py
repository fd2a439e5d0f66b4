"""The suite itself: it reports errors of a scenario or a driver, and an incorrect client fails."""

import asyncio
import sys
import textwrap

import pytest

from support.waiting import eventually

from . import run
from .driver import Driver, DriverFailed
from .performance import Failed, Performance, matches
from .scenario import CAPABILITIES, VERBS, Mistake, read, read_all

GOOD = 'name = "a"\nwhat = "b"\nsteps = [{ app = "open" }]\n'
MISTAKES = {
    "[[scenario]\n": "Expected",
    "[other]\n": "tables",
    f"[[scenario]]\n{GOOD}more = 1\n": "unknown: more",
    "[[scenario]]\nname = \"a\"\nsteps = []\n": "`what` is missing",
    "[[scenario]]\nname = \"a\"\nwhat = \"b\"\nsteps = []\n": "`steps` is missing",
    f"[[scenario]]\n{GOOD}needs = [\"magic\"]\n": "no capability is called magic",
    "[[scenario]]\nname = \"a\"\nwhat = \"b\"\nsteps = [{ wait = 5 }]\n": "step 1: it begins with 'wait'",
    "[[scenario]]\nname = \"a\"\nwhat = \"b\"\nsteps = [{ app = \"open\" }, { gateway = \"explode\" }]\n": "step 2: gateway = 'explode' is none of",
    "[[scenario]]\nname = \"a\"\nwhat = \"b\"\nsteps = [5]\n": "step 1: it begins with None",
}


@pytest.mark.parametrize("text", MISTAKES)
def test_a_mistake_in_a_scenario_is_named(folder, text):
    file = folder / "wrong.toml"
    file.write_text(text)
    with pytest.raises(Mistake) as mistake:
        read(file)
    assert MISTAKES[text] in str(mistake.value) and str(file) in str(mistake.value)


def test_names_are_unique(folder):
    for name in ("one.toml", "two.toml"):
        (folder / name).write_text(f"[[scenario]]\n{GOOD}")
    with pytest.raises(Mistake, match="two scenarios have the name a"):
        read_all(folder)


def test_all_that_can_be_said_is_used():
    """A capability, a report or a step that no scenario uses is not tested by the drivers of this tree either."""
    scenarios = read_all()
    assert {need for scenario in scenarios for need in scenario.needs} == set(CAPABILITIES)
    said = {(next(iter(step)), step[next(iter(step))]) for scenario in scenarios for step in scenario.steps}
    unused = {(verb, word) for verb, words in VERBS.items() for word in words or () if verb != "none"} - said
    assert unused == set()


@pytest.mark.parametrize("wanted, got, same", [
    (1, 1, True), (1, 1.0, True), (1, True, False), (0, False, False), ("a", "a", True), (None, None, True), ({"a": 1}, {"a": 1}, True), ({"a": 1}, {"a": 1, "b": 2}, False),
    ([1, 2], [1, 2], True), ([1, 2], [1], False), ({"any_of": [1, 2]}, 2, True), ({"any_of": [1, 2]}, 3, False), ({"contains": "b"}, "abc", True), ({"contains": "b"}, None, False),
    ({"at_least": 2}, 2, True), ({"at_least": 2}, None, False), ({"at_most": 2}, 3, False), ({"absent": True}, None, True), ({"absent": True}, 0, False), ({"has": {"a": 1}}, {"a": 1, "b": 2}, True), ({"has": {"a": 1}}, {"a": 2}, False), ({"has": {"a": 1}}, None, False),
])
def test_what_matches(wanted, got, same):
    assert matches(wanted, got) is same


class Reporter:
    """A fake driver, which reports what the test decides."""

    def __init__(self, *reports):
        self.seen, self.said = list(reports), []

    async def say(self, what):
        self.said.append(what)

    async def until(self, state, what, timeout=None):
        return await eventually(state, what, 0.05)

    def shown(self):
        return str(self.seen)

    errors = shown


class Nowhere:
    url = "ws://127.0.0.1:1/"

    def __init__(self):
        self.names = {"demo": "the-demo", "d": "wrong"}


def perform(steps, *reports):
    scenario = type("Scenario", (), {"name": "a", "steps": steps})()
    reporter = Reporter(*reports)
    asyncio.run(Performance(scenario, reporter, Nowhere()).run())
    return reporter.said


OPEN, DOWN = {"saw": "open", "user_id": "ann"}, {"saw": "down", "code": 1001}
RESULT = {"saw": "outcome", "id": "a", "kind": "result", "value": 3}


def event(data):
    return {"saw": "event", "id": "s", "data": data}


@pytest.mark.parametrize("steps, reports, wrong", [
    ([{"expect": "open", "user_id": "bob"}], [OPEN], "still not: `open`"),
    ([{"expect": "open", "times": 2}], [OPEN], "2 times"),
    ([{"expect": "open"}, {"expect": "open"}], [OPEN], "still not: `open`"),
    ([{"expect": "outcome", "id": "a", "kind": "unknown"}], [RESULT], "another outcome"),
    ([{"expect": "outcome", "id": "a"}], [RESULT, RESULT], "more than one outcome of a"),
    ([{"none": "down"}], [DOWN], "reported although it should not have been"),
    ([{"heard": "s", "data": [1, 2]}], [event(2), event(1)], "the events are"),
    ([{"heard": "s", "data": [1, 2]}], [event(1), event(1), event(2)], "the events are"),
    ([{"heard": "s", "data": [1, 2]}], [event(1)], "still not: the events"),
    ([{"expect": "outcome", "each_of": "a", "times": 2, "kind": "result"}], [{**RESULT, "id": "a-0"}], "a-1"),
])
def test_a_client_that_does_wrong_fails(steps, reports, wrong):
    with pytest.raises(Failed, match=wrong):
        perform(steps, *reports)


def test_a_client_that_does_right_passes():
    steps = [
        {"app": "open", "token": "t"}, {"expect": "open", "save": {"user": "user_id"}}, {"app": "call", "id": "c", "service": "$demo", "params": {"of": ["$user"]}, "times": 2},
        {"expect": "outcome", "id": "a", "kind": {"any_of": ["result", "unknown"]}}, {"heard": "s", "data": [1, 2]}, {"expect": "event", "data": 2}, {"none": "down"},
    ]
    said = perform(steps, OPEN, event(1), RESULT, event(2))
    assert said == [{"do": "open", "url": Nowhere.url, "token": "t"}, *({"do": "call", "id": f"c-{n}", "service": "the-demo", "params": {"of": ["ann"]}} for n in (0, 1))]


def program(folder, text):
    file = folder / "driver.py"
    file.write_text("import json, sys, time\n" + textwrap.dedent(text))
    return [sys.executable, file]


READY = """print('{"saw": "ready", "capabilities": []}', flush=True)\n"""


@pytest.mark.parametrize("text, wrong", [
    ("sys.exit('a mistake in it')", "it has ended with 1.*a mistake in it"),
    ("print('hello', flush=True)\nsys.stdin.read()", "what is no report: b'hello"),
    (READY + "print('[1]', flush=True)\nsys.stdin.read()", "what is no report"),
    (READY + "sys.stdin.read()\nsys.exit(3)", "it has ended with 3"),
])
async def test_a_driver_that_does_wrong_is_named(folder, text, wrong):
    with pytest.raises(DriverFailed, match=f"(?s){wrong}"):
        async with Driver(program(folder, text)) as driver:
            await driver.say({"do": "open"})


async def test_a_driver_has_to_end_by_itself(folder, monkeypatch):
    monkeypatch.setattr("clients.driver.ENDS_WITHIN", 0.2)
    with pytest.raises(DriverFailed, match="does not end although its standard input has"):
        async with Driver(program(folder, READY + "time.sleep(60)")):
            pass


async def test_a_report_after_the_end_of_a_driver_is_waited_for(folder):
    """Its last report counts, although it has ended."""
    async with Driver(program(folder, READY + """print('{"saw": "open"}', flush=True)""")) as driver:
        await driver.until(lambda: driver.seen, lambda: "its last report")


def test_the_command(capsys):
    assert run.main(["--list", "--only", "hello"]) == 0
    assert capsys.readouterr().out == "hello: The application is told who it is, and a call has the service's result.\n"
    assert run.main(["--only", "nothing of that name"]) == 2
    assert "no scenario is called 'nothing of that name'" in capsys.readouterr().err
    assert run.main(["--help"]) == 0


@pytest.mark.parametrize("text, code, says", [
    (READY.replace("[]", '["resume"]') + "sys.stdin.read()", 1, ["FAILED   hello: AssertionError: hello: not done within 10 s", "skipped  a listener that calls: the client does not do: events, callbacks", "0 passed, 1 failed, 1 skipped"]),
    ("sys.exit(1)", 1, ["FAILED   hello: DriverFailed"]),
])
def test_the_command_with_a_driver(folder, broker_url, monkeypatch, capsys, text, code, says):
    monkeypatch.setenv("NUROPB_TEST_AMQP_URL", broker_url)
    monkeypatch.setattr("clients.suite.LIMIT", 10)
    assert run.main(["--only", "hello", "--only", "a listener that calls", "--", *map(str, program(folder, text))]) == code
    said = capsys.readouterr().out
    assert all(line in said for line in says), said
