"""A task of a group takes its cancellation for a failure of the mirror, and goes on.

The bug shows when the disk is found to be full before the download ends: the group cancels the
download, which swallows the CancelledError and starts anew. Catching only the errors of a mirror
mends it.
"""

import asyncio

ROUND_TRIP = 0.01


class DiskFull(Exception):
    pass


async def read_file():
    await asyncio.sleep(ROUND_TRIP)  # The headers.
    await asyncio.sleep(0)  # The body, which is already in the buffer.


async def download(tried):
    for mirror in ("north", "south"):
        tried.append(mirror)
        try:
            return await read_file()
        except (OSError, asyncio.CancelledError):
            continue


async def careful_download(tried):
    for mirror in ("north", "south"):
        tried.append(mirror)
        try:
            return await read_file()
        except OSError:
            continue


async def watch_disk():
    await asyncio.sleep(ROUND_TRIP)
    raise DiskFull


async def download_until_full(download):
    tried = []
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(download(tried))
            group.create_task(watch_disk())
    except* DiskFull:
        pass
    assert "south" not in tried, "the cancelled download went on with the next mirror"


async def broken():
    await download_until_full(download)


async def mended():
    await download_until_full(careful_download)
