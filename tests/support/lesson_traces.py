"""Traces of the programs in `examples/lesson`, written by hand."""

from trace_builder import MICROSECOND, SECOND, TraceBuilder


def producer_sets_pace(rounds=10, interval=2 * SECOND):
    """Lesson 1: the producer puts and sleeps, the consumer waits for it, `stop` ends the input."""
    trace = TraceBuilder()
    trace.add("loop-started")
    main = trace.spawn(0, "Task-1", "main")
    trace.add("step-began", main)
    queue = trace.resource("queue", "queue.get", "Queue", maker=main)
    trace.add("resource-made", main, queue, "queue.get")
    all_sent = trace.resource("all_sent", "event", "Event", maker=main)
    trace.add("resource-made", main, all_sent, "event")
    producer = trace.spawn(main, "Task-2", "Producer.run")
    consumer = trace.spawn(main, "Task-3", "Consumer.run")
    stop = trace.spawn(main, "Task-4", "Producer.stop")
    trace.add("wait-began", main, 0, "gather")
    trace.add("step-ended", main)

    def sleep(task, duration):
        trace.add("wait-began", task, 0, "sleep", trace.now + MICROSECOND + duration)

    def finish(task):
        trace.add("task-finished", task, 0, "returned")
        trace.add("step-ended", task)

    def consume(last=False):
        trace.add("step-began", consumer)
        trace.add("get", consumer, queue, value=0)
        if last:
            finish(consumer)
        else:
            trace.add("wait-began", consumer, queue, "queue.get")
            trace.add("step-ended", consumer)

    def expire(task, moment):
        trace.add("poll-began", value=moment - trace.now)
        trace.advance(max(0, moment - trace.now))
        trace.add("poll-ended")
        trace.add("timer-expired", 0, task)
        trace.wake(task)

    # The first round: nobody waits for the item yet, for the consumer takes its first step later.
    trace.add("step-began", producer)
    trace.add("put", producer, queue, value=1)
    sleep(producer, interval)
    started = trace.now
    trace.add("step-ended", producer)
    consume()
    trace.add("step-began", stop)
    sleep(stop, rounds * interval + interval // 2)
    trace.add("step-ended", stop)
    for number in range(1, rounds):
        expire(producer, started + number * interval)
        trace.add("step-began", producer)
        trace.add("put", producer, queue, value=1)
        trace.wake(consumer, producer, "task")
        sleep(producer, interval)
        trace.add("step-ended", producer)
        consume()
    expire(producer, started + rounds * interval)
    trace.add("step-began", producer)
    trace.add("set", producer, all_sent)
    finish(producer)
    expire(stop, started + rounds * interval + interval // 2)
    trace.add("step-began", stop)
    trace.add("put", stop, queue, value=1)
    trace.wake(consumer, stop, "task")
    finish(stop)
    consume(last=True)
    trace.wake(main, 0, "callback")
    trace.add("step-began", main)
    finish(main)
    trace.add("loop-stopped")
    return trace
