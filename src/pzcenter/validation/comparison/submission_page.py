"""The page of one submission: numbers, figures, worst objects, in plain words."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pzcenter.validation.metric_suite_info import SUITE
from pzcenter.validation.plots import make_figures, plot_trends, plot_z_phot_z_spec
from pzcenter.validation.plots.method_panels import plot_density_panels
from pzcenter.validation.plots.method_style import styles_of
from pzcenter.validation.report import CAPTIONS
from pzcenter.validation.summary import summary_sentences

from .page_parts import Cell, Page, Section, TextTable, percent, picture, sentence, table_rows, with_error
from .page_tables import challenge_table, cost_table, glance_table, photometry_cells, verdict_cell
from .provenance_section import made_words, provenance_section
from .sentences import beside_controls
from .shown_sample import shown_sample, shown_table
from .store import key_of, read_kept, read_scores

if TYPE_CHECKING:
    from datetime import datetime

    from matplotlib.figure import Figure

    from pzcenter.validation.sample import ValidationSample
    from pzcenter.validation.table import MetricRow

    from .kept import KeptDensities
    from .page_parts import Picture
    from .results import Comparison, MethodResult

__all__ = ["submission_page", "submission_page_key"]

N_WORST_DRAWN = 6
POINT_WORDS = "estimated redshift z_best"


def submission_page_key(made: Comparison, method: MethodResult) -> str:
    """Checksum of all that the page of a method shows, but for the time and the command.

    Parameters
    ----------
    made : Comparison
    method : MethodResult
    """
    return key_of({
        "method": [method.key, vars(method.facts)],
        "controls": [control.key for control in made.controls],
        "settings": made.settings.model_dump(mode="json", include={"lines", "requirements"}),
        "notes": [*made.truth.notes],
    })  # fmt: skip


def submission_page(made: Comparison, method: MethodResult, time: datetime) -> Page:
    """Everything that the page of one method shows.

    Parameters
    ----------
    made : Comparison
        Gives the truth set and the controls beside it.
    method : MethodResult
    time : datetime

    Returns
    -------
    Page
    """
    scores, kept = read_scores(method.directory), read_kept(method.directory)
    sample = shown_sample(scores, kept, made.truth.mag_band)
    sections = [
        _facts(made, method),
        Section(
            "numbers",
            "Beside the controls" if _others(made, method) else "Numbers",
            sentences=["Each method on its own objects."] if _others(made, method) else [],
            tables=[glance_table([method, *_others(made, method)])],
        ),
        _requirements(method),
        # The figures of a control are beside the others on the page of all methods.
        Section("figures", "Figures", pictures=[] if method.is_control else _pictures(sample, method)),
        _worst(made, method, kept),
        Section("challenge", "Points of the data challenge", tables=[challenge_table([method])]),
        _all_metrics(method),
        Section("cost", "Cost", tables=[cost_table([method])]),
        provenance_section(made),
    ]  # fmt: skip
    about = f"{method.n_obj:,} of {method.n_truth:,} objects with known redshift ({percent(method.coverage)})"
    return Page(
        title=method.name,
        meta=f"{about} · {made_words(made, time)}",
        summary=[*summary_sentences(sample, method.table), *beside_controls(method, made.controls)],
        sections=[section for section in sections if not section.is_empty],
        key=submission_page_key(made, method),
        links=[("all methods", "../../comparison.html")],
    )


def _others(made: Comparison, method: MethodResult) -> list[MethodResult]:
    return [control for control in made.controls if control.name != method.name]


def _facts(made: Comparison, method: MethodResult) -> Section:
    facts = method.facts
    counts = {
        "rows": facts.n_rows,
        "objects of the truth set": method.n_truth,
        "of these in the submission": facts.n_matched,
        "missing": facts.n_missing,
        "more than once": facts.n_duplicate,
        "rows of other objects": facts.n_extra,
        "without an estimate": method.n_no_estimate,
        "scored": method.n_obj,
    }
    texts = {
        "author": facts.author,
        "method": facts.method,
        "description": facts.description,
        "densities": facts.form,
        "point estimate": facts.point,
        "file": facts.path,
    }
    rows = [[name, value] for name, value in texts.items() if value]
    rows += [[name, f"{count:,}"] for name, count in counts.items()]
    return Section(
        "submission",
        "What was handed in" if not method.is_control else "What this is",
        sentences=[sentence(words) for words in (*facts.sentences, *made.truth.notes)],
        tables=[TextTable("facts", ("", ""), table_rows(rows), is_pairs=True)],
    )


def _requirements(method: MethodResult) -> Section:
    rows = [
        [
            Cell(verdict.requirement.words, f"{verdict.requirement.selection.title}"),
            Cell(verdict.sample, f"{verdict.row.n_obj:,} objects" if verdict.row.n_obj else ""),
            Cell(f"{verdict.requirement.limit:g}", verdict.requirement.metric, "n"),
            verdict_cell(verdict),
            Cell(verdict.requirement.selection.source),
        ]
        for verdict in method.table.verdicts
    ]
    heads = ("requirement", "of which objects", "limit", "verdict", "source")
    return Section("requirements", "Requirements", tables=[TextTable("requirements", heads, rows)])


def _pictures(sample: ValidationSample, method: MethodResult) -> list[Picture]:
    table = shown_table(method.table)
    figures: dict[str, Figure] = {}
    if method.has_pdf:
        figures = make_figures(sample, table)
    else:
        figures["z_phot_z_spec"] = plot_z_phot_z_spec(sample, table)
        figures["trends"] = plot_trends(table, mag_band=sample.mag_band)
    figures["z_phot_z_spec"].axes[0].set_ylabel(POINT_WORDS)
    return [
        picture(figure, title=CAPTIONS[name].title, reading=CAPTIONS[name].reading, alt=CAPTIONS[name].alt)
        for name, figure in figures.items()
    ]


def _worst(made: Comparison, method: MethodResult, kept: KeptDensities) -> Section:
    photometry = made.truth.photometry
    bands = () if photometry is None else photometry.bands
    rows = []
    for item in kept.worst:
        cells = [
            Cell(str(item.object_id)),
            Cell(f"{item.z_spec:.3f}", "", "n"),
            Cell(f"{item.z_best:.3f}", "", "n"),
            Cell(f"{item.delta_z:+.3f}".replace("-", "\N{MINUS SIGN}"), "", "n"),
        ]
        if method.has_pdf:
            cells.append(Cell(f"{item.pit:.3g}", "", "n"))
        rows.append([*cells, *([] if photometry is None else photometry_cells(photometry, item.object_id))])
    heads = ("object", "z_spec", "z_best", "e", *(("PIT",) if method.has_pdf else ()), *bands)
    note = (
        "e = (z_best \N{MINUS SIGN} z_spec)/(1 + z_spec). Magnitudes are AB, free of Galactic extinction where it is "
        "known."
    )
    table = TextTable("worst", heads, rows, note=note)
    return Section("worst", "Worst objects", tables=[table], pictures=_worst_pictures(method, kept))


def _worst_pictures(method: MethodResult, kept: KeptDensities) -> list[Picture]:
    drawn = list(zip(kept.worst, kept.worst_pdf, strict=True))[:N_WORST_DRAWN]
    if not method.has_pdf or not drawn or method.is_control:
        return []
    panels = [
        (f"{item.object_id}", {method.name: (kept.z_grid, np.asarray(pdf, dtype=np.float64))}, item.z_spec)
        for item, pdf in drawn
    ]
    figure = plot_density_panels(panels, styles_of([method.name]), points=[item.z_best for item, _ in drawn])
    return [
        picture(
            figure,
            title="p(z) of the worst objects",
            reading="Does p(z) know that it may be wrong? A second peak at the black line says yes.",
            alt="Six probability densities of redshift with the true and the estimated redshift.",
        )
    ]


def _all_metrics(method: MethodResult) -> Section:
    """Metrics of point estimates, a column for each; and of p(z)."""
    every = [row for row in method.table.select(axis="all") if row.point != "method" and row.metric in SUITE]
    points = list(dict.fromkeys(row.point for row in every if row.point != "pdf"))
    values = {(row.metric, row.point): row for row in every}
    of_points = list(dict.fromkeys(row.metric for row in every if row.point != "pdf"))
    of_pdf = [row.metric for row in every if row.point == "pdf"]
    tables = [
        TextTable(
            f"{key}-metrics",
            (words, *columns, "ideal", "reference, name elsewhere"),
            [_metric_row(metric, [values.get((metric, point)) for point in columns]) for metric in names],
        )
        for key, words, columns, names in (
            ("point", "point estimates", points, of_points),
            ("pdf", "whole p(z)", ["pdf"], of_pdf),
        )
    ]
    said = ["Functions of redshift, magnitude, colour and more, and n(z) of bins: metrics.parquet beside this page."]
    return Section("metrics", "All metrics", sentences=said, tables=tables)


def _metric_row(metric: str, rows: list[MetricRow | None]) -> list[Cell]:
    info = SUITE[metric]
    elsewhere = ", ".join(name for name in (info.rail_name, info.challenge_name) if name)
    return [
        Cell(info.title, f"{metric}: {info.definition}"),
        *(Cell("" if row is None else with_error(row.value, row.error), "", "n") for row in rows),
        Cell(info.ideal, "", "n"),
        Cell(info.reference, elsewhere),
    ]
