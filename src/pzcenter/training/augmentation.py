"""Noise added to a training set until its fluxes are as uncertain as the target's at the same magnitude."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from pydantic import Field
from scipy.special import ndtri

from pzcenter.science.photometry import flux_to_asinh_mag
from pzcenter.training.colour_space import bands_to_compare, check_fluxes, flux_columns, measured_fluxes
from pzcenter.training.row_hash import identity_of, uniforms
from pzcenter.training.subsample import Subsample, SubsampleSettings
from pzcenter.training.target_chunks import names_of, random_rows

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

    from pzcenter.training.target_chunks import Target

__all__ = ["ErrorModel", "NoiseAugmentation", "NoiseAugmentationSettings", "error_model"]

_N_QUANTILE = 21


class NoiseAugmentationSettings(SubsampleSettings):
    """Bands, and how the target's errors are tabulated."""

    bands: tuple[str, ...] | None = Field(
        default=None, title="Bands", description="Bands to degrade; those in common when not given."
    )
    mag_width: float = Field(default=0.5, title="Width", description="Width of the bins of magnitude, mag.", gt=0)
    n_sample: int = Field(
        default=200_000, title="Sample", description="Target objects, drawn at random, that show the errors.", ge=100
    )
    min_per_bin: int = Field(
        default=20, title="Fewest objects", description="Bins with fewer take the errors of the nearest one.", ge=2
    )


class NoiseAugmentation:
    """Degrade the fluxes to the target's depth."""

    name: ClassVar[str] = "noise_augmentation"
    title: ClassVar[str] = "Fluxes degraded to the target's errors at the same magnitude."
    needs_target: ClassVar[bool] = True
    Settings: ClassVar[type[SubsampleSettings]] = NoiseAugmentationSettings

    def __init__(self, settings: NoiseAugmentationSettings) -> None:
        self.settings = settings

    def draw(self, table: pa.Table, target: Target | None, *, seed: int) -> Subsample:
        """Add noise.

        Parameters
        ----------
        table : pa.Table
            A training set.
        target : Target
            Whose depth is wanted.
        seed : int
            Noise is drawn by the rows' ids and the seed.

        Returns
        -------
        Subsample
            All rows, with other fluxes and errors. Noise cannot be taken away: fluxes that are as uncertain already
            stay as they are and are counted.

        Raises
        ------
        BandError, UnitError, UsageError
            Bands or fluxes that do not serve.
        """
        assert target is not None
        bands = bands_to_compare(self.settings.bands, table.column_names, names_of(target))
        sample, _ = random_rows(target, flux_columns(bands), self.settings.n_sample, seed=seed)
        flux_target, err_target = measured_fluxes(sample, bands)
        check_fluxes(flux_target, err_target, bands, "the target")
        flux, err = measured_fluxes(table, bands)
        ids = identity_of(table)
        depth = uniforms(ids, seed)
        columns: dict[str, NDArray[Any]] = {}
        counts: dict[str, float] = {}
        for index, band in enumerate(bands):
            model = error_model(flux_target[:, index], err_target[:, index], self.settings)
            wanted = model.errors(flux[:, index], depth)
            add = np.sqrt(np.maximum(wanted**2 - err[:, index] ** 2, 0.0))
            noise = ndtri(uniforms(ids, seed, stream=index + 1))
            columns[f"flux_{band}"] = flux[:, index] + add * noise
            columns[f"flux_err_{band}"] = np.maximum(err[:, index], wanted)
            counts[f"{band}_degraded"] = int(np.count_nonzero(add > 0))
            counts[f"{band}_as_uncertain_already"] = int(np.count_nonzero(add == 0))
        return Subsample(np.ones(table.num_rows), columns=columns, counts=counts)


@dataclass(frozen=True, eq=False)
class ErrorModel:
    """Flux errors of a band by magnitude.

    Parameters
    ----------
    softening : float
        Of the asinh magnitudes, nJy.
    mag : ndarray, (n_bin,)
        Middle of the bins.
    log_err : ndarray, (n_bin,)
        Median of the decadic logarithm of the flux error, nJy.
    scatter : ndarray, (n_bin, n_quantile)
        Quantiles of the logarithm less the interpolated median, evenly spaced from the least to the greatest.
    """

    softening: float
    mag: NDArray[np.float64]
    log_err: NDArray[np.float64]
    scatter: NDArray[np.float64]

    def errors(self, flux: NDArray[np.float64], quantile: NDArray[np.float64]) -> NDArray[np.float64]:
        """Error that the target has at a flux.

        Parameters
        ----------
        flux : ndarray, (n_obj,)
            nJy, NaN where missing.
        quantile : ndarray, (n_obj,)
            Where in the distribution of the errors, 0 to 1: one number for all bands keeps deep places deep in all.

        Returns
        -------
        ndarray, (n_obj,)
            nJy; NaN where the flux is.
        """
        mag = flux_to_asinh_mag(flux, self.softening)
        row = np.searchsorted((self.mag[1:] + self.mag[:-1]) / 2, mag)
        column = quantile * (self.scatter.shape[1] - 1)
        left = np.minimum(column.astype(np.int64), self.scatter.shape[1] - 2)
        part = column - left
        off = (1 - part) * self.scatter[row, left] + part * self.scatter[row, left + 1]
        log_err = np.interp(mag, self.mag, self.log_err) + off
        return np.asarray(np.where(np.isnan(mag), np.nan, 10.0**log_err))


def error_model(flux: NDArray[np.float64], err: NDArray[np.float64], settings: NoiseAugmentationSettings) -> ErrorModel:
    """Tabulate the errors of a band.

    Parameters
    ----------
    flux, err : ndarray, (n_obj,)
        Of the target, nJy; NaN where missing, with at least one measurement.
    settings : NoiseAugmentationSettings

    Returns
    -------
    ErrorModel
    """
    there = np.isfinite(flux)
    softening = float(np.median(err[there]))
    mag, log_err = flux_to_asinh_mag(flux[there], softening), np.log10(err[there])
    number = np.floor(mag / settings.mag_width).astype(np.int64)
    bins, count = np.unique(number, return_counts=True)
    enough = bins[count >= settings.min_per_bin]
    if not enough.size:
        number, enough = np.zeros_like(number), np.zeros(1, dtype=np.int64)
    middle = (enough + 0.5) * settings.mag_width
    median = np.array([np.median(log_err[number == one]) for one in enough])
    off = log_err - np.interp(mag, middle, median)
    levels = np.linspace(0.0, 1.0, _N_QUANTILE)
    scatter = np.array([np.quantile(off[number == one], levels) for one in enough])
    return ErrorModel(softening, middle.astype(np.float64), median, np.asarray(scatter, dtype=np.float64))
