"""The leaderboard for reading: one page that needs nothing else, one table for each scenario and one for all."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from pzcenter.validation.metric_suite_info import SUITE, SUITE_VERSION
from pzcenter.validation.page import figure_uri, render_page
from pzcenter.validation.table import format_number

from .board_figure import plot_board
from .board_lines import SCORE, BoardLine
from .settings import OVERALL

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .layout import Challenge

__all__ = ["board_page"]

_MEDALS = {1: "1st", 2: "2nd", 3: "3rd"}


def board_page(challenge: Challenge, lines: Sequence[BoardLine], *, version: str) -> str:
    """Write the page.

    Parameters
    ----------
    challenge : Challenge
    lines : sequence of BoardLine
    version : str
        Of the scores.

    Returns
    -------
    str
        HTML.
    """
    settings = challenge.settings
    tables = [_table(lines, OVERALL, "All scenarios", ())]
    tables += [
        _table(lines, scenario.name, scenario.title or scenario.name, settings.scoring.metrics)
        for scenario in settings.scenarios
    ]
    return render_page(
        "challenges/leaderboard.html",
        title=settings.title or settings.name,
        challenge=settings.name,
        challenge_version=settings.version,
        scores_version=version,
        metrics_version=SUITE_VERSION,
        description=settings.description,
        summary=_sentences(lines),
        n_sigma=settings.scoring.n_sigma,
        tables=tables,
        definitions=[(name, SUITE[name]) for name in settings.scoring.metrics],
        bands=[(each.metric, each.symmetric, each.limits) for each in settings.scoring.bands],
        refusals=challenge.refusals(),
        figure=figure_uri(plot_board(lines, settings.scenario_names)),
    )


def _table(lines: Sequence[BoardLine], scenario: str, title: str, metrics: Sequence[str]) -> dict[str, Any]:
    own = [line for line in lines if line.scenario == scenario]
    cells = {(line.metric, line.submission_id): line for line in own}
    heads = [line for line in own if line.metric == SCORE]
    rows = [
        {
            "line": head,
            "rank": _rank_words(head),
            "medal": _MEDALS.get(head.medal or 0, ""),
            "score": _score_words(head),
            "range": _range_words(head),
            "cells": [_cell(cells.get((metric, head.submission_id))) for metric in metrics],
        }
        for head in heads
    ]
    return {"name": scenario, "title": title, "metrics": [(name, SUITE[name].title) for name in metrics], "rows": rows}


def _cell(line: BoardLine | None) -> dict[str, str]:
    if line is None or not math.isfinite(line.value):
        return {"value": format_number(math.nan), "error": "", "rank": "", "medal": ""}
    digits = 4 if abs(line.value) < 100 else 1
    return {
        "value": format_number(line.value, digits=digits),
        "error": f"± {format_number(line.error, digits=digits)}",
        "rank": _rank_words(line),
        "medal": _MEDALS.get(line.medal or 0, ""),
    }


def _rank_words(line: BoardLine) -> str:
    """Rank, and the ranks that the errors leave open."""
    if line.kind == "control":
        return "control"
    if line.rank is None:
        return ""
    if line.rank_low == line.rank_high:
        return str(line.rank)
    return f"{line.rank} ({line.rank_low} to {line.rank_high})"


def _score_words(line: BoardLine) -> str:
    return format_number(line.value, digits=2) if math.isfinite(line.value) else "none"


def _range_words(line: BoardLine) -> str:
    if not math.isfinite(line.value):
        return ""
    return f"{line.points} of {line.possible} points; {format_number(line.low, digits=2)} to {line.high:.2f}"


def _sentences(lines: Sequence[BoardLine]) -> list[str]:
    heads = [line for line in lines if line.scenario == OVERALL and line.kind == "participant"]
    scored = [line for line in heads if line.rank is not None]
    said = [f"{len(scored)} of {len(heads)} submissions are scored."]
    first = [line for line in scored if line.rank == 1]
    if len(first) == 1:
        said.append(f"{first[0].name} ({first[0].author}) is first with {first[0].value:.2f} of the possible points.")
    elif first:
        names = ", ".join(line.name for line in first[:5]) + (", ..." if len(first) > 5 else "")
        said.append(
            f"{len(first)} submissions share the first rank, their differences being inside the errors: {names}."
        )
    behind = [line for line in scored if not line.beats]
    if behind:
        names = ", ".join(line.name for line in behind[:5]) + (", ..." if len(behind) > 5 else "")
        said.append(f"Not surely better than any control in the sum of points: {names}.")
    return said
