"""A training set in plain words: sentences that follow from the numbers alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow.compute as pc

from pzcenter.training.plots.columns import galaxies, numbers, texts
from pzcenter.training.report_inputs import ReportInputs, report_inputs

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa

__all__ = ["sentences_of", "summary_sentences", "uncaught", "warnings_of"]

_SURE = 3
"""Least quality that is called sure: more than 90 %."""
_NAMED = 4
"""Surveys named in a sentence."""


def summary_sentences(**inputs: Any) -> list[str]:
    """What a reader should take home, in the order of the steps.

    Parameters
    ----------
    **inputs
        As for :func:`pzcenter.training.report_inputs.report_inputs`; what is not given is not spoken of.

    Returns
    -------
    list of str
    """
    return sentences_of(report_inputs(**inputs))


def sentences_of(inputs: ReportInputs) -> list[str]:
    """The same, of inputs that are in one form already."""
    found: list[str] = []
    if inputs.redshifts is not None:
        found += _of_redshifts(inputs.redshifts, inputs.combine)
    if inputs.combine is not None:
        found += _of_combination(inputs.combine)
    if inputs.match is not None:
        found += _of_match(inputs.match)
    if inputs.selection is not None:
        found += _of_selection(inputs)
    if inputs.split is not None:
        found += inputs.split.sentences
    for each in inputs.subsamples:
        found += each.sentences[:1]
    if inputs.training is not None:
        found += _of_training(inputs.training)
    if inputs.coverage is not None:
        report = inputs.coverage
        alike = max(report.alike_in_empty_cells, report.alike_beyond_limit)
        found.append(
            f"{report.extrapolation_fraction:.1%} of the target has colours and magnitudes for which there are too few "
            f"training objects; for a random part of the target, as large, it would be about {alike:.0%}."
        )
    n = len(warnings_of(inputs))
    if n:
        found.append(f"There {'is a warning' if n == 1 else f'are {n} warnings'} below.")
    return found


def uncaught(combine: dict[str, Any]) -> list[dict[str, Any]]:
    """Counts of the rows that no rule caught, by source and survey: those with any, the most first."""
    found = [
        {**count, "source": source["name"]}
        for source in combine["sources"]
        for count in source["rules"]["counts"]
        if str(count["rule"]).endswith("#-") and count["n"]
    ]
    return sorted(found, key=lambda count: -int(count["n"]))


def warnings_of(inputs: ReportInputs) -> list[str]:
    """Warnings of all steps; those of a catalogue begin with its name."""
    found: list[str] = list(inputs.notes)
    if inputs.combine is not None:
        found += list(inputs.combine.get("warnings", ()))
        for source in inputs.combine["sources"]:
            found += [f"{source['name']}: {text}" for text in source.get("warnings", ())]
    if inputs.match is not None:
        found += list(inputs.match.get("warnings") or ())
    if inputs.selection is not None and inputs.selection.absent_surveys:
        found.append(f"No row is of the survey {', '.join(inputs.selection.absent_surveys)}.")
    return list(dict.fromkeys(found))


def _of_redshifts(table: pa.Table, combine: dict[str, Any] | None) -> Iterator[str]:
    if not table.num_rows:
        yield "There are no redshifts."
        return
    sentence = f"{table.num_rows:,} redshifts"
    if "survey" in table.column_names:
        n_survey = len(texts(table, "survey")[0])
        sentence += f" of {n_survey} survey{'s' if n_survey > 1 else ''}"
    if combine is not None:
        n_source = len(combine["sources"])
        sentence += f", from {n_source} catalogue{'s' if n_source > 1 else ''} with {combine['n_read']:,} rows"
    if "z_flag" in table.column_names:
        flag = numbers(table, "z_flag")
        sure, unknown = np.mean((flag >= _SURE) & (flag <= 4)), np.mean(np.isnan(flag))
        sentence += f"; {sure:.0%} are right with more than 90 % probability (z_flag 3 and 4)"
        sentence += f", and the quality of {unknown:.1%} is not known" if unknown else ""
    yield f"{sentence}."


def _of_combination(combine: dict[str, Any]) -> Iterator[str]:
    if combine.get("n_groups"):
        conflict = int(combine["n_conflict"])
        words = "in all of them one is the best" if not conflict else f"in {conflict:,} of them none is the best"
        yield f"{combine['n_groups']:,} galaxies have several measurements; {words}."
    missed = uncaught(combine)
    if missed:
        total: dict[str, int] = {}
        for count in missed:
            total[str(count["survey"])] = total.get(str(count["survey"]), 0) + int(count["n"])
        named = ", ".join(f"{name} {n:,}" for name, n in list(total.items())[:_NAMED])
        more = f" and {len(total) - _NAMED} other surveys" if len(total) > _NAMED else ""
        yield f"No rule of its survey catches {sum(total.values()):,} rows ({named}{more}); see the table of rules."
    elif any(source["rules"]["counts"] for source in combine["sources"]):
        yield "Every row was caught by a rule of its survey."


def _of_match(match: dict[str, Any]) -> Iterator[str]:
    asked = int(match["n_positions"])
    share = f" ({int(match['n_matched']) / asked:.0%})" if asked else ""
    sentence = (
        f"{match['n_matched']:,} of {asked:,} redshifts{share} have an object within {match['radius_arcsec']:g} arcsec"
    )
    if match.get("median_separation_arcsec") is not None and match["n_matched"]:
        sentence += f", half of them within {match['median_separation_arcsec']:.3f} arcsec"
    if match.get("false_share") is not None and match["n_matched"]:
        sentence += f"; about {match['false_share']:.2%} of the pairs are expected to be wrong"
    yield f"{sentence}."


def _of_selection(inputs: ReportInputs) -> Iterator[str]:
    report = inputs.selection
    assert report is not None
    sentence = f"The selection keeps {report.n_out:,} of {report.n_in:,} rows"
    worst = max(report.cuts, key=lambda cut: cut.n_removed, default=None)
    if worst is not None and worst.n_removed:
        sentence += f"; most of the others fail '{worst.meaning}' ({worst.n_removed:,})"
    yield f"{sentence}."


def _of_training(table: pa.Table) -> Iterator[str]:
    if not table.num_rows:
        yield "The training set has no rows."
        return
    sentence = f"The training set has {table.num_rows:,} rows"
    if "objectId" in table.column_names:
        sentence += f" of {pc.count_distinct(table.column('objectId')).as_py():,} objects"
    if "z_spec" in table.column_names:
        z_spec = numbers(table, "z_spec")[galaxies(table)[0]]
        if z_spec.size:
            low, middle, high = np.percentile(z_spec, (5, 50, 95))
            sentence += f"; the median redshift is {middle:.2f}, and 90 % are between {low:.2f} and {high:.2f}"
    yield f"{sentence}."
