"""What the coverage of a target by a training set came out as: numbers, arrays for plots, sentences."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["CoverageReport", "Region"]

_SHOWN = 3
"""Regions named in the sentences."""


@dataclass(frozen=True)
class Region:
    """A cell of the target that the training set lacks.

    Parameters
    ----------
    cell : tuple of int
        Row and column on the map.
    target_share : float
        Share of the target in this cell.
    lack : float
        Share of the cell's target objects that are not covered.
    n_target, n_training : int
        Objects in the cell.
    magnitude, colours : dict of str to tuple of float
        Range that holds 90 % of a random sample of the cell's target objects, asinh magnitudes: of the magnitude
        ({band: ...}), of the colours of adjacent bands ({"g-r": ...}).
    z_phot_median : float or None
        Median photo-z of the cell's target objects, to 0.01; None where none is known.
    examples : tuple of dict
        A few target objects that are not covered, drawn at random: ``objectId, ra, dec`` (deg ICRS), those there are.
    """

    cell: tuple[int, int]
    target_share: float
    lack: float
    n_target: int
    n_training: int
    magnitude: dict[str, tuple[float, float]]
    colours: dict[str, tuple[float, float]]
    z_phot_median: float | None
    examples: tuple[dict[str, Any], ...]

    @property
    def sentence(self) -> str:
        """The region in words."""
        band, (bright, faint) = next(iter(self.magnitude.items()))
        colours = ", ".join(f"{name} {low:.2f} to {high:.2f}" for name, (low, high) in self.colours.items())
        photo_z = "" if self.z_phot_median is None else f", photo-z about {self.z_phot_median:.2f}"
        return (
            f"{band} {bright:.1f} to {faint:.1f}, {colours}{photo_z}: {self.target_share:.2%} of the target, "
            f"{self.lack:.0%} of the cell not covered, training objects in it: {self.n_training:,}."
        )


@dataclass(frozen=True, eq=False)
class CoverageReport:
    """How well a training set covers a target.

    Parameters
    ----------
    bands : tuple of str
        In which the two were compared.
    mag_band : str
        Band of the magnitude.
    shape : tuple of int
        Rows and columns of the map.
    n_training, n_target : int
        Objects.
    n_training_unplaced, n_target_unplaced : int
        Of these, with too few measured bands to be compared.
    extrapolation_fraction : float
        Share of the placed target objects that are not covered: no training object in their cell, or too far from
        their k-th training neighbour.
    share_in_empty_cells, share_beyond_limit : float
        The two parts; an object can be in both.
    alike_in_empty_cells, alike_beyond_limit : float
        The same two for a training set of this size drawn at random from the target: what cannot be bettered.
    n_effective : float
        Effective number of training objects, were they weighted by cell to look like that part of the target whose
        cells have training objects.
    n_effective_of_weights : float or None
        Of the weights that the training set has; None without a column ``weight``.
    cell_mag : ndarray, (n_cell, n_band)
        Asinh magnitudes of the cells.
    cell_target, cell_training, cell_covered : ndarray of int, (n_cell,)
        Objects in each cell; target objects that are covered.
    distance_edges : ndarray, (n_bin + 1,)
        Of the distance to the k-th training neighbour in units of the limit; the last bin also holds what is farther.
    distance_target, distance_training : ndarray of int, (n_bin,)
        Target objects, and some thousand training objects to their own neighbours.
    mag_edges : ndarray, (n_bin + 1,)
        Asinh magnitudes in ``mag_band``.
    mag_target, mag_covered, mag_training : ndarray of int, (n_bin,)
        Objects by magnitude; those without this band are in none.
    regions : tuple of Region
        The cells with most target objects that are not covered, the worst first.
    settings : dict
        Of the comparison.
    """

    bands: tuple[str, ...]
    mag_band: str
    shape: tuple[int, int]
    n_training: int
    n_target: int
    n_training_unplaced: int
    n_target_unplaced: int
    extrapolation_fraction: float
    share_in_empty_cells: float
    share_beyond_limit: float
    alike_in_empty_cells: float
    alike_beyond_limit: float
    n_effective: float
    n_effective_of_weights: float | None
    cell_mag: NDArray[np.float64]
    cell_target: NDArray[np.int64]
    cell_training: NDArray[np.int64]
    cell_covered: NDArray[np.int64]
    distance_edges: NDArray[np.float64]
    distance_target: NDArray[np.int64]
    distance_training: NDArray[np.int64]
    mag_edges: NDArray[np.float64]
    mag_target: NDArray[np.int64]
    mag_covered: NDArray[np.int64]
    mag_training: NDArray[np.int64]
    regions: tuple[Region, ...]
    settings: dict[str, Any]

    @property
    def cell_completeness(self) -> NDArray[np.float64]:
        """Share of each cell's target objects that are covered, (n_cell,); NaN for cells without target."""
        return _ratio(self.cell_covered, self.cell_target)

    @property
    def mag_completeness(self) -> NDArray[np.float64]:
        """Share of the target objects of each bin of magnitude that are covered; NaN for empty bins."""
        return _ratio(self.mag_covered, self.mag_target)

    @property
    def summary_sentences(self) -> list[str]:
        """The result in plain words."""
        return [*self._verdict(), *self._by_magnitude(), *self._of_weights(), *self._to_observe()]

    def as_dict(self) -> dict[str, Any]:
        """Plain values, as JSON takes them: arrays as lists, NaN as None.

        Returns
        -------
        dict
        """
        own = {item.name: getattr(self, item.name) for item in fields(self) if item.name != "regions"}
        own["regions"] = [vars(region) | {"sentence": region.sentence} for region in self.regions]
        own |= {"cell_completeness": self.cell_completeness, "mag_completeness": self.mag_completeness}
        own["summary"] = self.summary_sentences
        return {name: _plain(value) for name, value in own.items()}

    def _verdict(self) -> list[str]:
        unplaced = ""
        if self.n_target_unplaced:
            unplaced = f" {self.n_target_unplaced:,} objects have too few measured bands to be judged."
        bands = ", ".join(self.bands)
        in_cells, alike_cells = self.share_in_empty_cells, self.alike_in_empty_cells
        beyond, alike_beyond = self.share_beyond_limit, self.alike_beyond_limit
        compared = (
            f"{self.n_training:,} training objects were compared with {self.n_target:,} target objects in {bands}."
        )
        percent = f"{self.extrapolation_fraction:.1%} of the target would be extrapolated"
        parts = (
            f"{in_cells:.1%} lie in cells of the map without training objects; {beyond:.1%} are farther from training "
            f"objects than is usual among these. A random sample of the target, as large, would have {alike_cells:.1%} "
            f"and {alike_beyond:.1%}."
        )
        return [
            compared + unplaced,
            f"{percent}: too few training objects have such colours and magnitude.",
            parts,
        ]

    def _by_magnitude(self) -> list[str]:
        share = self.mag_completeness
        enough = (self.mag_target >= 100) & (share < 0.5)
        if not enough.any():
            return [f"More than half of the target is covered at every magnitude {self.mag_band}."]
        first = int(np.argmax(enough))
        beyond = int(self.mag_target[first:].sum()) / max(int(self.mag_target.sum()), 1)
        return [
            f"Fewer than half are covered from {self.mag_band} = {self.mag_edges[first]:g} on, where {beyond:.0%} of "
            "the target are."
            if np.all(enough[first:] | (self.mag_target[first:] < 100))
            else f"At {self.mag_band} = {self.mag_edges[first]:g} fewer than half are covered."
        ]

    def _of_weights(self) -> list[str]:
        reached = 1.0 - self.share_in_empty_cells
        sentence = (
            f"Weighted by cell to look like the {reached:.1%} of the target in cells with training objects, the "
            f"training set counts as {self.n_effective:,.0f} objects of {self.n_training:,}."
        )
        if self.n_effective_of_weights is None:
            return [sentence]
        return [sentence, f"With the weights that it has, it counts as {self.n_effective_of_weights:,.0f}."]

    def _to_observe(self) -> list[str]:
        if not self.regions:
            return ["No region of the target lacks training objects."]
        worst = sum(region.target_share * region.lack for region in self.regions)
        head = f"Redshifts in {len(self.regions)} regions would mend {worst:.1%} of the target. The first of them:"
        return [head, *(region.sentence for region in self.regions[:_SHOWN])]


def _ratio(part: NDArray[np.int64], whole: NDArray[np.int64]) -> NDArray[np.float64]:
    return np.asarray(np.divide(part, whole, out=np.full(whole.shape, np.nan), where=whole > 0))


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, np.ndarray | list | tuple):
        return [_plain(item) for item in (value.tolist() if isinstance(value, np.ndarray) else value)]
    if isinstance(value, np.generic):
        return _plain(value.item())
    return None if isinstance(value, float) and not np.isfinite(value) else value
