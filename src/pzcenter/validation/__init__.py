"""How good a photo-z result is: metrics with errors, figures, and the quality report.

``collect_sample`` reads PDFs with known redshifts once; ``evaluate`` makes the metric table of it, ``save_plots`` the
figures, ``make_report`` the page that holds all of it. ``compare`` does all of that for many submissions at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .evaluate import evaluate
from .metric_info import METRICS, MetricInfo
from .plots import save_plots
from .report import RunFacts, make_report
from .requirements import REQUIREMENTS, Requirement, Selection
from .sample import PdfChunk, ValidationSample, collect_sample
from .summary import summary_sentences
from .table import MetricRow, MetricTable, Verdict

if TYPE_CHECKING:
    from .comparison import (
        Comparison,
        ComparisonSettings,
        compare,
        comparison_report_html,
        load_comparison_settings,
        submission_report_html,
    )

__all__ = [
    "METRICS",
    "REQUIREMENTS",
    "Comparison",
    "ComparisonSettings",
    "MetricInfo",
    "MetricRow",
    "MetricTable",
    "PdfChunk",
    "Requirement",
    "RunFacts",
    "Selection",
    "ValidationSample",
    "Verdict",
    "collect_sample",
    "compare",
    "comparison_report_html",
    "evaluate",
    "load_comparison_settings",
    "make_report",
    "save_plots",
    "submission_report_html",
    "summary_sentences",
]

_LATE = (
    "Comparison",
    "ComparisonSettings",
    "compare",
    "comparison_report_html",
    "load_comparison_settings",
    "submission_report_html",
)
"""Names of ``comparison``, which reads catalogues and runs estimators: imported when they are asked for."""


def __getattr__(name: str) -> Any:
    if name not in _LATE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from . import comparison

    return getattr(comparison, name)
