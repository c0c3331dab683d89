"""The numbers of a watched program as metrics of OpenTelemetry.

Names are of OpenTelemetry's kind (https://opentelemetry.io/docs/specs/semconv/general/naming/):
`greenloop_loop_steps_total` is `greenloop.loop.steps`, and `greenloop_loop_lag_seconds` is
`greenloop.loop.lag` with the unit `s`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from greenloop.monitoring.metrics import Family, Sample, families
from greenloop.monitoring.report import report_of

if TYPE_CHECKING:
    from opentelemetry.metrics import CallbackOptions, Meter, Observation


def instrument(take: Callable[[], dict[str, Any]], meter: Meter | None) -> None:
    """`greenloop.watch.instrument`; `take` returns a report."""
    from opentelemetry.metrics import Observation, get_meter

    if meter is None:
        meter = get_meter("greenloop")
    reports = _Reports(take)
    for name, type_, text in _instruments(reports.latest):
        callback = reports.callback(name, Observation)
        unit = "s" if name.endswith("_seconds") else ""
        shown = name.removesuffix("_total").replace("_seconds", "").replace("_", ".")
        if type_ == "counter":
            meter.create_observable_counter(shown, [callback], unit, text)
        else:
            meter.create_observable_gauge(shown, [callback], unit, text)


def _instruments(known: list[Family]) -> Iterator[tuple[str, str, str]]:
    """Yield the name, the type and the meaning of each metric: a summary is two."""
    for family in known:
        yield family.name, family.type, family.help
        for ending, _ in family.more:
            yield f"{family.name}{ending}", "counter", f"{family.help[:-1]}: how many there were."


class _Reports:
    """The report of the present collection, which all instruments share."""

    def __init__(self, take: Callable[[], dict[str, Any]]) -> None:
        self._take = take
        self.latest = self._look()
        self._answered = {name for name, _, _ in _instruments(self.latest)}
        """The instruments that have had their values of the latest report."""

    def _look(self) -> list[Family]:
        return families(report_of(self._take()))

    def callback(
        self, name: str, observation: type[Observation]
    ) -> Callable[[CallbackOptions], list[Observation]]:
        """Return what OpenTelemetry calls for the values of an instrument."""

        def observe(_: Any) -> list[Observation]:
            return [observation(value, dict(labels)) for labels, value in self._samples(name)]

        return observe

    def _samples(self, name: str) -> list[Sample]:
        # A collection asks each instrument once, so that a second question is of the next one.
        if name in self._answered:
            self._answered.clear()
            self.latest = self._look()
        self._answered.add(name)
        for family in self.latest:
            for ending, samples in (("", family.samples), *family.more):
                if f"{family.name}{ending}" == name:
                    return samples
        return []
