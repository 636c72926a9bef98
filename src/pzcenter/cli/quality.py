"""The quality numbers of a run as tables on the screen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.markup import escape

from pzcenter.cli.screen import plain_table, stdout

if TYPE_CHECKING:
    from pzcenter.validation import MetricTable

__all__ = ["metrics_json", "print_metrics"]

KEY_METRICS = {
    "bias": "z_best",
    "sigma_nmad": "z_best",
    "outlier_fraction": "z_best",
    "coverage_68": None,
    "pit_ks": None,
    "cde_loss": None,
    "crps": None,
}
"""Metrics to show, and the point estimate of those that are made from one."""
_STYLES = {True: "green", False: "yellow", None: "dim"}


def print_metrics(metrics: MetricTable) -> None:
    """Key metrics with their errors, then the requirement lines."""
    from pzcenter.validation import METRICS
    from pzcenter.validation.table import format_number

    n_obj = metrics.row("bias", point="z_best").n_obj
    table = plain_table(f"Quality, {n_obj:,} objects of known redshift", metric="left", value="right", error="right",
                        perfect="left", definition="left")  # fmt: skip
    for name, point in KEY_METRICS.items():
        row, info = metrics.row(name, point=point), METRICS[name]
        cells = (info.title, format_number(row.value), f"± {format_number(row.error)}", info.ideal, info.definition)
        table.add_row(*(escape(cell) for cell in cells))
    stdout().print(table)
    if not metrics.verdicts:
        return
    lines = plain_table("Requirements", requirement="left", on="left", value="right", error="right", verdict="left")
    for verdict in metrics.verdicts:
        words = f"{verdict.requirement.selection.title}: {verdict.requirement.words}"
        lines.add_row(
            escape(words),
            escape(verdict.sample),
            format_number(verdict.row.value),
            f"± {format_number(verdict.row.error)}",
            f"[{_STYLES[verdict.met]}]{escape(verdict.words)}[/]",
        )
    stdout().print()
    stdout().print(lines)


def metrics_json(metrics: MetricTable) -> dict[str, Any]:
    """Key metrics and requirements as plain values."""
    values = {}
    for name, point in KEY_METRICS.items():
        row = metrics.row(name, point=point)
        values[name] = {"value": row.value, "error": row.error, "of": row.point, "n_obj": row.n_obj}
    requirements = [
        {
            "requirement": f"{verdict.requirement.selection.title}: {verdict.requirement.words}",
            "sample": verdict.sample,
            "value": verdict.row.value,
            "error": verdict.row.error,
            "met": verdict.met,
        }
        for verdict in metrics.verdicts
    ]
    return {"metrics": values, "requirements": requirements}
