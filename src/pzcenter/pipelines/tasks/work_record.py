"""What a quantum cost, written into the metadata of its task."""

from __future__ import annotations

import resource
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["peak_bytes", "recorded_work"]


@contextmanager
def recorded_work(metadata: Any) -> Iterator[None]:
    """Record ``wall_s``, ``cpu_s`` (all threads) and ``peak_bytes`` (of the process so far) of a block.

    Parameters
    ----------
    metadata : TaskMetadata
        Of the task; a block that fails is recorded too.
    """
    wall, cpu = time.monotonic(), time.process_time()
    try:
        yield
    finally:
        metadata["wall_s"] = time.monotonic() - wall
        metadata["cpu_s"] = time.process_time() - cpu
        metadata["peak_bytes"] = peak_bytes()


def peak_bytes() -> int:
    """Largest resident memory of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
