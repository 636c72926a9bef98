"""What a method costs: time to train, time and memory to estimate, size of what it writes."""

from __future__ import annotations

import resource
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pzcenter.errors import UsageError

from .table import MetricRow

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Cost", "TechnicalFacts", "measure_cost", "technical_rows"]


@dataclass(frozen=True)
class TechnicalFacts:
    """Cost of a method; NaN where it was not measured.

    Parameters
    ----------
    train_s, estimate_s : float
        Processor seconds.
    n_obj : int
        Objects that were estimated.
    peak_bytes, output_bytes, model_bytes : float
        Largest resident memory; size of all that was written; size of the trained model.
    """

    train_s: float = float("nan")
    estimate_s: float = float("nan")
    n_obj: int = 0
    peak_bytes: float = float("nan")
    output_bytes: float = float("nan")
    model_bytes: float = float("nan")

    def __post_init__(self) -> None:
        for name in ("train_s", "estimate_s", "n_obj", "peak_bytes", "output_bytes", "model_bytes"):
            if getattr(self, name) < 0:
                raise UsageError(f"{name} must not be negative; got {getattr(self, name)}")

    @property
    def values(self) -> dict[str, float]:
        """The technical metrics by name."""
        per_object = 1.0 / self.n_obj if self.n_obj else float("nan")
        return {
            "train_s": self.train_s,
            "estimate_ms": 1e3 * self.estimate_s * per_object,
            "peak_gb": self.peak_bytes / 1e9,
            "output_bytes": self.output_bytes * per_object,
            "model_mb": self.model_bytes / 1e6,
        }


@dataclass
class Cost:
    """What :func:`measure_cost` found; complete when its block has ended."""

    cpu_s: float = float("nan")
    wall_s: float = float("nan")
    peak_bytes: float = float("nan")


@contextmanager
def measure_cost() -> Iterator[Cost]:
    """Measure a block: processor and wall seconds, and the largest resident memory of the process until its end.

    Yields
    ------
    Cost
    """
    cost = Cost()
    wall, cpu = time.perf_counter(), time.process_time()
    try:
        yield cost
    finally:
        cost.cpu_s = time.process_time() - cpu
        cost.wall_s = time.perf_counter() - wall
        unit = 1 if sys.platform == "darwin" else 1024
        cost.peak_bytes = float(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit)


def technical_rows(facts: TechnicalFacts) -> list[MetricRow]:
    """Rows of a metric table, of the point ``method``, without errors."""
    return [
        MetricRow(name, "method", "all", float(value), float("nan"), facts.n_obj)
        for name, value in facts.values.items()
    ]
