"""One run: clients, faults at their times, the end, the verdict, and the table that is printed."""

import asyncio
import time
from collections import defaultdict

from chaos import clients, scheduler
from chaos.faults import Faults
from chaos.ledger import ANSWERED, Verdict, percentile
from chaos.world import cost_of, paced
from support.waiting import eventually
from support.websocket import is_open


class Run:
    """`await Run(world).go(seconds)`, then look at its `verdict`, `costs` and `table()`."""

    def __init__(self, world, sockets=200, every=1.0, quiet=3.0, without=(), say=print):
        self.world, self.ledger, self.say = world, world.ledger, say
        self.every, self.quiet, self.without = every, quiet, {*without, *world.impossible}
        self.clients = clients.clients(world, world.ledger, sockets)
        self.verdict, self.costs, self.quiet_from, self.quiet_until, self.seconds = None, [], None, None, 0

    async def go(self, seconds):
        self.seconds = seconds
        planned = scheduler.plan(self.world.seed, seconds, self.every, self.without)
        self.say(f"{len(self.clients)} sockets connect, then {self.quiet:g} s without a fault")
        tasks = [asyncio.create_task(client.run()) for client in self.clients]
        await eventually(lambda: self._open() == len(tasks), lambda: f"all sockets are open: {self._open()}, {self.ledger.refused_connects}", 120)
        begun = time.monotonic()
        await paced(self.quiet, self._progress)
        self.quiet_from, self.quiet_until = begun, time.monotonic()
        self.costs.append(await self._cost("before"))
        try:
            self.say(f"{len(planned)} faults in {seconds:g} s")
            await self._inject(planned)
            self.say(f"all comes back, and rests for {Verdict.settle + 1:g} s")
            await self._settle()
        finally:
            for client in self.clients:
                client.stop()
        self.say("the sockets close")
        await asyncio.wait_for(asyncio.gather(*tasks), 120)
        self.costs.append(await self._cost("after"))
        self.verdict = Verdict(self.ledger)
        return self

    async def _inject(self, planned):
        faults, begun = Faults(self.world), time.monotonic()

        async def one(fault):
            await asyncio.sleep(begun + fault.at - time.monotonic())
            self.say(f"  {fault.at:7.1f} s  {fault.kind}")
            return await faults.inject(fault)
        injected = [asyncio.create_task(one(fault)) for fault in planned]
        progress = asyncio.create_task(paced(10 ** 9, self._progress))
        try:
            await asyncio.gather(*injected)
        finally:
            progress.cancel()

    async def _settle(self):
        """All is well again, and stays so for a while: what is asked now has no excuse."""
        async def well():
            return self._open() == len(self.clients) and (await self.world.health()).get("broker") == "ready"
        await eventually(well, lambda: f"all sockets are open again: {self._open()}", 120)
        await asyncio.sleep(Verdict.settle + 1)

    def _open(self):
        return sum(client.link is not None and is_open(client.link.ws) for client in self.clients)

    def _progress(self):
        requests = self.ledger.requests.values()
        self.say(f"  {self._open()} sockets, {len(requests)} requests, {sum(r.outcome == ANSWERED for r in requests)} answered, {len(self.ledger.events)} events, {len(self.ledger.faults)} faults")

    async def _cost(self, when):
        pids = self.world.pids()
        listed = await asyncio.to_thread(self.world.broker.ctl, "--quiet", "list_queues", "name")
        return {"when": when, "meshd pid": pids["meshd"], "meshd": cost_of(pids["meshd"]), "queues": sum(self.world.name in line for line in listed.splitlines())}

    # What came of it.
    def right(self):
        return not (self.verdict.lost or self.verdict.duplicated or self.verdict.unexplained or self.leaks())

    def recoveries(self):
        """{kind: seconds} until the new edge was attached; for meshd until a request that was sent after the kill was answered."""
        answered = sorted((r.ended, r.sent) for r in self.ledger.requests.values() if r.outcome == ANSWERED and r.kind != "command")
        out = defaultdict(list)
        for fault in self.ledger.faults:
            end = fault.ended
            if fault.kind == "meshd kill":
                end = next((ended for ended, sent in answered if sent > fault.begun), fault.ended)
            out[fault.kind].append(end - fault.begun)
        return out

    def latencies(self, kinds):
        """Milliseconds, as the probe measured them: without faults, and during faults of these kinds without any other."""
        chosen = [fault for fault in self.ledger.faults if fault.kind in kinds]
        others = [fault for fault in self.ledger.faults if fault.kind not in kinds]
        quiet, during = [], []
        for sent, ended in self.world.latencies():
            if self.quiet_from <= sent and ended <= self.quiet_until:
                quiet.append(1000 * (ended - sent))
            elif any(f.begun <= ended and sent <= f.ended for f in chosen) and not any(o.begun <= ended and sent <= o.ended + 2 for o in others):
                during.append(1000 * (ended - sent))
        return quiet, during

    def leaks(self):
        """What meshd and the broker have more of than before, unless meshd is another one by now."""
        before, after = self.costs
        if before["meshd pid"] != after["meshd pid"]:
            return []
        out = []
        if after["meshd"][0] != before["meshd"][0]:
            out.append(f"{after['meshd'][0]} descriptors in place of {before['meshd'][0]}")
        # Some MiB stay with the allocator where messages of a MiB or two were among the traffic ("refused by broker": 10 MiB were seen).
        if after["meshd"][1] > before["meshd"][1] + 16_000:
            out.append(f"{after['meshd'][1]} kB in place of {before['meshd'][1]}")
        if after["queues"] != before["queues"]:
            out.append(f"{after['queues']} queues in place of {before['queues']}")
        return out

    def table(self):
        verdict, rows = self.verdict, [f"chaos: seed {self.world.seed}, {self.seconds:.0f} s, {len(self.clients)} sockets, {self.world.edges} edges", ""]
        recoveries = self.recoveries()
        rows.append(f"  {'fault':<18}{'times':>6}   back after s (median, worst)")
        for kind in scheduler.FAULTS:
            if kind in recoveries:
                rows.append(f"  {kind:<18}{len(recoveries[kind]):>6}   {percentile(recoveries[kind], 0.5):.2f}, {max(recoveries[kind]):.2f}")
        rows += ["", f"  {'requests':<18}{len(self.ledger.requests):>6}"]
        rows += [f"    {outcome:<16}{count:>6}" for outcome, count in sorted(verdict.outcomes.items(), key=lambda item: -item[1])]
        for role, counts in verdict.events.items():
            rows.append(f"  {role + ' events':<18}{counts['received']:>6} received, {counts['missed for a fault']} missed while meshd or the broker was away")
        for kinds, when in (({"edge kill"}, "on the other edges while one was killed"), (scheduler.ATTACKS, "during an attack")):
            quiet, during = self.latencies(kinds)
            if during:
                rows.append(f"  p50, p99 of answers: {percentile(quiet, 0.5):.1f}, {percentile(quiet, 0.99):.1f} ms while all was quiet ({len(quiet)}); {percentile(during, 0.5):.1f}, {percentile(during, 0.99):.1f} ms {when} ({len(during)})")
        for cost in self.costs:
            rows.append(f"  {cost['when']:<8}meshd {cost['meshd pid']}: {cost['meshd'][0]} descriptors, {cost['meshd'][1]} kB; {cost['queues']} queues at the broker")
        rows += ["", f"  lost {len(verdict.lost)}   duplicated {len(verdict.duplicated)}   unexplained {len(verdict.unexplained)}"]
        rows += [f"  leaked: {leak}" for leak in self.leaks()]
        for wrong in (verdict.lost, verdict.duplicated, verdict.unexplained):
            rows += [f"    {sentence}" for sentence in wrong[:10]]
        return "\n".join(rows)
