"""Rolling over to new programs and settings: the launcher's part for SIGHUP."""

import signal

from launcher.log import say
from launcher.processes import STEADY_AFTER, abi_of

STOP_GRACE = 10.0


class Rolls:
    def roll(self):
        """Applies the programs and settings that are on disk now. Sockets move to new edges while the old ones drain."""
        config, code = self.effective_config()
        if config is None:
            say("the configuration is invalid: reload aborted, the running one is unchanged" if code == 2 else "reload aborted", "error")
            return None
        abis = [abi_of(str(self.bin / program)) for program in ("nuropb-meshd", "nuropb-edge")]
        if None in abis or abis[0] != abis[1]:
            say(f"nuropb-meshd has ABI {abis[0]}, nuropb-edge ABI {abis[1]}: they can't work together; reload aborted", "error")
            return None
        self.config = config
        if any(edge.abi != abis[0] for edge in self.edges if edge.process):
            return self.roll_to_another_abi(abis[0])
        if self.meshd.version != self.on_disk("nuropb-meshd"):
            code = self.replace_meshd()
            if code is not None or self.told_to_stop():
                return code
        else:
            self.meshd.send(signal.SIGHUP)  # its tokens may have changed
        return self.roll_edges()

    def roll_edges(self):
        """One edge after the other: the new one listens before the old one drains."""
        say("replacing the edges one by one")
        wanted = self.config["gateway"]["edges"]
        for number in range(max(wanted, len(self.edges))):
            if number < wanted:
                new = self.make_edge(number)
                self.changing = [new]
                new.start()
                code = self.wait_while(lambda: new.running() and not new.listens(), STEADY_AFTER, f"edge {number} starts")
                if code is not None or self.told_to_stop():
                    return code
                if not new.listens():
                    say(f"the new edge {number} does not start: {new.kill()}; keeping the old edges", "error")
                    break
                code = self.wait_for_meshd(lambda: [*self.edges, new])
                if code is not None or self.told_to_stop():
                    return code
                if number == len(self.edges):
                    self.edges.append(new)
                    continue
                old, self.edges[number] = self.edges[number], new
            else:
                old = self.edges.pop()
            self.changing = [old]
            code = self.see_off([old])
            if code is not None or self.told_to_stop():
                return code
        else:
            say("reload complete")
        self.changing = []
        return None

    def wait_for_meshd(self, edges):
        """Waits until the edges are attached, so that no client is refused; but not indefinitely, in case meshd itself is down."""
        def wanted():
            return min(sum(edge.running() for edge in edges()), self.config["gateway"]["max_workers"])
        return self.wait_while(lambda: not self.attached(wanted()), STEADY_AFTER, "waiting until the edges are attached")

    def see_off(self, olds):
        """They have successors, so they drain at once."""
        for old in olds:
            old.again_at = None
            old.send(signal.SIGUSR2)
        code = self.wait_while(lambda: any(old.running() for old in olds), self.drain_limit(), "edges drain")
        if code is not None or self.told_to_stop():
            return code
        for old in olds:
            if old.running():
                say(f"the old {old.name} did not drain in time: killing it", "warning")
            if old.process:
                say(f"{old.name} replaced; the old one: {old.kill()}")
        return None

    def replace_meshd(self):
        """The edges keep their sockets and wait for the new meshd."""
        say("replacing meshd; no socket is dropped")
        self.meshd.send(signal.SIGTERM)
        code = self.wait_while(self.meshd.running, STOP_GRACE, "meshd stops", [*self.edges, *self.changing])
        if code is not None or self.told_to_stop():
            return code
        if self.meshd.running():
            say("the old meshd does not stop: killing it", "warning")
        self.meshd.kill()
        self.meshd.start()
        return self.wait_while(lambda: self.meshd.running() and not self.meshd_listens(), STEADY_AFTER, "meshd starts")

    def roll_to_another_abi(self, abi):
        """Old edges and a new meshd, or the reverse, are incompatible. Pending requests can only be finished by their current
        meshd, so the old edges drain first, all together; the new ones hold the port meanwhile, and accept clients once their
        own meshd runs."""
        say(f"from ABI {self.edges[0].abi} to ABI {abi}: the edges drain together, then meshd is replaced")
        olds = self.edges
        self.edges = [self.make_edge(number) for number in range(self.config["gateway"]["edges"])]
        self.changing = olds
        for edge in self.edges:
            edge.start()
        code = self.wait_while(lambda: any(edge.running() and not edge.listens() for edge in self.edges), STEADY_AFTER, "edges start")
        if code is None and not self.told_to_stop() and not all(edge.listens() for edge in self.edges):
            for edge in self.edges:
                edge.kill()
            self.edges, self.changing = olds, []
            say("the new edges do not start: keeping the old ones", "error")
            return None
        if code is None and not self.told_to_stop():
            code = self.see_off(olds)
        self.changing = []
        if code is None and not self.told_to_stop() and self.meshd.abi != abi:
            code = self.replace_meshd()
        if code is None and not self.told_to_stop():
            code = self.wait_for_meshd(lambda: self.edges)
        if code is None and not self.told_to_stop():
            say("reload complete")
        return code
