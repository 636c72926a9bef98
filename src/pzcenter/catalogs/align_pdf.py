"""Densities in the rows and order of the core table: what makes ``pz`` and ``pz_pdf`` one catalogue in two parts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from pzcenter.catalogs.densities import code_column, codes_of, grid_metadata, grid_of
from pzcenter.errors import DuplicateIdError, SchemaError
from pzcenter.schema import arrow_schema

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["align_pdf"]

_N_NAMED = 5
_CARRIED = ("objectId", "ra", "dec", "_healpix_29")


def align_pdf(pz: pa.Table, pz_pdf: pa.Table) -> pa.Table:
    """Rows of ``pz_pdf`` for exactly the rows of ``pz``, in their order.

    Parameters
    ----------
    pz : pa.Table
        Core table, one row per object.
    pz_pdf : pa.Table
        Packed densities of some or all of these objects, in any order.

    Returns
    -------
    pa.Table
        As many rows as ``pz``. An object without a density has zeros and NaN, as the definition of ``pz_pdf`` says.
        The codes share the memory of ``pz_pdf`` where its rows are those of ``pz`` already.

    Raises
    ------
    DuplicateIdError
        An object is twice in ``pz`` or in ``pz_pdf``.
    SchemaError
        ``pz_pdf`` has objects that ``pz`` lacks, or no redshift grid.
    """
    z_grid = grid_of(pz_pdf.schema)
    ids, pdf_ids = (np.asarray(table.column("objectId").to_numpy()) for table in (pz, pz_pdf))
    code, row_max = codes_of(pz_pdf.column("pdf_code")), pz_pdf.column("pdf_max").to_numpy()
    order = np.argsort(ids, kind="stable")
    _refuse_duplicates(ids[order], "pz")
    if not np.array_equal(ids, pdf_ids):
        rows = _rows_of(ids, order, pdf_ids)
        all_codes = np.zeros((ids.size, z_grid.size), dtype=np.uint8)
        all_codes[rows] = code
        all_max = np.full(ids.size, np.nan, dtype=np.float32)
        all_max[rows] = row_max
        code, row_max = all_codes, all_max
    schema = arrow_schema("pz_pdf", sizes={"pdf_code": z_grid.size})
    values = {name: pz.column(name) for name in _CARRIED if name in pz.column_names}
    values |= {"pdf_code": code_column(code), "pdf_max": pa.array(row_max)}
    fields = [field for field in schema if field.name in values]
    metadata = {**schema.metadata, **grid_metadata(z_grid)}
    columns = [values[field.name].cast(field.type) for field in fields]
    return pa.Table.from_arrays(columns, schema=pa.schema(fields, metadata=metadata))


def _rows_of(ids: NDArray[np.int64], order: NDArray[np.int64], pdf_ids: NDArray[np.int64]) -> NDArray[np.int64]:
    """Row of ``pz`` of each row of ``pz_pdf``."""
    _refuse_duplicates(np.sort(pdf_ids), "pz_pdf")
    place = np.searchsorted(ids, pdf_ids, sorter=order)
    known = place < ids.size
    known[known] = ids[order[place[known]]] == pdf_ids[known]
    if not known.all():
        foreign = pdf_ids[~known]
        raise SchemaError(f"pz_pdf has {foreign.size} objects that pz lacks: {_some(foreign)}")
    return order[place]


def _refuse_duplicates(sorted_ids: NDArray[np.int64], table: str) -> None:
    twice = np.unique(sorted_ids[1:][sorted_ids[1:] == sorted_ids[:-1]])
    if twice.size:
        raise DuplicateIdError(f"{twice.size} object ids are more than once in {table}: {_some(twice)}")


def _some(ids: NDArray[np.int64]) -> str:
    more = ", ..." if ids.size > _N_NAMED else ""
    return f"{', '.join(map(str, ids[:_N_NAMED].tolist()))}{more}"
