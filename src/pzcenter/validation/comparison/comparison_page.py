"""The page that holds all methods side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pzcenter.validation.examples import scramble
from pzcenter.validation.plots.method_curves import plot_methods_pit_qq, plot_methods_shifts, plot_methods_trends
from pzcenter.validation.plots.method_panels import plot_density_panels, plot_methods_nz, plot_methods_z_z
from pzcenter.validation.plots.method_ranks import plot_ranks
from pzcenter.validation.plots.method_style import styles_of
from pzcenter.validation.verdicts import BIN_LINES

from .hard_objects import hard_objects
from .page_parts import Cell, Page, Section, TextTable, picture, sentence
from .page_tables import challenge_table, cost_table, glance_table, photometry_cells, rank_table, verdict_table
from .provenance_section import made_words, provenance_section
from .sentences import comparison_sentences, coverage_sentences
from .shown_sample import SHOWN_BINS, shown_sample
from .store import key_of, read_kept, read_scores

if TYPE_CHECKING:
    from datetime import datetime

    from pzcenter.validation.plots.method_style import MethodStyle
    from pzcenter.validation.sample import ValidationSample

    from .page_parts import Picture
    from .results import Comparison

__all__ = ["comparison_page"]

N_DENSITIES = 6
SHOWN_COLUMNS = ("point.z_best", "pdf.pit")


def comparison_page(made: Comparison, time: datetime) -> Page:
    """Everything that the page of a comparison shows.

    Parameters
    ----------
    made : Comparison
    time : datetime

    Returns
    -------
    Page
    """
    sections = [
        Section(
            "glance", "At a glance", sentences=_glance_words(made), tables=[glance_table(made.methods, made.rankings)]
        ),
        _ranks(made),
        _common(made),
        _failures(made),
    ]
    if made.methods:
        sections += [
            Section("requirements", "Requirements", tables=[verdict_table(made.methods)]),
            Section("challenge", "Points of the data challenge", tables=[challenge_table(made.methods)]),
            Section("figures", "Figures", pictures=_pictures(made)),
            _hard(made),
            Section("cost", "Cost", tables=[cost_table(made.methods)]),
            _reading(made),
        ]
    sections.append(provenance_section(made))
    return Page(
        title=made.settings.title,
        meta=f"{made.truth.n_obj:,} objects with known redshift · {made_words(made, time)}",
        summary=comparison_sentences(made),
        sections=[section for section in sections if not section.is_empty],
        key=key_of({"methods": [method.key for method in made.methods]}),
        links=[(method.name, f"methods/{method.directory.name}/report.html") for method in made.methods],
    )


def _glance_words(made: Comparison) -> list[str]:
    if not made.methods:
        return ["No submission could be scored."]
    said = "Each method on its own objects."
    if made.rankings:
        said += (
            f" Ranks are on the {made.n_common:,} objects that all ranked methods have; a rank is shared where no "
            "difference exceeds its error."
        )
    return [said]


def _ranks(made: Comparison) -> Section:
    if not made.rankings:
        return Section("ranks", "Ranks", sentences=coverage_sentences(made))
    figure = plot_ranks(made.rankings, _styles(made))
    shown = picture(
        figure,
        title="Methods in the order of each metric",
        reading="Best at the top, with the rank beside the name; bars are two standard errors. Methods whose "
        "difference does not exceed its error share a rank.",
        alt="For each metric the methods in order, each with its value, error bar and rank.",
    )
    return Section("ranks", "Ranks", tables=[rank_table(made.rankings, made.methods)], pictures=[shown])


def _common(made: Comparison) -> Section:
    if not made.common_tables:
        return Section("common", "Common objects")
    table = glance_table(made.methods, made.rankings, tables=made.common_tables)
    return Section("common", "Metrics of the common objects", sentences=coverage_sentences(made), tables=[table])


def _failures(made: Comparison) -> Section:
    rows = [[Cell(each.name, each.path), Cell(each.code), Cell(each.message)] for each in made.failures]
    return Section(
        "failures", "What could not be scored", tables=[TextTable("failures", ("submission", "error", "reason"), rows)]
    )


def _reading(made: Comparison) -> Section:
    """What was left out or mended, of the truth set and of each submission."""
    rows = [
        [Cell(method.name, method.facts.path), Cell("; ".join(method.facts.sentences) or "nothing")]
        for method in made.submissions
    ]
    heads = ("submission", "missing, mended or counted")
    return Section(
        "reading",
        "How it was read",
        sentences=[sentence(note) for note in made.notes],
        tables=[TextTable("reading", heads, rows)],
    )


def _styles(made: Comparison) -> dict[str, MethodStyle]:
    return styles_of([method.name for method in made.methods], [method.name for method in made.controls])


def _pictures(made: Comparison) -> list[Picture]:
    samples = _samples(made)
    tables = {method.name: method.table for method in made.methods}
    styles = _styles(made)
    own = [method.name for method in made.submissions]
    with_pdf = {method.name: samples[method.name] for method in made.methods if method.has_pdf}
    found = [
        picture(
            plot_methods_z_z(samples, tables),
            title="Estimated against true redshift",
            reading="A perfect estimate lies on the black line; what is outside the dashed lines is an outlier. "
            "All panels have the same colours for the same number of objects.",
            alt="Two-dimensional histograms of estimated against true redshift, one for each method.",
        ),
        picture(
            plot_methods_trends(tables, styles, mag_band=made.truth.mag_band, range_of=own),
            title="Bias, scatter and outliers, by redshift and magnitude",
            reading="One point for each bin of each method, with its standard error, and the requirement lines.",
            alt="Bias, scatter and outlier fraction of all methods in bins of true redshift and of magnitude.",
        ),
    ]
    if not with_pdf:
        return found
    pits = {name: sample.pit for name, sample in with_pdf.items()}
    edges = [
        (row.bin_low, row.bin_high)
        for row in tables[next(iter(with_pdf))].select(metric="nz_mean_shift", axis=SHOWN_BINS)
        if row.bin_low is not None and row.bin_high is not None
    ]
    limits = {line.requirement.metric: line.requirement.limit for line in BIN_LINES if line.bins == SHOWN_BINS}
    found += [
        picture(
            plot_methods_pit_qq(pits, styles),
            title="Are the widths of the p(z) true?",
            reading="Left: true p(z) give a flat line; a hump means too wide, a bowl too narrow. Right: the same as "
            "deviation of the QQ curve from its diagonal.",
            alt="Distribution of the probability integral transform, and QQ curves, of all methods.",
        ),
        picture(
            plot_methods_nz(with_pdf, edges),
            title="n(z) of tomographic bins",
            reading="The line, the sum of the p(z) of all objects chosen by z_best in the shaded range, should follow "
            "the grey histogram of their true redshifts.",
            alt="Stacked p(z) and true redshifts in bins of z_best, one row for each method.",
        ),
        picture(
            plot_methods_shifts(tables, styles, bins=SHOWN_BINS, limits=limits, range_of=own),
            title="Mean and width of n(z) in each bin",
            reading="Grey: what the DESC Science Requirements Document allows for lens bins of year 1.",
            alt="Shift of the mean and of the width of n(z) in each bin, with errors, for all methods.",
        ),
        *_density_pictures(made, styles),
    ]
    return found


def _samples(made: Comparison) -> dict[str, ValidationSample]:
    """Samples with the few columns that these figures need."""
    found = {}
    for method in made.methods:
        scores, kept = read_scores(method.directory, SHOWN_COLUMNS), read_kept(method.directory)
        found[method.name] = shown_sample(scores, kept, made.truth.mag_band)
    return found


def _density_pictures(made: Comparison, styles: dict[str, MethodStyle]) -> list[Picture]:
    """The same objects for all methods, as many of them as have p(z)."""
    kept = {method.name: read_kept(method.directory) for method in made.methods if method.has_pdf}
    ids = np.concatenate([each.object_id for each in kept.values()])
    known, counts = np.unique(ids, return_counts=True)
    order = np.lexsort((scramble(known), -counts))[:N_DENSITIES]
    panels = []
    for object_id in known[np.sort(order)].tolist():
        densities = {
            name: (each.z_grid, _unit(each.pdf[row], each.z_grid))
            for name, each in kept.items()
            for row in np.flatnonzero(each.object_id == object_id)
        }
        z_spec = float(made.truth.z_spec[np.searchsorted(made.truth.object_id, object_id)])
        panels.append((str(object_id), densities, z_spec))
    if not panels:
        return []
    return [
        picture(
            plot_density_panels(panels, styles, range_of=[method.name for method in made.submissions]),
            title="p(z) of the same objects",
            reading="Objects chosen by their ids, not by their beauty; the black line is the truth.",
            alt="Probability densities of redshift of a few objects, those of all methods in one panel.",
        )
    ]


def _unit(pdf: np.ndarray, z_grid: np.ndarray) -> np.ndarray:
    density = np.asarray(pdf, dtype=np.float64)
    return np.asarray(density / np.trapezoid(density, z_grid))


def _hard(made: Comparison) -> Section:
    hard = hard_objects(made.submissions)
    photometry = made.truth.photometry
    rows = []
    for item in hard:
        estimates = [Cell(f"{z:.2f}" if np.isfinite(z) else "\N{EN DASH}", "", "n") for z in item.z_best]
        head = [
            Cell(str(item.object_id)),
            Cell(f"{item.z_spec:.3f}", "", "n"),
            Cell(f"{item.n_wrong} of {item.n_method}", "", "n"),
        ]
        rows.append([*head, *estimates, *([] if photometry is None else photometry_cells(photometry, item.object_id))])
    heads = ("object", "z_spec", "wrong in", *(method.name for method in made.submissions))
    heads += () if photometry is None else photometry.bands
    note = "Objects that most submissions get wrong by more than 0.15 (1+z), with their estimates and magnitudes."
    return Section("hard", "Hardest objects", tables=[TextTable("hard", heads, rows, note=note)])
