"""Sums of tracts, the tables and the report that they make."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from pzcenter.catalogs.densities import code_column, grid_metadata
from pzcenter.errors import DuplicateIdError, EmptyTableError, EngineError, GridError, SchemaError, UsageError
from pzcenter.schema import PZFlag
from pzcenter.science import metrics
from pzcenter.science.packing import pack_u8sqrt
from pzcenter.science.sky import healpix29
from pzcenter.validation.release_maps import MapSums, median_of_counts, pixel_area
from pzcenter.validation.release_report import RELEASE_CAPTIONS, release_report
from pzcenter.validation.release_sums import ReleaseSums
from pzcenter.validation.release_tables import maps_table, metrics_table, nz_table, rank_tracts
from pzcenter.validation.tract_sums import sum_tract

Z_GRID = np.linspace(0.0, 3.0, 101)
N_OBJ = 1000


def make_tract(tract, n_obj=N_OBJ, *, sigma=0.05, z_grid=Z_GRID):
    """Core table, densities and truth of Gaussian p(z); the first ten objects have no estimate."""
    random = np.random.default_rng(tract)
    ra, dec = random.uniform(tract, tract + 1, n_obj), random.uniform(0, 1, n_obj)
    z_true = random.gamma(4.0, 0.2, n_obj).clip(0.05, 2.5)
    z_best = np.abs(z_true + sigma * (1 + z_true) * random.normal(size=n_obj))
    z_std = sigma * (1 + z_true) * random.uniform(0.8, 1.2, n_obj)
    pdf = np.exp(-0.5 * ((z_grid - z_best[:, None]) / z_std[:, None]) ** 2)
    pdf /= np.trapezoid(pdf, z_grid)[:, None]
    flags = random.choice([0, int(PZFlag.multi_modal), int(PZFlag.broad_0p2 | PZFlag.blended)], n_obj)
    z_best[:10] = z_std[:10] = pdf[:10] = np.nan
    flags[:10] = int(PZFlag.no_estimate)
    ids = tract * 10_000 + np.arange(n_obj)
    columns = {"objectId": ids, "_healpix_29": healpix29(ra, dec), "flags": flags, "z_best": z_best, "z_std": z_std}
    code, row_max = pack_u8sqrt(pdf)
    density = pa.table({"objectId": ids, "pdf_code": code_column(code), "pdf_max": row_max})
    truth = pa.table({"objectId": ids[5:500], "z_spec": z_true[5:500]})
    return pa.table(columns), density.replace_schema_metadata(grid_metadata(z_grid)), truth


def sums_of(tract, **options):
    pz, pdf, truth = make_tract(tract, **options)
    return sum_tract(pz, pdf, truth, tract=tract, map_order=6)


@pytest.fixture(scope="module")
def release():
    """Five tracts, the last of which is bad."""
    sums = sums_of(20)
    for tract in (21, 22, 23):
        sums.add(sums_of(tract))
    sums.add(sums_of(24, sigma=0.12))
    return sums


def test_map_sums_equal_the_row_counts(release):
    table = maps_table(release)
    assert table["n_obj"].to_numpy().sum() == 5 * N_OBJ == release.total("n_obj")
    assert table["n_estimate"].to_numpy().sum() == 5 * (N_OBJ - 10) == release.total("n_estimate")
    assert table["density"].to_numpy().sum() * pixel_area(6) == pytest.approx(5 * N_OBJ)
    rows = [make_tract(tract)[0] for tract in (20, 21, 22, 23)] + [make_tract(24, sigma=0.12)[0]]
    flags = pa.concat_tables(rows)["flags"].to_numpy()
    for flag in PZFlag:
        assert table[f"n_{flag.name}"].to_numpy().sum() == np.count_nonzero(flags & int(flag))
    pixels = np.unique(pa.concat_tables(rows)["_healpix_29"].to_numpy() >> 2 * (29 - 6))
    assert np.array_equal(table["pixel"].to_numpy(), pixels)


def test_a_map_that_lost_objects_is_an_error():
    sums = sums_of(20)
    sums.tracts[0]["n_obj"] += 1
    with pytest.raises(EngineError, match="the maps hold 1000 objects as n_obj, the tracts 1001"):
        maps_table(sums)


def test_pixels_say_what_their_objects_are():
    pz, _, _ = make_tract(30)
    table = sums_of(30).maps.table()
    cell = pz["_healpix_29"].to_numpy() >> 2 * (29 - 6)
    for row in table.to_pylist():
        z_best, z_std = (pz[name].to_numpy()[cell == row["pixel"]] for name in ("z_best", "z_std"))
        assert row["n_obj"] == z_best.size
        assert row["mean_z_best"] == pytest.approx(np.nanmean(z_best), rel=1e-6)
        if row["n_estimate"] > 100:
            assert row["median_z_std"] == pytest.approx(np.nanmedian(z_std), rel=0.03)


def test_sums_add_up_whatever_the_order(release):
    pz, pdf, truth = (pa.concat_tables(parts) for parts in zip(*(make_tract(t) for t in (20, 21)), strict=True))
    together = sum_tract(pz, pdf, truth, tract=1, map_order=6)
    for order in ((20, 21), (21, 20)):
        added = ReleaseSums.empty(Z_GRID, 6)
        for tract in order:
            added.add(sums_of(tract))
        for name in ("n_nz", "best_counts", "error_counts", "pit_counts"):
            assert np.array_equal(getattr(added, name), getattr(together, name)), name
        assert np.allclose(added.nz, together.nz, rtol=1e-5)
        assert np.array_equal(added.maps.pixel, together.maps.pixel)
        assert np.allclose(added.maps.sums, together.maps.sums, rtol=1e-12)


def test_tables_of_sums_come_back(release):
    again = ReleaseSums.from_table(release.to_table())
    for name in ("z_grid", "nz", "n_nz", "best_counts", "error_counts", "pit_counts", "totals"):
        assert np.array_equal(getattr(again, name), getattr(release, name)), name
    assert np.array_equal(again.maps.sums, release.maps.sums)
    assert again.tracts == release.tracts
    with pytest.raises(SchemaError, match="no table of the sums"):
        ReleaseSums.from_table(pa.table({"kind": ["nz"]}))


def test_nz_is_the_mean_density_with_unit_integral(release):
    table = nz_table(release, "template").to_pandas()
    assert set(table["method"]) == {"template"}
    for sample, rows in table.groupby("sample"):
        if rows["n_obj"].iloc[0]:
            assert np.trapezoid(rows["nz"], rows["z"]) == pytest.approx(1.0, abs=1e-3), sample
    everything = table[table["sample"] == "all"]
    assert everything["n_obj"].iloc[0] == release.total("n_estimate")
    assert everything["z_best_low"].isna().all()


def test_release_metrics_agree_with_the_exact_ones():
    pz, pdf, truth = make_tract(40, 4000)
    found = sum_tract(pz, pdf, truth, tract=40).release_metrics()
    z_best = pz["z_best"].to_numpy()[10:500]
    z_spec = truth["z_spec"].to_numpy()[5:]
    assert found["bias"] == pytest.approx(metrics.bias(z_best, z_spec), abs=5e-4)
    assert found["sigma_nmad"] == pytest.approx(metrics.sigma_nmad(z_best, z_spec), abs=1.5e-3)
    assert found["outlier_fraction"] == pytest.approx(metrics.outlier_fraction(z_best, z_spec))
    from pzcenter.science.packing import unpack_u8sqrt

    code = np.array([list(value) for value in pdf["pdf_code"].to_pylist()[10:500]], dtype=np.uint8)
    density = unpack_u8sqrt(code, pdf["pdf_max"].to_numpy()[10:500], Z_GRID)
    assert found["crps"] == pytest.approx(metrics.crps(density, Z_GRID, z_spec), rel=1e-5)


def test_medians_of_histograms():
    values = np.random.default_rng(0).normal(1.0, 0.3, 20_001)
    edges = np.linspace(-1, 3, 401)
    counts = np.histogram(values, bins=edges)[0][None].astype(float)
    assert median_of_counts(counts, edges)[0] == pytest.approx(np.median(values), abs=2e-3)
    assert np.isnan(median_of_counts(np.zeros((1, 400)), edges)[0])
    assert median_of_counts(np.array([[0.0, 4.0]]), np.array([0.0, 1.0, np.inf]))[0] == 1.0


def test_the_bad_tract_comes_first(release):
    table = metrics_table(release, "template")
    rows = table.to_pylist()
    assert rows[0]["tract"] is None
    assert rows[0]["n_obj"] == 5 * N_OBJ
    assert rows[1]["tract"] == 24
    assert rows[1]["deviation"] > 5 > rows[2]["deviation"]
    assert rows[1]["reason"].startswith(("scatter", "median z_std", "outliers"))
    exact = metrics.sigma_nmad(
        make_tract(20)[0]["z_best"].to_numpy()[10:500], make_tract(20)[2]["z_spec"].to_numpy()[5:]
    )
    assert next(row for row in rows if row["tract"] == 20)["sigma_nmad"] == pytest.approx(exact, rel=1e-5)


def test_tracts_without_truth_are_ranked_too():
    tracts = []
    for tract in (1, 2, 3):
        pz, pdf, _ = make_tract(tract)
        tracts += sum_tract(pz, pdf, tract=tract).tracts
    tracts[1]["n_estimate"] -= 300
    ranked = rank_tracts(tracts)
    assert ranked[0]["tract"] == 2
    assert ranked[0]["reason"].startswith("objects without an estimate 0.31")
    assert ranked[0]["bias"] is None
    assert rank_tracts([]) == []


def test_coarser_maps_hold_the_same(release):
    coarse = release.maps.at_order(3)
    assert coarse.n_obj.sum() == 5 * N_OBJ
    assert coarse.median_z_std() == release.maps.median_z_std()
    with pytest.raises(UsageError, match="says nothing of pixels of order 9"):
        release.maps.at_order(9)
    with pytest.raises(UsageError, match="cannot be added"):
        MapSums(3).add(MapSums(4))


def test_sums_that_do_not_fit_are_refused(release):
    with pytest.raises(GridError, match="101 points from 0 to 3 and 51 from 0 to 2"):
        ReleaseSums.empty(Z_GRID, 6).add(sums_of(1, z_grid=np.linspace(0, 2, 51)))
    pz, pdf, truth = make_tract(1, 600)
    with pytest.raises(DuplicateIdError, match="more than one known redshift"):
        sum_tract(pz, pdf, pa.concat_tables([truth, truth]), tract=1)
    foreign = pa.table({"objectId": [-1, 10**15], "z_spec": [0.5, 0.5]})
    assert sum_tract(pz, pdf, foreign, tract=1).total("n_truth") == 0


def test_an_empty_tract_counts_nothing():
    pz, pdf, _ = make_tract(1, 20)
    sums = sum_tract(pz.slice(0, 0), pdf.slice(0, 0), tract=1)
    assert sums.total("n_obj") == 0
    with pytest.raises(EmptyTableError):
        release_report(sums, method="template")


def test_report_holds_everything(release):
    page = release_report(release, method="template", title="<b>Release</b> & more")
    assert page == release_report(release, method="template", title="<b>Release</b> & more")
    assert "&lt;b&gt;Release&lt;/b&gt; &amp; more" in page
    assert page.count("data:image/png;base64,") == len(RELEASE_CAPTIONS)
    assert "http://" not in page and "https://" not in page
    assert page.index(">24</th>") < page.index(">20</th>")
    assert "4,950 of 5,000 objects (99.00 %)" in page
    assert "most of all tract 24" in page
    assert "no_estimate" in page and "star_like" not in page


def test_report_without_truth_says_nothing_of_errors():
    pz, pdf, _ = make_tract(1)
    page = release_report(sum_tract(pz, pdf, tract=1), method="template")
    assert page.count("data:image/png;base64,") == 2
    assert "Outliers" not in page
    assert "No tract stands out among the 1." in page
