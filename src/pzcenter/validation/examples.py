"""Which PDFs to show: a few of each kind, chosen by the object ids alone.

The choice is the same for any order and any chunking of the rows, so two reports on the same data show the same
objects.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["EXAMPLE_KINDS", "ExamplePdf", "ExamplePicker", "scramble"]

# How many of each kind make the 3 x 3 grid, and what each kind is.
EXAMPLE_KINDS = {"good": 3, "broad": 2, "bimodal": 2, "wrong": 2}
N_EXAMPLES = sum(EXAMPLE_KINDS.values())

_NARROW = 0.05  # 68 % half-width / (1+z) of a PDF that claims to know
_BROAD = 0.1  # and of one that admits not to
_RIGHT, _WRONG = 0.03, 0.15  # |z_best - z_spec| / (1 + z_spec)


@dataclass(frozen=True, eq=False)
class ExamplePdf:
    """One PDF to show.

    Parameters
    ----------
    kind : str
        A key of :data:`EXAMPLE_KINDS`.
    object_id : int
    pdf : ndarray, (n_z,)
    z_spec, z_best, pit : float
    """

    kind: str
    object_id: int
    pdf: NDArray[np.float64]
    z_spec: float
    z_best: float
    pit: float


class ExamplePicker:
    """Keep, per kind, the objects whose scrambled ids come first."""

    def __init__(self) -> None:
        # As many of each kind as the whole grid needs, so that a missing kind can be filled up by another.
        self._kept: dict[str, list[tuple[int, ExamplePdf]]] = {kind: [] for kind in EXAMPLE_KINDS}

    def add(
        self,
        object_id: NDArray[np.int64],
        pdf: NDArray[np.floating],
        *,
        z_spec: NDArray[np.floating],
        z_best: NDArray[np.floating],
        pit: NDArray[np.floating],
        half_width: NDArray[np.floating],
        is_multi_modal: NDArray[np.bool_],
    ) -> None:
        """Look at some objects.

        Parameters
        ----------
        object_id : ndarray of int64, (n_obj,)
        pdf : ndarray, (n_obj, n_z)
        z_spec, z_best, pit : ndarray, (n_obj,)
        half_width : ndarray, (n_obj,)
            Half of the 68 % interval.
        is_multi_modal : ndarray of bool, (n_obj,)
        """
        error = np.abs(z_best - z_spec) / (1.0 + z_spec)
        width = half_width / (1.0 + z_best)
        wrong = (error > _WRONG) & (width < _NARROW)
        bimodal = ~wrong & is_multi_modal
        kinds = {
            "good": ~bimodal & (width < _NARROW) & (error < _RIGHT),
            "broad": ~bimodal & (width > _BROAD),
            "bimodal": bimodal,
            "wrong": wrong,
        }
        rank = scramble(object_id)
        for kind, is_kind in kinds.items():
            candidates = np.flatnonzero(is_kind)
            first = candidates[np.argsort(rank[candidates], kind="stable")[:N_EXAMPLES]]
            found = [
                (
                    int(rank[row]),
                    ExamplePdf(
                        kind=kind,
                        object_id=int(object_id[row]),
                        pdf=np.array(pdf[row], dtype=np.float64),
                        z_spec=float(z_spec[row]),
                        z_best=float(z_best[row]),
                        pit=float(pit[row]),
                    ),
                )
                for row in first
            ]
            self._kept[kind] = sorted(self._kept[kind] + found, key=lambda pair: pair[0])[:N_EXAMPLES]

    def examples(self) -> tuple[ExamplePdf, ...]:
        """Up to nine PDFs, by kind; a kind that does not occur is made up for by the others."""
        wanted = {kind: min(n, len(self._kept[kind])) for kind, n in EXAMPLE_KINDS.items()}
        for kind, kept in self._kept.items():
            spare = N_EXAMPLES - sum(wanted.values())
            wanted[kind] += max(0, min(spare, len(kept) - wanted[kind]))
        return tuple(example for kind, n in wanted.items() for _, example in self._kept[kind][:n])


def scramble(object_id: NDArray[np.int64]) -> NDArray[np.uint64]:
    """Scatter ids evenly, the same way everywhere (splitmix64; Steele, Lea & Flood 2014, OOPSLA '14, 453)."""
    x = np.asarray(object_id).astype(np.int64).view(np.uint64) + np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))
