"""The coroutines that tasks are made of, one that ends at once and one that never does."""

import asyncio


async def nothing():
    pass


async def forever():
    await asyncio.get_running_loop().create_future()


def finish(loop, task):
    """Run the loop until the task is done; leave its exception alone."""
    loop.run_until_complete(asyncio.wait([task]))
    return task
