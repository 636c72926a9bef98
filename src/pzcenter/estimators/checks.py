"""The checks that every method makes on what it is given, in one place.

:func:`check_photometry` before an estimate and :func:`check_training` before a training. A bad object becomes a flag,
a bad sample an error.
"""

from __future__ import annotations

import hashlib
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pzcenter.errors import BandError, EmptyTableError, GridError, ModelError, ShapeError
from pzcenter.estimators.protocol import TrainingFacts, default_z_grid
from pzcenter.schema import PZFlag

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pzcenter.estimators.protocol import Declaration
    from pzcenter.schema import Photometry

__all__ = [
    "FEW_BANDS",
    "CheckedPhotometry",
    "TrainingSample",
    "check_photometry",
    "check_training",
    "check_z_grid",
    "require_different_redshifts",
]

log = logging.getLogger(__name__)

FEW_BANDS = 4
"""Fewer usable bands than this sets the flag ``few_bands``."""


@dataclass(frozen=True, eq=False)
class CheckedPhotometry:
    """Photometry in the model's band order, in which every cell is either usable or NaN.

    Parameters
    ----------
    flux, flux_err : ndarray of float32, (n_obj, n_band)
        nJy, C order; both NaN where the band is missing.
    flags : ndarray of uint32, (n_obj,)
        The flags that came in, with those of the checks.
    n_used : ndarray of uint8, (n_obj,)
        Usable bands.
    """

    flux: NDArray[np.float32]
    flux_err: NDArray[np.float32]
    flags: NDArray[np.uint32]
    n_used: NDArray[np.uint8]

    @property
    def has_estimate(self) -> NDArray[np.bool_]:
        """Objects with at least one usable band."""
        return self.n_used > 0


@dataclass(frozen=True, eq=False)
class TrainingSample:
    """Objects of known redshift, in an order that does not depend on the order they came in.

    Parameters
    ----------
    flux, flux_err : ndarray of float32, (n_obj, n_band)
        nJy; both NaN where the band is missing.
    z_spec : ndarray of float64, (n_obj,)
        Increasing.
    bands : tuple of str
        Of the second axis.
    z_grid : ndarray of float64, (n_z,)
        Covers ``z_spec``.
    facts : TrainingFacts
        For the manifest.
    """

    flux: NDArray[np.float32]
    flux_err: NDArray[np.float32]
    z_spec: NDArray[np.float64]
    bands: tuple[str, ...]
    z_grid: NDArray[np.float64]
    facts: TrainingFacts


def check_photometry(photometry: Photometry, bands: tuple[str, ...], declaration: Declaration) -> CheckedPhotometry:
    """Bring photometry into a model's form, flagging objects that lack something.

    Parameters
    ----------
    photometry : Photometry
        As it comes; extra bands are dropped.
    bands : tuple of str
        Of the model.
    declaration : Declaration
        Of the method.

    Returns
    -------
    CheckedPhotometry
        With ``no_estimate``, ``few_bands``, ``bad_error`` and ``not_dereddened`` set where they hold. A cell whose
        flux is infinite, or whose error is NaN, infinite, zero or negative, is ``bad_error``, and treated as missing.

    Raises
    ------
    BandError
        A band of the model is not there.
    """
    missing = [band for band in bands if band not in photometry.bands]
    if missing:
        raise BandError(
            f"the model uses the bands {list(bands)}, and this photometry has {list(photometry.bands)}: "
            f"{missing} missing. A band that was not observed can be given as a column of NaN"
        )
    ordered = photometry.with_bands(bands)
    flux, flux_err, usable, measured = _usable_cells(ordered.flux, ordered.flux_err)
    n_used = usable.sum(axis=1).astype(np.uint8)
    assert photometry.flags is not None
    flags = photometry.flags.astype(np.uint32, copy=True)
    _set(flags, n_used == 0, PZFlag.no_estimate)
    _set(flags, n_used < FEW_BANDS, PZFlag.few_bands)
    _set(flags, (measured & ~usable).any(axis=1), PZFlag.bad_error)
    if declaration.needs_dereddened and not photometry.dereddened:
        flags |= np.uint32(PZFlag.not_dereddened)
    return CheckedPhotometry(flux=flux, flux_err=flux_err, flags=flags, n_used=n_used)


def check_training(
    photometry: Photometry,
    z_spec: NDArray[Any],
    z_grid: NDArray[Any] | None,
    declaration: Declaration,
) -> TrainingSample:
    """Verify a training set and bring it into a canonical order.

    Objects without any usable band are left out: they teach nothing. They are counted in a warning of the log, and so
    are bands that no object has.

    Parameters
    ----------
    photometry : Photometry
        The objects.
    z_spec : ndarray, (n_obj,)
        Their redshifts.
    z_grid : ndarray, (n_z,), optional
        Default grid when None.
    declaration : Declaration
        Of the method.

    Returns
    -------
    TrainingSample
        Sorted by redshift, then flux, then error, so that the same objects always give the same model.

    Raises
    ------
    ShapeError
        ``z_spec`` is not one number per object.
    EmptyTableError
        No objects at all.
    ModelError
        Redshifts that are not finite, or fewer usable objects than the method needs.
    GridError
        The grid is not a grid, or does not cover the redshifts.
    """
    z = np.asarray(z_spec, dtype=np.float64)
    if z.shape != (photometry.n_obj,):
        raise ShapeError(f"z_spec must be ({photometry.n_obj},), one per object; got {z.shape}")
    if z.size == 0:
        raise EmptyTableError("the training set has no objects")
    bad = ~np.isfinite(z)
    if bad.any():
        raise ModelError(
            f"{int(bad.sum())} of {z.size} training redshifts are not finite (first at row {int(np.argmax(bad))}); "
            "leave such objects out"
        )
    grid = check_z_grid(default_z_grid() if z_grid is None else z_grid)
    if z.min() < grid[0] or z.max() > grid[-1]:
        outside = int(np.count_nonzero((z < grid[0]) | (z > grid[-1])))
        raise GridError(
            f"the redshift grid covers {grid[0]:g} to {grid[-1]:g}, and the training redshifts run from {z.min():g} "
            f"to {z.max():g}: {outside} of {z.size} objects are outside. Widen the grid (--z-max), or cut the set"
        )
    flux, flux_err, usable, _ = _usable_cells(photometry.flux, photometry.flux_err)
    keep = usable.any(axis=1)
    if int(keep.sum()) < declaration.n_train_min:
        raise ModelError(
            f"{int(keep.sum())} of {z.size} training objects have a usable band; at least {declaration.n_train_min} "
            "are needed"
        )
    if not keep.all():
        log.warning("%d of %d training objects have no usable band and are left out", int((~keep).sum()), z.size)
    lost = [band for band, column in zip(photometry.bands, usable.T, strict=True) if not column.any()]
    if lost:
        log.warning("no training object has the bands %s: the model will not look at them", lost)
    flux, flux_err, z = flux[keep], flux_err[keep], z[keep]
    order = np.lexsort((*flux_err.T[::-1], *flux.T[::-1], z))
    flux, flux_err, z = np.ascontiguousarray(flux[order]), np.ascontiguousarray(flux_err[order]), z[order]
    facts = TrainingFacts(
        n_obj=int(z.size),
        z_min=float(z[0]),
        z_max=float(z[-1]),
        sha256=_training_sha256(photometry.bands, flux, flux_err, z),
    )
    return TrainingSample(
        flux=flux, flux_err=flux_err, z_spec=z, bands=tuple(photometry.bands), z_grid=grid, facts=facts
    )


def require_different_redshifts(facts: TrainingFacts) -> None:
    """Refuse a training set that says the same of all objects.

    Parameters
    ----------
    facts : TrainingFacts
        Of the training set.

    Raises
    ------
    ModelError
        All redshifts are the same.
    """
    if facts.z_min == facts.z_max:
        raise ModelError(f"all {facts.n_obj} training redshifts are {facts.z_min:g}: there is nothing to learn")


def check_z_grid(z_grid: NDArray[Any]) -> NDArray[np.float64]:
    """Verify a redshift grid.

    Parameters
    ----------
    z_grid : ndarray, (n_z,)
        Any numeric dtype.

    Returns
    -------
    ndarray of float64, (n_z,)
        A copy that cannot be written to.

    Raises
    ------
    GridError
        Not one-dimensional, fewer than two points, not increasing, not finite or negative.
    """
    grid = np.array(z_grid, dtype=np.float64)
    if grid.ndim != 1 or grid.size < 2:
        raise GridError(f"a redshift grid is one-dimensional with at least two points; got shape {grid.shape}")
    if not np.all(np.isfinite(grid)) or not np.all(np.diff(grid) > 0):
        raise GridError("a redshift grid is finite and increasing; this one is not")
    if grid[0] < 0:
        raise GridError(f"a redshift grid starts at 0 or above; this one starts at {grid[0]:g}")
    grid.setflags(write=False)
    return grid


def _usable_cells(
    flux: NDArray[Any], flux_err: NDArray[Any]
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.bool_], NDArray[np.bool_]]:
    """Copy with NaN wherever a band is not usable; also the masks of usable cells and of those with any flux."""
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        f = np.array(flux, dtype=np.float32, order="C")
        e = np.array(flux_err, dtype=np.float32, order="C")
        measured = ~np.isnan(f)
        usable = np.isfinite(f) & np.isfinite(e) & (e > 0)
    f[~usable] = np.nan
    e[~usable] = np.nan
    return f, e, usable, measured


def _set(flags: NDArray[np.uint32], where: Any, bit: PZFlag) -> None:
    flags[where] |= np.uint32(bit)


def _training_sha256(
    bands: tuple[str, ...], flux: NDArray[np.float32], flux_err: NDArray[np.float32], z_spec: NDArray[np.float64]
) -> str:
    digest = hashlib.sha256("\n".join(bands).encode())
    for array in (flux, flux_err, z_spec):
        # NaN has many bit patterns: one of them is chosen.
        plain = np.where(np.isnan(array), np.array(np.nan, dtype=array.dtype), array)
        digest.update(np.ascontiguousarray(plain.astype(plain.dtype.newbyteorder("<"))).tobytes())
    return digest.hexdigest()
