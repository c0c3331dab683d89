"""A job is taken from a queue under a timeout, and is lost if the timeout comes after the taking.

The bug shows as a deadlock when job and timeout come together and the timeout is late by a few
turns: it cancels the worker that is acknowledging the job. A timeout around get() alone
mends it, for a get() that is cancelled leaves its item in the queue.
"""

import asyncio

ROUND_TRIP = 0.01
PATIENCE = 0.01


async def acknowledge(job):
    await asyncio.sleep(ROUND_TRIP)  # The broker records that the job has a worker.
    return job


async def next_job(jobs):
    return await acknowledge(await jobs.get())


async def worker(jobs):
    try:
        return await asyncio.wait_for(next_job(jobs), PATIENCE)
    except TimeoutError:
        # A pause in the work; the next job may take as long as it likes.
        return await next_job(jobs)


async def careful_worker(jobs):
    try:
        job = await asyncio.wait_for(jobs.get(), PATIENCE)
    except TimeoutError:
        job = await jobs.get()
    return await acknowledge(job)


async def client(jobs):
    await asyncio.sleep(ROUND_TRIP)  # The order is read from its socket.
    jobs.put_nowait("job")


async def one_job(worker):
    jobs = asyncio.Queue()
    job, _ = await asyncio.gather(worker(jobs), client(jobs))
    assert job == "job"


async def broken():
    await one_job(worker)


async def mended():
    await one_job(careful_worker)
