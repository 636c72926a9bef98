"""Copies of training objects: moved in redshift with the templates, with more noise, with fewer bands.

Ten thousand redshifts are few. What is known besides, that a galaxy at a slightly larger redshift has the colours that
its spectrum says, and that errors are Gaussian, is told to the networks by copies.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.random import Generator
    from numpy.typing import NDArray

    from pzcenter.estimators.checks import TrainingSample
    from pzcenter.estimators.density_network.config import DensityNetworkConfig
    from pzcenter.estimators.density_network.template_part import TemplatePart

__all__ = ["Augmentation", "Copies", "ErrorCurve"]

_N_BIN = 30
_LARGEST_RATIO = 1e3
_NOISE_SHARE = 0.5
"""Fraction of the copies that get more noise."""


@dataclass(frozen=True, eq=False)
class ErrorCurve:
    """Median flux error of a band by flux.

    Parameters
    ----------
    log_flux, log_err : ndarray of float64, (n_bin,)
        Natural logarithms, nJy; constant outside.
    """

    log_flux: NDArray[np.float64]
    log_err: NDArray[np.float64]

    @classmethod
    def of(cls, flux: NDArray[np.float32], flux_err: NDArray[np.float32]) -> ErrorCurve:
        """Measure the curve of a band; NaN and fluxes that are not positive are left out."""
        use = np.isfinite(flux) & (flux > 0)
        if not use.any():
            return cls(np.zeros(1), np.zeros(1))
        f, e = np.log(flux[use].astype(np.float64)), np.log(flux_err[use].astype(np.float64))
        edges = np.unique(np.quantile(f, np.linspace(0, 1, _N_BIN + 1)))
        at = np.clip(np.searchsorted(edges, f, side="right") - 1, 0, max(edges.size - 2, 0))
        found = np.unique(at)
        return cls(
            np.array([np.median(f[at == bin_]) for bin_ in found]),
            np.array([np.median(e[at == bin_]) for bin_ in found]),
        )

    def change(self, flux: NDArray[np.float64], new_flux: NDArray[np.float64]) -> NDArray[np.float64]:
        """Ratio of the errors at two fluxes."""
        at = [np.interp(np.log(np.maximum(value, 1e-10)), self.log_flux, self.log_err) for value in (flux, new_flux)]
        ratio: NDArray[np.float64] = np.exp(at[1] - at[0])
        return ratio


@dataclass(frozen=True, eq=False)
class Copies:
    """Copies of training objects.

    Parameters
    ----------
    flux, flux_err : ndarray of float32, (n_obj, n_band)
        nJy, NaN where missing.
    z : ndarray of float64, (n_obj,)
        Redshifts.
    """

    flux: NDArray[np.float32]
    flux_err: NDArray[np.float32]
    z: NDArray[np.float64]


class Augmentation:
    """Makes copies.

    Parameters
    ----------
    sample : TrainingSample
        The objects.
    config : DensityNetworkConfig
        Amounts.
    templates : TemplatePart or None
        Without them nothing is moved in redshift.
    """

    def __init__(self, sample: TrainingSample, config: DensityNetworkConfig, templates: TemplatePart | None) -> None:
        self._sample = sample
        self._config = config
        self._templates = templates
        n_band = len(sample.bands)
        self._curves = [ErrorCurve.of(sample.flux[:, b], sample.flux_err[:, b]) for b in range(n_band)]
        self._target_err = np.array([config.target_flux_err.get(band, 0.0) for band in sample.bands])
        missing = np.isnan(sample.flux)
        with np.errstate(invalid="ignore"):
            negative = (sample.flux <= 0).any(axis=0)
        # Where a survey gives no flux to a non-detection, neither do the copies.
        self._positive_only = missing.any(axis=0) & ~negative

    def copies(self, rows: NDArray[np.int64], rng: Generator) -> Copies:
        """Draw one copy of each of these objects.

        Parameters
        ----------
        rows : ndarray of int64, (n_copy,)
            Of the sample.
        rng : Generator
            Advanced.

        Returns
        -------
        Copies
        """
        flux = self._sample.flux[rows].astype(np.float64)
        err = self._sample.flux_err[rows].astype(np.float64)
        z = self._sample.z_spec[rows]
        if self._templates is not None and self._config.shift > 0:
            flux, err, z = self._moved(flux, err, z, rng)
        flux, err = self._noisier(flux, err, rng)
        for band in np.flatnonzero(self._positive_only):
            lost = ~(flux[:, band] > 0)
            flux[lost, band] = err[lost, band] = np.nan
        self._lose_bands(flux, err, rng)
        with np.errstate(over="ignore"):
            return Copies(flux.astype(np.float32), err.astype(np.float32), z)

    def degraded(self, rng: Generator) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Give the objects themselves, and a copy of each with the noise of the target when that is known.

        Returns
        -------
        flux, flux_err : ndarray of float32, (n_copy, n_band)
        """
        flux, err = self._sample.flux, self._sample.flux_err
        if not self._target_err.any():
            return flux, err
        add = self._to_target(err.astype(np.float64))
        noisy = flux + add * rng.standard_normal(flux.shape)
        louder = np.hypot(err, add)
        return (
            np.concatenate([flux, noisy]).astype(np.float32),
            np.concatenate([err, louder]).astype(np.float32),
        )

    def _moved(
        self, flux: NDArray[np.float64], err: NDArray[np.float64], z: NDArray[np.float64], rng: Generator
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """Move objects in redshift: fluxes change as those of a template that fits them, the total stays."""
        templates = self._templates
        assert templates is not None
        misfit = templates.misfits(flux.astype(np.float32), err.astype(np.float32), z)
        # Gumbel noise draws a template by its likelihood.
        chosen = (-0.5 * misfit + rng.gumbel(size=misfit.shape)).argmax(axis=1)
        new_z = z + self._config.shift * (1 + z) * rng.standard_normal(z.size)
        grid = self._sample.z_grid
        new_z = np.where((new_z < max(grid[0], 1e-3)) | (new_z > grid[-1]), z, new_z)
        before, after = templates.flux_at(chosen, z), templates.flux_at(chosen, new_z)
        ratio = np.ones_like(flux)
        columns = list(templates.columns)
        ratio[:, columns] = after / np.maximum(before, 1e-300)
        known = np.isfinite(flux[:, columns])
        total = (known * before).sum(axis=1) / np.maximum((known * after).sum(axis=1), 1e-300)
        ratio[:, columns] *= total[:, None]
        ratio = np.clip(ratio, 1 / _LARGEST_RATIO, _LARGEST_RATIO)
        new_flux = flux * ratio
        new_err = np.column_stack(
            [err[:, b] * curve.change(flux[:, b], new_flux[:, b]) for b, curve in enumerate(self._curves)]
        )
        return new_flux, new_err, new_z

    def _noisier(
        self, flux: NDArray[np.float64], err: NDArray[np.float64], rng: Generator
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Add noise to half of the copies: up to a multiple of the errors, or to the target's error."""
        n_obj = flux.shape[0]
        some = rng.random((n_obj, 1)) < _NOISE_SHARE
        part = rng.random((n_obj, 1))
        add = np.maximum(part * self._config.extra_noise * err, np.sqrt(part) * self._to_target(err)) * some
        return flux + add * rng.standard_normal(flux.shape), np.hypot(err, add)

    def _to_target(self, err: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.sqrt(np.maximum(self._target_err**2 - err**2, 0.0))

    def _lose_bands(self, flux: NDArray[np.float64], err: NDArray[np.float64], rng: Generator) -> None:
        """Take bands from some of the copies, in place; one band is always left."""
        n_obj, n_band = flux.shape
        number = rng.integers(1, max(n_band - 1, 1), endpoint=True, size=n_obj)
        order = rng.random((n_obj, n_band)).argsort(axis=1).argsort(axis=1)
        lost = (order < number[:, None]) & (rng.random((n_obj, 1)) < self._config.lost_bands)
        left = np.isfinite(flux) & ~lost
        lost &= left.any(axis=1)[:, None] & (n_band > 1)
        flux[lost] = np.nan
        err[lost] = np.nan
