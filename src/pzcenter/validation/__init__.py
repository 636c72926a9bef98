"""How good a photo-z result is: metrics with errors, figures, and the quality report.

``collect_sample`` reads PDFs with known redshifts once; ``evaluate`` makes the metric table of it, ``save_plots`` the
figures, ``make_report`` the page that holds all of it. ``compare`` does all of that for many submissions at once.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .comparison import (
        Comparison,
        ComparisonSettings,
        compare,
        comparison_report_html,
        load_comparison_settings,
        submission_report_html,
    )
    from .evaluation import evaluate
    from .metric_info import METRICS, MetricInfo
    from .plots import save_plots
    from .report import RunFacts, make_report
    from .requirements import REQUIREMENTS, Requirement, Selection
    from .sample import PdfChunk, ValidationSample, collect_sample
    from .summary import summary_sentences
    from .table import MetricRow, MetricTable, Verdict

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

_MODULES = {
    "comparison": (
        "Comparison", "ComparisonSettings", "compare", "comparison_report_html", "load_comparison_settings",
        "submission_report_html",
    ),
    "evaluation": ("evaluate",),
    "metric_info": ("METRICS", "MetricInfo"),
    "plots": ("save_plots",),
    "report": ("RunFacts", "make_report"),
    "requirements": ("REQUIREMENTS", "Requirement", "Selection"),
    "sample": ("PdfChunk", "ValidationSample", "collect_sample"),
    "summary": ("summary_sentences",),
    "table": ("MetricRow", "MetricTable", "Verdict"),
}  # fmt: skip
"""Where each name comes from: imported when it is asked for, so that readers of submissions load no figures."""


def __getattr__(name: str) -> Any:
    for module, names in _MODULES.items():
        if name in names:
            return getattr(import_module(f".{module}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
