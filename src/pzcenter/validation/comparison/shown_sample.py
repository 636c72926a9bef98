"""The numbers of a scored method as the figures of a single validation take them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from pzcenter.validation.sample import ValidationSample
from pzcenter.validation.streamed_metrics import STACK_STEP

if TYPE_CHECKING:
    from pzcenter.validation.streamed_metrics import ObjectScores
    from pzcenter.validation.table import MetricTable

    from .kept import KeptDensities

__all__ = ["shown_sample", "shown_table"]

SHOWN_BINS = "lens_y1"
"""Tomographic bins of the figures of n(z)."""


def shown_sample(scores: ObjectScores, kept: KeptDensities, mag_band: str | None) -> ValidationSample:
    """A sample for figures and sentences; columns of p(z) are empty for point estimates only.

    Parameters
    ----------
    scores : ObjectScores
    kept : KeptDensities
        Of the same method.
    mag_band : str or None

    Returns
    -------
    ValidationSample
    """
    nothing = np.empty(0)
    column = {name: np.asarray(scores.pdf.get(name, nothing), dtype=np.float64) for name in _COLUMNS}
    has_pdf = bool(scores.pdf)
    top = max(float(scores.z_spec.max()), float(scores.points["z_best"].max()))
    return ValidationSample(
        z_grid=scores.z_grid if has_pdf else np.linspace(0.0, max(top, 0.1), 301),
        z_spec=scores.z_spec,
        points=scores.points,
        pit=column["pit"],
        cde=column["cde_loss"],
        crps=column["crps"],
        log_score=column["log_score"],
        pdf_mean=column["pdf_mean"],
        mag=scores.covariates.get("mag"),
        mag_band=mag_band if "mag" in scores.covariates else None,
        ra=None,
        dec=None,
        stack=scores.stack,
        stack_edges=np.arange(scores.stack.shape[0] + 1) * STACK_STEP,
        examples=kept.examples,
        n_in=scores.n_in,
        n_no_truth=scores.n_no_truth,
        n_no_estimate=scores.n_no_estimate,
        flag_counts={},
        seconds=float("nan"),
    )


_COLUMNS = ("pit", "cde_loss", "crps", "log_score", "pdf_mean")


def shown_table(table: MetricTable) -> MetricTable:
    """The same without the n(z) of bins that figures have no room for."""
    rows = tuple(row for row in table.rows if row.metric != "nz_mean_shift" or row.axis == SHOWN_BINS)
    return replace(table, rows=rows)
