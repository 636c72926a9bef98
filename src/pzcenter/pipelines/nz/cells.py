"""Reweighting on a self-organising map: cells of the target's colours, and the known redshifts in them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from pzcenter.catalogs import open_catalog
from pzcenter.errors import EmptyTableError
from pzcenter.estimators import load_model
from pzcenter.science.nz import reweighted_nz
from pzcenter.science.pz import point_estimates
from pzcenter.training.colour_space import bands_to_compare, colour_space, flux_columns
from pzcenter.training.target_chunks import random_rows
from pzcenter.training.target_map import target_map

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from pzcenter.pipelines.nz.objects import RunObjects
    from pzcenter.schema import Photometry
    from pzcenter.science.nz import Reweighting, SampleBins

__all__ = ["CellResult", "reweight_on_cells"]

_N_SAMPLE = 100_000
"""Target objects from which the map is made."""
_BLOCK = 8192


@dataclass(frozen=True, eq=False)
class CellResult:
    """What came of it.

    Parameters
    ----------
    found : Reweighting
    shape : tuple of int
        Rows and columns of the map.
    bands : tuple of str
    n_spec : int
        Objects of known redshift that have a place on the map and, where these are used, in a bin.
    n_unplaced : int
        Target objects with too few bands for a place on the map.
    notes : tuple of str
    """

    found: Reweighting
    shape: tuple[int, int]
    bands: tuple[str, ...]
    n_spec: int
    n_unplaced: int
    notes: tuple[str, ...]


def reweight_on_cells(
    objects: RunObjects,
    bins: SampleBins,
    spec: tuple[Photometry, NDArray[np.float64]],
    edges: NDArray[np.float64],
    *,
    bands: Sequence[str] | None = None,
    shape: tuple[int, int] | None = None,
    use_bins: bool = True,
    n_sample: int = 200,
    seed: int = 0,
    progress: Callable[[float, str], None] | None = None,
) -> CellResult:
    """Estimate n(z) from objects of known redshift on a map of the target.

    Parameters
    ----------
    objects : RunObjects
        The target; its fluxes are read twice.
    bins : SampleBins
    spec : (Photometry, ndarray (n_spec,))
        Objects of known redshift, with fluxes of the same kind as the target's.
    edges : ndarray of float64, (n_cell + 1,)
    bands : sequence of str, optional
        In order of wavelength; those in common by default.
    shape : tuple of int, optional
        Rows and columns of the map; by default at most 32 x 32 with 20 known redshifts for each cell.
    use_bins : bool
        Put the objects of known redshift into tomographic bins with the run's model, as the target was.
    n_sample, seed : int
    progress : callable, optional

    Returns
    -------
    CellResult

    Raises
    ------
    EmptyTableError
        No target object, or no cell with both.
    BandError
        Fewer than two bands in common.
    """
    tell = progress or (lambda _done, _text: None)
    photometry, z_spec = spec
    table = _table(photometry)
    names = open_catalog(objects.skinny).column_names
    chosen = bands_to_compare(None if bands is None else tuple(bands), table.column_names, names)
    columns = flux_columns(chosen)
    tell(0.0, "making the map")
    sample, _ = random_rows(lambda: _fluxes(objects, columns), columns, _N_SAMPLE, seed=seed)
    space = colour_space(sample, chosen)
    spec_mag = space.magnitudes(table)
    n_placed = int(np.count_nonzero(space.codes(spec_mag)))
    if n_placed == 0:
        raise EmptyTableError(f"no object of known redshift is measured in {space.min_bands} of {', '.join(chosen)}")
    net = target_map(space, n_training=n_placed, shape=shape)
    spec_cell = net.cells_of(spec_mag)
    spec_bin, notes = _bins_of(objects, photometry, bins) if use_bins else (None, [])
    counts = np.zeros((net.n_cell, bins.n_bin), dtype=np.int64)
    total, done, n_unplaced = max(objects.n_rows, 1), 0, 0
    for block in objects.blocks(flux_columns=columns):
        done += block.point.size
        tell(0.3 + 0.6 * done / total, f"{done:,} objects placed")
        index = bins.assign(block.point)
        assert block.photometry is not None
        cell = net.cells_of(space.magnitudes(block.photometry))
        n_unplaced += int(np.count_nonzero((index >= 0) & (cell < 0)))
        both = (index >= 0) & (cell >= 0)
        place = cell[both].astype(np.int64) * bins.n_bin + index[both]
        counts += np.bincount(place, minlength=counts.size).reshape(counts.shape)
    if not counts.any():
        raise EmptyTableError("no object of the table is in any tomographic bin and on the map")
    tell(0.9, "weighting")
    found = reweighted_nz(counts, spec_cell, z_spec, edges, spec_bin=spec_bin, n_sample=n_sample, seed=seed)
    used = spec_cell >= 0 if spec_bin is None else (spec_cell >= 0) & (spec_bin >= 0)
    return CellResult(found, net.shape, chosen, int(used.sum()), n_unplaced, tuple(notes))


def _fluxes(objects: RunObjects, columns: list[str]):  # type: ignore[no-untyped-def] # noqa: ANN202 - pieces of a target
    for block in objects.blocks(flux_columns=columns):
        assert block.photometry is not None
        yield block.photometry


def _table(photometry: Photometry) -> pa.Table:
    """Fluxes as the columns of a skinny table."""
    columns = {}
    for place, band in enumerate(photometry.bands):
        columns[f"flux_{band}"] = np.asarray(photometry.flux[:, place], dtype=np.float64)
        columns[f"flux_err_{band}"] = np.asarray(photometry.flux_err[:, place], dtype=np.float64)
    return pa.table(columns)


def _bins_of(
    objects: RunObjects, photometry: Photometry, bins: SampleBins
) -> tuple[NDArray[np.int16] | None, list[str]]:
    """Tomographic bin of objects of known redshift, by the model of the run."""
    path = objects.root / "model"
    if not path.is_dir():
        return None, ["the run has no model: the known redshifts of a cell stand for all tomographic bins alike"]
    model = load_model(path)
    lacking = [band for band in model.bands if band not in photometry.bands]
    if lacking:
        return None, [f"the training table lacks {lacking}: its redshifts stand for all tomographic bins alike"]
    points = []
    for start in range(0, photometry.n_obj, _BLOCK):
        estimated = model.estimate(photometry.select(slice(start, start + _BLOCK)))
        points.append(getattr(point_estimates(estimated.pdf, model.z_grid), objects.point))
    notes = []
    if model.training is not None:
        notes.append(
            "the objects of known redshift were put into bins with the model of the run; where it was trained on them "
            "their estimates are too good, and the bins come out too narrow"
        )
    return bins.assign(np.concatenate(points)), notes
