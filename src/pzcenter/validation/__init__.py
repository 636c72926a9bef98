"""How good a photo-z result is: metrics with errors, figures, and the quality report.

``collect_sample`` reads PDFs with known redshifts once; ``evaluate`` makes the metric table of it, ``save_plots`` the
figures, ``make_report`` the page that holds all of it.
"""

from __future__ import annotations

from .evaluate import evaluate
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
    "evaluate",
    "make_report",
    "save_plots",
    "summary_sentences",
]
