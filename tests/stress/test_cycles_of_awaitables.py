"""An awaitable that its owner leads back to is collected with it, at whatever stage it is."""

import asyncio
import gc
import sys
import weakref

import pytest
from blocking import BLOCKINGS

import greenloop
from loop_turns import run_turns


class Holder:
    """What others are kept in, and what can be referenced weakly."""


def make_future(api):
    return asyncio.get_running_loop().create_future()


# What makes the owner, and what makes an awaitable that leads to it.
AWAITABLES = {
    **{
        blocking.name: (blocking.make, lambda api, owner, wait=blocking.wait: wait(owner))
        for blocking in BLOCKINGS
    },
    "Queue.put, with a loop back": (
        lambda api: api.Queue(1),
        lambda api, owner: owner.put(owner),
    ),
    "sleep": (lambda api: Holder(), lambda api, owner: api.sleep(1000, owner)),
    "sleep(0)": (lambda api: Holder(), lambda api, owner: api.sleep(0, owner)),
    "wait_for": (make_future, lambda api, owner: api.wait_for(owner, 1000)),
    "wait": (make_future, lambda api, owner: api.wait([owner])),
    "as_completed": (make_future, lambda api, owner: next(iter(api.as_completed([owner])))),
    "timeout": (lambda api: api.timeout(1000), lambda api, owner: owner.__aenter__()),
    "TaskGroup": (lambda api: api.TaskGroup(), lambda api, owner: owner.__aenter__()),
    "a future": (make_future, lambda api, owner: owner.__await__()),
}


def leave(loop, awaitable):
    """The awaitable never begins."""


def advance(loop, awaitable):
    """The awaitable waits, or ended at once."""
    try:
        awaitable.send(None)
    except (StopIteration, RuntimeError):
        # A scope asks for a current task, and there is none in a callback.
        pass


def give_to_a_task(loop, awaitable):
    """A task is made of the awaitable."""
    if asyncio.iscoroutine(awaitable):
        task = loop.create_task(awaitable)
        task._log_destroy_pending = False
        return task


# What is done with the awaitable, and how many turns the loop makes afterwards.
STAGES = {
    "never begun": (leave, 0),
    "begun by hand": (advance, 0),
    "of a task that never ran": (give_to_a_task, 0),
    "of a task that waits": (give_to_a_task, 3),
}


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("api", [asyncio, greenloop], ids=["asyncio's", "greenloop's"])
@pytest.mark.parametrize("stage", STAGES.values(), ids=STAGES.keys())
@pytest.mark.parametrize("awaitable", AWAITABLES.values(), ids=AWAITABLES.keys())
def test_what_leads_to_itself_is_collected_with_its_closed_loop(
    loop_factory, awaitable, stage, api, monkeypatch
):
    # pytest's own hook keeps the exceptions, whose frames may lead to the owner.
    monkeypatch.setattr(sys, "unraisablehook", lambda one: None)
    make, wait = awaitable
    treat, turns = stage

    def keep(loop):
        owner = make(api)
        owner.holder = Holder()
        owner.holder.loop = loop
        references.append(weakref.ref(owner.holder))
        owner.awaitable = wait(api, owner)
        owner.treated = treat(loop, owner.awaitable)

    loop = loop_factory()
    references = [weakref.ref(loop)]
    loop.call_soon(keep, loop)
    run_turns(loop, turns + 1)
    loop.close()
    loop = None
    gc.collect()
    gc.collect()
    assert [reference() for reference in references] == [None, None]
