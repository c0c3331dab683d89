"""Every workload by name, in the order of the report's rows."""

from __future__ import annotations

from . import (
    callbacks,
    extensions,
    futures,
    memory,
    queues,
    readiness,
    switching,
    synchronisation,
    tasks,
    timeouts,
    timers,
)
from .definition import Workload
from .network import bulk, churn, client, datagrams, echo, http, subprocesses

WORKLOADS: dict[str, Workload] = {
    workload.name: workload
    for module in (
        switching,
        tasks,
        futures,
        extensions,
        callbacks,
        timers,
        queues,
        synchronisation,
        timeouts,
        readiness,
        memory,
    )
    for workload in vars(module).values()
    if isinstance(workload, Workload)
} | {
    workload.name: workload
    for module in (echo, datagrams, bulk, churn, client, http, subprocesses)
    for workload in module.WORKLOADS
}
