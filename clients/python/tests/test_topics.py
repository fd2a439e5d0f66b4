import random
import re
import time

import pytest

from nuropb_gateway_client import matches

CASES = [
    ("a", "a", True), ("a", "b", False), ("a.b", "a", False), ("*", "a", True), ("*", "a.b", False), ("*", "", False), ("#", "", True), ("#", "a.b.c", True),
    ("a.#", "a", True), ("a.#", "a.b.c", True), ("a.#", "b", False), ("#.c", "a.b.c", True), ("#.c", "c", True), ("a.*.c", "a.b.c", True), ("a.*.c", "a.c", False),
    ("#.a.#", "b.a.c", True), ("#.a.#", "b.c", False), ("*.#.*", "a", False), ("*.#.*", "a.b", True), ("", "", True), ("", "a", False), ("a.#.#", "a", True),
]


@pytest.mark.parametrize("pattern, topic, expected", CASES)
def test_cases(pattern, topic, expected):
    assert matches(pattern, topic) is expected


def by_expression(pattern, topic):
    """Another way: words as letters, `#` as any number of words."""
    expression = "".join("(?:[^.]+\\.)*" if word == "#" else "[^.]+\\." if word == "*" else re.escape(word) + "\\." for word in (pattern.split(".") if pattern else []))
    return re.fullmatch(expression, "".join(word + "." for word in (topic.split(".") if topic else []))) is not None


def test_as_another_algorithm_has_it():
    chance = random.Random(7)
    for _ in range(5000):
        pattern = ".".join(chance.choice("ab*#") for _ in range(chance.randint(1, 6)))
        topic = ".".join(chance.choice("abc") for _ in range(chance.randint(0, 7)))
        assert matches(pattern, topic) is by_expression(pattern, topic), (pattern, topic)


def test_none_is_expensive():
    since = time.process_time()
    assert not matches(".".join(["#", "a"] * 60), ".".join(["a"] * 127 + ["b"]))
    assert time.process_time() - since < 1
