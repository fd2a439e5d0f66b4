"""`matches` of the JavaScript client: it agrees with the broker's rules, and its cost is bounded whatever the pattern is."""

import itertools
import random

CASES = (
    ("a", "a", 1), ("a", "b", 0), ("a.b", "a", 0), ("a", "a.b", 0), ("*", "a", 1), ("*", "a.b", 0), ("#", "a.b.c", 1), ("a.#", "a", 1), ("a.#", "a.b.c", 1),
    ("#.c", "a.b.c", 1), ("#.c", "c", 1), ("#.c", "c.d", 0), ("a.#.c", "a.c", 1), ("a.#.c", "a.b.b.c", 1), ("a.#.c", "a.b", 0), ("a.*.c", "a.c", 0), ("#.*", "a", 1),
    ("a..b", "a..b", 1), ("a.*.b", "a..b", 1), ("#.#", "a", 1), ("#.b.#.b", "b.a.b", 1), ("#.b.#.b", "a.b.a", 0), ("*.#.*", "a", 0), ("#.a.b", "a.a.b", 1), ("#.a.*.c", "a.a.b.c", 1),
    # RabbitMQ counts no word in an empty routing key (tests/unit/common/topic_test.cpp).
    ("#", "", 1), ("", "", 1), ("*", "", 0), ("*.#", "", 0), ("", "a", 0),
)

# What an application may pass by mistake stands for nothing, and throws nothing.
NO_PATTERNS = (None, 5, {}, [])


def by_sets(pattern, topic):
    """The same with the set of all positions that the words so far may have reached."""
    wanted, words = (text.split(".") if text else [] for text in (pattern, topic))

    def reach(places):
        out = set()
        for place in places:
            out.add(place)
            while place < len(wanted) and wanted[place] == "#":
                place += 1
                out.add(place)
        return out

    places = reach({0})
    for word in words:
        places = reach({place if wanted[place] == "#" else place + 1 for place in places if place < len(wanted) and wanted[place] in ("#", "*", word)})
    return len(wanted) in places


async def matched(node, pairs):
    return await node.run("return pairs.map(([pattern, topic]) => matches(pattern, topic))", pairs=pairs)


async def test_patterns(node):
    async with node:
        found = await matched(node, [(pattern, topic) for pattern, topic, _ in CASES])
        assert list(zip(CASES, found)) == [(case, bool(case[2])) for case in CASES]
        assert [by_sets(pattern, topic) for pattern, topic, _ in CASES] == found
        assert await matched(node, [(pattern, "a.b") for pattern in NO_PATTERNS]) == [False] * len(NO_PATTERNS)


async def test_all_short_patterns_and_many_long_ones(node):
    """Compared with another algorithm, so that a mistake in one of them is seen."""
    chance = random.Random(29)

    def some(words, most):
        return ".".join(chance.choice(words) for _ in range(chance.randrange(most)))

    short = [".".join(words) for size in range(5) for words in itertools.product("ab*#", repeat=size)]
    topics = [".".join(words) for size in range(5) for words in itertools.product("ab", repeat=size)]
    pairs = [(pattern, topic) for pattern in short for topic in topics] + [(some(["a", "b", "*", "#", "#", ""], 12), some(["a", "b", ""], 16)) for _ in range(20_000)]
    async with node:
        found = await matched(node, pairs)
    assert [pair for pair, is_so in zip(pairs, found) if by_sets(*pair) != is_so] == []
    assert 1000 < sum(found) < len(found) - 1000


async def test_no_pattern_is_expensive(node):
    """Each of these ends at once, but with a backtracking algorithm practically never."""
    topic = ".".join(["a"] * 127)  # with the b that is missing or comes 255 bytes: the longest topic
    async with node:
        assert await matched(node, [
            (".".join(["#.a"] * 10), topic + ".b"), (".".join(["#.a"] * 10), topic),
            (".".join(["#.a"] * 60) + ".b", topic), (".".join(["#.a"] * 60) + ".#.b", topic + ".b"),
            (".".join(["#", "*"] * 60) + ".b", topic), (".".join(["#"] * 127) + ".b", topic), (".".join(["#.a.*"] * 40), topic + ".b"),
        ]) == [False, True, False, True, False, False, True]
