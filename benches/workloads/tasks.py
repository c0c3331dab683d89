"""Tasks: creating them, waiting for one, for many, eagerly, shielded, in a context of their own."""

from __future__ import annotations

import asyncio
import contextvars

from .definition import workload


async def _child() -> int:
    return 1


@workload(
    "create-task",
    "create_task + await",
    operation="one task created and awaited",
    operations=20_000,
)
async def create_and_await(operations: int) -> int:
    done = 0
    for _ in range(operations):
        done += await asyncio.create_task(_child())
    return done


@workload("gather-100", "gather(100), per child", operation="one child", operations=40_000)
async def gather_hundred(operations: int) -> int:
    done = 0
    for _ in range(operations // 100):
        done += sum(await asyncio.gather(*[_child() for _ in range(100)]))
    return done


@workload("task-group-100", "TaskGroup(100), per child", operation="one child", operations=20_000)
async def task_group_of_hundred(operations: int) -> int:
    done = 0
    for _ in range(operations // 100):
        async with asyncio.TaskGroup() as group:
            children = [group.create_task(_child()) for _ in range(100)]
        done += sum(child.result() for child in children)
    return done


@workload(
    "eager-factory",
    "create_task + await, eager_task_factory",
    operation="one task that ends in its eager step",
    operations=50_000,
    minimum_python=(3, 12),
)
async def eager_task_factory(operations: int) -> int:
    loop = asyncio.get_running_loop()
    previous = loop.get_task_factory()
    loop.set_task_factory(asyncio.eager_task_factory)
    done = 0
    try:
        for _ in range(operations):
            done += await asyncio.create_task(_child())
    finally:
        loop.set_task_factory(previous)
    return done


@workload(
    "eager-start",
    "create_task(eager_start=True) + await",
    operation="one task that ends in its eager step",
    operations=50_000,
    minimum_python=(3, 14),
)
async def eager_start(operations: int) -> int:
    done = 0
    for _ in range(operations):
        done += await asyncio.create_task(_child(), eager_start=True)
    return done


@workload("shield", "shield", operation="one child shielded and awaited", operations=10_000)
async def shielded_children(operations: int) -> int:
    done = 0
    for _ in range(operations):
        done += await asyncio.shield(_child())
    return done


_counted = contextvars.ContextVar("_counted", default=0)


@workload(
    "task-context",
    "create_task in a context copy",
    operation="one context copied, one task that writes to it created and awaited",
    operations=20_000,
)
async def task_in_context_copy(operations: int) -> int:
    async def write() -> int:
        _counted.set(_counted.get() + 1)
        return _counted.get()

    done = 0
    for _ in range(operations):
        # The writer must see the caller's value and not leave its own behind: 1 every time.
        done += await asyncio.create_task(write(), context=contextvars.copy_context())
    return done
