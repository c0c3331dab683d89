"""OpenTelemetry collects the numbers of a watched program, by its own reader."""

import asyncio

import pytest

import greenloop

pytest.importorskip("opentelemetry.sdk.metrics")

from opentelemetry.sdk.metrics import MeterProvider  # noqa: E402
from opentelemetry.sdk.metrics.export import InMemoryMetricReader  # noqa: E402


def collected(reader):
    """The metrics of one collection: type of the data, unit, and values by those of the labels."""
    found = {}
    for of_resource in reader.get_metrics_data().resource_metrics:
        for scope in of_resource.scope_metrics:
            for metric in scope.metrics:
                values = {
                    tuple(point.attributes.values()): point.value
                    for point in metric.data.data_points
                }
                found[metric.name] = (type(metric.data).__name__, metric.unit, values)
    return found


@pytest.fixture
def reader():
    return InMemoryMetricReader()


@pytest.fixture
def meter(reader):
    provider = MeterProvider([reader])
    yield provider.get_meter("test")
    provider.shutdown()


def test_tasks_steps_and_lag_are_collected(reader, meter):
    async def wait_for_ever(queue):
        await queue.get()

    async def main():
        queue = greenloop.Queue()
        waiters = [greenloop.create_task(wait_for_ever(queue)) for _ in range(3)]
        await greenloop.sleep(0.01)
        with greenloop.watch() as watching:
            watching.instrument(meter)
            first = collected(reader)
            for _ in range(50):
                await greenloop.sleep(0)
            waiters.pop().cancel()
            await greenloop.sleep(0.01)
            second = collected(reader)
        for waiter in waiters:
            waiter.cancel()
        return first, second

    first, second = greenloop.run(main())
    assert first["greenloop.tasks.waiting"] == ("Gauge", "", {("queue.get",): 3})
    assert second["greenloop.tasks.waiting"] == ("Gauge", "", {("queue.get",): 2})
    type_, unit, steps = second["greenloop.loop.steps"]
    assert (type_, unit) == ("Sum", "")
    (before,), (after,) = first["greenloop.loop.steps"][2].values(), steps.values()
    assert after - before >= 50
    type_, unit, lag = second["greenloop.loop.lag"]
    assert (type_, unit) == ("Gauge", "s")
    assert {quantile for _, quantile in lag} == {"0.5", "0.99"}
    assert all(0 < value < 10 for value in lag.values())
    assert sum(second["greenloop.loop.lag.count"][2].values()) > 0


def test_a_deadlock_is_counted(reader, meter):
    async def main():
        queue = greenloop.Queue()
        with greenloop.watch() as watching:
            watching.instrument(meter)
            stuck = greenloop.create_task(queue.get())
            del queue
            for _ in range(100):
                await greenloop.sleep(0.05)
                if collected(reader)["greenloop.current.deadlocks"][2] == {(): 1}:
                    break
            counted = collected(reader)["greenloop.deadlocks"]
            stuck.cancel()
        return counted

    assert greenloop.run(main()) == ("Sum", "", {(): 1})


def test_the_global_provider_is_asked_if_no_meter_is_given():
    async def main():
        with greenloop.watch() as watching:
            watching.instrument()
            await asyncio.sleep(0)

    greenloop.run(main())
