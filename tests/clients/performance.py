"""Performs the steps of one scenario on one driver, and compares what the application saw with what it should have seen."""

import asyncio

from support.waiting import NeverCame



class Failed(AssertionError):
    """The client did not do what the scenario says."""


def matches(wanted, got):
    """Whether a report's value matches a step: it is equal, or it satisfies a table with one of the words below."""
    if isinstance(wanted, dict) and len(wanted) == 1:
        [(word, value)] = wanted.items()
        if word == "any_of":
            return any(matches(one, got) for one in value)
        if word == "contains":
            return isinstance(got, str) and value in got
        if word == "at_least":
            return isinstance(got, (int, float)) and got >= value
        if word == "at_most":
            return isinstance(got, (int, float)) and got <= value
        if word == "has":
            return isinstance(got, dict) and all(matches(one, got.get(key)) for key, one in value.items())
        if word == "absent":
            return (got is None) is value
    if isinstance(wanted, dict):
        return isinstance(got, dict) and set(wanted) == set(got) and all(matches(value, got[key]) for key, value in wanted.items())
    if isinstance(wanted, list):
        return isinstance(got, list) and len(wanted) == len(got) and all(map(matches, wanted, got))
    return type(wanted) is type(got) and wanted == got or _number(wanted) and _number(got) and wanted == got


def _number(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool)


class Performance:
    def __init__(self, scenario, driver, world):
        self._scenario, self._driver, self._world = scenario, driver, world
        self._names = world.names
        self._used = set()  # ids of reports that a step has expected

    async def run(self):
        for number, step in enumerate(self._scenario.steps, 1):
            try:
                await self._step(dict(step))
            except (Failed, NeverCame, asyncio.TimeoutError) as error:
                raise Failed(f"{self._scenario.name}, step {number}, {step}: {str(error) or type(error).__name__}; reported: {self._driver.shown()}; "
                             f"standard error: {self._driver.errors()}") from error
        self._check_what_always_holds()

    async def _step(self, step):
        verb = next(iter(step))
        word = step.pop(verb)
        if verb in ("app", "expect", "none", "heard"):
            await getattr(self, f"_{verb}")(word, step)
            return
        step = self._filled(step)
        if step.get("heard"):
            step["heard"] = self._has_heard(step["heard"], step["event"])
        await getattr(self._world, verb)(word, **step)

    def _filled(self, value):
        """Replaces `$name` with the values of names."""
        if isinstance(value, str) and "$" in value:
            for name, text in sorted(self._names.items(), key=lambda pair: -len(pair[0])):
                value = value.replace(f"${name}", str(text))
            return value
        if isinstance(value, list):
            return [self._filled(one) for one in value]
        if isinstance(value, dict):
            return {key: self._filled(one) for key, one in value.items()}
        return value

    # --- what the application does

    async def _app(self, do, words):
        words = self._filled(words)
        if do == "open":
            words = {"url": self._world.url, **words}
        times = words.pop("times", None)
        if times is None:
            await self._driver.say({"do": do, **words})
            return
        for number in range(times):
            await self._driver.say({"do": do, **words, "id": f"{words['id']}-{number}"})

    # --- what it saw

    def _found(self, kind, wanted):
        """The reports of this kind that no step has expected yet and that have all the wanted members."""
        return [report for report in self._driver.seen
                if report["saw"] == kind and id(report) not in self._used and all(matches(value, report.get(key)) for key, value in wanted.items())]

    async def _expect(self, kind, wanted):
        save, times, starts = wanted.pop("save", {}), wanted.pop("times", 1), wanted.pop("each_of", None)
        wanted = self._filled(wanted)
        if starts is not None:
            await self._expect_each(kind, starts, times, wanted)
            return
        self._check_outcome(kind, wanted)

        def come():
            self._check_outcome(kind, wanted)
            found = self._found(kind, wanted)
            return found if len(found) >= times else None
        for report in (await self._driver.until(come, lambda: f"`{kind}` with {wanted}{f', {times} times' if times > 1 else ''}"))[:times]:
            self._used.add(id(report))
            self._names.update({name: report[member] for name, member in save.items()})

    def _check_outcome(self, kind, wanted):
        """A call has one outcome, so another one than the wanted one is a failure at once."""
        if kind == "outcome" and isinstance(wanted.get("id"), str):
            for report in self._driver.seen:
                if report["saw"] == kind and report.get("id") == wanted["id"] and not all(matches(value, report.get(key)) for key, value in wanted.items()):
                    raise Failed(f"another outcome: {report}")

    async def _expect_each(self, kind, id, times, wanted):
        """One report for each of the calls that were made with `times`."""
        for number in range(times):
            await self._expect(kind, {**wanted, "id": f"{id}-{number}"})

    async def _none(self, kind, wanted):
        found = self._found(kind, self._filled(wanted))
        if found:
            raise Failed(f"reported although it should not have been: {found[0]}")

    def _events(self, subscription):
        return [report["data"] for report in self._driver.seen if report["saw"] == "event" and report.get("id") == subscription]

    def _has_heard(self, subscription, event):
        return lambda: event in self._events(subscription)

    async def _heard(self, subscription, words):
        """All events of a subscription from its beginning: in this order, each once."""
        wanted = self._filled(words["data"])

        def come():
            got = self._events(subscription)
            if not matches(wanted[:len(got)], got):
                raise Failed(f"the events are {got}, not {wanted}")
            return len(got) == len(wanted)
        await self._driver.until(come, lambda: f"the events {wanted} of {subscription!r}")

    # --- what holds in each scenario

    def _check_what_always_holds(self):
        outcomes = [report.get("id") for report in self._driver.seen if report["saw"] == "outcome"]
        if twice := {id for id in outcomes if outcomes.count(id) > 1}:
            raise Failed(f"{self._scenario.name}: more than one outcome of {', '.join(sorted(map(str, twice)))}")
