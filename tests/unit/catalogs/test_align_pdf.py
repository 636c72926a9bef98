"""Densities in the rows of the core table."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from pzcenter.catalogs.align_pdf import align_pdf
from pzcenter.catalogs.densities import code_column, codes_of, grid_metadata, grid_of
from pzcenter.errors import DuplicateIdError, SchemaError

Z_GRID = np.linspace(0.0, 3.0, 7)


def core(ids):
    ids = np.asarray(ids, dtype=np.int64)
    return pa.table({"objectId": ids, "ra": ids * 1.0, "dec": ids * 2.0, "_healpix_29": ids * 10, "flags": ids})


def densities(ids):
    ids = np.asarray(ids, dtype=np.int64)
    code = np.repeat(ids[:, None], Z_GRID.size, axis=1).astype(np.uint8)
    columns = {"objectId": ids, "pdf_code": code_column(code), "pdf_max": ids.astype(np.float32)}
    return pa.table(columns).replace_schema_metadata(grid_metadata(Z_GRID))


@pytest.mark.parametrize("pdf_ids", [[1, 2, 3], [3, 1, 2], [2], []])
def test_every_row_finds_its_density(pdf_ids):
    pz = core([1, 2, 3])
    aligned = align_pdf(pz, densities(pdf_ids))
    assert aligned.column_names == ["objectId", "ra", "dec", "_healpix_29", "pdf_code", "pdf_max"]
    assert aligned["objectId"].to_pylist() == [1, 2, 3]
    assert aligned["ra"].equals(pz["ra"])
    expected = [i if i in pdf_ids else 0 for i in (1, 2, 3)]
    assert codes_of(aligned["pdf_code"])[:, 0].tolist() == expected
    missing = [i not in pdf_ids for i in (1, 2, 3)]
    assert np.isnan(aligned["pdf_max"].to_numpy()).tolist() == missing
    assert np.array_equal(grid_of(aligned.schema), Z_GRID)
    assert aligned.schema.metadata[b"pz.table"] == b"pz_pdf"


def test_codes_are_not_copied_where_the_rows_agree():
    pdf = densities([4, 5, 6])
    aligned = align_pdf(core([4, 5, 6]), pdf)
    assert np.shares_memory(codes_of(aligned["pdf_code"]), codes_of(pdf["pdf_code"]))


def test_foreign_and_double_objects_are_named():
    with pytest.raises(SchemaError, match="2 objects that pz lacks: 7, 9"):
        align_pdf(core([1, 2]), densities([1, 7, 9]))
    with pytest.raises(DuplicateIdError, match="more than once in pz_pdf: 2"):
        align_pdf(core([1, 2, 3]), densities([2, 2]))
    with pytest.raises(DuplicateIdError, match="more than once in pz: 1"):
        align_pdf(core([1, 1]), densities([1]))
    with pytest.raises(SchemaError, match="no redshift grid"):
        align_pdf(core([1]), densities([1]).replace_schema_metadata({}))
