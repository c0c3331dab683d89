"""A program whose tasks await each other in every way, for tests that look at it from outside.

It is run as `python awaiting_tasks.py asyncio` or `greenloop`, writes a line when all tasks wait,
and ends with its standard input.
"""

import asyncio
import importlib
import sys


async def leaf(kit):
    await kit.Event().wait()


async def await_task(task):
    await task


async def await_within(kit, task):
    await kit.wait_for(task, 1000)


async def gather(kit):
    await kit.gather(kit.create_task(leaf(kit), name="gathered"))


async def group(kit):
    async with kit.TaskGroup() as tasks:
        tasks.create_task(leaf(kit), name="grouped")


async def main(kit):
    queue, leaves = kit.Queue(), {}
    for name in ["awaited", "awaited-twice", "awaited-in-time", "alone"]:
        leaves[name] = kit.create_task(leaf(kit), name=name)
    waiting = [
        kit.create_task(await_task(leaves["awaited"]), name="awaiting"),
        kit.create_task(await_task(leaves["awaited-twice"]), name="awaiting-1"),
        kit.create_task(await_task(leaves["awaited-twice"]), name="awaiting-2"),
        kit.create_task(await_within(kit, leaves["awaited-in-time"]), name="awaiting-in-time"),
        kit.create_task(gather(kit), name="gathering"),
        kit.create_task(group(kit), name="grouping"),
        # Tasks whose coroutine is native, and which stand in one line.
        *(kit.create_task(queue.get(), name=f"getting-{number}") for number in range(4)),
    ]
    await kit.sleep(0.01)
    print("all tasks wait", flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    for task in [*waiting, *leaves.values()]:
        task.cancel()


if __name__ == "__main__":
    kit = importlib.import_module(sys.argv[1])
    kit.run(main(kit))
