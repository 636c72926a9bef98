"""A validation in plain words: a few sentences that follow from the numbers alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pzcenter.science.metrics.pdf import PIT_OUTLIER
from pzcenter.science.metrics.point import ABSOLUTE_OUTLIER

from .requirements import SELECTIONS
from .table import format_number

if TYPE_CHECKING:
    from .sample import ValidationSample
    from .table import MetricTable

__all__ = ["summary_sentences"]


def summary_sentences(sample: ValidationSample, table: MetricTable, *, point: str = "z_best") -> list[str]:
    """What a reader should take home, most important first.

    Parameters
    ----------
    sample : ValidationSample
    table : MetricTable
        Of the same sample.
    point : str
        Point estimate that the sentences speak of.

    Returns
    -------
    list of str
    """
    widths = [_calibration(table)] if table.select(metric="coverage_68", axis="all") else []
    return [_accuracy(sample, table, point), *widths, *_requirements(table)]


def _accuracy(sample: ValidationSample, table: MetricTable, point: str) -> str:
    half = float(np.median(np.abs(sample.delta_z(point))))
    outliers = table.value("outlier_fraction", point=point)
    bias = table.row("bias", point=point)
    offset = "no significant offset"
    if abs(bias.value) > 2.0 * bias.error:
        offset = f"a typical offset of {format_number(bias.value, signed=True)} (1+z)"
    return (
        f"Half of the {sample.n_obj:,} redshifts ({point}) are within {half:.4f} (1+z) of the truth, with {offset}; "
        f"{100 * outliers:.1f} % are wrong by more than {ABSOLUTE_OUTLIER:g} (1+z)."
    )


def _calibration(table: MetricTable) -> str:
    inside, error = table.value("coverage_68"), table.row("coverage_68").error
    difference = inside - 0.68
    if abs(difference) < max(2.0 * error, 0.02):
        width = "The PDFs have the right width for most objects"
    else:
        degree = "slightly" if abs(difference) < 0.08 else "much"
        width = f"The PDFs are {degree} too {'wide' if difference > 0 else 'narrow'}"
    outside = table.value("pit_outlier_rate")
    tails = (
        f"but {100 * outside:.1f} % of the true redshifts lie outside the PDF, "
        f"where {200 * PIT_OUTLIER:.2g} % are expected"
        if outside > 20 * PIT_OUTLIER
        else "and next to no true redshift lies outside the PDF"
    )
    return f"{width}: their 68 % intervals hold the truth {100 * inside:.0f} % of the time, {tails}."


def _all(number: int) -> str:
    return {1: "its", 2: "both", 3: "all three"}.get(number, f"all {number}")


def _requirements(table: MetricTable) -> list[str]:
    sentences = []
    for selection in SELECTIONS:
        verdicts = [verdict for verdict in table.verdicts if verdict.requirement.selection == selection]
        tested = [verdict for verdict in verdicts if verdict.met is not None]
        if not tested:
            continue
        failed = [verdict.requirement.words for verdict in tested if not verdict.met]
        of = f"{selection.title} ({verdicts[0].sample})"
        if not failed:
            sentences.append(f"The {of} is met in {_all(len(tested))} points.")
        elif len(failed) == len(tested):
            sentences.append(f"The {of} is not met.")
        else:
            sentences.append(f"The {of} is not met in {len(failed)} of {len(tested)} points: {'; '.join(failed)}.")
    return sentences
