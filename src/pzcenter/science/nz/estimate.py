"""What every estimator of n(z) gives: histograms for each bin, a central one and equally likely ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pzcenter.errors import ConfigError, ShapeError

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["NzEstimate", "histogram_edges", "histogram_moments"]

_MAX_CELLS = 2000


@dataclass(frozen=True, eq=False)
class NzEstimate:
    """n(z) of each tomographic bin.

    Parameters
    ----------
    edges : ndarray of float64, (n_cell + 1,)
        Of the histograms.
    nz : ndarray of float64, (n_bin, n_cell)
        Density per unit redshift, unit integral; NaN for a bin without objects.
    samples : ndarray of float64, (n_sample, n_bin, n_cell)
        Equally likely n(z): resamples or draws of a posterior.
    mean, width : ndarray of float64, (n_bin,)
        Mean redshift and standard deviation.
    mean_samples, width_samples : ndarray of float64, (n_sample, n_bin)
    n_obj : ndarray of int64, (n_bin,)
        Objects of the target in each bin.

    Raises
    ------
    ShapeError
        The arrays do not fit each other.
    """

    edges: NDArray[np.float64]
    nz: NDArray[np.float64]
    samples: NDArray[np.float64]
    mean: NDArray[np.float64]
    width: NDArray[np.float64]
    mean_samples: NDArray[np.float64]
    width_samples: NDArray[np.float64]
    n_obj: NDArray[np.int64]

    def __post_init__(self) -> None:
        n_bin, n_cell = self.nz.shape
        n_sample = self.samples.shape[0]
        shapes = {
            "edges": (n_cell + 1,),
            "samples": (n_sample, n_bin, n_cell),
            "mean": (n_bin,),
            "width": (n_bin,),
            "mean_samples": (n_sample, n_bin),
            "width_samples": (n_sample, n_bin),
            "n_obj": (n_bin,),
        }
        for name, shape in shapes.items():
            if getattr(self, name).shape != shape:
                raise ShapeError(f"{name} must be {shape}; got {getattr(self, name).shape}")

    @property
    def n_sample(self) -> int:
        """Number of samples."""
        return int(self.samples.shape[0])

    @property
    def mean_error(self) -> NDArray[np.float64]:
        """One standard error of the mean redshift of each bin, (n_bin,)."""
        return _std(self.mean_samples)

    @property
    def width_error(self) -> NDArray[np.float64]:
        """One standard error of the width of each bin, (n_bin,)."""
        return _std(self.width_samples)

    @property
    def nz_error(self) -> NDArray[np.float64]:
        """One standard error of each cell, (n_bin, n_cell)."""
        return _std(self.samples)

    def band(self, level: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Central interval of each cell.

        Parameters
        ----------
        level : float
            Its probability.

        Returns
        -------
        low, high : ndarray of float64, (n_bin, n_cell)
            NaN without samples.
        """
        if self.n_sample == 0:
            nothing = np.full(self.nz.shape, np.nan)
            return nothing, nothing
        low, high = np.quantile(self.samples, (0.5 - level / 2, 0.5 + level / 2), axis=0)
        return low, high

    def covariance(self, index: int) -> NDArray[np.float64]:
        """Covariance of the cells of one bin, (n_cell, n_cell); NaN with fewer than two samples."""
        if self.n_sample < 2:
            return np.full((self.nz.shape[1],) * 2, np.nan)
        return np.atleast_2d(np.cov(self.samples[:, index], rowvar=False))

    def mean_covariance(self) -> NDArray[np.float64]:
        """Covariance of the mean redshifts of the bins, (n_bin, n_bin); NaN with fewer than two samples."""
        if self.n_sample < 2:
            return np.full((self.nz.shape[0],) * 2, np.nan)
        return np.atleast_2d(np.cov(self.mean_samples, rowvar=False))


def histogram_edges(z_low: float, z_high: float, step: float) -> NDArray[np.float64]:
    """Edges of equal cells that cover a range.

    Parameters
    ----------
    z_low, z_high : float
        Range; the last cell may reach beyond it.
    step : float
        Width of a cell.

    Returns
    -------
    ndarray of float64, (n_cell + 1,)

    Raises
    ------
    ConfigError
        The step is not positive, or makes fewer than one or more than 2000 cells.
    """
    if not (np.isfinite(step) and step > 0.0):
        raise ConfigError(f"the width of a cell of n(z) must be positive; got {step:g}")
    n_cell = int(np.ceil((z_high - z_low) / step - 1e-9))
    if not 1 <= n_cell <= _MAX_CELLS:
        raise ConfigError(
            f"cells of {step:g} from {z_low:g} to {z_high:g} are {n_cell}; 1 to {_MAX_CELLS} are accepted"
        )
    return np.round(z_low + step * np.arange(n_cell + 1), 10)


def histogram_moments(
    share: NDArray[np.float64], edges: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and standard deviation of histograms, taken as flat within each cell.

    Parameters
    ----------
    share : ndarray of float64, (..., n_cell)
        Probability of each cell.
    edges : ndarray of float64, (n_cell + 1,)

    Returns
    -------
    mean, width : ndarray of float64, (...)
    """
    centre, step = 0.5 * (edges[1:] + edges[:-1]), np.diff(edges)
    mean = share @ centre
    square = share @ (centre**2 + step**2 / 12.0)
    return mean, np.sqrt(np.maximum(square - mean**2, 0.0))


def _std(samples: NDArray[np.float64]) -> NDArray[np.float64]:
    if samples.shape[0] < 2:
        return np.full(samples.shape[1:], np.nan)
    return np.asarray(np.std(samples, axis=0, ddof=1))
