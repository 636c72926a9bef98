"""From a catalogue with known redshifts to a saved model."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from pzcenter.catalogs import is_skinny, make_skinny, open_catalog, photometry_of
from pzcenter.catalogs.photometry import bands_of
from pzcenter.errors import EmptyTableError
from pzcenter.estimators import get_estimator
from pzcenter.estimators.protocol import checked_config
from pzcenter.pipelines.prepare import survey_settings
from pzcenter.pipelines.truth import read_redshifts

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from pzcenter.estimators import Estimator
    from pzcenter.schema import Photometry

__all__ = ["TrainReport", "read_training_set", "train_model"]


@dataclass(frozen=True)
class TrainReport:
    """What was trained on what.

    Parameters
    ----------
    model : Path
        Directory of the model.
    estimator : Estimator
        The model itself.
    object_id : ndarray of int64, (n_train,)
        Objects it was trained on, for keeping them out of a test.
    wall_s : float
    """

    model: Path
    estimator: Estimator
    object_id: NDArray[np.int64]
    wall_s: float


def train_model(
    source: str | os.PathLike[str],
    destination: str | os.PathLike[str],
    method: str,
    *,
    redshifts: str | os.PathLike[str] | None = None,
    mapping: str | None = None,
    config: Mapping[str, Any] | None = None,
    z_grid: NDArray[np.float64] | None = None,
    n_max: int = 1_000_000,
    work: str | os.PathLike[str] | None = None,
    progress: Callable[[float, str], None] | None = None,
) -> TrainReport:
    """Train a method and save the model.

    Parameters
    ----------
    source : path
        Catalogue or skinny table.
    destination : path
        Directory to make.
    method : str
        Name of an estimator.
    redshifts : path, optional
        Table of object ids and redshifts; by default those in the catalogue itself.
    mapping : str, optional
        Of the catalogue's columns; detected by default.
    config : mapping, optional
        Settings of the method.
    z_grid : ndarray, optional
        Of the densities.
    n_max : int
        Most objects to train on; a random choice of them, the same for the same ids.
    work : path, optional
        Place for the skinny table of a catalogue that is none; a temporary one by default.
    progress : callable, optional
        Called with the fraction done and what is being done.

    Returns
    -------
    TrainReport

    Raises
    ------
    EmptyTableError
        No object has a redshift.
    UsageError
        What the readers and the method refuse.
    """
    begin = datetime.now(UTC)
    tell = progress or (lambda _fraction, _text: None)
    estimator = get_estimator(method)
    config = survey_settings(source, method, config, mapping=mapping)
    with tempfile.TemporaryDirectory(prefix="pz-train-", dir=work) as folder:
        skinny = Path(source)
        if not is_skinny(skinny):
            skinny = Path(folder) / "skinny"
            make_skinny(source, skinny, mapping, cuts=(), progress=lambda done, text: tell(0.2 * done, text))
        photometry, z_spec = read_training_set(skinny, redshifts=redshifts, n_max=n_max)
    model = estimator.train(
        photometry,
        z_spec,
        config=checked_config(estimator.Config, config),
        z_grid=z_grid,
        progress=lambda done, text: tell(0.2 + 0.8 * done, text),
    )
    model.save(Path(destination))
    assert photometry.object_id is not None
    return TrainReport(Path(destination), model, photometry.object_id, (datetime.now(UTC) - begin).total_seconds())


def read_training_set(
    skinny: str | os.PathLike[str],
    *,
    redshifts: str | os.PathLike[str] | None = None,
    bands: Sequence[str] | None = None,
    n_max: int = 1_000_000,
) -> tuple[Photometry, NDArray[np.float64]]:
    """Photometry and redshifts of the objects of a skinny table that have one.

    Parameters
    ----------
    skinny : path
    redshifts : path, optional
        As in :func:`train_model`.
    bands : sequence of str, optional
        All of the table by default.
    n_max : int

    Returns
    -------
    photometry : Photometry
    z_spec : ndarray, (n_obj,)

    Raises
    ------
    EmptyTableError
        No object has a redshift.
    """
    catalog = open_catalog(skinny)
    known = None if redshifts is None else read_redshifts(redshifts)
    wanted = tuple(bands) if bands is not None else bands_of(catalog.schema)
    columns = ["objectId", *(f"flux{kind}_{band}" for band in wanted for kind in ("", "_err")), "flags"]
    if known is None:
        if "z_spec" not in catalog.column_names:
            raise EmptyTableError(f"{skinny} has no column z_spec; give a table of redshifts")
        columns.append("z_spec")
    kept, z_kept = [], []
    for batch in catalog.batches(columns):
        ids = batch.column("objectId").to_numpy()
        z = batch.column("z_spec").to_numpy(zero_copy_only=False) if known is None else known.of(ids)
        rows = np.flatnonzero(np.isfinite(z))
        if rows.size:
            kept.append(batch.take(pa.array(rows)))
            z_kept.append(z[rows])
    if not kept:
        raise EmptyTableError(f"no object of {skinny} has a known redshift in {redshifts or 'its column z_spec'}")
    table, z_spec = pa.Table.from_batches(kept), np.concatenate(z_kept)
    table = table.replace_schema_metadata(catalog.schema.metadata)
    if z_spec.size > n_max:
        rows = np.sort(np.random.default_rng(0).permutation(z_spec.size)[:n_max])
        table, z_spec = table.take(pa.array(rows)), z_spec[rows]
    return photometry_of(table, wanted), z_spec
