"""Lesson 1: a producer and a consumer, and the producer sets the pace.

Three things happen at once in one thread: the producer sends a message every two seconds, the
consumer prints what arrives, and a third coroutine ends the input after twenty. None of them knows
of the others' timing; they meet at the queue, and `asyncio.gather` runs them side by side.
"""

import argparse
import asyncio

END_OF_INPUT = None


class Producer:
    """Owns the queue and fills it."""

    def __init__(self, rounds, interval):
        self.queue = asyncio.Queue()
        self.rounds = rounds
        self.interval = interval
        self.all_sent = asyncio.Event()

    async def run(self):
        for number in range(1, self.rounds + 1):
            await self.send(f"Round {number}")
        self.all_sent.set()

    async def send(self, message):
        await self.queue.put(message)
        await asyncio.sleep(self.interval)

    async def stop(self, timeout):
        await asyncio.sleep(timeout)
        # On a machine that lags behind, the last rounds may still be on their way.
        await self.all_sent.wait()
        await self.queue.put(END_OF_INPUT)


class Consumer:
    """Prints what it gets from the queue, until the input ends."""

    def __init__(self, queue):
        self.queue = queue

    async def run(self):
        while (message := await self.queue.get()) is not END_OF_INPUT:
            print(message)
        print("[End of input]")


async def main(rounds, interval):
    producer = Producer(rounds, interval)
    consumer = Consumer(producer.queue)
    await asyncio.gather(producer.run(), consumer.run(), producer.stop(rounds * interval))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--interval", type=float, default=2, help="seconds between two rounds")
    parser.add_argument("--rounds", type=int, default=10, help="how many rounds to send")
    arguments = parser.parse_args()
    asyncio.run(main(arguments.rounds, arguments.interval))
