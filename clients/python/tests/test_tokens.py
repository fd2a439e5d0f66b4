import asyncio
import functools

import pytest

from nuropb_gateway_client.tokens import NoToken, TokenSource, Why

WHY = Why(False, False)


async def later(why):
    await asyncio.sleep(0)
    return f"token {why.refused}"


class Callable_:
    async def __call__(self, why):
        return "of an object"


@pytest.mark.parametrize("token, expected", [
    (None, None), ("", None), ("a", "a"), (later, "token False"), (functools.partial(later), "token False"), (Callable_(), "of an object"),
    (lambda why: "plain", "plain"), (lambda why: later(why), "token False"), (lambda why: None, None), (lambda why: "", None)])
async def test_what_may_be_given(token, expected):
    assert await TokenSource(token).get(WHY) == expected


@pytest.mark.parametrize("token", [5, b"a", ["a"]])
def test_what_may_not(token):
    with pytest.raises(TypeError, match="neither a str nor a function"):
        TokenSource(token)


async def test_a_provider_that_fails_says_why():
    async def fails(why):
        raise OSError("away")
    for provider, text in ((fails, "no token: OSError: away"), (lambda why: 1 / 0, "no token: ZeroDivisionError: division by zero"), (lambda why: 5, "no token: it is not a str")):
        with pytest.raises(NoToken, match=text):
            await TokenSource(provider).get(WHY)


def test_only_a_function_can_give_another_one():
    assert TokenSource(later).renewable and not TokenSource("a").renewable and not TokenSource(None).renewable
