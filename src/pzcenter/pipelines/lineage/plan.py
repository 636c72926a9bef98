"""What a release would take: core-hours, time, bytes, memory, datasets, for any number of objects.

Everything comes from the rates that :mod:`pzcenter.pipelines.lineage.rates` measured on this installation, except for
what the middleware adds to each quantum and dataset, which is small and stands here with its source.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from pzcenter.errors import ConfigError
from pzcenter.pipelines.campaign.config import CampaignConfig
from pzcenter.pipelines.campaign.steps import steps_of
from pzcenter.pipelines.repository.dataset_types import DATASET_TYPES, PARTITION
from pzcenter.science.packing import encoding_names

if TYPE_CHECKING:
    from pzcenter.pipelines.lineage.rates import Rates

__all__ = ["MIDDLEWARE", "STEPS", "Middleware", "ProductionPlan", "plan_production"]

ROWS_PER_PARTITION = 150_000
TRACTS_PER_SUBMISSION = 2000
N_QUANTILE = (21, 51, 99)
GIGABITS = (1, 10, 100)
DAY_S, HOUR_S = 86_400.0, 3600.0

STEPS: dict[str, tuple[str, ...]] = {
    "step1": ("read_object", "ingest_qa", "read_object", "skinny", "write_skinny"),
    "step3": ("read_skinny", "estimate", "write_estimate", "write_pdf"),
    "step5": ("read_ids", "read_estimate", "join", "write_pz"),
    "step6": ("read_pz", "read_pdf", "split", "write_catalog"),
    "step7": ("read_pz", "read_pdf", "qa"),
    "deliver": ("checksum",),
}
"""Measured stages of each step; steps 2 and 4 add nothing that grows with the objects."""

READ = ("object", "object", "skinny", "estimate", "pz", "pdf", "pz", "pdf")
"""Tables that the steps read, each as often as it is read."""

OPTIONAL_TYPES = frozenset({"pz_truth", "photoz_ensemble_{algo}"})
"""Dataset types that a plain production does not have for each partition."""
DATASETS_OF_A_QUANTUM = 2
"""Metadata and log, which the middleware writes for each quantum."""


@dataclass(frozen=True)
class Middleware:
    """What Rubin's middleware adds, whatever the partition holds.

    Parameters
    ----------
    graph_s : float
        To build a quantum graph, per quantum, in the driver.
    run_s : float
        To run a quantum in a persistent pool, per quantum, in the worker.
    collect_s : float
        To register the outputs, per quantum, in the driver.
    registry_bytes : float
        Of the registry, per dataset.
    graph_bytes : float
        Of the graph file, per quantum.
    source : str
        Where these numbers come from.
    """

    graph_s: float
    run_s: float
    collect_s: float
    registry_bytes: float
    graph_bytes: float
    source: str


MIDDLEWARE = Middleware(
    graph_s=0.7e-3,
    run_s=15e-3,
    collect_s=5e-3,
    registry_bytes=1500.0,
    graph_bytes=320.0,
    source=(
        "measured on a quiet machine of 2 cores with the middleware of release 30: graph of 10,050 quanta 10.8 s and "
        "3.2 MB, pool 14.7 s for 1,005 quanta, collecting 8.7 s for 1,005, registry 158 MB for 100,000 datasets"
    ),
)


@dataclass(frozen=True)
class ProductionPlan:
    """What the production of a release takes.

    Parameters
    ----------
    n_obj, cores : int
    days : float
        Time there is.
    method : str
    n_partition : int
    n_quanta, n_datasets, n_graphs : int
    step_core_s : dict of str to float
        CPU seconds of each step, in the workers.
    middleware_core_s : float
        CPU seconds that the middleware adds in the workers.
    driver_s : float
        Seconds in which only the driver works: graphs and collecting.
    tail_s : float
        Seconds in which workers wait for the last partitions of each step.
    wall_s : float
    fits : bool
        Whether ``wall_s`` is within ``days``.
    cores_needed : int or None
        Cores with which it fits; None where no number of them is enough.
    bytes_in : float
        Columns of the object table that are read.
    bytes_written : float
        By the tasks, all tables together.
    bytes_read : float
        By the tasks.
    bytes_out : float
        To be delivered: PZ table, densities in the default encoding, margins.
    table_bytes : dict of str to float
        Each table of the campaign.
    pdf_bytes : dict of str to dict
        For each encoding of p(z) ``plain`` and, where it was really written, ``disk``.
    registry_bytes, graph_bytes : float
    memory_worker_bytes, memory_all_bytes : float
    transfer_s : dict of str to dict
        Seconds to bring the input and to send the output at some Gb/s.
    partition_s : float
        Seconds of one worker for all steps of a partition.
    in_flight_share : float
        Of the work that is lost when all workers die at once, at most.
    rates, middleware : dict
        What it was computed from.
    """

    n_obj: int
    cores: int
    days: float
    method: str
    n_partition: int
    n_quanta: int
    n_datasets: int
    n_graphs: int
    step_core_s: dict[str, float]
    middleware_core_s: float
    driver_s: float
    tail_s: float
    wall_s: float
    fits: bool
    cores_needed: int | None
    bytes_in: float
    bytes_written: float
    bytes_read: float
    bytes_out: float
    table_bytes: dict[str, float]
    pdf_bytes: dict[str, dict[str, float | None]]
    registry_bytes: float
    graph_bytes: float
    memory_worker_bytes: float
    memory_all_bytes: float
    transfer_s: dict[str, dict[str, float]]
    partition_s: float
    in_flight_share: float
    rates: dict[str, Any] = field(default_factory=dict)
    middleware: dict[str, Any] = field(default_factory=dict)

    @property
    def core_hours(self) -> float:
        """All work of the workers."""
        return (sum(self.step_core_s.values()) + self.middleware_core_s) / HOUR_S

    @property
    def throughput(self) -> float:
        """Bytes per second that storage must read and write, so that it holds nobody up."""
        return (self.bytes_read + self.bytes_written) / self.wall_s

    def as_dict(self) -> dict[str, Any]:
        """As plain numbers and texts, for JSON."""
        return {**asdict(self), "core_hours": self.core_hours, "throughput": self.throughput}


def plan_production(
    n_obj: int,
    cores: int,
    rates: Rates,
    *,
    days: float = 7.0,
    rows_per_partition: int = ROWS_PER_PARTITION,
    tracts_per_submission: int = TRACTS_PER_SUBMISSION,
) -> ProductionPlan:
    """Say what a release takes.

    Parameters
    ----------
    n_obj : int
        Objects of the release.
    cores : int
        Processor cores, one worker on each.
    rates : Rates
    days : float
        Time there is.
    rows_per_partition : int
        Objects of a partition.
    tracts_per_submission : int
        Most partitions of one graph.

    Returns
    -------
    ProductionPlan

    Raises
    ------
    ConfigError
        A number that must be positive is not.
    """
    given = {"objects": n_obj, "cores": cores, "days": days, "rows_per_partition": rows_per_partition,
             "tracts_per_submission": tracts_per_submission}  # fmt: skip
    if wrong := {name: value for name, value in given.items() if value <= 0}:
        raise ConfigError(f"must be greater than zero: {', '.join(f'{k} = {v}' for k, v in wrong.items())}")
    n_partition = math.ceil(n_obj / rows_per_partition)
    n_quanta, n_graphs = _graphs(n_partition, tracts_per_submission)
    n_datasets = n_partition * _datasets_per_partition() + DATASETS_OF_A_QUANTUM * n_quanta
    step_core_s = _step_seconds(n_obj, rates)
    middleware_core_s = n_quanta * MIDDLEWARE.run_s
    driver_s = n_quanta * (MIDDLEWARE.graph_s + MIDDLEWARE.collect_s)
    parallel_s = sum(step_core_s.values()) + middleware_core_s
    partition_s = parallel_s / n_partition
    used = min(cores, n_partition)
    # The last partition of each step may begin when all others have ended.
    tail_s = partition_s if n_partition > used else 0.0
    wall_s = parallel_s / used + tail_s + driver_s
    table_bytes = {name: n_obj * size for name, size in rates.bytes.items() if name != "object"}
    bytes_in = n_obj * rates.bytes["object"]
    bytes_out = table_bytes["catalog"]
    memory = rates.memory_bytes + rates.memory_bytes_per_object * min(rows_per_partition, n_obj)
    left_s = days * DAY_S - driver_s - tail_s
    return ProductionPlan(
        n_obj=n_obj,
        cores=cores,
        days=days,
        method=rates.method,
        n_partition=n_partition,
        n_quanta=n_quanta,
        n_datasets=n_datasets,
        n_graphs=n_graphs,
        step_core_s=step_core_s,
        middleware_core_s=middleware_core_s,
        driver_s=driver_s,
        tail_s=tail_s,
        wall_s=wall_s,
        fits=wall_s <= days * DAY_S,
        cores_needed=math.ceil(parallel_s / left_s) if left_s > 0 else None,
        bytes_in=bytes_in,
        bytes_written=sum(table_bytes.values()),
        bytes_read=n_obj * sum(rates.bytes[name] for name in READ),
        bytes_out=bytes_out,
        table_bytes=table_bytes,
        pdf_bytes=_pdf_bytes(n_obj, rates),
        registry_bytes=n_datasets * MIDDLEWARE.registry_bytes,
        graph_bytes=n_quanta * MIDDLEWARE.graph_bytes,
        memory_worker_bytes=memory,
        memory_all_bytes=used * memory,
        transfer_s={
            f"{rate} Gb/s": {"in": 8.0 * bytes_in / (rate * 1e9), "out": 8.0 * bytes_out / (rate * 1e9)}
            for rate in GIGABITS
        },
        partition_s=partition_s,
        in_flight_share=min(1.0, used / n_partition),
        rates=rates.as_dict(),
        middleware=asdict(MIDDLEWARE),
    )


def _step_seconds(n_obj: int, rates: Rates) -> dict[str, float]:
    """CPU seconds of each step."""
    per_object = {**rates.cpu_s}
    per_object["checksum"] = rates.checksum_cpu_s * rates.bytes["catalog"]
    return {step: n_obj * sum(per_object[stage] for stage in stages) for step, stages in STEPS.items()}


def _graphs(n_partition: int, tracts_per_submission: int) -> tuple[int, int]:
    """Quanta and graphs of a campaign with one method that needs no training."""
    config = CampaignConfig(name="plan", repository="plan", release="plan")
    steps = steps_of(config)
    stages = [stage for step in steps for stage in step.stages]
    n_quanta = sum(len(stage.labels) * (n_partition if stage.per_tract else 1) for stage in stages)
    if n_partition <= tracts_per_submission:
        return n_quanta, len(steps)
    n_graphs = sum(math.ceil(n_partition / tracts_per_submission) if stage.per_tract else 1 for stage in stages)
    return n_quanta, n_graphs


def _datasets_per_partition() -> int:
    return sum(spec.dimensions == PARTITION and spec.name not in OPTIONAL_TYPES for spec in DATASET_TYPES)


def _pdf_bytes(n_obj: int, rates: Rates) -> dict[str, dict[str, float | None]]:
    """Storage of p(z): encodings as they were written, others by their number of values."""
    sizes: dict[str, dict[str, float | None]] = {
        name: {key: n_obj * size for key, size in rates.pdf_bytes[name].items()}
        for name in encoding_names()
        if name in rates.pdf_bytes
    }
    sizes[f"{rates.n_z} points f64"] = {"plain": n_obj * 8.0 * rates.n_z, "disk": None}
    for number in N_QUANTILE:
        sizes[f"{number} quantiles f32"] = {"plain": n_obj * 4.0 * number, "disk": None}
    return sizes
