"""timeout: when it cancels, what becomes of the cancellation, and whose cancellation it was."""

import asyncio
import sys

import pytest

from primitives_under_test import turns

IN_TIME = 1000
OVER = -1000


async def forever():
    await asyncio.get_running_loop().create_future()


def now():
    return asyncio.get_running_loop().time()


def test_a_body_in_time_is_left_alone(scopes):
    async def main():
        async with scopes.timeout(IN_TIME) as scope:
            await turns(2)
            assert repr(scope).startswith("<Timeout [active] when=")
        return scope.expired(), repr(scope), asyncio.current_task().cancelling()

    assert scopes.run(main()) == (False, "<Timeout [finished]>", 0)


def test_the_cancellation_becomes_a_timeout_error_with_it_as_cause(scopes):
    async def main():
        with pytest.raises(TimeoutError) as raised:
            async with scopes.timeout(0.001) as scope:
                await forever()
        error = raised.value
        assert type(error.__cause__) is asyncio.CancelledError
        assert error.__context__ is error.__cause__
        return scope.expired(), repr(scope), asyncio.current_task().cancelling()

    assert scopes.run(main()) == (True, "<Timeout [expired]>", 0)


@pytest.mark.parametrize("make", ["timeout", "timeout_at"])
def test_a_deadline_in_the_past_cancels_at_the_first_wait(scopes, make):
    async def main():
        reached = []
        with pytest.raises(TimeoutError):
            async with getattr(scopes, make)(OVER):
                reached.append("the body")
                await turns(1)
                reached.append("the next turn")
        return reached

    assert scopes.run(main()) == ["the body"]


def test_a_body_that_does_not_wait_outruns_any_deadline(scopes):
    async def main():
        async with scopes.timeout(OVER) as scope:
            pass
        await turns(3)
        return scope.expired(), asyncio.current_task().cancelling()

    assert scopes.run(main()) == (False, 0)


def test_a_timer_never_fires_early_nor_much_too_late(scopes):
    async def main():
        for delay in (0.0003, 0.0021):
            begun = now()
            with pytest.raises(TimeoutError):
                async with scopes.timeout(delay) as scope:
                    assert scope.when() == pytest.approx(begun + delay, abs=0.2)
                    await forever()
            assert now() >= scope.when()

    scopes.run(main())


@pytest.mark.parametrize("delay", [None, IN_TIME])
def test_without_a_deadline_and_before_it_other_exceptions_pass(scopes, delay):
    async def main():
        with pytest.raises(KeyError):
            async with scopes.timeout(delay) as scope:
                raise KeyError
        assert not scope.expired()
        task = asyncio.current_task()
        with pytest.raises(asyncio.CancelledError):
            async with scopes.timeout(delay):
                task.cancel()
                await turns(1)
        return task.uncancel()

    assert scopes.run(main()) == 0


def test_a_deadline_can_be_moved_both_ways_and_taken_away(scopes):
    async def main():
        async with scopes.timeout(OVER) as scope:
            scope.reschedule(None)
            assert scope.when() is None
            assert repr(scope) == "<Timeout [active] when=None>"
            await turns(3)
            scope.reschedule(now() + IN_TIME)
            await turns(3)
            moved = scope.when()
            with pytest.raises(asyncio.CancelledError):
                scope.reschedule(OVER)
                await turns(3)
            assert scope.expired()
            return moved > now()

    assert scopes.run(main())


def test_somebody_else_can_move_the_deadline(scopes):
    async def main():
        with pytest.raises(TimeoutError):
            async with scopes.timeout(None) as scope:
                asyncio.get_running_loop().call_soon(scope.reschedule, 0)
                await forever()

    scopes.run(main())


def test_a_timeout_is_entered_once_and_moved_only_while_it_is_active(scopes):
    async def main():
        scope = scopes.timeout(IN_TIME)
        assert repr(scope) == "<Timeout [created]>"
        with pytest.raises(RuntimeError, match="^Timeout has not been entered$"):
            scope.reschedule(1)
        async with scope:
            pass
        with pytest.raises(RuntimeError, match="^Timeout has already been entered$"):
            async with scope:
                pass
        with pytest.raises(RuntimeError, match="^Cannot change state of finished Timeout$"):
            scope.reschedule(1)
        with pytest.raises(AssertionError):
            await scope.__aexit__(None, None, None)
        with pytest.raises(TimeoutError):
            async with scopes.timeout(0) as scope:
                try:
                    await forever()
                finally:
                    with pytest.raises(RuntimeError, match="state of expiring Timeout"):
                        scope.reschedule(None)

    scopes.run(main())


def test_it_needs_a_loop_and_a_task(scopes):
    with pytest.raises(RuntimeError, match="no running event loop"):
        scopes.timeout(1)
    with pytest.raises(RuntimeError, match="no running event loop"):
        scopes.timeout(None)
    refused = []

    async def main():
        def callback():
            try:
                scopes.timeout(1).__aenter__().send(None)
            except RuntimeError as error:
                refused.append(str(error))

        asyncio.get_running_loop().call_soon(callback)
        await turns(2)

    scopes.run(main())
    assert refused == ["Timeout should be used inside a task"]


@pytest.mark.parametrize(
    ("outer", "inner", "expired"), [(0, IN_TIME, "outer"), (IN_TIME, 0, "inner")]
)
def test_of_two_nested_timeouts_only_the_one_that_expired_raises(scopes, outer, inner, expired):
    async def main():
        raised = []
        try:
            async with scopes.timeout(outer):
                try:
                    async with scopes.timeout(inner):
                        await forever()
                except TimeoutError:
                    raised.append("inner")
        except TimeoutError:
            raised.append("outer")
        return raised, asyncio.current_task().cancelling()

    assert scopes.run(main()) == ([expired], 0)


def test_if_both_expire_both_requests_are_taken_back(scopes):
    async def main():
        with pytest.raises(TimeoutError) as raised:
            async with scopes.timeout(0) as outer:
                async with scopes.timeout(0) as inner:
                    await forever()
        return (
            outer.expired(),
            inner.expired(),
            type(raised.value.__cause__),
            asyncio.current_task().cancelling(),
        )

    assert scopes.run(main()) == (True, True, asyncio.CancelledError, 0)


def test_a_cancellation_from_outside_wins_over_the_deadline(scopes):
    async def main():
        async def body():
            async with scopes.timeout(0):
                await forever()

        task = asyncio.create_task(body())
        await turns(1)
        task.cancel("from outside")
        with pytest.raises(asyncio.CancelledError):
            await task
        return task.cancelled(), task.cancelling()

    assert scopes.run(main()) == (True, 1)


def test_a_body_may_swallow_the_cancellation(scopes):
    async def main():
        async with scopes.timeout(0) as scope:
            with pytest.raises(asyncio.CancelledError):
                await forever()
        return scope.expired(), asyncio.current_task().cancelling()

    assert scopes.run(main()) == (True, 0)


@pytest.mark.skipif(sys.version_info < (3, 13), reason="asyncio does so from 3.13 on")
def test_what_the_body_makes_of_the_cancellation_says_that_time_was_up(scopes):
    async def main():
        with pytest.raises(ExceptionGroup) as raised:
            async with scopes.timeout(0):
                try:
                    await forever()
                except asyncio.CancelledError:
                    try:
                        raise KeyError
                    except KeyError as error:
                        raise ExceptionGroup("both", [error]) from None
        group = raised.value
        member = group.exceptions[0]
        return type(group.__context__), type(member.__context__), type(member.__context__.__cause__)

    assert scopes.run(main()) == (KeyError, TimeoutError, asyncio.CancelledError)


def test_an_inherited_timeout_calls_its_own_methods(scopes):
    class Watched(scopes.Timeout):
        def reschedule(self, when):
            called.append("reschedule")
            super().reschedule(when)

        def _on_timeout(self):
            called.append("on_timeout")
            super()._on_timeout()

    called = []

    async def main():
        with pytest.raises(TimeoutError):
            async with Watched(0):
                await forever()

    scopes.run(main())
    assert called == ["reschedule", "on_timeout"]


def test_ended_timeouts_keep_neither_timers_nor_what_they_guarded(scopes):
    async def main():
        for _ in range(1000):
            async with scopes.timeout(IN_TIME):
                await turns(1)
        return len(asyncio.get_running_loop()._scheduled)

    assert scopes.run(main()) < 200
