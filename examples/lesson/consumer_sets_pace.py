"""Lesson 2: the same program, but the consumer sets the pace.

Now it is the consumer that needs two seconds for a message, and the producer waits until the last
one is dealt with before it sends the next. There are two ways to wait beside the queue:

--mode join   the consumer reports each message with `task_done`, the producer waits in `join`;
--mode event  an `asyncio.Event` is the consumer's sign that it is ready for another message.
"""

import argparse
import asyncio

END_OF_INPUT = None


class JoiningProducer:
    """Sends a message, then waits until every message sent has been reported as done."""

    def __init__(self, rounds):
        self.queue = asyncio.Queue()
        self.rounds = rounds

    async def run(self):
        for number in range(1, self.rounds + 1):
            await self.queue.put(f"Round {number}")
            await self.queue.join()
        await self.queue.put(END_OF_INPUT)


class ReportingConsumer:
    """Takes its time over a message, and reports it as done afterwards."""

    def __init__(self, queue, interval):
        self.queue = queue
        self.interval = interval

    async def run(self):
        while (message := await self.queue.get()) is not END_OF_INPUT:
            print(message)
            await asyncio.sleep(self.interval)
            self.queue.task_done()
        print("[End of input]")


class WaitingProducer:
    """Waits for the sign before it sends anything at all, the end of the input included."""

    def __init__(self, rounds, consumer_is_ready):
        self.queue = asyncio.Queue()
        self.rounds = rounds
        self.consumer_is_ready = consumer_is_ready

    async def run(self):
        for number in range(1, self.rounds + 1):
            await self.send(f"Round {number}")
        await self.send(END_OF_INPUT)

    async def send(self, message):
        await self.consumer_is_ready.wait()
        self.consumer_is_ready.clear()
        await self.queue.put(message)


class SigningConsumer:
    """Gives the sign whenever it has nothing left to do."""

    def __init__(self, queue, interval, ready):
        self.queue = queue
        self.interval = interval
        self.ready = ready

    async def run(self):
        self.ready.set()
        while (message := await self.queue.get()) is not END_OF_INPUT:
            print(message)
            await asyncio.sleep(self.interval)
            self.ready.set()
        print("[End of input]")


async def main(mode, rounds, interval):
    if mode == "join":
        producer = JoiningProducer(rounds)
        consumer = ReportingConsumer(producer.queue, interval)
    else:
        ready = asyncio.Event()
        producer = WaitingProducer(rounds, ready)
        consumer = SigningConsumer(producer.queue, interval, ready)
    await asyncio.gather(producer.run(), consumer.run())


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--mode", choices=["join", "event"], default="join")
    parser.add_argument("--interval", type=float, default=2, help="seconds for each message")
    parser.add_argument("--rounds", type=int, default=10, help="how many rounds to send")
    arguments = parser.parse_args()
    asyncio.run(main(arguments.mode, arguments.rounds, arguments.interval))
