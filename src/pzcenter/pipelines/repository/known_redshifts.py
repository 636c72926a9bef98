"""Redshifts that are known, as datasets: the truth of a tract to measure on, and a training set to learn from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from pzcenter.catalogs.skinny_partition import columns_needed, skinny_partition
from pzcenter.errors import EmptyTableError
from pzcenter.pipelines.repository.create import register_dataset_types
from pzcenter.pipelines.repository.ingest import ID_NAMES, prepend_to_defaults
from pzcenter.pipelines.repository.open import open_repository
from pzcenter.pipelines.truth import read_redshifts

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from pzcenter.pipelines.truth import KnownRedshifts

__all__ = ["RedshiftReport", "ingest_training_set", "ingest_truth"]


@dataclass(frozen=True)
class RedshiftReport:
    """What became known.

    Parameters
    ----------
    run : str
        Collection.
    n_known : int
        Redshifts in the table.
    n_found : int
        Of these, how many belong to objects of the release.
    n_tract : int
        Tracts that have some.
    """

    run: str
    n_known: int
    n_found: int
    n_tract: int


def ingest_truth(
    root: str | os.PathLike[str],
    table: str | os.PathLike[str],
    *,
    release: str,
    skymap: str | None = None,
    id_column: str | None = None,
    z_column: str | None = None,
) -> RedshiftReport:
    """Give each tract the known redshifts of its objects; measuring uses them, estimating never sees them.

    A table that is ingested again, or another one, replaces what there was.

    Parameters
    ----------
    root : path or URI
        Repository, with the objects of the release.
    table : path
        Object ids and redshifts, any format.
    release : str
    skymap : str, optional
        All tilings of the release by default.
    id_column, z_column : str, optional
        Where the table does not use the common names.

    Returns
    -------
    RedshiftReport

    Raises
    ------
    EmptyTableError
        No redshift is of an object of the release.
    ColumnError, DuplicateIdError
        See :func:`pzcenter.pipelines.truth.read_redshifts`.
    """
    known = read_redshifts(table, id_column=id_column, z_column=z_column)
    n_found, tables = 0, []
    with open_repository(root, writeable=True) as butler:
        for ref, ids in _object_ids(butler, release, skymap):
            z_spec = known.of(ids)
            rows = np.flatnonzero(np.isfinite(z_spec))
            if rows.size:
                found = pa.table({"objectId": ids[rows], "z_spec": z_spec[rows]})
                tables.append((ref.dataId, found))
                n_found += rows.size
        if not tables:
            raise EmptyTableError(f"none of the {known.z.size} redshifts of {table} is of an object of {release}")
        run = _new_run(butler, release, "truth")
        for data_id, found in tables:
            butler.put(found, "pz_truth", data_id, run=run)
        prepend_to_defaults(butler, release, run)
    return RedshiftReport(run, int(known.z.size), n_found, len(tables))


def ingest_training_set(
    root: str | os.PathLike[str],
    table: str | os.PathLike[str],
    *,
    release: str,
    skymap: str | None = None,
    mapping: str | None = None,
    id_column: str | None = None,
    z_column: str | None = None,
) -> RedshiftReport:
    """Make the training set of a release: the photometry of its objects that have a known redshift.

    Parameters
    ----------
    root, table, release, skymap, id_column, z_column
        As for :func:`ingest_truth`.
    mapping : str, optional
        Of the object tables' columns; found by default.

    Returns
    -------
    RedshiftReport

    Raises
    ------
    EmptyTableError
        No redshift is of an object of the release.
    """
    known = read_redshifts(table, id_column=id_column, z_column=z_column)
    parts = []
    with open_repository(root, writeable=True) as butler:
        for ref, ids in _object_ids(butler, release, skymap):
            rows = np.flatnonzero(np.isfinite(known.of(ids)))
            if rows.size:
                parts.append(_training_rows(butler, ref, rows, known, mapping))
        if not parts:
            raise EmptyTableError(f"none of the {known.z.size} redshifts of {table} is of an object of {release}")
        training = pa.concat_tables(parts, promote_options="default")
        run = _new_run(butler, release, "training")
        butler.put(training, "pz_training_set", run=run)
        prepend_to_defaults(butler, release, run)
    return RedshiftReport(run, int(known.z.size), training.num_rows, len(parts))


def _training_rows(
    butler: Any, ref: Any, rows: NDArray[np.int64], known: KnownRedshifts, mapping: str | None
) -> pa.Table:
    """Skinny rows, with z_spec, of some objects of a tract."""
    where = f"tract {ref.dataId['tract']}"
    columns = columns_needed(list(butler.get(ref.makeComponentRef("columns"))), mapping, where=where)
    objects = butler.get(ref, parameters={"columns": list(columns)}).take(pa.array(rows))
    skinny = skinny_partition(objects, mapping, tract=int(ref.dataId["tract"]), where=where).table
    z_spec = known.of(skinny.column("objectId").to_numpy())
    if "z_spec" in skinny.column_names:
        skinny = skinny.drop_columns(["z_spec"])
    return skinny.append_column("z_spec", pa.array(z_spec, type=pa.float64()))


def _object_ids(butler: Any, release: str, skymap: str | None) -> Iterator[tuple[Any, NDArray[np.int64]]]:
    where = "" if skymap is None else f"skymap = '{skymap}'"
    refs = butler.query_datasets("object", collections=f"{release}/raw", where=where, limit=None, explain=False)
    for ref in sorted(refs, key=lambda each: int(each.dataId["tract"])):
        names = list(butler.get(ref.makeComponentRef("columns")))
        column = next(name for name in ID_NAMES if name in names)
        yield ref, butler.get(ref, parameters={"columns": [column]}).column(column).to_numpy().astype(np.int64)


def _new_run(butler: Any, release: str, kind: str) -> str:
    """Collection ``RELEASE/KIND/NNN``: what was there before stays, behind it."""
    register_dataset_types(butler, "")
    head = f"{release}/{kind}/"
    known = [name for name in butler.collections.query(f"{head}*") if name.removeprefix(head).isdigit()]
    run = f"{head}{len(known) + 1:03d}"
    butler.collections.register(run)
    return run
