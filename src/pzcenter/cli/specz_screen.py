"""What ``pz specz`` prints: a survey, a catalogue, a combination."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from pzcenter.training.combine import CombineReport
    from pzcenter.training.redshift_source import SourceReport
    from pzcenter.training.surveys import Survey

__all__ = ["print_combined", "print_source", "print_survey"]


def print_survey(survey: Survey) -> None:
    """All that is known of a survey."""
    from pzcenter.cli.screen import stdout

    out = stdout()
    out.print(f"[bold]{survey.name}[/]  {survey.title}", soft_wrap=True)
    facts = {
        "aliases": ", ".join(survey.aliases), "cite": " ".join(filter(None, [survey.citation, survey.bibcode])),
        "site": survey.site, "licence": survey.licence, "objects": survey.object_types,
        "type": survey.z_type if isinstance(survey.z_type, str) else "by rules", "not verified": survey.unsure,
    }  # fmt: skip
    for label, words in facts.items():
        if words:
            out.print(f"  {label}: {words}", markup=False, soft_wrap=True)
    for source in survey.sources:
        out.print(f"  source: {source}", markup=False, soft_wrap=True)
    for standard, raw in survey.columns.items():
        out.print(f"  {standard}: {raw if isinstance(raw, str) else ' or '.join(raw)}", markup=False, soft_wrap=True)
    for number, rule in enumerate(survey.quality, start=1):
        note = f"  ({rule.note})" if rule.note else ""
        out.print(f"  {survey.name}#{number}: {rule.when} -> {rule.value}{note}", markup=False, soft_wrap=True)
    out.print(f"  other rows: {'no flag' if survey.otherwise is None else survey.otherwise}", markup=False)


def print_source(report: SourceReport) -> None:
    """What was found in a catalogue."""
    from pzcenter.cli.screen import plain_table, stderr, stdout

    out = stdout()
    out.print(f"[bold]{report.name}[/]: {report.n_rows:,} rows", soft_wrap=True)
    out.print("  columns: " + ", ".join(f"{name} = {raw}" for name, raw in report.columns.items()), soft_wrap=True)
    out.print(f"  surveys: {', '.join(f'{name} {n:,}' for name, n in report.surveys.items())}", soft_wrap=True)
    for words, n in (
        ("without position", report.n_no_position), ("without redshift", report.n_no_redshift),
        ("with a redshift of 0 or less", report.n_not_positive), ("whose id an earlier row has", report.n_same_id),
    ):  # fmt: skip
        if n:
            out.print(f"  {n:,} rows {words}", soft_wrap=True)
    if report.rules.counts:
        table = plain_table(rule="left", rows="right", flag="right", when="left", note="left")
        for count in report.rules.counts:
            if count.n or not count.rule.endswith("#-"):
                value = "-" if count.value is None else str(count.value)
                table.add_row(count.rule, f"{count.n:,}", value, count.when, count.note)
        out.print(table, markup=False)
    else:
        out.print(f"  flags: on the {report.rules.scale} scale", soft_wrap=True)
    for words in report.warnings:
        stderr().print(f"warning: {words}", markup=False, soft_wrap=True)


def print_combined(report: CombineReport, directory: Path) -> None:
    """What became of the rows of all catalogues."""
    from pzcenter.cli.screen import plain_table, stderr, stdout

    out = stdout()
    table = plain_table(catalogue="left", rows="right", no_redshift="right", not_positive="right", no_rule="right")
    for each in report.sources:
        table.add_row(
            each.name, f"{each.n_rows:,}", f"{each.n_no_redshift:,}", f"{each.n_not_positive:,}",
            f"{each.rules.n_uncaught:,}",
        )  # fmt: skip
    out.print(table)
    flags = ", ".join(f"{name}: {n:,}" for name, n in report.z_flag.items())
    out.print(f"quality {flags}", soft_wrap=True)
    ties = report.tie_result
    out.print(
        f"{report.n_groups:,} galaxies with several measurements: {ties['0']:,} rows lost to a better one, "
        f"{ties['2']:,} disagree and are tied; {ties['3']:,} stars; {report.n_cut:,} groups were cut for their size",
        soft_wrap=True,
    )
    left_out = report.n_below_flag + report.n_lost + report.n_tied + report.n_stars
    out.print(f"{report.n_read:,} rows read, {left_out:,} left out, {report.n_kept:,} in {directory}", soft_wrap=True)
    for words in report.warnings:
        stderr().print(f"warning: {words}", markup=False, soft_wrap=True)
