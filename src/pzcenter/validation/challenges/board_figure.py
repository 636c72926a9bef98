"""Scores of all submissions, scenario by scenario: one number hides where a method fails."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from pzcenter.validation.plots.style import BLUE, GREEN, GREY, ORANGE, SKY, VERMILION, dress, legend, new_figure

from .board_lines import SCORE, BoardLine
from .settings import OVERALL

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pzcenter.validation.plots.style import Figure

__all__ = ["plot_board"]

COLOURS = (BLUE, VERMILION, GREEN, ORANGE, SKY)
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
"""Told apart without colour; with the colours, 40 before one comes again."""
NAMED = 20
"""Submissions in the legend."""


def plot_board(lines: Sequence[BoardLine], scenarios: Sequence[str]) -> Figure:
    """Draw the share of the possible points, one row for each scenario.

    Parameters
    ----------
    lines : sequence of BoardLine
    scenarios : sequence of str

    Returns
    -------
    Figure
    """
    rows = (OVERALL, *scenarios) if len(scenarios) > 1 else tuple(scenarios)
    heads = [line for line in lines if line.metric == SCORE and math.isfinite(line.value)]
    ids = list(dict.fromkeys(line.submission_id for line in heads))
    figure = new_figure(8.0, 1.2 + 0.8 * len(rows) + 0.05 * len(ids))
    axes = figure.subplots()
    for index, submission_id in enumerate(ids):
        own = {line.scenario: line for line in heads if line.submission_id == submission_id}
        is_control = next(iter(own.values())).kind == "control"
        colour = GREY if is_control else COLOURS[index % len(COLOURS)]
        offset = 0.6 * ((index + 0.5) / len(ids) - 0.5)
        for row, scenario in enumerate(rows):
            if scenario not in own:
                continue
            line = own[scenario]
            axes.errorbar(
                line.value,
                row + offset,
                xerr=[[max(line.value - line.low, 0.0)], [max(line.high - line.value, 0.0)]],
                fmt=MARKERS[index % len(MARKERS)],
                color=colour,
                markerfacecolor="white" if is_control else colour,
                markersize=6,
                elinewidth=1.2,
                label=line.name if row == 0 and index < NAMED else None,
            )
    axes.set_yticks(range(len(rows)), ["all" if name == OVERALL else name for name in rows])
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.set_xlim(-0.03, 1.03)
    dress(axes, xlabel="share of the possible points")
    legend(axes, loc="center left", bbox_to_anchor=(1.01, 0.5))
    return figure
