"""The two array containers that catalogues, estimators and validation pass to each other.

They hold arrays and say what each axis and unit is; they compute nothing and know no file.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from pzcenter.errors import BandError, GridError, ShapeError

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["PZ", "Photometry"]


@dataclass(frozen=True, eq=False)
class Photometry:
    """Total fluxes of a set of objects.

    A negative flux is data. NaN in ``flux`` or ``flux_err``, or an error that is not positive and finite, means
    that the band is missing for that object.

    Parameters
    ----------
    flux : ndarray, (n_obj, n_band)
        nJy (AB zero point 31.4).
    flux_err : ndarray, (n_obj, n_band)
        One standard deviation, nJy.
    bands : tuple of str
        Band names in the order of the second axis, such as ``("u", "g", "r", "i", "z", "y")``.
    object_id : ndarray of int64, (n_obj,), optional
        Row numbers when not given.
    flags : ndarray of uint32, (n_obj,), optional
        Bits of :class:`pzcenter.schema.PZFlag` that are known before any estimate; zeros when not given.
    dereddened : bool
        Whether Galactic extinction has been taken out of the fluxes.

    Raises
    ------
    ShapeError
        The arrays do not fit each other.
    BandError
        A band name appears twice.
    """

    flux: NDArray[Any]
    flux_err: NDArray[Any]
    bands: tuple[str, ...]
    object_id: NDArray[np.int64] | None = None
    flags: NDArray[np.uint32] | None = None
    dereddened: bool = True

    def __post_init__(self) -> None:
        if self.flux.ndim != 2 or self.flux.shape != self.flux_err.shape:
            raise ShapeError(
                f"flux and flux_err must both be (n_obj, n_band); got {self.flux.shape} and {self.flux_err.shape}"
            )
        if self.flux.shape[1] != len(self.bands):
            raise ShapeError(f"flux has {self.flux.shape[1]} bands, but {len(self.bands)} band names: {self.bands}")
        if len(set(self.bands)) != len(self.bands):
            raise BandError(f"each band may appear once; got {self.bands}")
        n_obj = self.flux.shape[0]
        for name in ("object_id", "flags"):
            value = getattr(self, name)
            if value is not None and value.shape != (n_obj,):
                raise ShapeError(f"{name} must be ({n_obj},); got {value.shape}")
        if self.object_id is None:
            object.__setattr__(self, "object_id", np.arange(n_obj, dtype=np.int64))
        if self.flags is None:
            object.__setattr__(self, "flags", np.zeros(n_obj, dtype=np.uint32))

    @property
    def n_obj(self) -> int:
        """Number of objects."""
        return int(self.flux.shape[0])

    @property
    def n_band(self) -> int:
        """Number of bands."""
        return len(self.bands)

    def select(self, rows: Any) -> Photometry:
        """Rows by slice, boolean mask or index array."""
        assert self.object_id is not None and self.flags is not None
        return replace(
            self,
            flux=self.flux[rows],
            flux_err=self.flux_err[rows],
            object_id=self.object_id[rows],
            flags=self.flags[rows],
        )

    def with_bands(self, bands: tuple[str, ...]) -> Photometry:
        """The same objects with these bands, in this order.

        Raises
        ------
        BandError
            A band is not there.
        """
        if bands == self.bands:
            return self
        missing = [band for band in bands if band not in self.bands]
        if missing:
            raise BandError(f"bands {missing} are not in this photometry, which has {list(self.bands)}")
        columns = [self.bands.index(band) for band in bands]
        return replace(self, flux=self.flux[:, columns], flux_err=self.flux_err[:, columns], bands=bands)


@dataclass(frozen=True, eq=False)
class PZ:
    """Redshift probability densities of a set of objects, one row per object in the order of the photometry.

    Parameters
    ----------
    pdf : ndarray of float32, (n_obj, n_z)
        Density per unit redshift on ``z_grid``, unit integral; a row of NaN where there is no estimate.
    z_grid : ndarray, (n_z,)
        Increasing.
    flags : ndarray of uint32, (n_obj,)
        Bits of :class:`pzcenter.schema.PZFlag`.
    chi2 : ndarray of float32, (n_obj,), optional
        Of the best model, for methods that have one.
    template_id : ndarray of int16, (n_obj,), optional
        Best template, -1 where there is none.
    in_train_domain : ndarray of float32, (n_obj,), optional
        1 inside the domain the method was trained on, towards 0 outside it.
    p_star, p_agn : ndarray of float32, (n_obj,), optional
        Probabilities that the object is a star or an active nucleus, for methods that tell; NaN where not known.

    Raises
    ------
    ShapeError
        The arrays do not fit each other.
    GridError
        ``z_grid`` does not increase.
    """

    pdf: NDArray[np.float32]
    z_grid: NDArray[np.float64]
    flags: NDArray[np.uint32]
    chi2: NDArray[np.float32] | None = None
    template_id: NDArray[np.int16] | None = None
    in_train_domain: NDArray[np.float32] | None = None
    p_star: NDArray[np.float32] | None = None
    p_agn: NDArray[np.float32] | None = None

    def __post_init__(self) -> None:
        if self.z_grid.ndim != 1 or self.z_grid.size < 2 or not np.all(np.diff(self.z_grid) > 0):
            raise GridError("z_grid must be one-dimensional, increasing, with at least two points")
        if self.pdf.ndim != 2 or self.pdf.shape[1] != self.z_grid.size:
            raise ShapeError(f"pdf must be (n_obj, {self.z_grid.size}); got {self.pdf.shape}")
        n_obj = self.pdf.shape[0]
        for name in ("flags", "chi2", "template_id", "in_train_domain", "p_star", "p_agn"):
            value = getattr(self, name)
            if value is not None and value.shape != (n_obj,):
                raise ShapeError(f"{name} must be ({n_obj},); got {value.shape}")

    @property
    def n_obj(self) -> int:
        """Number of objects."""
        return int(self.pdf.shape[0])

    @property
    def n_z(self) -> int:
        """Number of grid points."""
        return int(self.z_grid.size)
