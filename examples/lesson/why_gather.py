"""Lesson 4: why the three coroutines of lesson 1 are gathered, and not awaited one by one.

`await` means "do not go on until this is finished". Awaited one after the other, the consumer only
starts when the producer has sent everything, and the coroutine that would end the input is never
started at all: the program would hang for ever. Here a timeout bounds the wait, and the program
says what it sees.

With `--for-ever` nothing bounds the wait, so that a tool which finds deadlocks can tell of it.
"""

import argparse
import asyncio

from producer_sets_pace import Consumer, Producer


async def main(rounds, interval, for_ever):
    producer = Producer(rounds, interval)
    consumer = Consumer(producer.queue)
    timeout = None if for_ever else rounds * interval

    print("1. await producer.run()")
    await producer.run()
    print(f"   It sent for {rounds} rounds, and nobody listened.")
    print(f"   The queue holds {producer.queue.qsize()} messages.")

    print("2. await consumer.run()")
    try:
        async with asyncio.timeout(timeout):
            await consumer.run()
    except TimeoutError:
        print("   It got every message at once, and then waited for the end of the input.")
        print(f"   Given up after {timeout:g} seconds; by itself it would wait for ever.")

    print("3. await producer.stop(...)")
    print("   Never reached: it would have ended the input, but it stands behind the wait for it.")
    print()
    print("Each of the three needs the others to be running. asyncio.gather starts all three")
    print("before it waits for any of them.")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--interval", type=float, default=2, help="seconds between two rounds")
    parser.add_argument("--rounds", type=int, default=10, help="how many rounds to send")
    parser.add_argument("--for-ever", action="store_true", help="wait without a limit")
    arguments = parser.parse_args()
    asyncio.run(main(arguments.rounds, arguments.interval, arguments.for_ever))
