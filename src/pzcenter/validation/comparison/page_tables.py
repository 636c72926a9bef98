"""Tables of a comparison: methods at a glance, ranks, requirement lines, points of the challenge, cost, objects."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from pzcenter.science.photometry import flux_err_to_mag_err, flux_to_mag
from pzcenter.validation.metric_suite_info import SUITE
from pzcenter.validation.verdicts import CHALLENGE_BANDS

from .page_parts import Cell, TextTable, number, percent, with_error

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pzcenter.schema import Photometry
    from pzcenter.validation.ranking import RankedMethod, Ranking
    from pzcenter.validation.table import MetricRow, MetricTable, Verdict

    from .results import MethodResult

__all__ = [
    "KEY_METRICS",
    "challenge_table",
    "cost_table",
    "glance_table",
    "key_row",
    "medal",
    "photometry_cells",
    "rank_table",
    "verdict_cell",
    "verdict_table",
]

KEY_METRICS = {
    "bias": ("bias", 1.0, ""),
    "sigma_nmad": ("\N{GREEK SMALL LETTER SIGMA} NMAD", 1.0, ""),
    "outlier_fraction": ("outliers", 100.0, "%"),
    "cde_loss": ("CDE loss", 1.0, ""),
    "crps": ("CRPS", 1.0, ""),
    "pit_ks": ("PIT, KS", 1.0, ""),
    "coverage_68": ("in 68 %", 100.0, "%"),
}
"""Metrics at a glance: head of the column, factor and unit."""
_HARD_SPACE = "\N{NO-BREAK SPACE}"
_ORDINALS = {1: "1st", 2: "2nd", 3: "3rd"}
_SIGNS = {True: "✓", False: "✗", None: "\N{EN DASH}"}


def key_row(table: MetricTable, metric: str) -> MetricRow | None:
    """Row of a metric of all objects, of ``z_best`` or p(z); None where the method has it not."""
    found = [row for row in table.select(metric=metric, axis="all") if row.point in ("z_best", "pdf")]
    return found[0] if found else None


def _key_cells(table: MetricTable, marks: Mapping[str, Cell]) -> list[Cell]:
    cells = []
    for metric, (_, scale, unit) in KEY_METRICS.items():
        row, mark = key_row(table, metric), marks.get(metric, Cell(""))
        if row is None or math.isnan(row.value):
            cells.append(Cell("\N{EN DASH}", "", "n"))
            continue
        text = f"{number(row.value, row.error, scale=scale)}{_HARD_SPACE}{unit}".strip()
        error = "" if math.isnan(row.error) else f"±{_HARD_SPACE}{number(row.error, row.error, scale=scale)}\n"
        cells.append(Cell(text, error + mark.sub, "best" if mark.kind == "best" else "n"))
    return cells


def glance_table(
    methods: Sequence[MethodResult],
    rankings: Sequence[Ranking] = (),
    *,
    tables: Mapping[str, MetricTable] | None = None,
) -> TextTable:
    """Key metrics of all methods, with ranks where there are any.

    Parameters
    ----------
    methods : sequence of MethodResult
    rankings : sequence of Ranking
    tables : mapping of str to MetricTable, optional
        In place of the methods' own, such as those of the common objects.
    """
    rows = []
    for method in methods:
        if tables is not None and method.name not in tables:
            continue
        marks = {ranking.metric: _mark(ranking, method) for ranking in rankings if method.name in _names(ranking)}
        table = method.table if tables is None else tables[method.name]
        challenge = method.challenge
        sub = "control" if method.is_control else method.facts.method or method.facts.form
        head = [Cell(method.name, sub)]
        if tables is None:
            head.append(Cell(percent(method.coverage), f"{method.n_obj:,} objects", "n"))
        row = [*head, *_key_cells(table, marks)]
        if tables is None:
            row += [Cell(f"{challenge.total} of {challenge.possible}", "", "n"), _met_cell(method.table)]
        rows.append(row)
    heads = tuple(title for title, _, _ in KEY_METRICS.values())
    if tables is None:
        heads = ("coverage", *heads, "challenge points", "lines met")
    return TextTable("glance" if tables is None else "common-metrics", ("method", *heads), rows)


def _names(ranking: Ranking) -> set[str]:
    return {line.name for line in ranking.methods}


def _mark(ranking: Ranking, method: MethodResult) -> Cell:
    line = ranking.method(method.name)
    if math.isnan(line.value):
        return Cell("")
    if method.is_control:
        return Cell("", f"rank {line.rank}")
    prize = medal(line)
    words = prize or f"rank {line.rank}" + (" shared" if line.same_as else "")
    return Cell("", words, "best" if line.rank == 1 else "")


def medal(line: RankedMethod) -> str:
    """``1st`` to ``3rd`` for a method whose difference from every other exceeds its error; else nothing."""
    if line.same_as or math.isnan(line.value):
        return ""
    return _ORDINALS.get(line.rank, "")


def _met_cell(table: MetricTable) -> Cell:
    tested = [verdict for verdict in table.verdicts if verdict.met is not None]
    met = sum(bool(verdict.met) for verdict in tested)
    untested = len(table.verdicts) - len(tested)
    return Cell(f"{met} of {len(tested)}", f"{untested} not tested" if untested else "", "n")


def rank_table(rankings: Sequence[Ranking], methods: Sequence[MethodResult]) -> TextTable:
    """Ranks of all methods by each metric, with their range and whom they cannot be told from."""
    controls = {method.name for method in methods if method.is_control}
    ranked = _names(rankings[0]) if rankings else set()
    rows = []
    for method in methods:
        if method.name in ranked:
            cells = [_rank_cell(ranking.method(method.name), controls) for ranking in rankings]
            rows.append([Cell(method.name, "control" if method.is_control else ""), *cells])
    heads = ("method", *(SUITE[ranking.metric].title for ranking in rankings))
    note = (
        "A rank counts the methods that are better by more than two standard errors of the difference, from a "
        "bootstrap of the same objects for all. In brackets: ranks that 95 % of the resamples lie between. A medal "
        "needs a difference from every other method; controls hold ranks and get no medal."
    )
    return TextTable("ranks", heads, rows, note=note)


def _rank_cell(line: RankedMethod, controls: set[str]) -> Cell:
    if math.isnan(line.value):
        return Cell("\N{EN DASH}", "not given", "n")
    span = f"[{line.rank_low}\N{EN DASH}{line.rank_high}]" if line.rank_low != line.rank_high else ""
    prize = "" if line.name in controls else medal(line)
    text = f"{prize or line.rank} {span}".strip()
    same = f"not told from {', '.join(line.same_as)}" if line.same_as else ""
    return Cell(text, same, "best" if prize == "1st" else "n")


def verdict_table(methods: Sequence[MethodResult]) -> TextTable:
    """Requirement lines against methods: sign, word and value in each cell."""
    lines = [(verdict.requirement.selection.title, verdict.requirement.words) for verdict in methods[0].table.verdicts]
    rows = [
        [Cell(words, f"{title}"), *(verdict_cell(method.table.verdicts[place]) for method in methods)]
        for place, (title, words) in enumerate(lines)
    ]
    note = (
        "≈: the limit lies within two standard errors of the value, so that it could have gone the other way. Lines of "
        "DP2 say what was reached there on another test set; they are a comparison, no requirement. The limits of the "
        "DESC SRD are on what calibration leaves unknown; here the whole shift of n(z) counts."
    )
    return TextTable("requirements", ("requirement", *(method.name for method in methods)), rows, note=note)


def verdict_cell(verdict: Verdict) -> Cell:
    """Whether a line is met, never by colour alone."""
    if verdict.met is None:
        return Cell("\N{EN DASH} not tested", "", "untested")
    close = "≈ " if verdict.is_close else ""
    value = with_error(verdict.row.value, verdict.row.error)
    return Cell(f"{close}{_SIGNS[verdict.met]} {verdict.words}", value, "met" if verdict.met else "notmet")


def challenge_table(methods: Sequence[MethodResult]) -> TextTable:
    """Points of the DESC p(z) challenge, 0 to 3 for each metric."""
    scores = [method.challenge for method in methods]
    rows = []
    for band in CHALLENGE_BANDS:
        cells = []
        for method, score in zip(methods, scores, strict=True):
            row = key_row(method.table, band.metric)
            value = "not given" if row is None or math.isnan(row.value) else f"{row.value:.4g}"
            points = score.points[band.metric]
            cells.append(Cell(f"{'●' * points}{'○' * (len(band.bands) - points)} {points}", value, "n"))
        limits = ", ".join(f"{high:g}" for _, high in band.bands)
        rows.append([Cell(SUITE[band.metric].title, f"{band.name}; 3, 2, 1 points within {limits}"), *cells])
    total = [Cell(f"{score.total} of {score.possible}", percent(score.fraction), "n") for score in scores]
    rows.append([Cell("all"), *total])
    note = (
        "Bands of the DESC p(z) data challenge (2026), made for test sets of 20,000 objects: CvM and AD grow with the "
        "number of objects. A metric that a method does not give scores 0."
    )
    return TextTable("challenge", ("metric", *(method.name for method in methods)), rows, note=note)


def cost_table(methods: Sequence[MethodResult]) -> TextTable:
    """Time, memory and size of each method, as far as they are known."""
    names = [name for name, info in SUITE.items() if info.family == "technical"]
    rows = []
    for method in methods:
        values = {row.metric: row.value for row in method.table.select(point="method")}
        cells = [Cell(_rounded(values.get(name, math.nan)), "", "n") for name in names]
        rows.append(
            [Cell(method.name, "control, measured here" if method.is_control else "as its author says"), *cells]
        )
    heads = ("method", *(f"{SUITE[name].title} ({SUITE[name].definition})" for name in names))
    return TextTable("cost", heads, rows)


def _rounded(value: float) -> str:
    if math.isnan(value):
        return "\N{EN DASH}"
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def photometry_cells(photometry: Photometry, object_id: int) -> list[Cell]:
    """Magnitude and error of one object in each band; a flux that is not positive has no magnitude.

    Parameters
    ----------
    photometry : Photometry
        With ids increasing.
    object_id : int
    """
    assert photometry.object_id is not None
    row = int(np.searchsorted(photometry.object_id, object_id))
    flux, error = photometry.flux[row].astype(np.float64), photometry.flux_err[row].astype(np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        mag, mag_err = np.asarray(flux_to_mag(flux)), np.asarray(flux_err_to_mag_err(flux, error))
    cells = []
    for k in range(len(photometry.bands)):
        if not np.isfinite(flux[k]):
            cells.append(Cell("missing", "", "n"))
        elif not np.isfinite(mag[k]):
            cells.append(Cell("not seen", f"{flux[k]:.3g} ± {error[k]:.2g} nJy", "n"))
        else:
            cells.append(Cell(f"{mag[k]:.2f}", f"± {mag_err[k]:.2f}", "n"))
    return cells
