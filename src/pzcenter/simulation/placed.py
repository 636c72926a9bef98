"""Simulated objects at the positions of real redshifts: a rehearsal where photometry is not public."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pzcenter.errors import EmptyTableError, NotFoundError
from pzcenter.simulation.run import OBJECT_FOLDER, TRUTH_FOLDER

if TYPE_CHECKING:
    import os

    from numpy.typing import NDArray

__all__ = ["place_objects"]

SCATTER_ARCSEC = 0.1
"""Error of each coordinate of the positions."""


def place_objects(
    sky: str | os.PathLike[str],
    ra: NDArray[np.float64],
    dec: NDArray[np.float64],
    z_spec: NDArray[np.float64],
    *,
    scatter_arcsec: float = SCATTER_ARCSEC,
    seed: int = 0,
) -> pa.Table:
    """Object table of a simulated sky in which each redshift has a galaxy of nearly that redshift.

    Each position takes a galaxy of its own, in order of redshift, so that the differences are as small as the sky
    allows. All other objects stay where they were simulated.

    Parameters
    ----------
    sky : path
        Written by :func:`pzcenter.simulation.simulate`.
    ra, dec : ndarray, (n,)
        Degrees; NaN has no object.
    z_spec : ndarray, (n,)
        NaN or 0 and less has no object.
    scatter_arcsec : float
    seed : int

    Returns
    -------
    pa.Table
        Columns of an object table.

    Raises
    ------
    NotFoundError
        It is no simulated sky.
    EmptyTableError
        There are fewer galaxies than redshifts, or no redshift has a position.
    """
    root = Path(sky)
    files = sorted((root / OBJECT_FOLDER).glob("*.parquet"))
    if not files:
        raise NotFoundError(f"{root} is no simulated sky; 'pz simulate' makes one")
    objects = pa.concat_tables(pq.read_table(path, partitioning=None) for path in files)
    truth = pa.concat_tables(
        pq.read_table(root / TRUTH_FOLDER / path.name, columns=["objectId", "z_true"], partitioning=None)
        for path in files
    )
    z_true = _truth_of(objects, truth)
    wanted = np.flatnonzero(np.isfinite(ra) & np.isfinite(dec) & (z_spec > 0))
    galaxies = np.flatnonzero(z_true > 0)
    if not wanted.size or galaxies.size < wanted.size:
        raise EmptyTableError(
            f"{wanted.size} redshifts with a position and {galaxies.size} simulated galaxies; at least one redshift "
            "and as many galaxies are needed"
        )
    wanted = wanted[np.argsort(z_spec[wanted], kind="stable")]
    galaxies = galaxies[np.argsort(z_true[galaxies], kind="stable")]
    rows = galaxies[_in_order(z_true[galaxies], z_spec[wanted])]
    rng = np.random.default_rng(seed)
    east, north = rng.normal(0.0, scatter_arcsec / 3600.0, (2, wanted.size))
    new_ra = np.array(objects.column("coord_ra").to_numpy(), dtype=np.float64)
    new_dec = np.array(objects.column("coord_dec").to_numpy(), dtype=np.float64)
    new_dec[rows] = np.clip(dec[wanted] + north, -90.0, 90.0)
    new_ra[rows] = np.mod(ra[wanted] + east / np.maximum(np.cos(np.radians(dec[wanted])), 1e-6), 360.0)
    for name, values in (("coord_ra", new_ra), ("coord_dec", new_dec)):
        place = objects.column_names.index(name)
        objects = objects.set_column(place, objects.schema.field(name), pa.array(values))
    return objects


def _truth_of(objects: pa.Table, truth: pa.Table) -> NDArray[np.float64]:
    ids, z = truth.column("objectId").to_numpy(), truth.column("z_true").to_numpy()
    order = np.argsort(ids)
    place = np.searchsorted(ids[order], objects.column("objectId").to_numpy())
    return np.asarray(z[order][np.minimum(place, ids.size - 1)], dtype=np.float64)


def _in_order(offered: NDArray[np.float64], wanted: NDArray[np.float64]) -> NDArray[np.int64]:
    """For each of sorted values a place of its own among sorted offers, never going back."""
    number = np.arange(wanted.size)
    place = np.searchsorted(offered, wanted)
    place = np.maximum.accumulate(place - number) + number
    return np.minimum(place, offered.size - wanted.size + number)
