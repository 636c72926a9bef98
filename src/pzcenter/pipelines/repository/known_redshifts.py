"""Redshifts that are known, as datasets: the truth of a tract to measure on, and a training set to learn from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from pzcenter.catalogs.skinny_partition import columns_needed, skinny_partition
from pzcenter.errors import EmptyTableError, NotFoundError
from pzcenter.pipelines.repository.create import register_dataset_types
from pzcenter.pipelines.repository.ingest import ID_NAMES, prepend_to_defaults
from pzcenter.pipelines.repository.open import open_repository
from pzcenter.pipelines.truth import read_redshifts

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

    from pzcenter.pipelines.truth import KnownRedshifts

__all__ = ["RedshiftReport", "ingest_training_set", "ingest_truth"]

NO_DATA_ID = None
"""In place of a data id, for what exists once."""


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
    is_new : bool
        False where the newest run holds these very tables already.
    """

    run: str
    n_known: int
    n_found: int
    n_tract: int
    is_new: bool = True


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

    The same table again changes nothing; another one becomes a new run, which campaigns find first.

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
    NotFoundError
        No repository, table, or objects of the release.
    EmptyTableError
        No redshift is of an object of the release.
    ColumnError, DuplicateIdError
        See :func:`pzcenter.pipelines.truth.read_redshifts`.
    """
    known = read_redshifts(table, id_column=id_column, z_column=z_column)
    tables: dict[Any, pa.Table] = {}
    with open_repository(root, writeable=True) as butler:
        for ref, ids in _object_ids(butler, release, skymap):
            z_spec = known.of(ids)
            rows = np.flatnonzero(np.isfinite(z_spec))
            if rows.size:
                tables[ref.dataId] = pa.table({"objectId": ids[rows], "z_spec": z_spec[rows]})
        if not tables:
            raise EmptyTableError(f"none of the {known.z.size} redshifts of {table} is of an object of {release}")
        run, is_new = _put(butler, f"{release}/truth", "pz_truth", tables)
        prepend_to_defaults(butler, release, run)
    n_found = sum(found.num_rows for found in tables.values())
    return RedshiftReport(run, int(known.z.size), n_found, len(tables), is_new)


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
    NotFoundError
        No repository, table, or objects of the release.
    EmptyTableError
        No redshift is of an object of the release.
    ColumnError, DuplicateIdError
        See :func:`pzcenter.pipelines.truth.read_redshifts`.
    SchemaError, UnitError
        See :func:`pzcenter.catalogs.skinny_partition.skinny_partition`.
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
        run, is_new = _put(butler, f"{release}/training", "pz_training_set", {NO_DATA_ID: training})
        prepend_to_defaults(butler, release, run)
    return RedshiftReport(run, int(known.z.size), training.num_rows, len(parts), is_new)


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
    refs: list[Any] = []
    if f"{release}/raw" in butler.collections.query(f"{release}/*"):
        refs = butler.query_datasets("object", collections=f"{release}/raw", limit=None, explain=False)
    refs = [ref for ref in refs if skymap in (None, ref.dataId["skymap"])]
    if not refs:
        tiling = "" if skymap is None else f" on the skymap {skymap!r}"
        raise NotFoundError(f"there are no objects of {release!r}{tiling}; 'pz repo ingest' makes them known")
    for ref in sorted(refs, key=lambda each: int(each.dataId["tract"])):
        names = list(butler.get(ref.makeComponentRef("columns")))
        column = next(name for name in ID_NAMES if name in names)
        yield ref, butler.get(ref, parameters={"columns": [column]}).column(column).to_numpy().astype(np.int64)


def _put(butler: Any, head: str, name: str, tables: Mapping[Any, pa.Table]) -> tuple[str, bool]:
    """Put tables into the next run below a name, unless the newest holds these very tables; what was there stays."""
    register_dataset_types(butler, "")
    known = [run for run in butler.collections.query(f"{head}/*") if run.removeprefix(f"{head}/").isdigit()]
    if known:
        newest = max(known)
        refs = butler.query_datasets(name, collections=newest, limit=None, explain=False)
        stored = {ref.dataId if ref.dataId.required else NO_DATA_ID: ref for ref in refs}
        if stored.keys() == tables.keys() and all(_same(butler.get(stored[key]), tables[key]) for key in tables):
            return str(newest), False
    run = f"{head}/{len(known) + 1:03d}"
    butler.collections.register(run)
    with butler.transaction():
        for data_id, table in tables.items():
            butler.put(table, name, {} if data_id is NO_DATA_ID else data_id, run=run)
    return run, True


def _same(one: pa.Table, other: pa.Table) -> bool:
    """Whether two tables have the same content; unlike Arrow, NaN is as good as NaN."""
    return bool(
        one.schema.equals(other.schema)
        and one.num_rows == other.num_rows
        and all(
            a.equals(b) or (pa.types.is_floating(a.type) and np.array_equal(a.to_numpy(), b.to_numpy(), equal_nan=True))
            for a, b in zip(one.columns, other.columns, strict=True)
        )
    )
