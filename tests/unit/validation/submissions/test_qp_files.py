"""Every type of ensemble of qp, against qp's own evaluation where it is installed and against Gaussians."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from pzcenter.errors import ColumnError, FileFormatError, GridError, ShapeError
from pzcenter.validation.submissions import open_submission
from pzcenter.validation.submissions.qp_layout import QP_TYPES

LEVELS = np.linspace(0.01, 0.99, 33)


def _densities(submission):
    chunks = list(submission.chunks(7))
    return np.concatenate([chunk.object_id for chunk in chunks]), np.concatenate([chunk.pz for chunk in chunks])


def _cell_average(cdf, z_grid):
    edges = np.concatenate((z_grid[:1], 0.5 * (z_grid[1:] + z_grid[:-1]), z_grid[-1:]))
    return np.diff(cdf(edges), axis=1) / np.diff(edges)


def _parts(kind, truth, z_grid):
    """Metadata and data of an ensemble of each type, of the same Gaussians."""
    n, gauss = truth.ids.size, stats.norm(truth.mean[:, None], truth.width[:, None])
    if kind == "interp":
        return {"xvals": z_grid}, {"yvals": truth.pdf}
    if kind == "interp_irregular":
        x = truth.mean[:, None] + truth.width[:, None] * np.linspace(-5, 5, 201)
        return {}, {"xvals": x, "yvals": gauss.pdf(x)}
    if kind == "hist":
        bins = np.linspace(-0.0025, 3.0025, 602)
        return {"bins": bins}, {"pdfs": np.diff(gauss.cdf(bins)) / np.diff(bins)}
    if kind == "quant":
        return {"quants": LEVELS, "pdf_constructor_name": b"piecewise_linear"}, {"locs": gauss.ppf(LEVELS)}
    if kind == "mixmod":
        one = np.ones((n, 1))
        means, stds = (np.repeat(v[:, None], 2, axis=1) for v in (truth.mean, truth.width))
        return {}, {"weights": np.hstack([0.3 * one, 0.7 * one]), "means": means, "stds": stds}
    if kind == "norm":
        return {}, {"loc": truth.mean[:, None], "scale": truth.width[:, None]}
    if kind == "packed_interp":
        top = truth.pdf.max(axis=1, keepdims=True)
        meta = {"xvals": z_grid, "packing_type": 0, "log_floor": -3.0}
        return meta, {"ypacked": np.round(255 * truth.pdf / top).astype(np.uint8), "ymax": top}
    if kind == "spline":
        from scipy.interpolate import splrep

        tck = [splrep(z_grid, row) for row in truth.pdf]
        return {}, {"splx": [t[0] for t in tck], "sply": [t[1] for t in tck], "spln": [[t[2]] for t in tck]}
    raise AssertionError(kind)


TOLERANCE = {
    "quant": 0.035,
    "hist": 0.005,
    "packed_interp": 0.01,
    "interp": 0.01,
    "interp_irregular": 0.01,
    "spline": 0.01,
}


@pytest.mark.parametrize("kind", sorted(set(QP_TYPES) - {"sparse"}))
def test_each_type_gives_the_gaussians(tmp_path, truth, write_qp, z_grid, kind):
    meta, data = _parts(kind, truth, z_grid)
    path = write_qp(tmp_path / "e.hdf5", kind, meta, data, {"object_id": truth.ids})
    submission = open_submission(path)
    ids, pdf = _densities(submission)
    expected = _cell_average(stats.norm(truth.mean[:, None], truth.width[:, None]).cdf, z_grid)
    assert submission.n_rows == truth.ids.size
    np.testing.assert_array_equal(ids, truth.ids)
    np.testing.assert_allclose(np.trapezoid(pdf, z_grid, axis=1), 1.0, atol=1e-6)
    difference = np.abs(pdf - expected).max(axis=1) / expected.max(axis=1)
    assert difference.max() < TOLERANCE.get(kind, 1e-6)


@pytest.mark.parametrize("kind", sorted(set(QP_TYPES) - {"sparse", "spline"}))
def test_each_type_is_the_ensemble_that_qp_reads(tmp_path, truth, write_qp, z_grid, kind):
    qp = pytest.importorskip("qp")
    meta, data = _parts(kind, truth, z_grid)
    path = write_qp(tmp_path / "e.hdf5", kind, meta, data, {"object_id": truth.ids})
    theirs = qp.read(str(path)).pdf(z_grid)
    _, ours = _densities(open_submission(path))
    # Theirs is the density at the points, ours the average around them: they differ by (step/width)^2 / 24. Between
    # quantiles, and in the tails beyond them, theirs is off the Gaussian itself by a tenth.
    np.testing.assert_allclose(ours, theirs, atol=(0.15 if kind == "quant" else 0.012) * theirs.max())


def test_a_sparse_ensemble_is_what_qp_reads(tmp_path, truth, write_qp):
    qp = pytest.importorskip("qp")
    from qp.parameterizations.sparse_interp import sparse_rep

    grid = np.linspace(0.0, 3.0, 61)
    pdf = np.exp(-0.5 * ((grid - truth.mean[:6, None]) / 0.15) ** 2)
    pdf /= np.trapezoid(pdf, grid, axis=1)[:, None]
    codes, meta, _ = sparse_rep.build_sparse_representation(grid, pdf, Nsparse=6, verbose=False)
    meta = {name: meta[name] for name in ("xvals", "mu", "sig", "dims")}
    path = write_qp(tmp_path / "s.hdf5", "sparse", meta, {"sparse_indices": codes}, {"object_id": truth.ids[:6]})
    theirs = qp.sparse.create_ensemble(codes, **{name: np.asarray(value) for name, value in meta.items()}).pdf(grid)
    submission = open_submission(path)
    assert submission.form_name == "sparse basis"
    np.testing.assert_allclose(_densities(submission)[1], theirs, atol=1e-4)


def test_a_component_of_weight_0_is_no_component(tmp_path, truth, write_qp, z_grid):
    one = np.ones((40, 1))
    data = {
        "weights": np.hstack([2 * one, 0 * one]),
        "means": np.hstack([truth.mean[:, None], 0 * one]),
        "stds": np.hstack([truth.width[:, None], 0 * one]),
    }
    path = write_qp(tmp_path / "m.hdf5", "mixmod", {}, data, {"id": truth.ids})
    submission = open_submission(path)
    _, pdf = _densities(submission)
    expected = _cell_average(stats.norm(truth.mean[:, None], truth.width[:, None]).cdf, z_grid)
    np.testing.assert_allclose(pdf, expected, atol=1e-6)
    assert submission.tally.n_renormalised == 0


def test_a_distribution_of_scipy_is_read_without_qp(tmp_path, truth, write_qp, z_grid):
    data = {"a": np.full((40, 1), 9.0), "scale": truth.mean[:, None] / 9}
    path = write_qp(tmp_path / "g.hdf5", "gamma", {}, data, {"id": truth.ids})
    _, pdf = _densities(open_submission(path, z_grid=np.linspace(0, 6, 601)))
    expected = stats.gamma(9.0, scale=truth.mean[:, None] / 9).pdf(np.linspace(0, 6, 601))
    np.testing.assert_allclose(pdf, expected, atol=0.02)


def test_a_distribution_without_closed_form_is_read_through_qp(tmp_path, truth, write_qp):
    pytest.importorskip("qp")
    data = {"c": np.full((3, 1), 2.0), "scale": np.full((3, 1), 0.5)}
    path = write_qp(tmp_path / "g.hdf5", "genlogistic", {}, data, {"id": truth.ids[:3]})
    submission = open_submission(path, z_grid=np.linspace(-0.5, 9, 951))
    assert submission.form_name == "qp genlogistic"
    _, pdf = _densities(submission)
    expected = stats.genlogistic(2.0, scale=0.5)
    inside = expected.cdf(9) - expected.cdf(-0.5)
    np.testing.assert_allclose(pdf[0], expected.pdf(np.linspace(-0.5, 9, 951)) / inside, atol=0.005)


def test_an_unknown_type_is_named(tmp_path, truth, write_qp):
    path = write_qp(tmp_path / "g.hdf5", "no_such_type", {}, {"a": np.ones((40, 1))}, {"id": truth.ids})
    with pytest.raises(FileFormatError, match="no_such_type"):
        _densities(open_submission(path))


def test_logarithmic_packing_is_read(tmp_path, truth, write_qp, z_grid):
    top = truth.pdf.max(axis=1, keepdims=True)
    code = np.round(255 * (np.log10((truth.pdf + 1e-9) / top) + 3) / 3).clip(0, 255).astype(np.uint8)
    meta = {"xvals": z_grid, "packing_type": 1, "log_floor": -3.0}
    path = write_qp(tmp_path / "p.hdf5", "packed_interp", meta, {"ypacked": code, "ymax": top}, {"id": truth.ids})
    _, pdf = _densities(open_submission(path))
    np.testing.assert_allclose(pdf, truth.pdf, atol=0.02 * truth.pdf.max())


def test_densities_on_the_own_grid_are_not_touched(qp_file, truth):
    submission = open_submission(qp_file)
    _, pdf = _densities(submission)
    np.testing.assert_allclose(pdf, truth.pdf, rtol=1e-12)
    assert submission.tally.sentences() == []


def test_another_grid_keeps_the_probability(qp_file, truth):
    grid = np.linspace(0.0, 2.9, 117)
    _, pdf = _densities(open_submission(qp_file, z_grid=grid))
    np.testing.assert_allclose(np.trapezoid(pdf, grid, axis=1), 1.0, atol=1e-5)
    mean = np.trapezoid(pdf * grid, grid, axis=1)
    np.testing.assert_allclose(mean, truth.mean, atol=0.002)


def test_point_estimates_of_ancil_are_found_under_both_names(tmp_path, truth, write_qp, z_grid):
    for name in ("zmode", "z_mode"):
        ancil = {"object_id": truth.ids, name: truth.mode[:, None]}
        path = write_qp(tmp_path / f"{name}.hdf5", "interp", {"xvals": z_grid}, {"yvals": truth.pdf}, ancil)
        chunk = next(open_submission(path).chunks())
        np.testing.assert_array_equal(chunk.z_point, truth.mode)
        np.testing.assert_array_equal(chunk.extra["z_mode"], truth.mode)


def test_ids_come_from_elsewhere_for_files_without(tmp_path, truth, write_qp, z_grid):
    path = write_qp(tmp_path / "e.hdf5", "interp", {"xvals": z_grid}, {"yvals": truth.pdf})
    with pytest.raises(ColumnError, match="no object ids"):
        open_submission(path)
    np.testing.assert_array_equal(open_submission(path, ids=truth.ids).object_ids(), truth.ids)
    np.save(tmp_path / "ids.npy", truth.ids)
    np.testing.assert_array_equal(open_submission(path, ids=tmp_path / "ids.npy").object_ids(), truth.ids)
    (tmp_path / "ids.csv").write_text("object_id,i\n" + "".join(f"{i},24\n" for i in truth.ids))
    np.testing.assert_array_equal(open_submission(path, ids=tmp_path / "ids.csv").object_ids(), truth.ids)
    with pytest.raises(ShapeError, match="40 rows"):
        open_submission(path, ids=truth.ids[:-1])


def test_a_transposed_array_is_named(tmp_path, truth, write_qp, z_grid):
    path = write_qp(tmp_path / "t.hdf5", "interp", {"xvals": z_grid}, {"yvals": truth.pdf.T}, {"id": truth.ids})
    with pytest.raises(ShapeError, match=r"transposed.*\(40, 301\)"):
        open_submission(path)


def test_a_square_transposed_array_is_named(tmp_path, truth, write_qp):
    grid = np.linspace(0.0, 3.0, 40)
    pdf = np.exp(-0.5 * ((grid - truth.mean[:, None]) / 0.2) ** 2)
    pdf /= np.trapezoid(pdf, grid, axis=1)[:, None]
    path = write_qp(tmp_path / "t.hdf5", "interp", {"xvals": grid}, {"yvals": pdf.T}, {"id": truth.ids})
    with pytest.raises(ShapeError, match="transposed"):
        _densities(open_submission(path))


@pytest.mark.parametrize("grid", [np.linspace(3, 0, 301), np.full(301, 0.5), np.linspace(-2, 3, 301)])
def test_a_grid_that_is_none_is_named(tmp_path, truth, write_qp, grid):
    path = write_qp(tmp_path / "g.hdf5", "interp", {"xvals": grid}, {"yvals": truth.pdf}, {"id": truth.ids})
    with pytest.raises(GridError, match="meta/xvals"):
        open_submission(path)


def test_a_missing_part_is_named(tmp_path, truth, write_qp, z_grid):
    path = write_qp(tmp_path / "m.hdf5", "interp", {"xvals": z_grid}, {"zvals": truth.pdf}, {"id": truth.ids})
    with pytest.raises(FileFormatError, match="data/yvals"):
        open_submission(path)
    path = write_qp(tmp_path / "n.hdf5", "quant", {}, {"locs": truth.pdf}, {"id": truth.ids})
    with pytest.raises(FileFormatError, match="meta/quants"):
        open_submission(path)
