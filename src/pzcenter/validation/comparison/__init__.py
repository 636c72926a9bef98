"""Many methods on one truth set: read, scored, ranked and reported by one call."""

from __future__ import annotations

from .compare import compare
from .html import comparison_report_html, submission_report_html
from .results import Comparison, Failure, MethodFacts, MethodResult
from .settings import ComparisonSettings, SubmissionSettings, checked_settings, load_comparison_settings
from .truth import TruthSet, read_truth

__all__ = [
    "Comparison",
    "ComparisonSettings",
    "Failure",
    "MethodFacts",
    "MethodResult",
    "SubmissionSettings",
    "TruthSet",
    "checked_settings",
    "compare",
    "comparison_report_html",
    "load_comparison_settings",
    "read_truth",
    "submission_report_html",
]
