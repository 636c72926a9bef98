"""A comparison in plain words: sentences that follow from the numbers alone."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from pzcenter.validation.requirements import DMTN049
from pzcenter.validation.table import format_number

from .page_parts import percent, with_error
from .page_tables import key_row

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pzcenter.validation.ranking import Ranking

    from .results import Comparison, MethodResult

__all__ = ["and_words", "beside_controls", "comparison_sentences", "coverage_sentences", "ranking_sentence"]

_SPOKEN = {
    "sigma_nmad": "By scatter (\N{GREEK SMALL LETTER SIGMA} NMAD)",
    "outlier_fraction": "By outliers",
    "cde_loss": "By the whole p(z) (CDE loss)",
    "pit_ks": "By calibration (PIT, KS distance)",
}

_SHARES = ("outlier_fraction", "outlier_fraction_0p2", "catastrophic_fraction", "outlier_fraction_3sigma")


def comparison_sentences(made: Comparison) -> list[str]:
    """What a reader should take home, most important first.

    Parameters
    ----------
    made : Comparison

    Returns
    -------
    list of str
    """
    said = [_counts(made)]
    said += [ranking_sentence(ranking, made) for ranking in made.rankings if ranking.metric in _SPOKEN]
    said += _against_controls(made)
    said += _minimum(made.submissions)
    said += coverage_sentences(made)
    if made.failures:
        names = and_words([failure.name for failure in made.failures])
        said.append(f"{_number(len(made.failures), 'submission')} could not be scored: {names}. The reasons are below.")
    return said


def and_words(names: Iterable[str]) -> str:
    """``a, b and c``."""
    every = list(names)
    return every[0] if len(every) == 1 else f"{', '.join(every[:-1])} and {every[-1]}" if every else "none"


def _number(count: int, what: str) -> str:
    return f"{count} {what}" + ("" if count == 1 else "s")


def _counts(made: Comparison) -> str:
    controls = f" and {_number(len(made.controls), 'control')}" if made.controls else ""
    scored = _number(len(made.submissions), "submission") + controls
    verb = "were" if len(made.methods) != 1 else "was"
    return f"{scored} {verb} held against {made.truth.n_obj:,} objects with known redshift."


def ranking_sentence(ranking: Ranking, made: Comparison) -> str:
    """Who is best by a metric, and who cannot be told from it."""
    control = {method.name for method in made.controls}
    lines = [line for line in ranking.methods if not math.isnan(line.value)]
    first = [line for line in lines if line.rank == 1]
    names = [f"{line.name}{' (a control)' if line.name in control else ''}" for line in first]
    scale, unit = (100.0, "%") if ranking.metric in _SHARES else (1.0, "")
    values = ", ".join(with_error(line.value, line.error, scale=scale, unit=unit) for line in first)
    how = _SPOKEN.get(ranking.metric, f"By {ranking.metric}")
    if len(first) == 1:
        return f"{how}, {names[0]} is best, {values}: no other method comes within the error of the difference."
    return f"{how}, {and_words(names)} are best and no other is better than any of them beyond the error ({values})."


def _against_controls(made: Comparison) -> list[str]:
    """Which submissions do not beat which control in scatter: they have learnt no more than it."""
    ranking = next((each for each in made.rankings if each.metric == "sigma_nmad"), None)
    if ranking is None:
        return []
    said = []
    ranked = {line.name: line for line in ranking.methods}
    for control in made.controls:
        if control.name not in ranked:
            continue
        own = ranked[control.name]
        losers = [
            name
            for name, line in ranked.items()
            if name not in {method.name for method in made.controls} and (line.rank > own.rank or name in own.same_as)
        ]
        if losers:
            verb = "does" if len(losers) == 1 else "do"
            said.append(f"In scatter {and_words(losers)} {verb} no better than the control {control.name}.")
        else:
            said.append(f"In scatter every submission is better than the control {control.name}.")
    return said


def _minimum(methods: Sequence[MethodResult]) -> list[str]:
    """Who meets the minimum of DMTN-049."""
    met: list[str] = []
    failed: list[str] = []
    for method in methods:
        verdicts = [each for each in method.table.verdicts if each.requirement.selection.name == DMTN049.name]
        tested = [verdict for verdict in verdicts if verdict.met is not None]
        if tested:
            (met if all(verdict.met for verdict in tested) else failed).append(method.name)
    if not met and not failed:
        return []
    if not failed:
        return [f"The {DMTN049.title} (DMTN-049) is met by all submissions."]
    if not met:
        return [f"The {DMTN049.title} (DMTN-049) is met by no submission."]
    return [f"The {DMTN049.title} (DMTN-049) is met by {and_words(met)}; not by {and_words(failed)}."]


def coverage_sentences(made: Comparison) -> list[str]:
    """Whether the methods have the same objects, and on which they are ranked."""
    said = []
    if made.common_tables:
        low, high = (choose(made.methods, key=lambda method: method.coverage) for choose in (min, max))
        said.append(
            f"The methods cover different objects of the truth set, from {percent(low.coverage)} ({low.name}) to "
            f"{percent(high.coverage)} ({high.name}). Ranks are on the {made.n_common:,} objects that all "
            "ranked methods have, and a table shows the metrics of these; all else is of each method's own objects."
        )
    said += [f"{name} is not ranked: {why}." for name, why in made.unranked.items()]
    return said


def beside_controls(method: MethodResult, controls: Sequence[MethodResult]) -> list[str]:
    """The scatter of a method beside that of the controls."""
    own = key_row(method.table, "sigma_nmad")
    said = []
    for control in controls:
        other = key_row(control.table, "sigma_nmad")
        if own is None or other is None or method.is_control:
            continue
        said.append(f"{control.name} {format_number(other.value)}")
    return [f"Scatter (\N{GREEK SMALL LETTER SIGMA} NMAD) of the controls: {', '.join(said)}."] if said else []
