"""The sections of a report, in the order of the steps; those without data are left out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pzcenter.training import report_figures as figures
from pzcenter.training import report_numbers as tables
from pzcenter.training.plots.columns import texts
from pzcenter.training.report_parts import Code, Row, Section, Table
from pzcenter.training.report_summary import warnings_of
from pzcenter.training.sources import bibtex_of, surveys_to_cite
from pzcenter.training.surveys import Survey

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pzcenter.training.report_inputs import ReportInputs

__all__ = ["sections_of"]

_BEFORE_REGIONS = " The first of them:"
"""Of the coverage's sentences, what announces the first regions."""


def sections_of(
    inputs: ReportInputs, *, command: str, checksums: Mapping[str, str], versions: Mapping[str, str]
) -> list[Section]:
    """Sections that have something to show.

    Parameters
    ----------
    inputs : ReportInputs
    command : str
        What to type to make all this again.
    checksums : mapping of str to str
        SHA-256 by file.
    versions : mapping of str to str

    Returns
    -------
    list of Section
    """
    made = [
        _warnings(inputs), *_of_redshifts(inputs), *_of_training(inputs), *_of_coverage(inputs),
        _citations(inputs), _provenance(inputs, command, checksums, versions),
    ]  # fmt: skip
    return [section for section in made if not section.is_empty]


def _warnings(inputs: ReportInputs) -> Section:
    rows = [Row((text,), marked=True) for text in warnings_of(inputs)]
    return Section("warnings", "Warnings", tables=[Table("", ("",), rows)])


def _of_redshifts(inputs: ReportInputs) -> Iterator[Section]:
    combine, table = inputs.combine, inputs.redshifts
    found = [] if combine is None else [tables.source_table(combine), tables.outcome_table(combine)]
    codes = []
    if table is not None:
        there = set(table.column_names)
        if {"survey", "z_spec"} <= there:
            found.append(tables.survey_table(table))
        if {"ra", "dec"} <= there:
            found.append(tables.area_table(table))
            codes = tables.moc_code(table)
    images = [] if table is None else figures.redshift_images(table, of="redshifts")
    yield Section("redshifts", "Redshifts", tables=found, images=images, codes=codes)
    if combine is not None:
        yield Section("rules", "How the flags were found", tables=tables.rule_tables(combine))
    yield Section("sky", "On the sky", images=figures.sky_images(inputs))


def _of_training(inputs: ReportInputs) -> Iterator[Section]:
    match, table = inputs.match, inputs.training
    yield Section(
        "match", "Match with the objects",
        tables=[] if match is None else [tables.match_table(match)], images=figures.match_images(inputs),
    )  # fmt: skip
    if inputs.selection is not None:
        yield Section("selection", "Selection", inputs.selection.sentences[:1], [tables.cut_table(inputs.selection)])
    if table is not None:
        own = [tables.survey_table(table)] if {"survey", "z_spec"} <= set(table.column_names) else []
        images = [*figures.photometry_images(table, inputs.target), *figures.redshift_images(table, of="training set")]
        yield Section("training", "The training set", tables=own, images=images)
    yield Section(
        "split", "Samples",
        [] if inputs.split is None else inputs.split.sentences,
        [] if inputs.split is None else [tables.sample_table(inputs.split, table)],
        [] if table is None else figures.split_images(table),
    )  # fmt: skip
    yield Section(
        "weights", "Weights",
        tables=[tables.counts_of(inputs)], images=[] if table is None else figures.weight_images(table, inputs.target),
    )  # fmt: skip


def _of_coverage(inputs: ReportInputs) -> Iterator[Section]:
    if inputs.coverage is not None:
        report = inputs.coverage
        # The regions stand in the table.
        regions = {part.sentence for part in report.regions}
        words = [each.removesuffix(_BEFORE_REGIONS) for each in report.summary_sentences if each not in regions]
        yield Section(
            "coverage", "Coverage of the target", words, [tables.region_table(report)],
            figures.coverage_images(report),
        )  # fmt: skip


def _citations(inputs: ReportInputs) -> Section:
    names: set[str] = set()
    for table in (inputs.redshifts, inputs.training):
        if table is not None and "survey" in table.column_names:
            names |= set(texts(table, "survey")[0])
    combine = inputs.combine or {"sources": []}
    for source in combine["sources"]:
        names |= set(source["surveys"])
    known, unknown = surveys_to_cite(names, [Survey.model_validate(each) for each in combine.get("own_surveys", ())])
    n = f"{len(known)} surveys" if len(known) > 1 else "survey"
    sentences = [f"Cite the {n} that gave the redshifts."] if known else []
    sentences += [f"No citation is known of {', '.join(unknown)}."] if unknown else []
    codes = [Code("BibTeX", bibtex_of(known))] if known else []
    return Section("citations", "Citations", sentences, codes=codes)


def _provenance(
    inputs: ReportInputs, command: str, checksums: Mapping[str, str], versions: Mapping[str, str]
) -> Section:
    files = {source["path"]: source["sha256"] for source in (inputs.combine or {"sources": []})["sources"]}
    rows = [Row((name, value)) for name, value in (files | dict(checksums)).items() if value]
    packages = [Row(each) for each in versions.items()]
    return Section(
        "provenance", "How to make it again",
        tables=[
            Table("Inputs", ("File", "SHA-256"), rows, "All that was read is in provenance.json."),
            Table("Versions", ("Package", "Version"), packages),
        ],
        codes=[Code("Command", command)] if command else [],
    )  # fmt: skip
