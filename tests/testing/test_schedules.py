"""Schedules: what may change its place in which level, tokens, replay, and refusals."""

import asyncio
import itertools
import random
import re
import threading

import pytest

import greenloop
import greenloop.testing
from greenloop.testing import Schedule, explore, run, with_faults
from greenloop.testing.simulation import run_once


async def two_sleepers():
    """The order in which two sleeps with the same deadline end."""
    order = []

    async def sleeper(name):
        await asyncio.sleep(1)
        order.append(name)

    await asyncio.gather(sleeper("a"), sleeper("b"))
    return "".join(order)


async def three_ready():
    """The order in which three tasks begin."""
    order = []

    async def note(name):
        order.append(name)

    await asyncio.gather(note("a"), note("b"), note("c"))
    return "".join(order)


async def three_deadlines():
    """The order in which three timers with different deadlines fire."""
    order = []
    loop = asyncio.get_running_loop()
    for name, delay in zip("abc", (1, 2, 3), strict=True):
        loop.call_later(delay, order.append, name)
    await asyncio.sleep(4)
    return "".join(order)


async def two_jobs():
    """The order in which the results of two jobs of an executor come."""
    order = []

    async def job(name):
        order.append(await asyncio.to_thread(str, name))

    await asyncio.gather(job("a"), job("b"))
    return "".join(order)


async def calls_of_one_thread():
    """The order in which the calls of one thread come."""
    loop = asyncio.get_running_loop()
    order = []
    done = asyncio.Event()

    def call():
        for name in "abc":
            loop.call_soon_threadsafe(order.append, name)
        loop.call_soon_threadsafe(done.set)

    thread = threading.Thread(target=call)
    thread.start()
    await done.wait()
    thread.join()
    return "".join(order)


async def calls_of_two_threads():
    """The order in which the calls of two threads come that live at the same time."""
    loop = asyncio.get_running_loop()
    order = []
    done = asyncio.Event()
    both_called = threading.Barrier(2)

    def call(name):
        loop.call_soon_threadsafe(order.append, name)
        both_called.wait()

    threads = [threading.Thread(target=call, args=(name,)) for name in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    loop.call_later(1, done.set)
    await done.wait()
    return "".join(order)


async def calls_of_joined_threads():
    """The order in which the calls come of threads that begin when others have ended.

    Others stay in between, so that the system cannot use one identifier again and again.
    """
    loop = asyncio.get_running_loop()
    order = []
    may_end = threading.Event()
    stay = []
    for names in ("ab", "cd", "ef"):
        both_called = threading.Barrier(2)

        def call(name, both_called):
            loop.call_soon_threadsafe(order.append, name)
            both_called.wait()

        threads = [threading.Thread(target=call, args=(name, both_called)) for name in names]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        stay.append(threading.Thread(target=may_end.wait))
        stay[-1].start()
    may_end.set()
    for thread in stay:
        thread.join()
    await asyncio.sleep(1)
    return "".join(order)


def orders(main, level, seeds=200):
    """The results of a program in many orders."""
    return {run(main, seed=seed, orders=level) for seed in range(seeds)}


def test_timers_with_the_same_deadline_come_in_any_order():
    assert orders(two_sleepers, "exact") == {"ab", "ba"}


def test_results_of_executors_come_in_any_order():
    assert orders(two_jobs, "exact") == {"ab", "ba"}


def test_calls_of_threads_that_live_at_the_same_time_come_in_any_order():
    assert orders(calls_of_two_threads, "exact") == {"ab", "ba"}


def test_calls_of_threads_that_begin_when_others_have_ended_come_behind_theirs():
    found = orders(calls_of_joined_threads, "exact")
    assert {each[:2] for each in found} == {"ab", "ba"}
    assert {each[2:4] for each in found} == {"cd", "dc"}
    assert {each[4:] for each in found} == {"ef", "fe"}


def test_what_asyncio_promises_stays_in_exact_orders():
    assert orders(three_ready, "exact") == {"abc"}
    assert orders(three_deadlines, "exact") == {"abc"}
    assert orders(calls_of_one_thread, "exact", 20) == {"abc"}


def test_any_ready_job_may_be_late_in_hostile_orders():
    permutations = {"".join(each) for each in itertools.permutations("abc")}
    assert orders(three_ready, "hostile", 1000) == permutations


@pytest.mark.parametrize(
    ("main", "order"), [(two_sleepers, "ab"), (three_ready, "abc"), (three_deadlines, "abc")]
)
def test_without_a_seed_the_order_is_asyncios(main, order):
    assert run(main) == run(main, orders="hostile") == order


def program(seed):
    """A random program on queues, locks, events and sleeps, and the list of what it does."""
    chance = random.Random(seed)
    plans = [[chance.randrange(6) for _ in range(12)] for _ in range(5)]
    log = []

    async def worker(name, plan, queue, lock, event):
        for number, action in enumerate(plan):
            if action == 0:
                await asyncio.sleep(chance_of(name, number))
            elif action == 1:
                await asyncio.sleep(0)
            elif action == 2:
                await queue.put((name, number))
            elif action == 3:
                if not queue.empty():
                    log.append(await queue.get())
            elif action == 4:
                async with lock:
                    await asyncio.sleep(0.5)
            else:
                event.set()
            log.append((name, number, asyncio.get_running_loop().time()))

    def chance_of(name, number):
        return ((name * 7 + number * 3) % 4) / 2

    async def main():
        queue, lock, event = asyncio.Queue(), asyncio.Lock(), asyncio.Event()
        workers = [worker(name, plan, queue, lock, event) for name, plan in enumerate(plans)]
        await asyncio.gather(*workers, return_exceptions=True)
        return tuple(log)

    return main


@pytest.mark.parametrize("level", ["exact", "hostile"])
def test_a_run_is_the_same_again_by_its_seed_and_by_its_deviations(level):
    for seed in range(50):
        schedule = Schedule.by_seed(seed, orders=level)
        first = run_once(program(seed), schedule)
        again = run_once(program(seed), schedule)
        assert (first.result, first.account.digest) == (again.result, again.account.digest)
        by_deviations = run_once(program(seed), schedule, deviations=first.account.deviations)
        assert first.result == by_deviations.result
        assert first.account.digest == by_deviations.account.digest
        if len(str(first.account.schedule)) <= 100:
            assert run(program(seed), schedule=str(first.account.schedule)) == first.result


def test_deviations_that_were_given_have_a_token_of_their_own_however_long():
    base = Schedule.asyncios(orders="hostile", late=40)
    longest = 0
    for seed in range(60):
        schedule = Schedule.by_seed(seed, orders="hostile", late=40)
        first = run_once(program(1), schedule)
        again = run_once(program(1), base, deviations=first.account.deviations)
        longest = max(longest, len(str(again.account.schedule)))
        assert run(program(1), schedule=again.account.schedule) == first.result
    assert longest > 100


def test_the_default_order_is_the_one_of_a_loop_that_is_not_simulated():
    for seed in range(50):
        simulated = run(program(seed), clock="virtual")
        names = [entry[:2] for entry in simulated]
        assert names == [entry[:2] for entry in run(program(seed), orders="hostile")]


def test_a_run_of_another_program_has_diverged_and_says_where():
    schedule = run_once(program(1), Schedule.by_seed(2, orders="hostile")).account.schedule
    with pytest.raises(greenloop.testing.Diverged, match=r"at point \d+ of \d+"):
        run(three_ready, schedule=schedule)


def test_a_token_says_what_it_is_of():
    schedule = Schedule.by_seed(7, orders="hostile", clock="real", late=40)
    read = Schedule.parse(str(schedule))
    assert read == schedule
    assert (read.orders, read.clock, read.late) == ("hostile", "real", 40)


@pytest.mark.parametrize("token", ["", "7", "g1", "g1hv4", "g2hv4.s1", "g1qv4.s1"])
def test_what_is_no_token_is_refused_by_name(token):
    with pytest.raises(ValueError, match="is no schedule"):
        run(three_ready, schedule=token)


def test_a_damaged_token_is_refused():
    with pytest.raises(ValueError, match="damaged"):
        run(three_ready, schedule="g1hv4.d1")


@pytest.mark.parametrize(
    "arguments",
    [
        {"seed": -1},
        {"seed": 2**64},
        {"orders": "any"},
        {"clock": "sun"},
        {"late": -1},
        {"seed": 1, "schedule": "g1hv4.s1"},
    ],
)
def test_wrong_arguments_are_refused(arguments):
    with pytest.raises(ValueError, match=r"."):
        run(three_ready, **arguments)


def test_an_exploration_without_a_choice_is_exhausted():
    exploration = explore(three_deadlines)
    assert (exploration.runs, exploration.exhausted) == (1, True)
    exploration.check()


def test_a_failure_is_shrunk_and_says_how_to_run_it_again():
    async def main():
        assert await two_sleepers() == "ab", "the other came first"

    exploration = explore(main)
    assert len(exploration.finding.account.deviations) == 1
    with pytest.raises(AssertionError, match="the other came first") as caught:
        exploration.check()
    assert f"the same again: {exploration.finding.schedule}" in caught.value.__notes__[0]


def test_a_simulation_can_be_ended_and_loses_nothing():
    loop = greenloop.new_event_loop()
    try:
        greenloop.testing.simulate(loop, Schedule.by_seed(1, orders="hostile"))
        assert loop.time() == 0.0
        with pytest.raises(RuntimeError, match="simulated already"):
            greenloop.testing.simulate(loop, Schedule.asyncios())
        done = []
        for number in range(100):
            loop.call_soon(done.append, number)
        loop.call_soon(loop.stop)
        loop.run_forever()
        greenloop.testing.end_simulation(loop)
        assert loop.time() > 0
        loop.call_later(0.01, loop.stop)
        loop.run_forever()
        assert sorted(done) == list(range(100))
    finally:
        loop.close()


def test_a_loop_of_asyncio_is_refused():
    loop = asyncio.SelectorEventLoop()
    try:
        with pytest.raises(TypeError, match="only Greenloop's loops"):
            greenloop.testing.simulate(loop, Schedule.asyncios())
    finally:
        loop.close()


def test_a_late_job_keeps_its_objects_collectable():
    import gc
    import weakref

    class Object:
        pass

    loop = greenloop.new_event_loop()
    greenloop.testing.simulate(loop, Schedule.by_seed(5, orders="hostile", late=1000))
    for _ in range(50):
        held = Object()
        held.loop = loop
        loop.call_soon(lambda held=held: None)
    loop.call_soon(loop.stop)
    loop.run_forever()
    watched = weakref.ref(held)
    loop.close()
    del held, loop
    gc.collect()
    assert watched() is None


async def fails_in_another_order():
    """Fails unless two sleeps with the same deadline end in the order of their beginnings."""
    assert await two_sleepers() == "ab"


def test_a_failure_is_drawn():
    exploration = explore(fails_in_another_order)
    diagram = exploration.finding.diagram
    with pytest.raises(AssertionError) as raised:
        exploration.check()
    assert raised.value.__notes__[-1] == diagram
    head = diagram.splitlines()[0]
    assert re.sub(r"\d+", "", head).split() == [
        "fails_in_another_order",
        *("sleeper", "(Task-)"),
        *("sleeper", "(Task-)"),
    ]
    assert "│ gather  " in diagram
    results = [line for line in diagram.splitlines() if "result" in line]
    # The second one, whose line is further to the right, ends first.
    assert results[0].count("╌") > results[1].count("╌") > 0


def test_of_a_process_that_is_recorded_no_failure_is_recorded_alone():
    with greenloop.trace() as recording:
        finding = explore(fails_in_another_order).finding
    assert finding.trace is None
    assert finding.diagram is None
    assert len(recording.result)


def test_a_failure_that_no_schedule_decides_is_not_drawn():
    runs = []

    async def fails_once():
        runs.append(1)
        assert len(runs) > 1

    finding = explore(fails_once).finding
    assert finding.trace is None
    assert finding.diagram is None


async def three_sleepers():
    """The order in which three sleeps with the same deadline end."""
    order = []

    async def sleeper(name):
        await asyncio.sleep(1)
        order.append(name)

    await asyncio.gather(sleeper("a"), sleeper("b"), sleeper("c"))
    return "".join(order)


@pytest.mark.parametrize(("bound", "orders"), [(0, 1), (1, 4), (2, 6), (3, 6)])
def test_a_bounded_search_tries_all_orders_with_so_many_deviations(bound, orders):
    seen = []

    async def main():
        seen.append(await three_sleepers())

    # Without lateness a choice is which of the others pass a job.
    exploration = explore(main, bound=bound, late=0)
    assert exploration.exhausted
    assert exploration.finding is None
    assert exploration.runs == len(seen)
    assert seen[0] == "abc"
    # No order is tried twice.
    assert len(set(seen)) == len(seen) == orders


def test_a_bounded_search_of_a_random_program_repeats_no_order_and_finds_its_bug():
    digests = set()

    async def main():
        await program(5)()

    base = Schedule.asyncios()
    limits = run_once(main, base, limits=True).account.limits
    expected = 1 + sum(limits)
    exploration = explore(main, bound=1, schedules=10_000)
    assert exploration.exhausted
    assert exploration.runs == expected
    for point, most in enumerate(limits):
        for by in range(1, most + 1):
            account = run_once(main, base, deviations=[(point, by)]).account
            assert account.deviations == ((point, by),)
            digests.add(account.deviations)
    assert len(digests) == expected - 1

    exploration = explore(fails_in_another_order, bound=1)
    assert len(exploration.finding.account.deviations) == 1
    assert not exploration.exhausted


def test_a_bounded_search_tries_faults_with_and_without_deviations():
    seen = []

    async def main():
        order = []

        async def sleeper(name):
            await asyncio.sleep(1)
            order.append(name)

        await asyncio.gather(sleeper("a"), with_faults(sleeper("b"), [OSError]))
        seen.append("".join(order))

    exploration = explore(main, bound=1, late=0)
    assert exploration.exhausted
    assert set(seen) == {"a", "ab", "ba"}
    with pytest.raises(ValueError, match="a bound is a number of deviations from 0, not -1"):
        explore(main, bound=-1)
