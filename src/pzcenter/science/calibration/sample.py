"""Objects of known redshift, and the template fit at that redshift."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from pzcenter.errors import EmptyTableError

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["ErrorFunction", "Sample", "at_redshift", "fit_at_redshift"]

N_OBJ_MIN = 50
"""Fewest objects for a calibration."""

BLOCK = 4096
"""Objects handled at once, so that memory does not grow with the sample."""


@dataclass(frozen=True, eq=False)
class Sample:
    """Objects of known redshift, in an order that depends on their values alone.

    Parameters
    ----------
    flux, variance : ndarray, (n_obj, n_band)
        A missing band has flux zero and infinite variance.
    z, mag : ndarray, (n_obj,)
        Known redshift, and magnitude of the prior.
    """

    flux: NDArray[np.float64]
    variance: NDArray[np.float64]
    z: NDArray[np.float64]
    mag: NDArray[np.float64]

    @classmethod
    def drawn(cls, flux: Any, flux_err: Any, *, z_spec: Any, prior_mag: Any, n_max: int, seed: int) -> Sample:
        """Draw at most ``n_max`` of the objects that have a redshift and three bands."""
        flux = np.asarray(flux, dtype=np.float64)
        err = np.asarray(flux_err, dtype=np.float64)
        z, mag = np.asarray(z_spec, dtype=np.float64), np.asarray(prior_mag, dtype=np.float64)
        measured = np.isfinite(flux) & np.isfinite(err) & (err > 0)
        usable = np.flatnonzero(np.isfinite(z) & (z >= 0) & (measured.sum(axis=1) >= 3))
        if usable.size < N_OBJ_MIN:
            raise EmptyTableError(
                f"a calibration needs at least {N_OBJ_MIN} objects with a redshift and three bands; got {usable.size}"
            )
        order = usable[np.lexsort((*flux[usable].T, z[usable]))]
        order = np.random.default_rng(seed).permutation(order)[:n_max]
        seen = measured[order]
        return cls(
            flux=np.where(seen, flux[order], 0.0),
            variance=np.where(seen, err[order] ** 2, np.inf),
            z=z[order],
            mag=mag[order],
        )

    def split(self, fraction: float) -> tuple[Sample, Sample]:
        """Cut into all but the last ``fraction`` of the objects, and these."""
        n = round(self.z.size * (1 - fraction))
        return self.rows(slice(0, n)), self.rows(slice(n, None))

    def rows(self, which: Any) -> Sample:
        """Some of the objects, by slice, mask or index."""
        return Sample(self.flux[which], self.variance[which], self.z[which], self.mag[which])

    def blocks(self) -> list[Sample]:
        """The objects in pieces of bounded size."""
        return [self.rows(slice(start, start + BLOCK)) for start in range(0, self.z.size, BLOCK)]


def at_redshift(table: NDArray[np.float64], z_nodes: NDArray[np.float64], z: NDArray[np.float64]) -> Any:
    """Last axis of ``table`` interpolated at each object's redshift; the object axis comes first."""
    left = np.clip(np.searchsorted(z_nodes, z, side="right") - 1, 0, z_nodes.size - 2)
    fraction = (z - z_nodes[left]) / (z_nodes[left + 1] - z_nodes[left])
    value = table[..., left] * (1 - fraction) + table[..., left + 1] * fraction
    return np.moveaxis(value, -1, 0)


@dataclass(frozen=True, eq=False)
class ErrorFunction:
    """Error of the templates as a fraction of the flux at rest-frame wavelengths.

    Parameters
    ----------
    knots, fraction : ndarray, (n_err_knot,)
        Angstrom, and the error there; linear in ln(wavelength) between.
    effective : ndarray, (n_band,)
        Effective wavelength of each band, angstrom.
    """

    knots: NDArray[np.float64]
    fraction: NDArray[np.float64]
    effective: NDArray[np.float64]

    def inverse_variance(self, sample: Sample) -> NDArray[np.float64]:
        """Weights (n_obj, n_band) of noise and template error together."""
        fraction = np.interp(self.log_rest_wavelength(sample.z), np.log(self.knots), self.fraction)
        return np.asarray(1.0 / (sample.variance + (fraction * sample.flux) ** 2))

    def log_rest_wavelength(self, z: NDArray[np.float64]) -> NDArray[np.float64]:
        """Natural logarithm of the rest-frame wavelength (n_obj, n_band) that each band sees."""
        return np.asarray(np.log(self.effective / (1.0 + z[:, None])))

    def with_fraction(self, fraction: NDArray[np.float64]) -> ErrorFunction:
        """The same knots with other errors."""
        return replace(self, fraction=fraction)


def fit_at_redshift(sample: Sample, model: Any, weight: Any, log_prior: Any = 0.0) -> tuple[Any, Any]:
    """Amplitudes and responsibilities (n_obj, n_template) for model fluxes (n_obj, n_template, n_band)."""
    fot = np.einsum("nb,ntb->nt", weight * sample.flux, model)
    ftt = np.einsum("nb,ntb->nt", weight, model**2)
    amplitude = np.maximum(fot / np.maximum(ftt, 1e-300), 1e-9)
    log_p = 0.5 * amplitude * fot + log_prior
    responsibility = np.exp(log_p - log_p.max(axis=1, keepdims=True))
    return amplitude, responsibility / responsibility.sum(axis=1, keepdims=True)
