"""The p(z) of a few objects that a page shows: the same ones for all methods, examples of each kind, the worst."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pzcenter.validation.examples import ExamplePdf, scramble

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from pzcenter.validation.streamed_metrics import ObjectScores

__all__ = [
    "N_FOR_ALL",
    "N_WORST",
    "KeptDensities",
    "WorstKeeper",
    "WorstObject",
    "chosen_for_all",
    "chosen_for_examples",
]

N_FOR_ALL = 300
"""Objects whose p(z) is kept of every method, so that pages can show the same ones side by side."""
N_CANDIDATES = 3000
"""Objects among which the examples of a method are chosen."""
N_WORST = 20


@dataclass(frozen=True)
class WorstObject:
    """An object whose estimate is far off.

    Parameters
    ----------
    object_id : int
    z_spec, z_best : float
    pit : float
        NaN for point estimates only.
    """

    object_id: int
    z_spec: float
    z_best: float
    pit: float

    @property
    def delta_z(self) -> float:
        """(z_best - z_spec)/(1 + z_spec)."""
        return (self.z_best - self.z_spec) / (1.0 + self.z_spec)


@dataclass(frozen=True, eq=False)
class KeptDensities:
    """Some p(z) of one method.

    Parameters
    ----------
    z_grid : ndarray, (n_z,)
        Empty for point estimates only.
    object_id : ndarray of int64, (n_kept,)
        Among those that are kept of every method.
    pdf : ndarray of float32, (n_kept, n_z)
    examples : tuple of ExamplePdf
    worst : tuple of WorstObject
        The worst first.
    worst_pdf : ndarray of float32, (n_worst, n_z)
    """

    z_grid: NDArray[np.float64]
    object_id: NDArray[np.int64]
    pdf: NDArray[np.float32]
    examples: tuple[ExamplePdf, ...]
    worst: tuple[WorstObject, ...]
    worst_pdf: NDArray[np.float32]


def chosen_for_all(object_id: NDArray[np.int64], n_obj: int = N_FOR_ALL) -> NDArray[np.int64]:
    """Ids that come first when all are scrambled: the same for every method and every order of the rows, sorted."""
    first = np.argsort(scramble(object_id), kind="stable")[:n_obj]
    return np.sort(object_id[first])


def chosen_for_examples(object_id: NDArray[np.int64]) -> NDArray[np.int64]:
    """As :func:`chosen_for_all`, more of them: enough for a few of each kind."""
    return chosen_for_all(object_id, N_CANDIDATES)


class WorstKeeper:
    """Keep the objects with the largest abs(z_best - z_spec)/(1 + z_spec); of equal ones the smaller id."""

    def __init__(self) -> None:
        self._kept: list[tuple[float, int, WorstObject, NDArray[np.float32]]] = []

    def add(self, part: ObjectScores, pdf_of: Callable[[NDArray[np.intp]], NDArray[np.float32]] | None) -> None:
        """Look at some objects; ``pdf_of`` gives the p(z) of rows of ``part``."""
        error = np.abs(part.delta_z("z_best"))
        n_worst = min(N_WORST, error.size)
        far = np.argpartition(-error, n_worst - 1)[:n_worst]
        pdf = np.empty((far.size, 0), dtype=np.float32) if pdf_of is None else pdf_of(far)
        pit = part.pdf.get("pit", np.full(error.size, np.nan))
        for row, density in zip(far, pdf, strict=True):
            item = WorstObject(
                int(part.object_id[row]), float(part.z_spec[row]), float(part.points["z_best"][row]), float(pit[row])
            )
            self._kept.append((-float(error[row]), item.object_id, item, density))
        self._kept = sorted(self._kept, key=lambda kept: kept[:2])[:N_WORST]

    def kept(self, z_grid: NDArray[np.float64]) -> KeptDensities:
        """The worst ones, and nothing else yet."""
        pdf = np.array([kept[3] for kept in self._kept], dtype=np.float32).reshape(len(self._kept), z_grid.size)
        nothing = np.zeros((0, z_grid.size), dtype=np.float32)
        return KeptDensities(
            z_grid, np.zeros(0, dtype=np.int64), nothing, (), tuple(kept[2] for kept in self._kept), pdf
        )
