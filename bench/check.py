"""Compares a run's figures with kept ones: `scripts/bench --check`.

The kept file is {"figures": {NAME: {"ratio" or "value": NUMBER, "margin": NUMBER, "better": "lower" or "higher",
"quick": BOOL?}}}: a figure may be worse than the kept one by the margin, as a part of it. Ratios of one run are compared, or
values that no other process of the machine changes, like bytes. `quick` ones are those of the short form.
"""

import json


def read(file):
    """The kept figures; raises a ValueError that says what is wrong."""
    with open(file, encoding="utf-8") as text:
        kept = json.load(text)["figures"]
    for name, figure in kept.items():
        numbers = [key for key in ("ratio", "value") if isinstance(figure.get(key), (int, float))]
        if len(numbers) != 1 or figure.get("better") not in ("lower", "higher") or not isinstance(figure.get("margin"), (int, float)):
            raise ValueError(f"{file}: {name} needs one of ratio and value, a margin, and better: lower or higher")
    return kept


def worse(kept, measured):
    """How much worse it is, as a fraction of the kept value; below 0 it is better."""
    what = "ratio" if "ratio" in kept else "value"
    if kept["better"] == "lower":
        return (measured[what] - kept[what]) / kept[what]
    return (kept[what] - measured[what]) / kept[what]


def compare(kept, figures, quick=False, whole=True):
    """(a line for each figure that was compared, a line for each that fails). `whole`: a missing figure is a failure."""
    said, failures = [], []
    for name, expected in kept.items():
        if quick and not expected.get("quick"):
            continue
        what = "ratio" if "ratio" in expected else "value"
        measured = figures.get(name)
        if measured is None or what not in measured:
            if whole:
                failures.append(f"{name}: it has no {what} in this run; {expected[what]:g} was expected")
            continue
        fallen = worse(expected, measured)
        line = f"{name}: {what} {measured[what]:g}, kept {expected[what]:g}, {abs(fallen):.0%} {'worse' if fallen > 0 else 'better'} (up to {expected['margin']:.0%} worse counts as noise)"
        (failures if fallen > expected["margin"] else said).append(line)
    if not said and not failures:
        failures.append("none of the kept figures is in this run")
    return said, failures
