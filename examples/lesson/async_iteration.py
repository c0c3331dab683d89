"""Lesson 3: producers that can be iterated over with `async for`.

There is no queue any more. A producer is an asynchronous iterable: its `__aiter__` is an async
generator, which sleeps and yields in turn, and it makes nothing until somebody asks. The consumer
asks three producers one after the other, and so hears a, b, c, a, b, c, ...
"""

import argparse
import asyncio


class Producer:
    """An asynchronous iterable of messages, which takes its time over each."""

    def __init__(self, name, rounds, interval):
        self.name = name
        self.rounds = rounds
        self.interval = interval

    async def __aiter__(self):
        for number in range(1, self.rounds + 1):
            await asyncio.sleep(self.interval)
            yield f"Round {self.name}{number}"


class Consumer:
    """Prints what it gets from its producers, taking one message of each in turn."""

    def __init__(self, producers):
        self.producers = producers

    async def run(self):
        async for message in self.messages():
            print(message)
        print("[End of input]")

    async def messages(self):
        iterators = [aiter(producer) for producer in self.producers]
        while iterators:
            for iterator in list(iterators):
                try:
                    yield await anext(iterator)
                except StopAsyncIteration:
                    iterators.remove(iterator)


async def main(rounds, interval):
    producers = [Producer(name, rounds, interval) for name in "abc"]
    await Consumer(producers).run()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--interval", type=float, default=2, help="seconds for each message")
    parser.add_argument("--rounds", type=int, default=5, help="how many rounds of each producer")
    arguments = parser.parse_args()
    asyncio.run(main(arguments.rounds, arguments.interval))
