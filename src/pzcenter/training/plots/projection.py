"""From the plane of a figure back to the sky, pixel by pixel: whole sky, a region, or the surroundings of a pole."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["SkyWindow", "mollweide", "sky_window"]

_WIDEST = 70.0
"""Degrees; wider regions are drawn on a map of the whole sky."""
_POLAR = 65.0
_ROOT2 = float(np.sqrt(2.0))


@dataclass(frozen=True)
class SkyWindow:
    """Part of the sky that a map shows.

    Parameters
    ----------
    kind : str
        ``mollweide``, ``plate carree`` or ``gnomonic``.
    ra, dec : float
        Middle, degrees.
    width, height : float
        Degrees on the plane, without meaning for the whole sky.
    """

    kind: Literal["mollweide", "plate carree", "gnomonic"]
    ra: float = 0.0
    dec: float = 0.0
    width: float = 360.0
    height: float = 180.0

    @property
    def extent(self) -> tuple[float, float, float, float]:
        """Left, right, bottom and top of the axes; RA increases to the left."""
        if self.kind == "mollweide":
            return -2.0 * _ROOT2, 2.0 * _ROOT2, -_ROOT2, _ROOT2
        x, y = (self.ra, self.dec) if self.kind == "plate carree" else (0.0, 0.0)
        return x + 0.5 * self.width, x - 0.5 * self.width, y - 0.5 * self.height, y + 0.5 * self.height

    def pixels(self, n_x: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Sky positions of the pixels of an image over the extent, bottom row first.

        Parameters
        ----------
        n_x : int
            Pixels in a row; they are square on the sky.

        Returns
        -------
        ra, dec : ndarray, (n_y, n_x)
            Degrees; NaN outside the sky.
        """
        left, right, bottom, top = self.extent
        n_y = int(np.clip(round(n_x * abs((top - bottom) / (right - left)) / self.squeeze), 2, 2 * n_x))
        x = left + (np.arange(n_x) + 0.5) * (right - left) / n_x
        y = bottom + (np.arange(n_y) + 0.5) * (top - bottom) / n_y
        x_grid, y_grid = np.meshgrid(x, y)
        if self.kind == "mollweide":
            return _from_mollweide(x_grid, y_grid, self.ra)
        if self.kind == "gnomonic":
            return _from_gnomonic(x_grid, y_grid, self.ra, self.dec)
        return np.where(np.abs(y_grid) <= 90.0, np.mod(x_grid, 360.0), np.nan), y_grid

    @property
    def squeeze(self) -> float:
        """Degrees on the sky of a degree of the horizontal axis."""
        return float(np.cos(np.radians(self.dec))) if self.kind == "plate carree" else 1.0


def sky_window(ra: NDArray[np.float64], dec: NDArray[np.float64]) -> SkyWindow:
    """Window that holds positions, with a margin.

    Parameters
    ----------
    ra, dec : ndarray, (n,)
        Finite degrees, at least one.

    Returns
    -------
    SkyWindow
    """
    lon, lat = np.radians(ra), np.radians(dec)
    mean = np.array([(np.cos(lat) * np.cos(lon)).mean(), (np.cos(lat) * np.sin(lon)).mean(), np.sin(lat).mean()])
    middle = float(np.degrees(np.arctan2(mean[1], mean[0]))) % 360.0
    if np.linalg.norm(mean) < 0.5:
        return SkyWindow("mollweide")
    pole = float(np.degrees(np.arctan2(mean[2], np.hypot(mean[0], mean[1]))))
    if abs(pole) > _POLAR:
        radius = _farthest(ra, dec, mean / np.linalg.norm(mean))
        if radius > 0.5 * _WIDEST:
            return SkyWindow("mollweide")
        size = max(2.4 * float(np.degrees(np.tan(np.radians(radius)))), 0.05)
        return SkyWindow("gnomonic", middle, pole, size, size)
    x = np.mod(ra - middle + 180.0, 360.0) - 180.0
    low, high = float(x.min()), float(x.max())
    bottom, top = float(dec.min()), float(dec.max())
    centre = 0.5 * (bottom + top)
    squeeze = float(np.cos(np.radians(centre)))
    if (high - low) * squeeze > _WIDEST or top - bottom > _WIDEST:
        return SkyWindow("mollweide")
    return SkyWindow("plate carree", middle + 0.5 * (low + high), centre, *_shape(high - low, top - bottom, squeeze))


def _shape(width: float, height: float, squeeze: float) -> tuple[float, float]:
    """Width in RA and height with a margin, not flatter than 3 to 1 on the sky."""
    x, y = max(1.2 * width * squeeze, 0.02), max(1.2 * height, 0.02)
    x, y = max(x, y / 1.5), max(y, x / 3.0)
    return x / squeeze, y


def _farthest(ra: NDArray[np.float64], dec: NDArray[np.float64], axis: NDArray[np.float64]) -> float:
    lon, lat = np.radians(ra), np.radians(dec)
    cosine = np.cos(lat) * (axis[0] * np.cos(lon) + axis[1] * np.sin(lon)) + axis[2] * np.sin(lat)
    return float(np.degrees(np.arccos(np.clip(cosine.min(), -1.0, 1.0))))


def mollweide(
    ra: NDArray[np.float64], dec: NDArray[np.float64], middle: float = 0.0
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Place on a Mollweide map of unit radius, RA increasing to the left.

    Parameters
    ----------
    ra, dec : ndarray, (n,)
        Degrees.
    middle : float
        RA of the middle, degrees.

    Returns
    -------
    x, y : ndarray, (n,)
        Within 2 sqrt(2) and sqrt(2).

    References
    ----------
    Snyder 1987, USGS Professional Paper 1395, equations 31-1 to 31-4.
    """
    lat = np.radians(dec)
    theta = lat.copy()
    goal = np.pi * np.sin(lat)
    for _ in range(50):
        slope = 2.0 + 2.0 * np.cos(2.0 * theta)
        change = np.divide(2.0 * theta + np.sin(2.0 * theta) - goal, slope, out=np.zeros_like(lat), where=slope > 1e-12)
        theta = np.clip(theta - change, -0.5 * np.pi, 0.5 * np.pi)
    lon = np.radians(np.mod(ra - middle + 180.0, 360.0) - 180.0)
    return -2.0 * _ROOT2 / np.pi * lon * np.cos(theta), _ROOT2 * np.sin(theta)


def _from_mollweide(
    x: NDArray[np.float64], y: NDArray[np.float64], middle: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Snyder 1987, equations 31-6 to 31-8."""
    theta = np.arcsin(np.clip(y / _ROOT2, -1.0, 1.0))
    lat = np.arcsin(np.clip((2.0 * theta + np.sin(2.0 * theta)) / np.pi, -1.0, 1.0))
    lon = -np.pi * x / (2.0 * _ROOT2 * np.maximum(np.cos(theta), 1e-9))
    inside = np.abs(lon) <= np.pi
    return np.where(inside, np.mod(np.degrees(lon) + middle, 360.0), np.nan), np.degrees(lat)


def _from_gnomonic(
    x: NDArray[np.float64], y: NDArray[np.float64], ra: float, dec: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Snyder 1987, equations 20-14 and 20-15; east to the left is the business of the axes."""
    x, y = np.radians(x), np.radians(y)
    rho = np.maximum(np.hypot(x, y), 1e-12)
    c, lat0 = np.arctan(rho), np.radians(dec)
    lat = np.arcsin(np.clip(np.cos(c) * np.sin(lat0) + y * np.sin(c) * np.cos(lat0) / rho, -1.0, 1.0))
    lon = np.arctan2(x * np.sin(c), rho * np.cos(lat0) * np.cos(c) - y * np.sin(lat0) * np.sin(c))
    return np.mod(np.degrees(lon) + ra, 360.0), np.degrees(lat)
