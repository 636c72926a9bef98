"""Redshift grids and quantile levels of a submission: where they may stand, and whether they are what they must be."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np

from pzcenter.errors import GridError, ShapeError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import ArrayLike, NDArray

__all__ = [
    "GRID_NAMES",
    "LEVEL_NAMES",
    "check_levels",
    "check_redshifts",
    "refuse_transposed",
    "stated_grid",
    "stated_levels",
]

GRID_NAMES = ("z_grid", "zgrid", "xvals", "redshift_grid", "z_values", "zs", "grid", "z")
"""Names of a grid among what holds for all objects, the first found is taken."""
LEVEL_NAMES = ("quantile_levels", "levels", "quants", "quantile_level", "q")
_RANGE_NAMES = (("z_min", "zmin", "pz.z_min"), ("z_max", "zmax", "pz.z_max"), ("n_z", "nz", "nzbins", "pz.n_z"))
_MAX_POINTS = 100_000


def stated_grid(metadata: Mapping[str, Any], where: str) -> NDArray[np.float64] | None:
    """Redshift grid that the metadata state: a list of points, or the first, the last and their number.

    Parameters
    ----------
    metadata : mapping
        Names are compared without regard to case.
    where : str
        For messages.

    Returns
    -------
    ndarray, (n_z,), or None
        None where they state none.

    Raises
    ------
    GridError
        It cannot be read, or does not increase.
    """
    values = _found(metadata, GRID_NAMES)
    if values is not None:
        return check_redshifts(_list(values, where), where)
    low, high, number = (_found(metadata, names) for names in _RANGE_NAMES)
    if low is None or high is None or number is None:
        return None
    try:
        n_z = int(float(np.ravel(number)[0]))
        first, last = (float(np.ravel(value)[0]) for value in (low, high))
    except (TypeError, ValueError) as error:
        raise GridError(f"{where}: z_min, z_max and n_z must be numbers: {error}") from None
    if not 2 <= n_z <= _MAX_POINTS:
        raise GridError(f"{where}: n_z must be between 2 and {_MAX_POINTS}; got {n_z}")
    return check_redshifts(np.linspace(first, last, n_z), where)


def stated_levels(metadata: Mapping[str, Any], where: str) -> NDArray[np.float64] | None:
    """Levels of quantiles that the metadata state, (n_level,), or None."""
    values = _found(metadata, LEVEL_NAMES)
    return None if values is None else check_levels(_list(values, where), where)


def _found(metadata: Mapping[str, Any], names: Sequence[str]) -> Any:
    folded = {key.casefold(): value for key, value in metadata.items()}
    return next((folded[name] for name in names if name in folded), None)


def _list(values: Any, where: str) -> NDArray[np.float64]:
    """Numbers of an array, of a JSON list, or of text with commas or spaces between them."""
    try:
        if isinstance(values, str):
            text = values.strip()
            values = json.loads(text) if text.startswith("[") else text.replace(",", " ").split()
        return np.asarray(values, dtype=np.float64).ravel()
    except (TypeError, ValueError) as error:
        raise GridError(f"{where}: a list of numbers cannot be read: {error}") from None


def check_levels(levels: ArrayLike, where: str) -> NDArray[np.float64]:
    """Give the levels of quantiles as float64.

    Raises
    ------
    GridError
        They do not increase, or lie outside [0, 1].
    """
    values = np.asarray(levels, dtype=np.float64).ravel()
    if values.size < 2 or not np.all(np.diff(values) > 0) or not (values[0] >= 0.0 and values[-1] <= 1.0):
        raise GridError(f"{where}: quantile levels must increase within [0, 1], at least two; got {values.tolist()}")
    return values


def check_redshifts(values: ArrayLike, where: str) -> NDArray[np.float64]:
    """Give a redshift grid, or edges of bins, as float64.

    Raises
    ------
    GridError
        It does not increase, has one point, or reaches down to -1.
    """
    grid = np.asarray(values, dtype=np.float64).ravel()
    if grid.size < 2 or not np.all(np.isfinite(grid)) or not np.all(np.diff(grid) > 0) or grid[0] <= -1.0:
        raise GridError(
            f"{where}: a redshift grid must increase and stay above -1, with at least two points; "
            f"got {grid.size} points from {grid[:1]} to {grid[-1:]}"
        )
    return grid


def refuse_transposed(shape: tuple[int, ...], n_point: int, where: str) -> None:
    """Check that densities are one row per object.

    Raises
    ------
    ShapeError
        They are one column per object, or do not fit the grid at all.
    """
    if len(shape) == 2 and shape[1] == n_point:
        return
    if len(shape) == 2 and shape[0] == n_point:
        raise ShapeError(f"{where} is transposed: its shape is {shape}, it must be ({shape[1]}, {n_point})")
    raise ShapeError(f"{where} must be (number of objects, {n_point}); its shape is {shape}")
