"""Pages about models, the card of one and several side by side, which ask nothing of the network."""

from __future__ import annotations

import json
import math
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pzcenter.catalogs.storage import write_text_atomically
from pzcenter.estimators.model_description import NOT_RECORDED
from pzcenter.validation import METRICS
from pzcenter.validation.comparison.html import page_html
from pzcenter.validation.comparison.page_parts import Cell, Page, Section, TextTable, picture, with_error
from pzcenter.validation.plots.method_curves import plot_methods_pit_qq, plot_methods_trends
from pzcenter.validation.plots.method_panels import plot_methods_z_z
from pzcenter.validation.plots.method_style import styles_of
from pzcenter.validation.plots.style import BLUE, GREY, dress, legend, new_figure

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence

    from pzcenter.estimators.model_card import CardMetric
    from pzcenter.estimators.model_description import ModelDescription
    from pzcenter.pipelines.compare_models import ModelComparison
    from pzcenter.validation.comparison.page_parts import Picture

__all__ = ["comparison_rows", "model_page", "models_page", "write_model_page", "write_models_page"]

_SHORT = 12


def write_model_page(path: str | os.PathLike[str], model: ModelDescription) -> Path:
    """Write the card of a model as HTML.

    Raises
    ------
    StorageError
        The file system refused.
    """
    write_text_atomically(Path(path), page_html(model_page(model)))
    return Path(path)


def write_models_page(path: str | os.PathLike[str], made: ModelComparison) -> Path:
    """Write a comparison of models as HTML.

    Raises
    ------
    StorageError
        The file system refused.
    """
    write_text_atomically(Path(path), page_html(models_page(made)))
    return Path(path)


def model_page(model: ModelDescription) -> Page:
    """The card of one model."""
    plain = model.plain()
    training, grid = plain["training"], plain["z_grid"]
    facts = {
        "method": plain["method"] if model.is_installed else f"{plain['method']} (not usable here: {model.problem})",
        "bands": ", ".join(plain["bands"]),
        "filters": ", ".join(f"{band}: {name}" for band, name in plain["filters"].items()),
        "redshift grid": f"{grid['n_z']} points from {grid['z_min']:g} to {grid['z_max']:g}",
        "digest": plain["digest"],
        "licence of the training data": plain["licence"],
        "to be cited": plain["citation"],
    }
    sections = [
        Section("model", "Model", tables=[_pairs("model", facts)]),
        Section("training", "Training", tables=_training_tables(training), codes=_command(training["command"])),
        Section("domain", "Domain", tables=_domain_tables(plain["domain"]), pictures=_domain_pictures(model)),
        Section(
            "metrics", "Metrics on held-out objects", sentences=[f"Measured on: {plain['metrics_on']}."],
            tables=[_metric_table(model.metrics)],
        ),
        Section("curves", "Course of the training", sentences=_curve_words(model), pictures=_curve_pictures(model)),
        Section("settings", "Settings", codes=[("Settings of the method", json.dumps(plain["settings"], indent=1)),
                                               ("What the method remembers", json.dumps(plain["facts"], indent=1))]),
        Section("versions", "Versions and files", tables=[
            _pairs("versions", plain["versions"]),
            _pairs("files", {name: each["sha256"] for name, each in plain["files"].items()}),
        ]),
    ]  # fmt: skip
    return Page(
        title=f"Model {model.name}",
        meta=f"{plain['method']} · {plain['digest'][:_SHORT]} · {model.n_bytes:,} bytes",
        summary=_summary(model, plain),
        sections=sections,
        key=plain["digest"],
    )


def models_page(made: ModelComparison) -> Page:
    """Several models side by side."""
    where = f"{made.n_obj:,} objects of {made.on}" if made.on else "as recorded with each model"
    rows = [[Cell(line[0], line[1]), *(Cell(*cell) for cell in line[2:])] for line in comparison_rows(made)]
    heads = ("metric", *(model.label for model in made.models))
    failures = [[Cell(model.label), Cell(model.failure)] for model in made.models if model.failure]
    sections = [
        Section("metrics", "Metrics", tables=[TextTable("metrics", heads, rows)]),
        Section(
            "failures", "Models that could not be used", tables=[TextTable("failures", ("model", "why"), failures)]
        ),
        Section("figures", "Figures", pictures=_compared_pictures(made)),
        Section("models", "Models", tables=[_models_table(made)]),
        Section("provenance", "How this page was made", codes=_command(made.record.get("command"))),
    ]
    return Page(
        title="Models side by side",
        meta=where,
        summary=list(made.notes),
        sections=[section for section in sections if not section.is_empty],
        key="-".join(model.description.manifest.digest[:_SHORT] for model in made.models),
    )


def comparison_rows(made: ModelComparison) -> list[tuple[Any, ...]]:
    """Title and definition of each metric, then for each model (text, below it, kind of cell); the best is marked.

    A value is the best only where it beats every other by more than the two errors together.
    """
    names = list(dict.fromkeys(row.metric for model in made.models for row in model.metrics))
    lines = []
    for name in names:
        found = [next((row for row in model.metrics if row.metric == name), None) for model in made.models]
        best = _best(name, found) if made.on else None
        cells = [
            ("\N{EN DASH}", "", "n")
            if row is None or row.value is None
            else (
                with_error(row.value, math.nan if row.error is None else row.error),
                "" if made.on or row.n_obj is None else f"{row.n_obj:,} objects",
                "best" if place == best else "n",
            )
            for place, row in enumerate(found)
        ]
        info = METRICS.get(name)
        lines.append((name if info is None else info.title, name if info is None else info.definition, *cells))
    return lines


_IDEAL = {"coverage_68": 0.68, "coverage_95": 0.95, "pit_outlier_rate": 2e-4, "bias": 0.0}
_AS_LOW = {"cde_loss", "log_score"}


def _best(name: str, found: Sequence[CardMetric | None]) -> int | None:
    """Place of a value that is better than all others beyond the errors."""
    scored = [
        (row.value if name in _AS_LOW else abs(row.value - _IDEAL.get(name, 0.0)), row.error or 0.0, place)
        for place, row in enumerate(found)
        if row is not None and row.value is not None
    ]
    if len(scored) < 2:
        return None
    (first, first_err, place), (second, second_err, _) = sorted(scored)[:2]
    return place if second - first > math.hypot(first_err, second_err) else None


def _pairs(key: str, content: dict[str, Any]) -> TextTable:
    rows = [[Cell(str(name)), Cell(_words(value))] for name, value in content.items()]
    return TextTable(key, ("", ""), rows, is_pairs=True)


def _words(value: Any) -> str:
    if value is None or value in ("", [], {}):
        return NOT_RECORDED
    if isinstance(value, float):
        return f"{value:.6g}"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


def _summary(model: ModelDescription, plain: dict[str, Any]) -> list[str]:
    training = plain["training"]
    if not training["is_trained"]:
        said = ["This model saw no data: it is made from settings alone."]
    else:
        reach = f"{training['z_min']:.3g} to {training['z_max']:.3g}"
        said = [f"Trained on {training['n_obj']:,} objects with redshifts from {reach}."]
    if not plain["has_card"]:
        said.append("It has no card: what its manifest does not say was not recorded.")
    return [*said, *(model.card.notes if model.card is not None else ())]


def _command(words: Sequence[str] | None) -> list[tuple[str, str]]:
    return [("Command", shlex.join(words))] if words else []


def _training_tables(training: dict[str, Any]) -> list[TextTable]:
    shown = {
        "objects used": training["n_obj"],
        "objects with a redshift in the files": training["n_with_redshift"],
        "objects held out": training["n_held_out"],
        "SHA-256 of the rows used": training["sha256_of_rows_used"],
        "mapping of the columns": training["mapping"],
        "finished": training["trained_at"],
        "seconds": training["wall_s"],
    }
    rows = [
        [
            Cell(each["path"], each["role"]),
            Cell(_words(each["n_rows"]), "", "n"),
            Cell(_words(each["n_bytes"]), "", "n"),
            Cell(_words(each["sha256"]), each["sha256_of"] or ""),
        ]
        for each in training["sources"]
    ]
    heads = ("file", "rows", "bytes", "SHA-256")
    return [_pairs("training", shown), TextTable("sources", heads, rows, title="Files")]


def _domain_tables(domain: dict[str, Any] | None) -> list[TextTable]:
    if domain is None:
        return [_pairs("domain", {"magnitudes and redshifts of the training set": None})]
    rows = [
        [
            Cell(each["band"], each["filter"] or ""),
            *(Cell(NOT_RECORDED if each[key] is None else f"{each[key]:.2f}", "", "n") for key in _DOMAIN_COLUMNS),
            Cell(f"{100 * each['share_measured']:.1f} %", "", "n"),
        ]
        for each in domain["bands"]
    ]
    heads = ("band", *_DOMAIN_COLUMNS.values(), "measured")
    low, middle, high = domain["z_percentiles"]
    note = (
        f"Redshifts from {domain['z_min']:.4g} to {domain['z_max']:.4g}; 1, 50 and 99 % percentiles {low:.3f}, "
        f"{middle:.3f}, {high:.3f}. Magnitudes are AB, of objects with a positive flux; the depth is the magnitude of "
        "five times the median flux error."
    )
    return [TextTable("domain", heads, rows, note=note)]


_DOMAIN_COLUMNS = {"mag_min": "1 %", "mag_median": "median", "mag_max": "99 %", "depth": "depth, 5 sigma"}


def _domain_pictures(model: ModelDescription) -> list[Picture]:
    card = model.card
    if card is None or card.domain is None:
        return []
    figure = new_figure(6.0, 3.2)
    axes = figure.subplots()
    axes.stairs(card.domain.z_counts, card.domain.z_edges, fill=True, color=GREY)
    axes.set_ylim(bottom=0)
    dress(axes, xlabel="redshift", ylabel="training objects")
    return [
        picture(
            figure,
            title="Redshifts of the training set",
            reading="What the model has seen; where there is nothing, it has nothing to say.",
            alt="Histogram of the redshifts of the training set.",
        )
    ]


def _metric_table(metrics: Sequence[CardMetric]) -> TextTable:
    rows = []
    for row in metrics:
        info = METRICS.get(row.metric)
        value = math.nan if row.value is None else row.value
        rows.append(
            [
                Cell(row.metric if info is None else info.title, row.metric if info is None else info.definition),
                Cell(with_error(value, math.nan if row.error is None else row.error), "", "n"),
                Cell(row.of),
                Cell(_words(row.n_obj), "", "n"),
                Cell("" if info is None else info.ideal),
            ]
        )
    return TextTable("metrics", ("metric", "value", "of", "objects", "perfect"), rows)


def _curve_words(model: ModelDescription) -> list[str]:
    return [] if model.curves else [f"Loss curves: {NOT_RECORDED}."]


def _curve_pictures(model: ModelDescription) -> list[Picture]:
    found = []
    for name, points in model.curves.items():
        done, value = np.array(points).T
        figure = new_figure(6.0, 3.2)
        axes = figure.subplots()
        axes.plot(done, value, color=BLUE, marker="o", markersize=3, label=name)
        dress(axes, xlabel="fraction of the training", ylabel=name)
        legend(axes)
        words = "Flat at the end: longer training would not help; rising: it was too long."
        found.append(picture(figure, title=name, reading=words, alt=f"Course of {name} during the training."))
    return found


def _compared_pictures(made: ModelComparison) -> list[Picture]:
    tables = {model.label: model.table for model in made.models if model.table is not None}
    samples = {model.label: model.sample for model in made.models if model.sample is not None}
    if not samples:
        return []
    styles = styles_of(list(samples))
    band = next(iter(samples.values())).mag_band
    pits = {label: sample.pit for label, sample in samples.items()}
    return [
        picture(
            plot_methods_z_z(samples, tables),
            title="Estimated against true redshift",
            reading="A perfect estimate lies on the black line; what is outside the dashed lines is an outlier.",
            alt="Two-dimensional histograms of estimated against true redshift, one for each model.",
        ),
        picture(
            plot_methods_trends(tables, styles, mag_band=band),
            title="Bias, scatter and outliers, by redshift and magnitude",
            reading="One point for each bin of each model, with its standard error, and the requirement lines.",
            alt="Bias, scatter and outlier fraction of all models in bins of true redshift and of magnitude.",
        ),
        picture(
            plot_methods_pit_qq(pits, styles),
            title="Are the widths of the p(z) true?",
            reading="True p(z) give a flat line; a hump means too wide, a bowl too narrow.",
            alt="Distribution of the probability integral transform, and QQ curves, of all models.",
        ),
    ]


def _models_table(made: ModelComparison) -> TextTable:
    rows = []
    for model in made.models:
        plain = model.description.plain()
        training = plain["training"]
        seen = NOT_RECORDED if model.n_seen is None else f"{model.n_seen:,}"
        rows.append(
            [
                Cell(model.label, plain["digest"][:_SHORT]),
                Cell(plain["method"]),
                Cell(
                    "".join(plain["bands"]) if all(len(b) == 1 for b in plain["bands"]) else ", ".join(plain["bands"])
                ),
                Cell(_words(training["n_obj"]) if training["is_trained"] else "none", "", "n"),
                Cell(seen if made.on else "\N{EN DASH}", "", "n"),
                Cell(_words(training["trained_at"])),
                Cell(_words(plain["licence"])),
            ]
        )
    heads = ("model", "method", "bands", "training objects", "of them here", "trained", "licence")
    return TextTable("models", heads, rows)
