"""Prometheus' text format, read strictly: what a scraper would take, and what it would only just forgive, is checked.

https://prometheus.io/docs/instrumenting/exposition_formats/"""

import math
import re
import shutil
import subprocess

_NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
_LABEL = r'[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\["\\n])*"'
_SAMPLE = re.compile(rf"({_NAME})(?:\{{({_LABEL}(?:,{_LABEL})*)\}})? (\S+)")
TYPES = ("counter", "gauge", "histogram")


class Family:
    def __init__(self, name, help_text):
        self.name, self.help, self.type = name, help_text, None
        self.samples = {}  # (name, ((label, value), …)) → number

    def labels(self):
        return sorted({label for _, labels in self.samples for label, _ in labels})

    def value(self, suffix="", **labels):
        return self.samples[self.name + suffix, tuple(sorted(labels.items()))]


def _labels(text):
    pairs = [pair.split("=", 1) for pair in re.findall(_LABEL, text or "")]
    assert len({name for name, _ in pairs}) == len(pairs), f"a label twice: {text}"
    return tuple(sorted((name, value[1:-1]) for name, value in pairs))


def _histogram(family):
    series = {}
    for (name, labels), number in family.samples.items():
        assert name in (family.name + suffix for suffix in ("_bucket", "_sum", "_count")), name
        rest = tuple((label, value) for label, value in labels if label != "le")
        one = series.setdefault(rest, {"buckets": []})
        if name.endswith("_bucket"):
            one["buckets"].append((float(dict(labels)["le"].replace("+Inf", "inf")), number))
        else:
            one[name[len(family.name):]] = number
    for labels, one in series.items():
        bounds = [bound for bound, _ in one["buckets"]]
        counts = [count for _, count in one["buckets"]]
        assert bounds == sorted(set(bounds)) and math.isinf(bounds[-1]), (family.name, labels, bounds)
        assert counts == sorted(counts) and counts[-1] == one["_count"], (family.name, labels, counts, one)
        assert one["_sum"] >= 0 and (one["_count"] > 0 or one["_sum"] == 0), (family.name, labels, one)


def parse(page):
    """{name: Family}. Fails if a line or the page as a whole is invalid."""
    assert page.endswith("\n") and "\r" not in page
    families, now = {}, None
    for line in page[:-1].split("\n"):
        if line.startswith("# HELP "):
            name, help_text = re.fullmatch(rf"# HELP ({_NAME}) (\S.*)", line).groups()
            assert name not in families, f"{name} twice"
            now = families[name] = Family(name, help_text)
        elif line.startswith("# TYPE "):
            name, kind = re.fullmatch(rf"# TYPE ({_NAME}) (\w+)", line).groups()
            assert now and name == now.name and now.type is None and not now.samples and kind in TYPES, line
            now.type = kind
        else:
            match = _SAMPLE.fullmatch(line)
            assert match, f"no sample: {line!r}"
            name, labels, value = match.groups()
            base = re.sub("_(bucket|sum|count)$", "", name) if now and now.type == "histogram" else name
            assert now and now.type and base == now.name, f"{line!r} stands under {now and now.name}"
            key = name, _labels(labels)
            assert key not in now.samples, f"twice: {line}"
            number = float(value)
            assert not math.isnan(number) and (now.type == "gauge" or number >= 0), line
            now.samples[key] = number
    for family in families.values():
        assert family.type, f"{family.name} has no TYPE"
        assert family.type != "counter" or family.name.endswith("_total"), family.name
        assert family.type == "counter" or not family.name.endswith(("_total", "_count", "_sum", "_bucket")), family.name
        if family.type == "histogram":
            _histogram(family)
    return families


def promtool(*words, **options):
    """What promtool (Debian's package prometheus) says, where it is installed; otherwise nothing."""
    tool = shutil.which("promtool")
    return tool and subprocess.run([tool, *words], text=True, capture_output=True, check=False, timeout=60, **options)
