"""Runs of this project, and tables of their making, are submissions like others."""

from __future__ import annotations

import json

import numpy as np
import pyarrow as pa
import pytest

from pzcenter.catalogs import finish_dataset, write_partition
from pzcenter.catalogs.densities import code_column, grid_metadata
from pzcenter.errors import FileFormatError
from pzcenter.schema import arrow_schema
from pzcenter.science.packing import pack_u8sqrt
from pzcenter.validation.submissions import open_submission


def _write(directory, table_name, parts, schema):
    records = [write_partition(part.cast(schema), directory, f"part-{n:05d}.parquet") for n, part in enumerate(parts)]
    finish_dataset(directory, records, table=table_name, schema=schema)


@pytest.fixture
def run(tmp_path, truth, z_grid):
    """Directory of a run in two partitions."""
    code, row_max = pack_u8sqrt(truth.pdf)
    schema = arrow_schema("pz_pdf", columns=["objectId", "pdf_code", "pdf_max"], sizes={"pdf_code": 301})
    schema = schema.with_metadata({**(schema.metadata or {}), **grid_metadata(z_grid)})
    table = pa.table([pa.array(truth.ids), code_column(code), pa.array(row_max)], names=schema.names)
    _write(tmp_path / "run" / "pz_pdf", "pz_pdf", [table[:15], table[15:]], schema)
    schema = arrow_schema("pz", columns=["objectId", "z_best", "z_mode", "z_median", "z_mean"])
    points = [truth.z, truth.mode, truth.mean, truth.mean]
    table = pa.table([pa.array(truth.ids), *(pa.array(p.astype(np.float32)) for p in points)], names=schema.names)
    _write(tmp_path / "run" / "pz", "pz", [table[:15], table[15:]], schema)
    return tmp_path / "run"


def test_a_run_gives_densities_and_points(run, truth, z_grid):
    submission = open_submission(run)
    assert submission.name == "run"
    np.testing.assert_allclose(submission.z_grid, z_grid)
    chunks = list(submission.chunks(9))
    assert [len(chunk.object_id) for chunk in chunks] == [9, 9, 9, 9, 4]
    np.testing.assert_array_equal(np.concatenate([chunk.object_id for chunk in chunks]), truth.ids)
    np.testing.assert_allclose(np.concatenate([chunk.z_point for chunk in chunks]), truth.z, atol=1e-6)
    pdf = np.concatenate([chunk.pz for chunk in chunks])
    assert np.abs(pdf - truth.pdf).max() < 0.01 * truth.pdf.max()
    assert sorted(chunks[0].extra) == ["row", "z_best", "z_mean", "z_median", "z_mode"]
    assert submission.tally.sentences() == []


def test_each_table_alone_is_a_submission(run, truth):
    assert open_submission(run / "pz_pdf").points == {}
    points = open_submission(run / "pz")
    assert not points.has_pdf
    np.testing.assert_allclose(next(points.chunks()).z_point, truth.z, atol=1e-6)


def test_a_package_gives_its_name_and_method(run, truth):
    package = run.with_name("package")
    package.mkdir()
    run.rename(package / "catalog")
    (package / "package.json").write_text(json.dumps({"name": "dp9-template", "method": "template", "release": "dp9"}))
    submission = open_submission(package)
    assert (submission.name, submission.n_rows) == ("dp9-template", 40)
    assert submission.description == "method template, release dp9"
    (package / "package.json").write_text("{")
    with pytest.raises(FileFormatError, match=r"package\.json"):
        open_submission(package)


def test_tables_of_different_objects_are_named(run, truth):
    schema = arrow_schema("pz", columns=["objectId", "z_best"])
    ids = truth.ids.copy()
    ids[20] += 1
    table = pa.table([pa.array(ids), pa.array(truth.z.astype(np.float32))], names=schema.names)
    for path in (run / "pz").iterdir():
        path.unlink()
    _write(run / "pz", "pz", [table], schema)
    with pytest.raises(FileFormatError, match="row 20 is not the object"):
        list(open_submission(run).chunks(9))
