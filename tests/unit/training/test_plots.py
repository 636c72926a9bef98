"""Figures of redshifts and training sets: they draw what they are given, whatever its size."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from matplotlib.figure import Figure

from pzcenter.errors import BandError, ColumnError, UsageError
from pzcenter.training import plots
from pzcenter.training.coverage import coverage
from pzcenter.training.plots.projection import SkyWindow, mollweide, sky_window

BANDS = "ugrizy"


def training(n: int, *, seed: int = 0, missing: bool = False) -> pa.Table:
    """Rows of a training set; with ``missing`` every number is NaN and every text null."""
    rng = np.random.default_rng(seed)
    columns = {
        "ra": rng.uniform(149, 151, n),
        "dec": rng.uniform(-31, -29, n),
        "z_spec": rng.gamma(2.0, 0.3, n),
        "weight": rng.uniform(0.1, 2.0, n),
        "separation_arcsec": rng.rayleigh(0.1, n),
    }
    columns |= {f"flux_{band}": 10 ** rng.normal(3, 0.5, n) for band in BANDS}
    columns |= {f"flux_err_{band}": rng.uniform(20, 40, n) for band in BANDS}
    if missing:
        columns = {name: np.full(n, np.nan) for name in columns}
    flag = pa.array(rng.choice([0, 1, 2, 3, 4, 6], n), pa.int8())
    texts = {
        "survey": rng.choice([f"_sur$vey {i}_{i}^$" for i in range(40)], n),
        "z_type": rng.choice(["s", "g", "p"], n),
        "split": rng.choice(["train", "validation", "test"], n),
    }
    none = pa.nulls(n, pa.string())
    table = pa.table(columns).append_column("z_flag", pa.nulls(n, pa.int8()) if missing else flag)
    for name, values in texts.items():
        table = table.append_column(name, none if missing else pa.array(values, pa.string()))
    return table


def column(table, name):
    return table.column(name).to_numpy()


DRAW = {
    "sky": lambda t, ax: plots.plot_sky(column(t, "ra"), column(t, "dec"), ax=ax),
    "sky, target": lambda t, ax: plots.plot_sky(
        column(t, "ra"), column(t, "dec"), footprint=(column(t, "ra"), column(t, "dec")),
        window=(column(t, "ra"), column(t, "dec")), ax=ax,
    ),
    "nz by survey": lambda t, ax: plots.plot_nz(t, ax=ax),
    "nz by flag": lambda t, ax: plots.plot_nz(t, by="z_flag", ax=ax),
    "nz by type": lambda t, ax: plots.plot_nz(t, by="z_type", log=True, ax=ax),
    "nz": lambda t, ax: plots.plot_nz(t, by=None, ax=ax),
    "z mag": lambda t, ax: plots.plot_z_mag(t, ax=ax),
    "magnitude": lambda t, ax: plots.plot_magnitude(t, t, ax=ax),
    "magnitude alone": lambda t, ax: plots.plot_magnitude(t, ax=ax),
    "colour": lambda t, ax: plots.plot_colour(t, t, ax=ax),
    "reweighted": lambda t, ax: plots.plot_reweighted(column(t, "z_spec"), column(t, "weight"), ax=ax),
    "surveys": lambda t, ax: plots.plot_surveys(t, ax=ax),
    "surveys, counts": lambda t, ax: plots.plot_surveys(t, by="z_type", share=False, ax=ax),
    "split": lambda t, ax: plots.plot_split(t, ax=ax),
    "split nz": lambda t, ax: plots.plot_split_nz(t, ax=ax),
    "separations": lambda t, ax: plots.plot_separations(
        column(t, "separation_arcsec"), n_positions=t.num_rows, chance=0.1, ax=ax
    ),
}  # fmt: skip
TABLES = {
    "no rows": training(0),
    "one row": training(1),
    "all missing": training(50, missing=True),
    "few": training(100),
    "many": training(6000),
}


@pytest.mark.parametrize("kind", TABLES)
@pytest.mark.parametrize("name", DRAW)
def test_draws_whatever_it_is_given(name, kind):
    figure = Figure()
    ax = figure.subplots()
    assert DRAW[name](TABLES[kind], ax) is ax
    figure.draw_without_rendering()
    words = " ".join(text.get_text() for text in ax.texts)
    if kind == "no rows":
        assert "no " in words


def test_a_new_figure_where_no_axes_are_given():
    from matplotlib import pyplot as plt

    before = plt.get_fignums()
    ax = plots.plot_nz(TABLES["few"])
    assert len(plt.get_fignums()) == len(before) + 1
    plt.close(ax.figure)


def test_no_global_state():
    code = "import sys, pzcenter.training.plots; assert 'matplotlib.pyplot' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_counts_in_titles_add_up():
    table = TABLES["many"]
    ax = plots.plot_nz(table, by="z_flag", ax=Figure().subplots())
    flag = column(table, "z_flag")
    title = ax.get_title(loc="left")
    assert f"{np.count_nonzero(flag != 6):,} galaxies" in title
    assert f"{np.count_nonzero(flag == 6):,} stars left out" in title


def test_every_survey_is_in_a_part():
    table = TABLES["many"]
    parts = plots.columns.parts_of(table, "survey")
    assert sum(part.n for part in parts) == table.num_rows
    assert parts[-1].label == "34 other surveys"
    assert len(plots.columns.parts_of(table, "survey", n_top=3)) == 3


def test_odd_names_are_drawn_as_they_stand():
    table = pa.table({"survey": ["_a$x^2$", "b"], "z_flag": pa.array([4, 4], pa.int8()), "z_spec": [0.1, 0.2]})
    ax = plots.plot_nz(table, ax=Figure().subplots())
    labels = [text.get_text() for text in ax.get_legend().get_texts()]
    assert labels == [r" _a\$x^2\$ (1)", "b (1)"]


def test_unknown_columns_are_errors():
    with pytest.raises(ColumnError, match="z_flag"):
        plots.plot_nz(TABLES["few"].drop_columns(["z_flag"]), by="z_flag", ax=Figure().subplots())
    with pytest.raises(UsageError, match="z_type and split are accepted"):
        plots.plot_nz(TABLES["few"], by="weight", ax=Figure().subplots())


def test_separations_and_chance():
    ax = plots.plot_separations(
        [0.1, 0.2, np.nan], radius_arcsec=1.0, n_positions=1000, chance=0.19, ax=Figure().subplots()
    )
    _, chance = ax.patches
    assert chance.get_data().values.sum() == pytest.approx(190.0)
    # 1 - 0.81^(1/4) of the positions have an unrelated object within half the radius
    assert chance.get_data().values[:25].sum() == pytest.approx(1000 * (1 - 0.81**0.25))


def test_mollweide_there_and_back():
    ra, dec = SkyWindow("mollweide", ra=80.0).pixels(200)
    inside = np.isfinite(ra)
    x, _ = mollweide(ra[inside], dec[inside], 80.0)
    again_x = 4 * np.sqrt(2) * (0.5 - (np.nonzero(inside)[1] + 0.5) / 200)
    assert np.abs(-x - again_x)[np.abs(dec[inside]) < 85].max() < 1e-6
    assert inside.mean() == pytest.approx(np.pi / 4, abs=0.01)


@pytest.mark.parametrize(
    ("ra", "dec", "kind"),
    [
        ([359.0, 1.0], [-1.0, 1.0], "plate carree"),
        ([0.0, 90.0, 180.0, 270.0], [89.0] * 4, "gnomonic"),
        ([0.0, 120.0, 240.0], [0.0] * 3, "mollweide"),
        ([0.0, 100.0], [0.0, 0.0], "mollweide"),
        ([10.0], [20.0], "plate carree"),
    ],
)
def test_windows_hold_what_they_are_made_for(ra, dec, kind):
    window = sky_window(np.array(ra), np.array(dec))
    assert window.kind == kind
    if kind == "plate carree":
        left, right, bottom, top = window.extent
        offset = (np.array(ra) - window.ra + 180.0) % 360.0 - 180.0
        assert left > right
        assert np.all(np.abs(offset) <= 0.5 * (left - right))
        assert bottom <= min(dec) <= max(dec) <= top


def test_gnomonic_pixels_are_around_the_pole():
    window = sky_window(np.array([0.0, 90.0, 180.0, 270.0]), np.array([-89.0] * 4))
    ra, dec = window.pixels(101)
    assert dec[50, 50] == pytest.approx(-90.0, abs=0.05)
    assert dec.max() < -88.0
    assert np.ptp(ra) > 300


def test_ra_increases_to_the_left():
    ax = plots.plot_sky([10.0, 12.0], [0.0, 1.0], ax=Figure().subplots())
    left, right = ax.get_xlim()
    assert left > right


def test_the_edge_is_drawn_of_a_target_that_has_one():
    rng = np.random.default_rng(1)
    ra, dec = rng.uniform(0, 360, 3000), np.degrees(np.arcsin(rng.uniform(-1, 1, 3000)))
    field = rng.uniform(10, 40, 3000), rng.uniform(-20, 10, 3000)
    ax = plots.plot_sky(ra, dec, footprint=field, ax=Figure().subplots())
    assert "red line: edge of the target" in ax.get_title(loc="left")
    scattered = ra[:400], dec[:400]
    ax = plots.plot_sky(ra, dec, footprint=scattered, ax=Figure().subplots())
    assert "red line" not in ax.get_title(loc="left")


def test_density_is_per_square_degree():
    rng = np.random.default_rng(0)
    ax = plots.plot_sky(
        rng.uniform(0, 10, 40_000), rng.uniform(-5, 5, 40_000), objects_per_row=3.0, ax=Figure().subplots()
    )
    values = ax.images[0].get_array()
    assert np.ma.median(values) == pytest.approx(1200, rel=0.1)
    assert "120,000 redshifts" in ax.get_title(loc="left")


@pytest.fixture(scope="module")
def report():
    return coverage(training(600, seed=1), training(3000, seed=2), bands=list("gri"), seed=0)


@pytest.mark.parametrize(
    "name", ["plot_coverage_map", "plot_coverage_cells", "plot_coverage_magnitude", "plot_coverage_distance"]
)
def test_coverage_is_drawn(report, name):
    figure = Figure()
    getattr(plots, name)(report, ax=figure.subplots())
    figure.draw_without_rendering()


def test_shades_are_the_shares(report):
    ax = plots.plot_coverage_map(report, ax=Figure().subplots())
    lack = np.ma.filled(ax.images[0].get_array(), np.nan)
    assert np.allclose(lack.ravel(), 1 - report.cell_completeness, equal_nan=True)


def test_a_band_that_was_not_compared(report):
    with pytest.raises(BandError, match="u - i was not compared"):
        plots.plot_coverage_cells(report, colour=("u", "i"), ax=Figure().subplots())


def test_a_target_without_objects_in_cells(report):
    nothing = {name: np.zeros_like(getattr(report, name)) for name in ("cell_target", "cell_covered", "mag_target",
               "mag_training", "distance_target", "distance_training")}  # fmt: skip
    empty = replace(report, regions=(), **nothing)
    for name in ("plot_coverage_map", "plot_coverage_cells", "plot_coverage_magnitude", "plot_coverage_distance"):
        ax = getattr(plots, name)(empty, ax=Figure().subplots())
        assert ax.texts[0].get_text().startswith("no ")


def test_separations_from_a_histogram():
    values = np.random.default_rng(0).rayleigh(0.1, 5000)
    counts, edges = np.histogram(values, bins=50, range=(0.0, 0.75))
    ax = plots.plot_separations(histogram=(counts, edges), ax=Figure().subplots())
    assert ax.patches[0].get_data().values.tolist() == counts.tolist()
    median = float(ax.lines[0].get_label().split()[1])
    assert median == pytest.approx(np.median(values), abs=0.002)
