"""A shielded commit outlives the task that awaits it, and finds its connection closed.

The bug shows when the cancellation comes while the commit is half done: shield() keeps the commit
running, but the task goes on to close the connection. Waiting for the commit before the
cancellation goes on mends it.
"""

import asyncio

ROUND_TRIP = 0.01


class Connection:
    def __init__(self):
        self.open = True

    async def send(self, message):
        if not self.open:
            raise ConnectionError(f"{message} is sent on a closed connection")
        await asyncio.sleep(0)  # The transport takes the message.

    async def commit(self):
        await asyncio.sleep(ROUND_TRIP)  # The server prepares the transaction.
        await self.send("COMMIT")
        await self.send("END")


async def finish(connection, commit):
    try:
        await asyncio.shield(commit)
    finally:
        connection.open = False


async def careful_finish(connection, commit):
    try:
        await asyncio.shield(commit)
    except asyncio.CancelledError:
        await commit
        raise
    finally:
        connection.open = False


async def stop(task):
    await asyncio.sleep(ROUND_TRIP)  # The operator stops the service.
    task.cancel()


async def stopped_service(finish):
    connection = Connection()
    commit = asyncio.create_task(connection.commit())
    task = asyncio.create_task(finish(connection, commit))
    await asyncio.gather(task, stop(task), return_exceptions=True)
    await commit


async def broken():
    await stopped_service(finish)


async def mended():
    await stopped_service(careful_finish)
