"""Tables without an ensemble format: Parquet, HDF5, FITS, CSV; grids, quantiles, samples, mixtures, points."""

from __future__ import annotations

import json

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from astropy.io import fits
from scipy import stats

from pzcenter.errors import ColumnError, EmptyTableError, FileFormatError, GridError, ShapeError
from pzcenter.validation.submissions import open_submission

LEVELS = np.linspace(0.02, 0.98, 25)


def _read(submission, size=13):
    chunks = list(submission.chunks(size))
    pdf = None if chunks[0].pz is None else np.concatenate([chunk.pz for chunk in chunks])
    return np.concatenate([chunk.object_id for chunk in chunks]), pdf


def _check(submission, truth, *, tolerance=1e-6):
    ids, pdf = _read(submission)
    np.testing.assert_array_equal(ids, truth.ids)
    difference = np.abs(pdf - truth.pdf).max(axis=1) / truth.pdf.max(axis=1)
    assert difference.max() < tolerance


def _fixed(values):
    return pa.FixedSizeListArray.from_arrays(pa.array(np.ravel(values)), values.shape[1])


def _parquet(path, columns, **metadata):
    table = pa.table(columns)
    pq.write_table(table.replace_schema_metadata(metadata or None), path, row_group_size=11)
    return path


# --- Parquet


@pytest.mark.parametrize("kind", ["fixed", "list", "float32"])
def test_a_grid_in_a_list_column_is_read(tmp_path, truth, z_grid, kind):
    pdf = truth.pdf.astype(np.float32) if kind == "float32" else truth.pdf
    column = pa.array(list(pdf)) if kind == "list" else _fixed(pdf)
    path = _parquet(tmp_path / "g.parquet", {"object_id": truth.ids, "pdf": column}, z_grid=json.dumps(z_grid.tolist()))
    _check(open_submission(path), truth, tolerance=1e-5)


def test_a_grid_may_be_stated_by_its_ends_or_given(tmp_path, truth, z_grid):
    columns = {"id": truth.ids, "pz": _fixed(truth.pdf)}
    _check(open_submission(_parquet(tmp_path / "e.parquet", columns, z_min="0", z_max="3.0", n_z="301")), truth)
    path = _parquet(tmp_path / "n.parquet", columns)
    _check(open_submission(path, z_grid=z_grid), truth)
    with pytest.raises(GridError, match="need a redshift grid"):
        open_submission(path)
    with pytest.raises(GridError, match="need a redshift grid"):
        open_submission(path, z_grid=z_grid[:-1])


def test_a_column_for_each_grid_point_is_read_with_the_grid_in_its_name(tmp_path, truth, z_grid):
    columns = {"objectId": truth.ids} | {f"pdf_{z:.2f}": truth.pdf[:, k] for k, z in enumerate(z_grid)}
    submission = open_submission(_parquet(tmp_path / "w.parquet", columns))
    np.testing.assert_allclose(submission.z_grid, z_grid)
    _check(submission, truth)


def test_a_column_for_each_grid_point_is_read_with_the_grid_in_the_metadata(tmp_path, truth, z_grid):
    names = [f"p_{k}" for k in range(301)]
    columns = {"objectId": truth.ids} | {name: truth.pdf[:, k] for k, name in reversed(list(enumerate(names)))}
    _check(open_submission(_parquet(tmp_path / "w.parquet", columns, z_grid=json.dumps(z_grid.tolist()))), truth)
    with pytest.raises(GridError, match="need a redshift grid"):
        open_submission(_parquet(tmp_path / "v.parquet", columns))


def test_a_missing_list_is_no_estimate(tmp_path, truth):
    rows = list(truth.pdf)
    rows[5] = None
    columns = {"object_id": truth.ids, "pdf": pa.array(rows)}
    submission = open_submission(_parquet(tmp_path / "g.parquet", columns, z_min="0", z_max="3", n_z="301"))
    _, pdf = _read(submission)
    assert np.isnan(pdf[5]).all()
    assert submission.tally.n_no_estimate == 1


def test_lists_of_different_lengths_are_named_with_the_row(tmp_path, truth):
    rows = list(truth.pdf)
    rows[17] = rows[17][:-1]
    columns = {"object_id": truth.ids, "pdf": pa.array(rows)}
    submission = open_submission(_parquet(tmp_path / "g.parquet", columns, z_min="0", z_max="3", n_z="301"))
    with pytest.raises(ShapeError, match=r"row 17 has 300 values"):
        _read(submission)


def test_lists_of_another_length_than_the_grid_are_named(tmp_path, truth):
    columns = {"object_id": truth.ids, "pdf": _fixed(truth.pdf)}
    with pytest.raises(ShapeError, match="300"):
        open_submission(_parquet(tmp_path / "g.parquet", columns, z_min="0", z_max="3", n_z="300"))


def test_quantiles_are_read_from_lists_and_from_columns(tmp_path, truth):
    locations = stats.norm(truth.mean[:, None], truth.width[:, None]).ppf(LEVELS)
    columns = {"object_id": truth.ids, "quantiles": _fixed(locations)}
    path = _parquet(tmp_path / "q.parquet", columns, quantile_levels=json.dumps(LEVELS.tolist()))
    _check(open_submission(path), truth, tolerance=0.05)
    wide = {"object_id": truth.ids} | {f"q{level:.2f}": locations[:, k] for k, level in enumerate(LEVELS)}
    _check(open_submission(_parquet(tmp_path / "w.parquet", wide)), truth, tolerance=0.05)
    with pytest.raises(GridError, match="levels"):
        open_submission(_parquet(tmp_path / "n.parquet", columns))
    with pytest.raises(GridError, match="levels must increase"):
        open_submission(_parquet(tmp_path / "o.parquet", columns, levels="[0.5, 0.2]"))


def test_samples_are_the_quantiles_that_they_are(tmp_path, truth, z_grid):
    rng = np.random.default_rng(1)
    samples = rng.normal(truth.mean[:, None], truth.width[:, None], (40, 400))
    submission = open_submission(_parquet(tmp_path / "s.parquet", {"id": truth.ids, "samples": _fixed(samples)}))
    _, pdf = _read(submission)
    np.testing.assert_allclose(np.trapezoid(pdf * z_grid, z_grid, axis=1), samples.mean(axis=1), atol=2e-3)
    variance = np.trapezoid(pdf * z_grid**2, z_grid, axis=1) - np.trapezoid(pdf * z_grid, z_grid, axis=1) ** 2
    np.testing.assert_allclose(np.sqrt(variance), samples.std(axis=1), rtol=0.05)


@pytest.mark.parametrize("samples", [np.full((40, 5), 1.23), np.full((40, 1), 1.23)])
def test_equal_samples_put_all_probability_in_their_cell(tmp_path, truth, samples):
    submission = open_submission(_parquet(tmp_path / "s.parquet", {"id": truth.ids, "samples": _fixed(samples)}))
    _, pdf = _read(submission)
    assert np.allclose(pdf[:, 123], 100.0)
    assert np.allclose(np.delete(pdf, 123, axis=1), 0.0)


def test_a_mixture_is_read(tmp_path, truth):
    columns = {
        "object_id": truth.ids,
        "weights": _fixed(np.full((40, 2), 0.5)),
        "means": _fixed(np.repeat(truth.mean[:, None], 2, axis=1)),
        "stds": _fixed(np.repeat(truth.width[:, None], 2, axis=1)),
    }
    submission = open_submission(_parquet(tmp_path / "m.parquet", columns))
    assert submission.form_name == "Gaussian mixture"
    _check(submission, truth, tolerance=0.006)


# --- points


@pytest.mark.parametrize("name", ["z_best", "Z_PHOT", "zmode", "photoz"])
def test_point_estimates_alone_are_a_submission(tmp_path, truth, name):
    path = tmp_path / "points.csv"
    path.write_text(f"object_id,{name}\n" + "".join(f"{i},{z}\n" for i, z in zip(truth.ids, truth.mode, strict=True)))
    submission = open_submission(path)
    assert not submission.has_pdf
    assert submission.form_name == "point estimates only"
    chunk = next(submission.chunks())
    assert chunk.pz is None
    np.testing.assert_allclose(chunk.z_point, truth.mode)
    np.testing.assert_array_equal(chunk.object_id, truth.ids)


def test_a_missing_point_is_counted(tmp_path, truth):
    z = truth.mode.copy()
    z[3] = np.nan
    submission = open_submission(_parquet(tmp_path / "p.parquet", {"id": truth.ids, "z_phot": z}))
    _read(submission)
    assert submission.tally.n_no_estimate == 1


def test_several_points_keep_their_names(tmp_path, truth):
    columns = {"id": truth.ids, "zmean": truth.mean, "zmode": truth.mode, "z_phot": truth.z}
    submission = open_submission(_parquet(tmp_path / "p.parquet", columns))
    assert submission.z_point_name == "z_best"
    chunk = next(submission.chunks())
    np.testing.assert_array_equal(chunk.z_point, truth.z)
    np.testing.assert_array_equal(chunk.extra["z_mean"], truth.mean)
    np.testing.assert_array_equal(chunk.extra["z_mode"], truth.mode)


def test_ids_as_text_and_as_floats_are_read(tmp_path, truth):
    for ids in (truth.ids.astype(str), truth.ids.astype(float)):
        submission = open_submission(_parquet(tmp_path / "p.parquet", {"id": pa.array(ids), "z_phot": truth.z}))
        np.testing.assert_array_equal(submission.object_ids(11), truth.ids)


def test_text_for_a_redshift_is_named(tmp_path, truth):
    columns = {"id": truth.ids, "z_phot": pa.array(["x"] * 40)}
    with pytest.raises(ColumnError, match="'z_phot'"):
        _read(open_submission(_parquet(tmp_path / "p.parquet", columns)))


def test_a_table_of_something_else_is_named_with_its_columns(tmp_path, truth):
    with pytest.raises(ColumnError, match=r"neither densities nor point estimates.*'mag_i'"):
        open_submission(_parquet(tmp_path / "p.parquet", {"id": truth.ids, "mag_i": truth.z}))


# --- HDF5


def test_a_plain_hdf5_file_is_read(tmp_path, truth, z_grid):
    path = tmp_path / "g.h5"
    with h5py.File(path, "w") as file:
        file.attrs["method"] = "made by hand"
        file["objects/object_id"] = truth.ids
        file["objects/pdf"] = truth.pdf.astype(">f4")
        file["z_grid"] = z_grid
    submission = open_submission(path)
    assert submission.description == "made by hand"
    assert submission.name == "g"
    _check(submission, truth, tolerance=1e-5)


def test_quantiles_and_samples_in_hdf5_are_read(tmp_path, truth):
    gauss = stats.norm(truth.mean[:, None], truth.width[:, None])
    for name, values in (("quantiles", gauss.ppf(LEVELS)), ("samples", gauss.ppf((np.arange(99) + 0.5) / 99))):
        path = tmp_path / f"{name}.h5"
        with h5py.File(path, "w") as file:
            file["id"], file[name], file["levels"] = truth.ids, values, LEVELS
        _check(open_submission(path), truth, tolerance=0.05)


@pytest.mark.parametrize("n_obj", [40, 7])
def test_a_transposed_array_in_hdf5_is_named(tmp_path, truth, z_grid, n_obj):
    path = tmp_path / "g.h5"
    with h5py.File(path, "w") as file:
        file["id"], file["pdf"], file["z_grid"] = truth.ids[:n_obj], truth.pdf[:n_obj].T, z_grid
    with pytest.raises(ShapeError, match=rf"transposed.*\(301, {n_obj}\)"):
        open_submission(path)


def test_hdf5_without_ids_or_rows_is_named(tmp_path, truth, z_grid):
    path = tmp_path / "g.h5"
    with h5py.File(path, "w") as file:
        file["pdf"], file["z_grid"] = truth.pdf, z_grid
    with pytest.raises(ColumnError, match="no object ids"):
        open_submission(path)
    _check(open_submission(path, ids=truth.ids), truth)
    with h5py.File(path, "w") as file:
        file["id"], file["pdf"], file["z_grid"] = truth.ids[:0], truth.pdf[:0], z_grid
    with pytest.raises(EmptyTableError, match="no objects"):
        open_submission(path)
    with h5py.File(path, "w"):
        pass
    with pytest.raises(FileFormatError, match="no data sets"):
        open_submission(path)


# --- FITS


def _fits_table(path, truth, *extensions, header=None):
    pdf = fits.Column("pdf", f"{truth.pdf.shape[1]}E", array=truth.pdf)
    table = fits.BinTableHDU.from_columns([fits.Column("object_id", "K", array=truth.ids), pdf], name="PZ")
    table.header.update(header or {})
    fits.HDUList([fits.PrimaryHDU(), table, *extensions]).writeto(path)
    return path


def test_a_fits_table_with_its_grid_in_the_header_is_read(tmp_path, truth):
    header = {"Z_MIN": 0.0, "Z_MAX": 3.0, "N_Z": 301}
    _check(open_submission(_fits_table(tmp_path / "t.fits", truth, header=header)), truth, tolerance=1e-5)


def test_a_fits_table_with_its_grid_in_another_extension_is_read(tmp_path, truth, z_grid):
    grid = fits.BinTableHDU.from_columns([fits.Column("z_grid", "D", array=z_grid)], name="GRID")
    _check(open_submission(_fits_table(tmp_path / "t.fits", truth, grid)), truth, tolerance=1e-5)
    image = fits.ImageHDU(z_grid, name="Z_GRID")
    _check(open_submission(_fits_table(tmp_path / "u.fits", truth, image)), truth, tolerance=1e-5)


def _fits_image(path, truth, pdf):
    ids = fits.BinTableHDU.from_columns([fits.Column("object_id", "K", array=truth.ids)])
    image = fits.PrimaryHDU(pdf)
    image.header.update(CRVAL1=0.0, CDELT1=0.01, CRPIX1=1.0)
    fits.HDUList([image, ids]).writeto(path)
    return path


def test_a_fits_image_is_read(tmp_path, truth):
    _check(open_submission(_fits_image(tmp_path / "i.fits", truth, truth.pdf)), truth)


def test_a_transposed_fits_image_is_named(tmp_path, truth):
    with pytest.raises(ShapeError, match="transposed"):
        open_submission(_fits_image(tmp_path / "i.fits", truth, truth.pdf.T))


def test_a_fits_file_without_a_table_is_named(tmp_path, truth):
    fits.PrimaryHDU(truth.pdf).writeto(tmp_path / "i.fits")
    with pytest.raises(FileFormatError, match="no binary table"):
        open_submission(tmp_path / "i.fits")
