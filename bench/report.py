"""The page of measurements in the docs, with its plots: `scripts/bench --report docs/reference/performance`."""

from pathlib import Path

import svg
import targets

INTRODUCTION = """# Performance

Written by `scripts/bench --report`, never by hand: {date}, {cpu}, {cores} cores, Linux {kernel}{short}{noise}.
[bench/README.md]({readme}) says what each figure measures, how, and against what. Ratios are taken within one run, between turns
of the same round; value and ratio are medians, and spread is the smallest and largest value, over the rounds. Load generators, broker and
services ran on the same cores.
"""


def cell(text):
    return str(text).replace("|", "\\|")


def rows(figures):
    # Names without marks: those of `gateway.…` would pass for settings (test_docs.py).
    out = ["| figure | value | ratio | spread | target | | |", "| --- | ---: | ---: | --- | --- | --- | --- |"]
    for target, figure in targets.judged(figures):
        value = f"{targets.number(figure['value'])} {figure['unit']}" if figure else ""
        ratio = f"{targets.number(figure['ratio'])} of {figure['baseline']}" if figure and "ratio" in figure else ""
        spread = targets.spread(figure, target.what) if figure else ""
        verdict = targets.verdict(target, figure)
        out.append("| " + " | ".join(map(cell, (target.figure, value, ratio, spread, target.text(), f"**{verdict}**" if verdict == "MISSED" else verdict, target.about))) + " |")
    return out


def missed(figures):
    """The missed targets with their reasons."""
    names = [target.figure for target, figure in targets.judged(figures) if targets.verdict(target, figure) == "MISSED"]
    return ["## Missed targets", "", *(f"* {name}: {targets.WHY.get(name, 'the reason is unknown')}" for name in names), ""] if names else []


def others(figures):
    out = ["| figure | value | ratio | spread |", "| --- | ---: | ---: | --- |"]
    for name, figure in sorted(figures.items()):
        if name in targets.BY_FIGURE:
            continue
        ratio = f"{targets.number(figure['ratio'])} of {figure['baseline']}" if "ratio" in figure else ""
        out.append("| " + " | ".join(map(cell, (name, f"{targets.number(figure['value'])} {figure['unit']}", ratio, targets.spread(figure, "value")))) + " |")
    return out


def series(figures, prefix):
    """[(N, value), …] of the figures PREFIX_N."""
    return sorted((int(name[len(prefix):]), figure["value"]) for name, figure in figures.items() if name.startswith(prefix) and name[len(prefix):].isdigit())


def plots(run):
    """{name: (title, SVG)} of the data in this run."""
    out, figures = {}, run["figures"]
    histograms = run["benchmarks"].get("latency", {}).get("histogram_ms")
    if histograms:
        lines = {name: [(quantile, ms) for quantile, ms in points if quantile < 1] for name, points in histograms.items()}
        every = [ms for points in lines.values() for _, ms in points]
        rate = figures["latency.half_rate"]["value"]
        title = f"Latency at half of the maximum rate ({rate:,.0f} requests/s, open loop)"
        most = max(quantile for points in lines.values() for quantile, _ in points)
        out["latency"] = (title, svg.plot(title, svg.nines("quantile", most), svg.powers_of_ten("ms", every), lines))
    edges = series(figures, "scaling.edges_")
    if len(edges) > 1:
        title = "Requests per second by number of edges, without a broker"
        x = svg.even("edges", [count for count, _ in edges])
        out["scaling"] = (title, svg.plot(title, x, svg.from_zero("requests/s", [rate for _, rate in edges], lambda value: f"{value:,.0f}"), {"512 outstanding on 64 sockets": edges}, dots=True))
    for prefix, what in (("scaling.meshd_cpu_workers_", "workers"), ("scaling.meshd_cpu_sockets_", "sockets")):
        points = series(figures, prefix)
        if len(points) > 1:
            title = f"meshd's CPU per request by number of {what}"
            out[f"meshd-by-{what}"] = (title, svg.plot(title, svg.even(what, [count for count, _ in points]), svg.from_zero("µs", [us for _, us in points]), {"meshd": points}, dots=True))
    return out


def absent(run):
    """Peers that a benchmark could not measure, with the reason."""
    return [f"* {name}: {reason}" for bench in run["benchmarks"].values() for name, reason in bench.get("absent", {}).items()]


def write(run, base, root):
    """`base`.md and `base`-NAME.svg. `run`: the merged results of scripts/bench."""
    base = Path(base)
    noise = max((bench.get("others_cores_max", 0) for bench in run["benchmarks"].values()), default=0)
    said = f"; in the worst turn other processes of the machine used {noise:.1f} cores" if noise >= 0.1 else ""
    readme = "/".join([*[".."] * len(base.resolve().parent.relative_to(root).parts), "bench", "README.md"])
    text = [INTRODUCTION.format(date=run["date"], readme=readme, noise=said, short="; the short form" if run.get("quick") else "", **run["machine"]), "## Targets\n", *rows(run["figures"]), "", *missed(run["figures"])]
    for name, (title, drawn) in plots(run).items():
        file = base.with_name(f"{base.name}-{name}.svg")
        file.write_text(drawn, encoding="utf-8")
        text += [f"![{title}]({file.name})", ""]
    left_out = absent(run)
    if left_out:
        text += ["## Not measured\n", *left_out, ""]
    text += ["## Other figures\n", *others(run["figures"])]
    base.with_name(base.name + ".md").write_text("\n".join(text) + "\n", encoding="utf-8")
