"""Tilings of the sky as skymaps of the Butler: Rubin's tracts, or HEALPix pixels of mixed order.

A HEALPix pixel becomes a tract by its NUNIQ number, ``4 * 4**order + pixel`` (IVOA MOC 2.0), so that every
HATS catalogue is a tiling, whatever the orders of its pixels.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import numpy as np
from lsst.sphgeom import (
    Angle,
    AngleInterval,
    Box,
    ConvexPolygon,
    LonLat,
    NormalizedAngle,
    NormalizedAngleInterval,
    UnitVector3d,
)

from pzcenter.errors import DataIdError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

__all__ = [
    "HEALPIX_SKYMAP",
    "MAX_ORDER",
    "RUBIN_SKYMAP",
    "bounding_region",
    "nuniq",
    "order_and_pixel",
    "pixel_region",
    "register_tracts",
]

RUBIN_SKYMAP = "lsst_cells_v1"
HEALPIX_SKYMAP = "healpix_nuniq"
MAX_ORDER = 13
"""Highest order whose NUNIQ fits into the 32 bits of a tract number."""

MARGIN_DEG = 1e-6
"""Around the objects of a tract, so that a region is never empty."""


def nuniq(order: int, pixel: int) -> int:
    """Number of a HEALPix pixel that holds its order too.

    Raises
    ------
    DataIdError
        The order or the pixel is out of range.
    """
    if not 0 <= order <= MAX_ORDER or not 0 <= pixel < 12 * 4**order:
        raise DataIdError(f"HEALPix order {order}, pixel {pixel} is no tract; orders 0 to {MAX_ORDER} are accepted")
    return int(4 * 4**order + pixel)


def order_and_pixel(number: int) -> tuple[int, int]:
    """HEALPix order and pixel of a NUNIQ number."""
    order = (int(number).bit_length() - 1) // 2 - 1
    return order, int(number) - 4 * 4**order


def bounding_region(ra: NDArray[np.float64], dec: NDArray[np.float64]) -> Any:
    """Smallest box in right ascension and declination that holds all positions.

    Parameters
    ----------
    ra, dec : ndarray, (n_obj,)
        ICRS degrees.

    Returns
    -------
    lsst.sphgeom.Box
    """
    ra = np.sort(np.mod(ra[np.isfinite(ra)], 360.0))
    dec = dec[np.isfinite(dec)]
    if ra.size == 0 or dec.size == 0:
        return Box.full()
    gaps = np.diff(np.append(ra, ra[0] + 360.0))
    widest = int(np.argmax(gaps))
    # The widest gap lies outside the box, which may run over 360 degrees.
    west, east = ra[(widest + 1) % ra.size] - MARGIN_DEG, ra[widest] + MARGIN_DEG
    longitudes = NormalizedAngleInterval(
        NormalizedAngle.fromDegrees(west % 360.0), NormalizedAngle.fromDegrees(east % 360.0)
    )
    low, high = max(dec.min() - MARGIN_DEG, -90.0), min(dec.max() + MARGIN_DEG, 90.0)
    return Box(longitudes, AngleInterval(Angle.fromDegrees(low), Angle.fromDegrees(high)))


def pixel_region(order: int, pixel: int) -> Any:
    """Corners of a HEALPix pixel, as a polygon."""
    import cdshealpix
    from astropy.coordinates import Latitude, Longitude

    corners = cdshealpix.vertices(np.array([pixel]), depth=order, step=1)
    ra, dec = Longitude(corners[0]).deg[0], Latitude(corners[1]).deg[0]
    return ConvexPolygon([UnitVector3d(LonLat.fromDegrees(float(x), float(y))) for x, y in zip(ra, dec, strict=True)])


def register_tracts(butler: Any, skymap: str, regions: Mapping[int, Any]) -> None:
    """Make a skymap and its tracts known; a tract that is known already is widened where its region is a box."""
    digest = hashlib.sha1(skymap.encode(), usedforsecurity=False).digest()
    known = {record.name for record in butler.registry.queryDimensionRecords("skymap")}
    if skymap not in known:
        row = {"name": skymap, "hash": digest, "tract_max": 2**31 - 1, "patch_nx_max": 1, "patch_ny_max": 1}
        butler.registry.insertDimensionData("skymap", row)
    old = {
        int(record.id): record.region
        for record in butler.query_dimension_records("tract", where=f"skymap = '{skymap}'", explain=False, limit=None)
    }
    new = {tract: region for tract, region in regions.items() if tract not in old}
    wider = {
        tract: old[tract].expandedTo(region)
        for tract, region in regions.items()
        if isinstance(old.get(tract), Box) and isinstance(region, Box) and not old[tract].contains(region)
    }
    for rows, replace in ((new, False), (wider, True)):
        if rows:
            butler.registry.insertDimensionData(
                "tract",
                *({"skymap": skymap, "id": tract, "region": region} for tract, region in rows.items()),
                replace=replace,
                skip_existing=not replace,
            )
