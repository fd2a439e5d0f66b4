import pytest

from nuropb_gateway_client import Settings
from nuropb_gateway_client.backoff import Backoff


def longest(**settings):
    return Backoff(Settings(**settings), lambda: 1.0)


def test_pauses_double_up_to_the_longest():
    backoff = longest(min_delay=0.2, max_delay=5)
    assert [backoff.next() for _ in range(7)] == [0.2, 0.4, 0.8, 1.6, 3.2, 5, 5]
    backoff.reset()
    assert backoff.next() == 0.2
    for _ in range(5000):
        assert backoff.next() <= 5


def test_they_are_random_from_nothing_on():
    seen = [Backoff(Settings()).next() for _ in range(200)]
    assert all(0 <= one <= 0.2 for one in seen) and max(seen) - min(seen) > 0.1


@pytest.mark.parametrize("code", [4002, 4005, 4006])
def test_some_codes_begin_later(code):
    assert longest().next(code) == 2.0
    assert longest(min_delay=0.01, max_delay=0.02).next(code) == 2.0


def test_retry_after():
    """Never earlier than that, at random behind it, and no longer than is believed."""
    assert Backoff(Settings(), lambda: 0.0).next(0, 7.0) == 7.0
    assert 7.0 < longest().next(0, 7.0) <= 14.0
    assert Backoff(Settings(max_retry_after=60), lambda: 0.0).next(0, 1e9) == 60.0
    assert longest().next(0, 0.0) == 0.2
