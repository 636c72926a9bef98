"""Methods in the order of each metric, with the errors that decide whether an order is one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pzcenter.validation.metric_suite_info import SUITE

from .method_style import short
from .style import GREY, dress, new_figure

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from pzcenter.validation.ranking import Ranking

    from .method_style import MethodStyle

__all__ = ["plot_ranks"]

_COLUMNS = 2


def plot_ranks(rankings: Sequence[Ranking], styles: Mapping[str, MethodStyle]) -> Figure:
    """One panel for each metric: value and two standard errors of each method, the best at the top, with its rank.

    Parameters
    ----------
    rankings : sequence of Ranking
    styles : mapping of str to MethodStyle

    Returns
    -------
    matplotlib.figure.Figure
    """
    n_row = -(-len(rankings) // _COLUMNS)
    n_line = max(len(ranking.methods) for ranking in rankings)
    figure = new_figure(8.0, n_row * (0.95 + 0.24 * n_line))
    panels = figure.subplots(n_row, _COLUMNS, squeeze=False).ravel()
    for axes, ranking in zip(panels, rankings, strict=False):
        _panel(axes, ranking, styles)
    for axes in panels[len(rankings) :]:
        axes.set_axis_off()
    return figure


def _panel(axes: Axes, ranking: Ranking, styles: Mapping[str, MethodStyle]) -> None:
    labels = []
    for place, line in enumerate(ranking.methods):
        style = styles[line.name]
        labels.append(
            f"{short(line.name)}  {line.rank}" if np.isfinite(line.value) else f"{short(line.name)}  \N{EN DASH}"
        )
        if np.isfinite(line.value):
            axes.errorbar(line.value, place, xerr=2.0 * line.error, linestyle="none", **style.points)
    info = SUITE[ranking.metric]
    if info.better == "target":
        axes.axvline(info.goal, color=GREY, linewidth=1.0, linestyle="--")
    axes.set_yticks(range(len(labels)), labels)
    axes.set_ylim(len(labels) - 0.4, -0.6)
    dress(axes)
    axes.set_title(info.title, fontsize=8.5, loc="left")
    axes.locator_params(axis="x", nbins=5)
    axes.tick_params(labelsize=9, top=False, right=False)
