import asyncio

import pytest

from nuropb_gateway_client import Closed, NotDelivered, ServiceError, TimeoutNotSent, TimeoutUnknown, UnknownOutcome
from nuropb_gateway_client.calls import Calls


class Made:
    def __init__(self):
        self.silences = []
        self.calls = Calls(3.0, self.silences.append)

    def add(self, ttl=60.0, idempotent=False, size=10):
        id = self.calls.next_id()
        return self.calls.add(id, lambda ttl_ms: f"{id} {ttl_ms}", size, ttl, idempotent)

    def sent(self, **more):
        call = self.add(**more)
        assert self.calls.outgoing(call)() is not None
        return call

    def empty(self):
        for call in list(self.calls._all.values()):
            self.calls.remove(call)
        return len(self.calls) == 0 and self.calls.unsent == 0


async def outcome(call):
    try:
        return await call.future
    except Exception as error:
        return error


async def test_a_text_is_made_when_it_is_sent():
    made = Made()
    call = made.add(ttl=5)
    await asyncio.sleep(2)
    assert made.calls.unsent == 1
    assert made.calls.outgoing(call)() == f"{call.id} 3000" and made.calls.unsent == 0
    assert made.calls.outgoing(call)() is None, "not twice"
    over = made.add()
    made.calls.remove(over)
    assert made.calls.outgoing(over)() is None, "not one that is over"
    assert made.empty()


async def test_the_first_outcome_counts():
    made = Made()
    call = made.sent()
    call.done(1)
    call.done(2)
    call.fail(ValueError())
    assert await call.future == 1 and made.empty()


async def test_its_time():
    made = Made()
    unsent, sent = made.add(ttl=1), made.sent(ttl=1)
    loop = asyncio.get_running_loop()
    since = loop.time()
    assert type(await outcome(unsent)) is TimeoutNotSent and loop.time() - since == pytest.approx(1)
    assert type(await outcome(sent)) is TimeoutUnknown and loop.time() - since == pytest.approx(4)
    assert made.silences == [since] and made.empty()


async def test_a_lost_session():
    made = Made()
    unsent, plain, twice = made.add(), made.sent(), made.sent(idempotent=True)
    made.calls.forsake()
    assert type(await outcome(plain)) is UnknownOutcome
    assert [call.id for call in made.calls.waiting()] == [unsent.id, twice.id] and made.calls.unsent == 2
    assert made.empty()


async def test_what_was_never_taken():
    made = Made()
    pending, lost = made.sent(), made.sent()
    made.calls.never_taken({pending.id})
    assert [call.id for call in made.calls.waiting()] == [lost.id] and made.empty()


async def test_the_largest_is_the_one_that_was_too_big():
    made = Made()
    small, large, unsent = made.sent(size=10), made.sent(size=100), made.add(size=1000)
    made.calls.too_big()
    error = await outcome(large)
    assert type(error) is ServiceError and error.code == 1009
    assert not small.future.done() and not unsent.future.done()
    Made().calls.too_big()
    assert made.empty()


async def test_the_end():
    made = Made()
    sent, unsent = made.sent(), made.add()
    why = Closed("closed by its user")
    made.calls.end(why)
    assert type(await outcome(sent)) is UnknownOutcome
    error = await outcome(unsent)
    assert type(error) is NotDelivered and str(error) == "not sent: closed by its user" and error.__cause__ is why and not error.retryable
    assert made.empty()


async def test_ids_are_of_this_client_alone():
    made = Made()
    call = made.add()
    assert made.calls.get(call.id) is call and made.calls.get({}) is None and made.calls.get(5) is None
    assert Made().calls.next_id() != Made().calls.next_id()
    assert made.empty()
