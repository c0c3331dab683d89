"""A producer hands a million messages to a consumer, one at a time, and the program times itself.

The queue holds one message, so that every message is a switch from one task to the other: the time
is the scheduler's and the queue's, hardly the program's own. Plain asyncio; `side_by_side.py` runs
it on asyncio and on Greenloop.
"""

import argparse
import asyncio
import json
import sys
import time


async def produce(queue, messages):
    for number in range(1, messages + 1):
        await queue.put(number)
    await queue.put(None)


async def consume(queue, messages, report):
    total = 0
    step = max(messages // 100, 1)
    while (number := await queue.get()) is not None:
        total += number
        if number % step == 0:
            report(number)
    return total


async def main(messages, report):
    queue = asyncio.Queue(maxsize=1)
    _, total = await asyncio.gather(produce(queue, messages), consume(queue, messages, report))
    return total


def report_nothing(_):
    pass


def report_progress(number):
    print(number, file=sys.stderr, flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--messages", type=int, default=1_000_000)
    parser.add_argument(
        "--progress", action="store_true", help="write how many have arrived to standard error"
    )
    arguments = parser.parse_args()

    report = report_progress if arguments.progress else report_nothing

    wall, cpu = time.perf_counter(), time.process_time()
    total = asyncio.run(main(arguments.messages, report))
    result = {
        "messages": arguments.messages,
        "total": total,
        "wall_seconds": round(time.perf_counter() - wall, 3),
        "cpu_seconds": round(time.process_time() - cpu, 3),
    }
    print(json.dumps(result))
