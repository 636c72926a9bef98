"""Figures of several methods: told apart without colours, and complete."""

from __future__ import annotations

import numpy as np
import pytest

from pzcenter.validation.plots.method_curves import plot_methods_pit_qq, plot_methods_shifts, plot_methods_trends
from pzcenter.validation.plots.method_panels import plot_density_panels, plot_methods_nz, plot_methods_z_z
from pzcenter.validation.plots.method_ranks import plot_ranks
from pzcenter.validation.plots.method_style import short, styles_of
from pzcenter.validation.ranking import RankedMethod, Ranking

NAMES = ("one", "two", "control")
STYLES = styles_of(NAMES, ("control",))


def legend_of(figure):
    return [text.get_text() for text in figure.legends[0].get_texts()]


def test_thirty_methods_look_different():
    styles = styles_of([f"m{n}" for n in range(30)])
    assert len({(style.color, str(style.dashes)) for style in styles.values()}) == 30
    first = list(styles.values())[:6]
    assert len({style.color for style in first}) == len({style.marker for style in first}) == 6
    assert len({str(style.dashes) for style in first[:5]}) == 5


def test_controls_are_grey_and_leave_the_colours_to_the_others():
    assert STYLES["control"].color == "#7F7F7F"
    assert STYLES["two"] == styles_of(("one", "two"))["two"]


def test_long_names_keep_their_end():
    assert short("a" * 40 + "-7").endswith("a-7")
    assert len(short("x" * 99)) <= 25
    assert short("tpz") == "tpz"


def test_every_method_is_in_every_figure(sample, table):
    samples, tables = dict.fromkeys(NAMES, sample), dict.fromkeys(NAMES, table)
    pits = plot_methods_pit_qq(dict.fromkeys(NAMES, sample.pit), STYLES)
    trends = plot_methods_trends(tables, STYLES, mag_band="i", range_of=["one"])
    assert set(NAMES) <= set(legend_of(pits))
    assert set(NAMES) <= set(legend_of(trends))
    panels = plot_methods_z_z(samples, tables)
    titles = [axes.get_title(loc="left").split("\n")[0] for axes in panels.axes]
    assert set(NAMES) <= set(titles)
    rows = plot_methods_nz(samples, [(0.2, 0.4), (0.4, 0.6)])
    assert set(NAMES) <= {axes.get_ylabel() for axes in rows.axes}


def test_shifts_outside_are_told(table):
    figure = plot_methods_shifts(
        dict.fromkeys(NAMES, table), STYLES, bins="tomographic", limits={"nz_mean_shift": 1e-6}
    )
    assert set(NAMES) <= set(legend_of(figure))


def test_bins_without_objects_say_so(sample):
    figure = plot_methods_nz({"one": sample}, [(2.9, 2.95)])
    assert any(text.get_text() == "no objects" for text in figure.axes[0].texts)


def test_ranks_are_written_beside_the_names():
    lines = (
        RankedMethod("one", 0.1, 0.01, 1, 1, 2, ("two",)),
        RankedMethod("two", 0.11, 0.01, 1, 1, 2, ("one",)),
        RankedMethod("control", float("nan"), float("nan"), 3, 3, 3, ()),
    )
    figure = plot_ranks([Ranking("bias", "z_best", 10, {}, 2.0, lines)], STYLES)
    labels = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert labels == ["one  1", "two  1", "control  \N{EN DASH}"]


@pytest.mark.parametrize("range_of", [(), ("one",)])
def test_densities_of_objects(range_of):
    grid = np.linspace(0, 3, 301)
    narrow, broad = (np.exp(-0.5 * ((grid - 1) / width) ** 2) for width in (0.02, 0.8))
    panels = [("7", {"one": (grid, narrow), "two": (grid, broad)}, 1.1)]
    figure = plot_density_panels(panels, STYLES, points=[1.0], range_of=range_of)
    assert set(legend_of(figure)) == {"one", "two", "true redshift", "point estimate"}
    low, high = figure.axes[0].get_xlim()
    assert (high - low < 0.6) == bool(range_of)
