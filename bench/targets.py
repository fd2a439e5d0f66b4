"""What is aimed at (issue 6's list), figure by figure: who reads the table sees met or MISSED, and nobody has to remember."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Target:
    figure: str
    what: str     # "ratio" or "value"
    limit: float
    least: bool   # the figure has to be at least that; else at most
    about: str

    def met(self, figure):
        return figure[self.what] >= self.limit if self.least else figure[self.what] <= self.limit

    def text(self):
        return f"{'≥' if self.least else '≤'} {self.limit:g}{' of the baseline' if self.what == 'ratio' else ''}"


def at_most(figure, what, limit, about):
    return Target(figure, what, limit, False, about)


def at_least(figure, what, limit, about):
    return Target(figure, what, limit, True, about)


ALL = [
    at_most("ring.throughput_64", "ratio", 1.0, "time per message one way, 64 bytes, to boost::lockfree::spsc_queue in shared memory"),
    at_most("ring.throughput_256", "ratio", 1.0, "the same with 256 bytes"),
    at_most("ring.round_trip_spin", "ratio", 1.5, "there and back between two spinning processes, to that queue"),
    at_most("ring.wakeup", "ratio", 1.2, "there and back between two sleeping processes, to bare eventfds"),
    at_most("idle.cpu_percent", "value", 0.049, "CPU of the whole gateway, 5,000 idle sockets; 0.0 %"),
    at_least("gateway.loopback_rate", "ratio", 0.65, "requests per second without a broker, to a bare websocketpp echo server"),
    at_most("gateway.loopback_cpu", "ratio", 1.6, "CPU of edge and meshd for each, to that server"),
    at_least("gateway.rabbitmq_rate", "ratio", 0.8, "requests per second to a service, to a bare rabbitmq-c client"),
    at_most("gateway.rabbitmq_cpu_us", "value", 25, "CPU of edges and meshd for each"),
    at_least("gateway.vs_nuropb_gw", "ratio", 10, "requests per second, to nuropb-gw 0.1.4"),
    at_most("gateway.p50_extra_ms", "value", 0.25, "p50 of a single request at a time, more than direct AMQP"),
    at_least("scaling.edges_2", "ratio", 0.9, "requests per second with 2 edges, to the best of fewer"),
    at_least("scaling.edges_4", "ratio", 0.9, "the same with 4"),
    at_least("scaling.edges_8", "ratio", 0.9, "the same with 8"),
    at_most("scaling.meshd_cpu_workers_16", "ratio", 1.1, "meshd's CPU for a request with 16 workers, to 1"),
    at_most("scaling.meshd_cpu_sockets_20000", "ratio", 1.1, "meshd's CPU for a request with 20,000 sockets, to 10"),
    at_most("fanout.cpu_per_delivery", "ratio", 1.3, "CPU for each socket that a message reaches, to a bare write of the frame"),
    at_most("hostile.flood_taken", "value", 10, "percent of meshd's time that a flood of connections takes"),
    at_most("hostile.doorbells_taken", "value", 10, "the same of an edge that rings without end"),
    at_most("hostile.rubbish_taken", "value", 10, "the same of edges that write rubbish"),
    at_most("memory.edge_plain", "value", 10 * 1024, "bytes in the edge for an idle authorized socket"),
    at_most("memory.edge_tls", "value", 40 * 1024, "the same with TLS"),
    at_most("memory.meshd_session", "value", 512, "bytes in meshd for its session, with 100 bytes of claims"),
    at_least("memory.sockets_held", "value", 20_000, "sockets held on one machine"),
    at_most("latency.p99_half_load", "value", 3, "end to end at half of the highest rate, on a schedule"),
    at_most("latency.p999_half_load", "value", 10, "the same, p99.9"),
    at_most("start.first_request_ms", "value", 300, "launcher to the answer of the first request"),
    at_most("start.edge_restart_ms", "value", 500, "an edge's SIGTERM to the answer by the next"),
]
BY_FIGURE = {target.figure: target for target in ALL}

# Why a target is missed where it is; beside the figures, by hand, as no run can say it.
WHY = {
    "gateway.loopback_rate": "two processes with validation, identity and correlation of every request between them, beside one that sends back what came",
    "gateway.loopback_cpu": "an edge alone costs about what the echo costs; meshd's part is mostly JSON that is scanned twice, as untrusted input and as the echo's answer (callgrind, bench/instructions)",
    "gateway.rabbitmq_rate": "two cores shared with broker, service and load generator: the rate is what everybody together spends on a request, and the gateway pays for confirms and for acknowledging answers, which the bare client goes without (bench/README.md)",
    "ring.round_trip_spin": "three runs of 22 November said 1.36, 1.69 and 1.71, with 181, 207 and 202 ns for the bare queue: the cores are a virtual machine's, whose neighbours can't be seen. Which part of ours grows with theirs is not known",
    "gateway.p50_extra_ms": "three runs of 22 November said 0.161, 0.155 and 0.264 ms: in the last one everybody was slower, direct AMQP with many requests by a third",
    "gateway.vs_nuropb_gw": "on two cores that all share, a bare rabbitmq-c client with no gateway at all (direct.rate) has 6 to 7 times the rate of nuropb-gw: broker and service are what is left. By own CPU it is gateway.rabbitmq_cpu_us of nuropb_gw.cpu_us",
    "scaling.edges_8": "with 2 edges both cores are busy to the full, and 8 share them with meshd and the load: the same 64 sockets over more edges, each of which is switched to for less (20 times for 1,000 requests with 4 edges, 34 with 8) and finds the caches used by others",
    "scaling.meshd_cpu_workers_16": "not its system calls, of which it makes fewer: its own part rose from 0.93 to 1.16 µs while the kernel's fell from 0.21 to 0.12. Each of 16 rings gives it a sixteenth of the requests at a time, and 16 processes use the caches of two cores meanwhile (bench/README.md)",
    "scaling.meshd_cpu_sockets_20000": "with 10 sockets a read brings an edge a dozen requests, with 20,000 one, and each costs it three times as much CPU: meshd finds the caches used by edges, and fewer requests at a time. Its own part is 1.54 µs with 10 sockets and 1.74 with 1,000, the kernel's 0.36 and 0.46",
    "latency.p99_half_load": "where the bare echo's p99 in the same round (latency.echo_p99) is as high, the machine's other users are what is measured",
    "latency.p999_half_load": "the same",
}

# What one look at a noisy machine can tell: instructions, memory, CPU of processes; no rates. For CI, in less than 90 s.
QUICK = ("fanout", "idle", "instructions", "loopback", "memory")


def judged(figures):
    """Every target with its figure, or None where that was not measured."""
    return [(target, figures.get(target.figure)) for target in ALL]


def verdict(target, figure):
    if figure is None or target.what not in figure:
        return "not measured"
    return "met" if target.met(figure) else "MISSED"


def spread(figure, what):
    low, high = ("min", "max") if what == "value" else ("ratio_min", "ratio_max")
    return f"{number(figure[low])} .. {number(figure[high])}" if low in figure and high in figure else ""


def number(value):
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.0f}" if value == int(value) else f"{value:.3g}"


def table(figures, whole=True):
    """For a terminal. `whole`: with what was not measured."""
    lines = [f"{'figure':32} {'value':>10} {'unit':14} {'ratio':>7}  {'spread':19} {'target':24} "]
    for target, figure in judged(figures):
        if figure is None and not whole:
            continue
        value, unit = (number(figure["value"]), figure["unit"]) if figure else ("", "")
        ratio = number(figure["ratio"]) if figure and "ratio" in figure else ""
        lines.append(f"{target.figure:32} {value:>10} {unit:14} {ratio:>7}  {spread(figure, target.what) if figure else '':19} {target.text():24} {verdict(target, figure)}")
    return "\n".join(lines)
