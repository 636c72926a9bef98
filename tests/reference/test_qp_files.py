"""qp takes our ensembles for its own, and we read what RAIL wrote.

Tolerances: the packed densities hold the square root of p in 8 bits, which is 1/255 of the maximum at most, and a
little more for a row of few grid points when it is brought to unit integral; means move by less than 1e-3, a tenth of
a grid step.
"""

import re
import shutil
import warnings
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from pzcenter.catalogs import convert, finish_dataset, open_catalog, write_partition
from pzcenter.catalogs.densities import code_column, codes_of, grid_of
from pzcenter.schema import arrow_schema
from pzcenter.science.packing import pack_u8sqrt, unpack_u8sqrt

pytestmark = pytest.mark.reference

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    qp = pytest.importorskip("qp", reason="qp is not installed (extra 'qp')")

Z_GRID = np.linspace(0, 3, 301)
RAIL_OUTPUT = Path(__file__).parents[3] / "shared" / "data" / "rail_outputs" / "tpz.hdf5"


@pytest.fixture(scope="module")
def pdf():
    rng = np.random.default_rng(12)
    mean, width = rng.uniform(0.2, 2.5, 500), rng.uniform(0.03, 0.2, 500)
    density = np.exp(-0.5 * ((Z_GRID - mean[:, None]) / width[:, None]) ** 2)
    return density / np.trapezoid(density, Z_GRID, axis=1)[:, None]


@pytest.fixture(scope="module")
def ensemble_file(pdf, tmp_path_factory):
    root = tmp_path_factory.mktemp("qp")
    code, row_max = pack_u8sqrt(pdf.astype(np.float32))
    schema = arrow_schema("pz_pdf", columns=["objectId", "pdf_code", "pdf_max"], sizes={"pdf_code": 301})
    grid = {"pz.encoding": "u8sqrt", "pz.z_min": "0.0", "pz.z_max": "3.0", "pz.n_z": "301"}
    arrays = [pa.array(np.arange(500) + 7), code_column(code), pa.array(row_max)]
    table = pa.Table.from_arrays(arrays, schema=schema.with_metadata(grid))
    finish_dataset(root / "pdf", [write_partition(table, root / "pdf", "part-00000.parquet")], table="pz_pdf",
                   schema=table.schema)  # fmt: skip
    convert(root / "pdf", root / "ensemble.hdf5", "qp")
    return root / "ensemble.hdf5"


@pytest.fixture(autouse=True)
def quiet():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def test_qp_reads_our_ensemble(ensemble_file, pdf):
    ensemble = qp.read(str(ensemble_file))
    assert ensemble.npdf == 500
    np.testing.assert_array_equal(ensemble.ancil["object_id"], np.arange(500) + 7)
    assert np.abs(ensemble.pdf(Z_GRID) - pdf).max() < 1.5 / 255 * pdf.max()
    mean = np.trapezoid(pdf * Z_GRID, Z_GRID, axis=1)
    assert np.abs(ensemble.mean().ravel() - mean).max() < 1e-3
    np.testing.assert_allclose(ensemble.ancil["zmode"], Z_GRID[np.argmax(pdf, axis=1)], atol=0.0101)


def test_quantiles_are_theirs(ensemble_file, pdf):
    median = qp.read(str(ensemble_file)).ppf([0.5]).ravel()
    cumulative = np.cumsum((pdf[:, 1:] + pdf[:, :-1]) / 2 * np.diff(Z_GRID), axis=1)
    expected = [np.interp(0.5 * row[-1], np.append(0, row), Z_GRID) for row in cumulative]
    assert np.abs(median - expected).max() < 2e-3


def test_ensemble_that_qp_wrote(pdf, tmp_path):
    ancil = {"object_id": np.arange(500) * 3, "zmode": Z_GRID[np.argmax(pdf, axis=1)]}
    ensemble = qp.Ensemble(qp.interp, data={"xvals": Z_GRID, "yvals": pdf}, ancil=ancil)
    ensemble.write_to(str(tmp_path / "theirs.hdf5"))
    convert(tmp_path / "theirs.hdf5", tmp_path / "pz_pdf")
    catalog = open_catalog(tmp_path / "pz_pdf")
    table = catalog.read()
    np.testing.assert_array_equal(table["objectId"].to_numpy(), np.arange(500) * 3)
    code = codes_of(table["pdf_code"])
    unpacked = unpack_u8sqrt(code, table["pdf_max"].to_numpy(), grid_of(catalog.schema))
    assert np.abs(unpacked - pdf).max() < 1.5 / 255 * pdf.max()


@pytest.mark.skipif(not RAIL_OUTPUT.exists(), reason="the RAIL output samples are not beside this checkout")
def test_rail_output_there_and_back(tmp_path):
    convert(RAIL_OUTPUT, tmp_path / "pz_pdf")
    convert(tmp_path / "pz_pdf", tmp_path / "again.hdf5", "qp")
    one, two = qp.read(str(RAIL_OUTPUT)), qp.read(str(tmp_path / "again.hdf5"))
    np.testing.assert_array_equal(one.ancil["object_id"], two.ancil["object_id"])
    assert np.abs(one.mean() - two.mean()).max() < 1e-3
    assert np.abs(one.pdf(Z_GRID) - two.pdf(Z_GRID)).max() < 3 / 255 * one.pdf(Z_GRID).max()


def test_examples_of_the_page(ensemble_file, tmp_path, monkeypatch):
    page = Path(__file__).parents[2] / "docs" / "how-to" / "convert-to-qp.md"
    monkeypatch.chdir(tmp_path)
    (tmp_path / "run").mkdir()
    shutil.copytree(ensemble_file.parent / "pdf", tmp_path / "run" / "pz_pdf")
    names: dict = {}
    for example in re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), flags=re.DOTALL):
        exec(compile(example, page.name, "exec"), names)
    assert names["ensemble"].npdf == 500
    assert open_catalog(tmp_path / "pz_pdf_of_rail").n_rows == 500
