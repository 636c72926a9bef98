"""The ways in which p(z) is handed in: grids, histograms, quantiles, samples, Gaussian mixtures.

A form knows which columns it is made of and how to put some rows of them on a redshift grid. It knows nothing of
files: the same form is read from qp, Parquet, HDF5 or FITS.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np

from pzcenter.errors import ShapeError
from pzcenter.science.packing import unpack_u8sqrt

from .cumulative import (
    averages,
    cell_edges,
    gaussian_mixture_cumulative,
    linear_cumulative,
    monotone_cumulative,
    step_cumulative,
)
from .densities import Evaluated

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

__all__ = [
    "Form",
    "GridForm",
    "HistogramForm",
    "IrregularGridForm",
    "MixtureForm",
    "NormalForm",
    "PackedForm",
    "QuantileForm",
    "SampleForm",
    "on_grid",
]


_SAME_GRID = 1e-9
"""Grids that differ by less are one grid, written with different rounding."""


@runtime_checkable
class Form(Protocol):
    """A way to state densities."""

    @property
    def name(self) -> str:
        """In words, for reports."""

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns that it is made of."""

    @property
    def z_grid(self) -> NDArray[np.float64] | None:
        """Its own grid; None for those that can be put on any grid."""

    def densities(self, rows: Mapping[str, NDArray[Any]], z_grid: NDArray[np.float64]) -> Evaluated:
        """Densities of some rows on a grid."""


@dataclass(frozen=True, eq=False)
class GridForm:
    """Densities on one redshift grid, linear between its points (qp ``interp``)."""

    z_grid: NDArray[np.float64]
    column: str = "pdf"
    name: str = "grid"
    is_relative: bool = False

    @property
    def columns(self) -> tuple[str, ...]:
        """See :class:`Form`."""
        return (self.column,)

    def densities(self, rows: Mapping[str, NDArray[Any]], z_grid: NDArray[np.float64]) -> Evaluated:
        """See :class:`Form`."""
        values = _wide(rows[self.column], self.z_grid.size, self.column)
        return on_grid(values, self.z_grid, z_grid, is_relative=self.is_relative)


def on_grid(
    values: NDArray[Any], own: NDArray[np.float64], z_grid: NDArray[np.float64], *, is_relative: bool = False
) -> Evaluated:
    """Densities that are linear between the points of a common grid, on another grid."""
    if values.dtype not in (np.float32, np.float64):
        values = values.astype(np.float64)
    if own.size == z_grid.size and np.allclose(own, z_grid, rtol=0.0, atol=_SAME_GRID):
        return Evaluated(values, is_relative=is_relative)
    edges = cell_edges(z_grid)
    cumulative, total, fault = linear_cumulative(own, values, edges)
    return Evaluated(averages(cumulative, edges), total, fault, is_relative)


@dataclass(frozen=True, eq=False)
class IrregularGridForm:
    """Densities linear between points that each object has of its own (qp ``interp_irregular``)."""

    x: str = "xvals"
    y: str = "yvals"
    name: str = "grid of each object"
    z_grid: NDArray[np.float64] | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        """See :class:`Form`."""
        return (self.x, self.y)

    def densities(self, rows: Mapping[str, NDArray[Any]], z_grid: NDArray[np.float64]) -> Evaluated:
        """See :class:`Form`."""
        edges = cell_edges(z_grid)
        cumulative, total, fault = linear_cumulative(rows[self.x], rows[self.y], edges)
        return Evaluated(averages(cumulative, edges), total, fault)


@dataclass(frozen=True, eq=False)
class HistogramForm:
    """Densities constant within common bins (qp ``hist``)."""

    bins: NDArray[np.float64]
    column: str = "pdfs"
    name: str = "histogram"
    z_grid: NDArray[np.float64] | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        """See :class:`Form`."""
        return (self.column,)

    def densities(self, rows: Mapping[str, NDArray[Any]], z_grid: NDArray[np.float64]) -> Evaluated:
        """See :class:`Form`."""
        edges = cell_edges(z_grid)
        values = _wide(rows[self.column], self.bins.size - 1, self.column)
        cumulative, total, fault = step_cumulative(self.bins, values, edges)
        return Evaluated(averages(cumulative, edges), total, fault)


@dataclass(frozen=True, eq=False)
class QuantileForm:
    """Redshifts below which lie stated fractions of the probability (qp ``quant``)."""

    levels: NDArray[np.float64]
    column: str = "locs"
    name: str = "quantiles"
    z_grid: NDArray[np.float64] | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        """See :class:`Form`."""
        return (self.column,)

    def densities(self, rows: Mapping[str, NDArray[Any]], z_grid: NDArray[np.float64]) -> Evaluated:
        """See :class:`Form`."""
        locations = _wide(rows[self.column], self.levels.size, self.column).astype(np.float64)
        return _through(locations, self.levels, z_grid)


@dataclass(frozen=True, eq=False)
class SampleForm:
    """Equally likely redshifts drawn from each density: the quantiles at (i - 1/2)/n, once sorted."""

    column: str = "samples"
    name: str = "samples"
    z_grid: NDArray[np.float64] | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        """See :class:`Form`."""
        return (self.column,)

    def densities(self, rows: Mapping[str, NDArray[Any]], z_grid: NDArray[np.float64]) -> Evaluated:
        """See :class:`Form`."""
        samples = np.sort(np.asarray(rows[self.column], dtype=np.float64), axis=1)
        n_sample = samples.shape[1]
        return _through(samples, (np.arange(n_sample) + 0.5) / n_sample, z_grid)


@dataclass(frozen=True, eq=False)
class MixtureForm:
    """Sums of Gaussians (qp ``mixmod``); weights are relative, and one of 0 leaves its component out."""

    weights: str = "weights"
    means: str = "means"
    stds: str = "stds"
    name: str = "Gaussian mixture"
    z_grid: NDArray[np.float64] | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        """See :class:`Form`."""
        return (self.weights, self.means, self.stds)

    def densities(self, rows: Mapping[str, NDArray[Any]], z_grid: NDArray[np.float64]) -> Evaluated:
        """See :class:`Form`."""
        weights, means, stds = (_two_dimensional(rows[name]) for name in self.columns)
        if not weights.shape == means.shape == stds.shape:
            raise ShapeError(
                f"weights, means and stds of a mixture must be of one shape; got {weights.shape}, {means.shape} and "
                f"{stds.shape}"
            )
        return _mixture(weights, means, stds, z_grid)


@dataclass(frozen=True, eq=False)
class NormalForm:
    """One Gaussian for each object (qp ``norm``)."""

    mean: str = "loc"
    std: str = "scale"
    name: str = "Gaussian"
    z_grid: NDArray[np.float64] | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        """See :class:`Form`."""
        return (self.mean, self.std)

    def densities(self, rows: Mapping[str, NDArray[Any]], z_grid: NDArray[np.float64]) -> Evaluated:
        """See :class:`Form`."""
        mean, std = (_two_dimensional(rows[name]) for name in self.columns)
        weight = np.where(np.isnan(mean) & np.isnan(std), np.nan, 1.0)
        return _mixture(weight, mean, std, z_grid)


@dataclass(frozen=True, eq=False)
class PackedForm:
    """Packed densities as this project writes them: codes of a byte per grid point, with the maximum of each row."""

    z_grid: NDArray[np.float64]
    code: str = "pdf_code"
    row_max: str = "pdf_max"
    name: str = "packed grid"

    @property
    def columns(self) -> tuple[str, ...]:
        """See :class:`Form`."""
        return (self.code, self.row_max)

    def densities(self, rows: Mapping[str, NDArray[Any]], z_grid: NDArray[np.float64]) -> Evaluated:
        """See :class:`Form`."""
        values = unpack_u8sqrt(rows[self.code], rows[self.row_max], self.z_grid)
        return on_grid(values, self.z_grid, z_grid, is_relative=True)


def _through(locations: NDArray[np.float64], levels: NDArray[np.float64], z_grid: NDArray[np.float64]) -> Evaluated:
    edges = cell_edges(z_grid)
    if levels.size == 1:  # one sample: all probability there
        locations, levels = np.repeat(locations, 2, axis=1), np.array([0.0, 1.0])
    cumulative, total, fault = monotone_cumulative(locations, levels, edges)
    return Evaluated(averages(cumulative, edges), total, fault)


def _mixture(weights: NDArray[Any], means: NDArray[Any], stds: NDArray[Any], z_grid: NDArray[np.float64]) -> Evaluated:
    edges = cell_edges(z_grid)
    cumulative, total, fault = gaussian_mixture_cumulative(weights, means, stds, edges)
    return Evaluated(averages(cumulative, edges), total, fault, is_relative=True)


def _two_dimensional(values: NDArray[Any]) -> NDArray[Any]:
    return values[:, None] if values.ndim == 1 else values


def _wide(values: NDArray[Any], n_column: int, name: str) -> NDArray[Any]:
    if values.ndim != 2 or values.shape[1] != n_column:
        raise ShapeError(f"{name!r} must have {n_column} values per object; got an array of shape {values.shape}")
    return values
