"""Positions on the sky: HEALPix pixels in the nested scheme, and separations.

``_healpix_29`` columns hold the nested pixel at order 29, whose leading bits are the pixel at any lower order.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from pzcenter.errors import UnitError, UsageError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = [
    "MAX_ORDER",
    "angular_separation",
    "healpix29",
    "healpix_at_order",
    "healpix_center",
    "margin_order",
    "margin_pixels",
    "pixel_neighbours",
    "pixel_range_29",
]

MAX_ORDER = 29
"""Highest order whose pixel numbers fit in 64 bits."""


def healpix29(ra: ArrayLike, dec: ArrayLike) -> NDArray[np.int64]:
    """HEALPix pixel at order 29, nested scheme.

    Parameters
    ----------
    ra, dec : array_like, (n_obj,)
        Degrees, ICRS; any right ascension is taken modulo 360.

    Returns
    -------
    ndarray of int64, (n_obj,)

    Raises
    ------
    UnitError
        A coordinate that is not finite, or a declination outside [-90, 90].

    References
    ----------
    Gorski et al. 2005, ApJ 622, 759; Kunszt, Szalay & Thakar 2001, section on hierarchical indexing.
    """
    from astropy import units
    from astropy.coordinates import Latitude, Longitude
    from cdshealpix import lonlat_to_healpix

    lon = np.atleast_1d(np.asarray(ra, dtype=np.float64))
    lat = np.atleast_1d(np.asarray(dec, dtype=np.float64))
    if not np.all(np.isfinite(lon)) or not np.all(np.abs(lat) <= 90.0):
        raise UnitError("ra and dec must be finite degrees, dec within [-90, 90]")
    pixel = lonlat_to_healpix(Longitude(lon, units.deg), Latitude(lat, units.deg), MAX_ORDER, num_threads=1)
    return np.asarray(pixel).astype(np.int64)


def healpix_at_order(hpx29: ArrayLike, order: int) -> NDArray[np.int64]:
    """Pixel at a lower order that holds a pixel at order 29.

    Parameters
    ----------
    hpx29 : array_like of int, any shape
        Pixels at order 29.
    order : int
        0 to 29.

    Returns
    -------
    ndarray of int64, same shape

    Raises
    ------
    UsageError
        The order is outside 0 to 29.
    """
    _check_order(order)
    return np.asarray(hpx29, dtype=np.int64) >> np.int64(2 * (MAX_ORDER - order))


def pixel_range_29(pixel: int, order: int) -> tuple[int, int]:
    """Half-open range of the order-29 pixels inside a pixel.

    Parameters
    ----------
    pixel : int
        Nested, at ``order``.
    order : int
        0 to 29.

    Returns
    -------
    tuple of int
        First, and one past the last.

    Raises
    ------
    UsageError
        The order is outside 0 to 29, or there is no such pixel.
    """
    _check_order(order)
    if not 0 <= pixel < 12 * 4**order:
        raise UsageError(f"order {order} has the pixels 0 to {12 * 4**order - 1}; got {pixel}")
    shift = 2 * (MAX_ORDER - order)
    return pixel << shift, (pixel + 1) << shift


def healpix_center(pixel: ArrayLike, order: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Centre of pixels.

    Parameters
    ----------
    pixel : array_like of int, (n,)
        Nested, at ``order``.
    order : int
        0 to 29.

    Returns
    -------
    ra, dec : ndarray, (n,)
        Degrees, ICRS.

    Raises
    ------
    UsageError
        The order is outside 0 to 29.
    """
    from cdshealpix import healpix_to_lonlat

    _check_order(order)
    lon, lat = healpix_to_lonlat(np.atleast_1d(np.asarray(pixel)).astype(np.uint64), order, num_threads=1)
    return np.asarray(lon.deg, dtype=np.float64), np.asarray(lat.deg, dtype=np.float64)


def pixel_neighbours(pixel: ArrayLike, order: int) -> NDArray[np.int64]:
    """Eight pixels around each pixel.

    Parameters
    ----------
    pixel : array_like of int, (n,)
        Nested, at ``order``.
    order : int
        0 to 29.

    Returns
    -------
    ndarray of int64, (n, 8)
        -1 where a corner has no neighbour (24 pixels of each order have seven).

    Raises
    ------
    UsageError
        The order is outside 0 to 29.
    """
    from cdshealpix import neighbours

    _check_order(order)
    around = np.asarray(neighbours(np.atleast_1d(np.asarray(pixel)).astype(np.uint64), order, num_threads=1))
    return np.delete(around.astype(np.int64), 4, axis=1)


def margin_order(margin_arcsec: float) -> int:
    """Highest order at which every pixel is wider than a margin.

    Parameters
    ----------
    margin_arcsec : float
        Positive.

    Returns
    -------
    int
        Every point within the margin of a pixel's border lies in that pixel or in one of :func:`margin_pixels` at
        this order.

    Raises
    ------
    UsageError
        The margin is not positive, or wider than the pixels of order 0.

    Notes
    -----
    The narrowest pixels are about 0.55 times as wide as the root of their area (58.6 / 2**order degrees); 0.5 is
    used to be safe.
    """
    if not margin_arcsec > 0:
        raise UsageError(f"the margin must be positive; got {margin_arcsec} arcsec")
    root_of_area_arcsec = 3600.0 * np.degrees(np.sqrt(np.pi / 3.0))
    order = int(np.floor(np.log2(0.5 * root_of_area_arcsec / margin_arcsec)))
    if order < 0:
        raise UsageError(f"a margin of {margin_arcsec} arcsec is wider than the largest pixels")
    return min(order, MAX_ORDER)


def margin_pixels(pixel: int, order: int, at_order: int) -> NDArray[np.int64]:
    """Pixels of a higher order that touch a pixel from outside.

    Parameters
    ----------
    pixel : int
        Nested, at ``order``.
    order : int
        0 to 29.
    at_order : int
        Order of the pixels wanted, at least ``order``; see :func:`margin_order`.

    Returns
    -------
    ndarray of int64, (n,)
        Sorted, borders and corners.

    Raises
    ------
    UsageError
        An order is out of range.
    """
    from cdshealpix import external_neighbours

    _check_order(at_order)
    if not 0 <= order <= at_order:
        raise UsageError(f"at_order must be at least the order of the pixel, {order}; got {at_order}")
    if at_order == order:
        around = pixel_neighbours([pixel], order)[0]
        return np.unique(around[around >= 0])
    borders, corners = external_neighbours(np.array([pixel], dtype=np.uint64), order, at_order - order, num_threads=1)
    around = np.concatenate(
        [np.asarray(borders).ravel().astype(np.int64), np.asarray(corners).ravel().astype(np.int64)]
    )
    return np.unique(around[around >= 0])


def angular_separation(ra1: ArrayLike, dec1: ArrayLike, ra2: ArrayLike, dec2: ArrayLike) -> NDArray[Any]:
    """Angle between positions, accurate at all separations.

    Parameters
    ----------
    ra1, dec1, ra2, dec2 : array_like, shapes that broadcast
        Degrees.

    Returns
    -------
    ndarray
        Degrees, 0 to 180; NaN where an input is NaN.

    References
    ----------
    Vincenty 1975, Survey Review 23, 88, for a sphere.
    """
    lon1, lat1, lon2, lat2 = (np.radians(np.asarray(value, dtype=np.float64)) for value in (ra1, dec1, ra2, dec2))
    delta = lon2 - lon1
    sin1, cos1, sin2, cos2 = np.sin(lat1), np.cos(lat1), np.sin(lat2), np.cos(lat2)
    across = np.hypot(cos2 * np.sin(delta), cos1 * sin2 - sin1 * cos2 * np.cos(delta))
    along = sin1 * sin2 + cos1 * cos2 * np.cos(delta)
    return np.asarray(np.degrees(np.arctan2(across, along)))


def _check_order(order: int) -> None:
    """Raise unless 0 <= order <= 29."""
    if not 0 <= order <= MAX_ORDER:
        raise UsageError(f"HEALPix orders are 0 to {MAX_ORDER}; got {order}")
