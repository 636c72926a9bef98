"""Noise of coadded LSST images in flux, where a negative flux is a measurement like any other.

The equations are those of the survey's overview paper; the numbers of each band (single-visit depth, visits per year,
sky term) are read from ``photerr``, which the field keeps up to date. ``photerr`` itself works on data frames of
magnitudes; a test holds the two together.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from pzcenter.errors import BandError

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["FluxNoise", "gaap_area_ratio", "gaap_flux_fraction", "lsst_noise", "profile_area_ratio"]

FWHM_PER_SIGMA = 2.0 * np.sqrt(2.0 * np.log(2.0))
"""Full width at half maximum of a Gaussian, in its standard deviations; also its diameter that holds half the light."""

GAAP_SIGMA_ARCSEC = 1.0
"""Standard deviation of the ``gaap1p0`` aperture."""


@dataclass(frozen=True, eq=False)
class FluxNoise:
    """What the noise of each band's coadd is made of.

    Parameters
    ----------
    bands : tuple of str
    flux_5sigma : ndarray, (n_band,)
        Flux at the five-sigma depth of a single visit, nJy.
    gamma : ndarray, (n_band,)
        The share of the sky in the noise, Ivezic et al. 2019, table 2.
    n_visit : ndarray, (n_band,)
        Visits in the coadd.
    systematic : float
        Error of calibration, a fraction of the flux.
    psf_sigma_arcsec : ndarray, (n_band,)
        Of the point-spread function taken as a Gaussian.
    """

    bands: tuple[str, ...]
    flux_5sigma: NDArray[np.float64]
    gamma: NDArray[np.float64]
    n_visit: NDArray[np.float64]
    systematic: float
    psf_sigma_arcsec: NDArray[np.float64]

    def flux_err(self, flux: NDArray[Any], area_ratio: NDArray[Any] | float = 1.0) -> NDArray[np.float64]:
        r"""Compute the standard deviation of a measured flux.

        With :math:`x = F_5/F` the single-visit error of Ivezic et al. 2019, equation 5,
        :math:`(\sigma/F)^2 = (0.04-\gamma)x + \gamma x^2`, is multiplied by :math:`F^2` so that it holds for any F:
        the first term is the object's own photons, the second the sky's.

        Parameters
        ----------
        flux : ndarray, (n_obj, n_band)
            nJy. Below zero only the sky counts.
        area_ratio : ndarray, (n_obj, n_band), or float
            Effective area of the measurement over that of the point-spread function.

        Returns
        -------
        ndarray, (n_obj, n_band)
            nJy.

        References
        ----------
        Ivezic et al. 2019, ApJ 873, 111, equations 4 and 5. Crenshaw et al. 2024, AJ 168, 80 (``photerr``), for
        the exact form at low signal and the area ratio.
        """
        light = np.maximum(flux, 0.0)
        photons = (0.04 - self.gamma) * light * self.flux_5sigma
        sky = self.gamma * self.flux_5sigma**2
        variance = (photons + sky) / self.n_visit * area_ratio + (self.systematic * light) ** 2
        sigma: NDArray[np.float64] = np.sqrt(variance)
        return sigma

    @property
    def flux_limit(self) -> NDArray[np.float64]:
        """Flux of a point source at five sigma in the coadd, nJy, without the error of calibration."""
        # (0.04-g) F F5 + g F5^2 = n (F/5)^2, solved for F
        linear = (0.04 - self.gamma) * self.flux_5sigma
        square = self.n_visit / 25.0
        limit: NDArray[np.float64] = (linear + np.sqrt(linear**2 + 4.0 * square * self.gamma * self.flux_5sigma**2)) / (
            2.0 * square
        )
        return limit


@lru_cache(maxsize=8)
def lsst_noise(bands: tuple[str, ...], *, years: float = 10.0) -> FluxNoise:
    """Noise of the LSST after some years.

    Parameters
    ----------
    bands : tuple of str
        Of ``u g r i z y``.
    years : float
        Of the Wide, Fast, Deep survey at its mean cadence.

    Returns
    -------
    FluxNoise

    Raises
    ------
    BandError
        A band that the LSST does not have.
    """
    import photerr

    params = photerr.LsstErrorModel(nYrObs=years).params
    # Without the error of calibration the five-sigma magnitude of one visit is the m5 of the equations.
    depth = photerr.LsstErrorModel(nYrObs=years, sigmaSys=0.0).getLimitingMags(nSigma=5, coadded=False)
    unknown = [band for band in bands if band not in depth]
    if unknown:
        raise BandError(f"the LSST has no bands {unknown}; it has {sorted(depth)}")

    def per_band(values: Any) -> NDArray[np.float64]:
        return np.array([values[band] for band in bands], dtype=np.float64)

    fwhm = per_band(params.theta) * per_band(params.airmass) ** 0.6
    return FluxNoise(
        bands=bands,
        flux_5sigma=10.0 ** (0.4 * (31.4 - per_band(depth))),
        gamma=per_band(params.gamma),
        n_visit=per_band(params.nVisYr) * years,
        systematic=10.0 ** (0.4 * params.sigmaSys) - 1.0,
        psf_sigma_arcsec=fwhm / FWHM_PER_SIGMA,
    )


def profile_area_ratio(half_light_arcsec: NDArray[Any], psf_sigma_arcsec: NDArray[Any]) -> NDArray[np.float64]:
    r"""Effective area of a fit of the object's own profile, over that of a point-spread function.

    Both are Gaussians, whose effective area is :math:`4\pi\sigma^2`: what a ``cModel`` flux pays for an extended
    object.

    Parameters
    ----------
    half_light_arcsec : ndarray, (n_obj,)
        Half-light radius before seeing; zero for a star.
    psf_sigma_arcsec : ndarray, (n_band,)

    Returns
    -------
    ndarray, (n_obj, n_band)
    """
    sigma = half_light_arcsec * (2.0 / FWHM_PER_SIGMA)
    ratio: NDArray[np.float64] = 1.0 + (sigma[:, None] / psf_sigma_arcsec) ** 2
    return ratio


def gaap_area_ratio(psf_sigma_arcsec: NDArray[Any]) -> NDArray[np.float64]:
    r"""Effective area of the ``gaap1p0`` aperture, over that of a point-spread function.

    On the image the weight is a Gaussian of variance :math:`A^2 = S^2 - P^2`, for an aperture S defined above the
    seeing P, and is scaled by :math:`S^2/A^2`; white noise through it has the variance
    :math:`\pi A^2 (S^2/A^2)^2`, against :math:`4\pi P^2` of the best weight for a point.

    Parameters
    ----------
    psf_sigma_arcsec : ndarray, (n_band,)

    Returns
    -------
    ndarray, (n_band,)

    References
    ----------
    Kuijken et al. 2015, MNRAS 454, 3500, appendix A.
    """
    seeing = np.asarray(psf_sigma_arcsec, dtype=np.float64) ** 2
    ratio: NDArray[np.float64] = GAAP_SIGMA_ARCSEC**4 / (4.0 * (GAAP_SIGMA_ARCSEC**2 - seeing) * seeing)
    return ratio


def gaap_flux_fraction(half_light_arcsec: NDArray[Any]) -> NDArray[np.float64]:
    r"""Share of an object's light that the ``gaap1p0`` aperture counts, the same in all bands.

    Parameters
    ----------
    half_light_arcsec : ndarray, (n_obj,)
        Before seeing, of a Gaussian profile; zero for a star, all of whose light counts.

    Returns
    -------
    ndarray, (n_obj,)
        :math:`S^2/(S^2+\sigma^2)`.
    """
    sigma = half_light_arcsec * (2.0 / FWHM_PER_SIGMA)
    fraction: NDArray[np.float64] = GAAP_SIGMA_ARCSEC**2 / (GAAP_SIGMA_ARCSEC**2 + sigma**2)
    return fraction
