"""Tables of numbers in a report: catalogues, outcomes, rules, matches, cuts, samples, regions to observe."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from pzcenter.training.moc import moc_of_positions
from pzcenter.training.plots.columns import FLAG_COLOURS, galaxies, numbers, texts
from pzcenter.training.report_parts import Code, Row, Table
from pzcenter.training.report_summary import uncaught
from pzcenter.training.surveys import FLAG_MEANINGS

if TYPE_CHECKING:
    import pyarrow as pa

    from pzcenter.training.coverage_report import CoverageReport
    from pzcenter.training.report_inputs import ReportInputs
    from pzcenter.training.select import SelectionReport
    from pzcenter.training.split import SplitReport

__all__ = [
    "area_table",
    "counts_of",
    "cut_table",
    "match_table",
    "moc_code",
    "outcome_table",
    "region_table",
    "rule_tables",
    "sample_table",
    "source_table",
    "survey_table",
]

MATCH_LINES = {
    "n_positions": "redshifts asked for",
    "n_no_position": "of these without position",
    "n_matched": "with an object in the result",
    "n_pairs": "pairs in the result",
    "n_pairs_within": "all pairs within the radius",
    "n_ambiguous": "redshifts with several objects within the radius",
    "n_shared": "objects that several redshifts have",
    "n_unreliable": "pairs left out as unreliable",
    "n_objects_read": "objects read",
    "n_partitions_read": "partitions read",
    "n_partitions": "partitions of the catalogue",
    "radius_arcsec": "radius, arcsec",
    "median_separation_arcsec": "median separation, arcsec",
    "offset_ra_arcsec": "median offset in RA, arcsec",
    "offset_dec_arcsec": "median offset in Dec, arcsec",
    "density_per_arcmin2": "objects per square arcmin, median",
    "chance_expected": "share of unrelated positions with an object within the radius, from the density",
    "chance_measured": "the same, measured with moved positions",
    "false_share": "expected share of wrong pairs",
    "share_with_counterpart": "share of redshifts that have a counterpart at all (Q0)",
}
_AREA_ORDERS = (5, 7, 9, 11)
_MOC_ORDER = 7
_MOC_LONGEST = 20_000


def source_table(combine: dict[str, Any]) -> Table:
    """One row for each catalogue that was read."""
    rows = [
        Row(
            (
                source["name"], _surveys(source["surveys"]), source["n_rows"], source["n_no_position"],
                source["n_no_redshift"], source["n_not_positive"], source["n_same_id"], source["rules"]["scale"],
                source["rules"].get("n_uncaught", 0),
            ),
            marked=bool(source["rules"].get("n_uncaught", 0)),
        )
        for source in combine["sources"]
    ]  # fmt: skip
    columns = ("Catalogue", "Surveys", "#Rows", "#No position", "#No redshift", "#z ≤ 0", "#Id not unique",
               "Flags by", "#No rule")  # fmt: skip
    return Table("Catalogues", columns, rows)


def _surveys(counts: dict[str, int]) -> str:
    most = sorted(counts, key=lambda name: -counts[name])
    return ", ".join(most[:5]) + (f" and {len(most) - 5} more" if len(most) > 5 else "")


def outcome_table(combine: dict[str, Any]) -> Table:
    """What became of the rows that were read."""
    outcome = combine["tie_result"]
    left_out = {
        "left out for their quality": combine["n_below_flag"],
        "left out, another measurement is better": combine["n_lost"],
        "left out, measurements disagree": combine["n_tied"],
        "left out as stars": combine["n_stars"],
    }
    lines = {
        "rows read": combine["n_read"],
        "best of their galaxy, or alone (tie_result 1)": outcome["1"],
        "another measurement is better (0)": outcome["0"],
        "measurements disagree and none is better (2)": outcome["2"],
        "stars (3)": outcome["3"],
        **{words: n for words, n in left_out.items() if n},
        "rows of the result": combine["n_kept"],
        "galaxies with several measurements": combine["n_groups"],
        "of these, none is the best": combine["n_conflict"],
        "groups cut because they were too wide": combine["n_cut"],
    }
    return Table("What became of the rows", ("", "#Rows"), [Row(each) for each in lines.items()])


def rule_tables(combine: dict[str, Any]) -> list[Table]:
    """Rows that no rule caught, and how many rows each rule caught."""
    missed = [
        Row(
            (count["survey"], count["source"], count["n"], _flag(count["value"]), ", ".join(count["examples"])),
            marked=True,
        )
        for count in uncaught(combine)
    ]
    columns = ("Survey", "Catalogue", "#Rows", "z_flag given", "Their native flags, such as")
    note = "Add a rule to the file of the survey, or leave them out: what a flag means must not be guessed."
    caught = [
        Row(
            (
                source["name"], count["rule"], count["when"] or "(no rule holds)",
                _flag(count["value"]), count["n"], count["note"],
            ),
            marked=str(count["rule"]).endswith("#-") and bool(count["n"]),
        )
        for source in combine["sources"]
        for count in source["rules"]["counts"]
        if count["n"] or not str(count["rule"]).endswith("#-")
    ]  # fmt: skip
    heads = ("Catalogue", "Rule", "When", "z_flag", "#Rows", "Note")
    return [
        Table("Rows that no rule catches", columns, missed, note),
        Table("Rules", heads, caught, "The first rule of a survey that holds for a row gives its z_flag."),
    ]


def _flag(value: Any) -> str:
    """Quality in words, with spaces at which no line is broken before a unit."""
    if value is None:
        return "missing"
    return f"{value}: {FLAG_MEANINGS.get(value, '').partition(',')[0]}".replace(" %", "\N{NO-BREAK SPACE}%")


def survey_table(table: pa.Table) -> Table:
    """Rows of each survey by quality, with its redshifts."""
    values, code = texts(table, "survey")
    flag = numbers(table, "z_flag") if "z_flag" in table.column_names else np.full(table.num_rows, np.nan)
    z_spec, (chosen, _, _) = numbers(table, "z_spec"), galaxies(table)
    shown = [each for each in FLAG_COLOURS if np.any(flag == each)]
    missing = ~np.isin(flag, shown)
    rows = []
    for place in np.argsort(-np.bincount(code, minlength=len(values)), kind="stable"):
        of_survey = code == place
        masks = [flag == each for each in shown] + ([missing] if missing.any() else [])
        z = z_spec[of_survey & chosen]
        median = f"{np.median(z):.2f}" if z.size else ""
        counts = (int(np.count_nonzero(of_survey & mask)) for mask in masks)
        rows.append(Row((values[place], int(np.count_nonzero(of_survey)), *counts, median)))
    unknown = ("#not known",) if missing.any() else ()
    heads = ("Survey", "#Rows", *(f"#{each}" for each in shown), *unknown, "#median z")
    meanings = "; ".join(f"{each}: {FLAG_MEANINGS[each]}" for each in shown)
    return Table(
        "Surveys by quality (z_flag)", heads, rows, f"z_flag is the probability that z_spec is right: {meanings}."
    )


def area_table(table: pa.Table) -> Table:
    """Area of the HEALPix cells that hold at least one row."""
    ra, dec = numbers(table, "ra"), numbers(table, "dec")
    fine = moc_of_positions(ra, dec, order=max(_AREA_ORDERS))
    rows = []
    for order in _AREA_ORDERS if fine.cells.size else ():
        moc = fine.at_order(order)
        side = 60.0 * np.sqrt(moc.area_deg2 / moc.cells.size)
        rows.append(Row((order, f"{side:.3g}", moc.cells.size, f"{moc.area_deg2:,.4g}")))
    note = "Scattered redshifts occupy less area in smaller cells; where it hardly changes, the sky is filled."
    return Table("Occupied sky", ("#HEALPix order", "#cell, arcmin", "#cells", "#square degrees"), rows, note)


def moc_code(table: pa.Table) -> list[Code]:
    """The occupied cells as a MOC, at an order at which it is short enough for a page."""
    moc = moc_of_positions(numbers(table, "ra"), numbers(table, "dec"), order=_MOC_ORDER)
    text = moc.to_ascii()
    while len(text) > _MOC_LONGEST and moc.order > 0:
        moc = moc.at_order(moc.order - 1)
        text = moc.to_ascii()
    return [Code(f"Occupied sky as MOC of order {moc.order}, ASCII", text, folded=True)] if moc.cells.size else []


def match_table(match: dict[str, Any]) -> Table:
    """Numbers of a match."""
    rows = [Row((words, match[name])) for name, words in MATCH_LINES.items() if match.get(name) is not None]
    return Table("Numbers of the match", ("", "#Value"), rows)


def cut_table(report: SelectionReport) -> Table:
    """What each cut removed."""
    left, rows = report.n_in, []
    for cut in report.cuts:
        left -= cut.n_removed
        rows.append(Row((cut.meaning, cut.n_removed, left, cut.n_alone, cut.n_missing)))
    columns = ("A row must satisfy", "#removed", "#left", "#alone it would remove", "#for want of a value")
    return Table("Cuts, in their order", columns, rows)


def sample_table(report: SplitReport, table: pa.Table | None = None) -> Table:
    """Size of each sample, as it was split and as it is in the table."""
    total = max(sum(report.n_rows.values()), 1)
    now: dict[str, int] = {}
    if table is not None and "split" in table.column_names:
        values, code = texts(table, "split")
        now = dict(zip(values, np.bincount(code, minlength=len(values)).tolist(), strict=True))
    rows = [
        Row(
            (
                name, n, f"{n / total:.1%}", f"{report.fractions.get(name, 0.0):.0%}", report.n_groups.get(name),
                now.get(name, 0) if now else None,
            )
        )
        for name, n in report.n_rows.items()
    ]  # fmt: skip
    heads = ("Sample", "#Rows", "#share", "#asked for", "#galaxies", "#rows in the table")
    if not now or now == report.n_rows:
        return Table("", heads[:-1], [Row(row.cells[:-1]) for row in rows])
    return Table("", heads, rows, "Rows were left out after the split, for their weights.")


def region_table(report: CoverageReport) -> Table:
    """Regions to observe, the worst first."""
    rows = []
    for number, region in enumerate(report.regions, start=1):
        (band, mag), colours = next(iter(region.magnitude.items())), region.colours
        ranges = ", ".join(f"{name} {low:.2f} to {high:.2f}" for name, (low, high) in colours.items())
        cells = (number, f"{region.target_share:.2%}", f"{region.lack:.0%}", region.n_training,
                 f"{band} {mag[0]:.1f} to {mag[1]:.1f}", ranges, _ids(region.examples))  # fmt: skip
        rows.append(Row(cells))
    columns = ("#No.", "#of the target", "#not covered", "#training objects", "Magnitude", "Colours", "Objects, drawn")
    return Table("Regions to observe", columns, rows, "Ranges hold 90 % of the target objects of a cell.")


def _ids(examples: tuple[dict[str, Any], ...]) -> str:
    return ", ".join(str(each["objectId"]) for each in examples[:3] if "objectId" in each)


def counts_of(inputs: ReportInputs) -> Table:
    """What the subsampling methods tell."""
    rows = [
        Row((each.method, name.replace("_", " "), value))
        for each in inputs.subsamples
        for name, value in {
            "rows before": each.n_in, "rows after": each.n_out, "effective number": each.n_effective, **each.counts,
        }.items()
    ]  # fmt: skip
    return Table("Weights and subsamples", ("Method", "", "#Value"), rows)
