"""The figures: they draw what they are given, whatever its size, and leave nothing behind."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from pzcenter.validation import collect_sample, evaluate, save_plots
from pzcenter.validation.plots import make_figures, plot_nz, plot_pit_qq, plot_sky, plot_trends, plot_z_phot_z_spec

NAMES = ["z_phot_z_spec", "trends", "pit_qq", "nz", "examples", "sky"]


def test_every_figure_is_saved(sample, table, tmp_path):
    paths = save_plots(sample, table, tmp_path / "new" / "folder")
    assert list(paths) == NAMES
    for path in paths.values():
        assert path.read_bytes().startswith(b"\x89PNG")


def test_no_global_state():
    code = "import sys, pzcenter.validation; assert 'matplotlib.pyplot' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_single_object(gaussian_chunk):
    tiny = collect_sample([gaussian_chunk(1)])
    for figure in make_figures(tiny, evaluate(tiny, n_bootstrap=2)).values():
        figure.draw_without_rendering()


def test_without_magnitudes_or_positions(gaussian_chunk):
    bare = collect_sample([gaussian_chunk(200, mag=None, ra=None, dec=None, flags=None, object_id=None)])
    figures = make_figures(bare, evaluate(bare, n_bootstrap=2))
    assert list(figures) == NAMES[:-1]
    assert len(figures["trends"].axes) == 3


def test_scatter_counts_every_object(sample, table):
    figure = plot_z_phot_z_spec(sample, table)
    mesh = figure.axes[0].collections[0]
    assert mesh.get_array().sum() == sample.n_obj
    assert "3,000 objects" in figure.axes[0].get_title(loc="left")


def test_numbers_in_figures_are_those_of_the_table(sample, table):
    bias = f"{table.value('bias', point='z_best'):.4f}".replace("-", "\N{MINUS SIGN}")
    assert bias in plot_z_phot_z_spec(sample, table).axes[0].get_title(loc="left")
    assert f"{table.value('pit_ks'):.4f}" in plot_pit_qq(sample, table).axes[0].texts[0].get_text()


def test_stacked_nz_has_unit_area(sample, table):
    for axes in plot_nz(sample, table).axes:
        line = next(line for line in axes.lines if len(line.get_xdata()) == sample.z_grid.size)
        assert np.trapezoid(line.get_ydata(), line.get_xdata()) == pytest.approx(1.0)


def test_trends_show_every_bin_with_numbers(table):
    figure = plot_trends(table, mag_band="i")
    rows = [row for row in table.select(metric="bias", point="z_best", axis="z_spec") if np.isfinite(row.value)]
    bars = [line for line in figure.axes[0].lines if line.get_linewidth() == 2.2]
    assert [bar.get_ydata()[0] for bar in bars] == [row.value for row in rows]
    assert figure.axes[-1].get_xlabel() == "i magnitude (AB)"


def test_sky_map_keeps_a_field_across_zero_together(sample):
    figure = plot_sky(sample)
    corners = np.concatenate([path.vertices for path in figure.axes[0].collections[0].get_paths()])
    assert np.ptp(corners[:, 0]) < 4.0
    cells = figure.axes[0].collections[0].get_array()
    assert len(cells) > 20


def test_unknown_positions_are_left_out(gaussian_chunk):
    ra = np.full(50, np.nan)
    assert plot_sky(collect_sample([gaussian_chunk(50, ra=ra)])) is None
