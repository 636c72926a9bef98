"""The metric table: what came out of a validation, one number per row, with its error."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any

from pzcenter.errors import NotFoundError

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa

    from .requirements import Requirement

__all__ = ["MetricRow", "MetricTable", "Verdict", "format_number", "plain_json"]


def format_number(value: float, *, digits: int = 4, signed: bool = False) -> str:
    """Write a number for people: a true minus sign, a dash where it is not defined.

    Parameters
    ----------
    value : float
    digits : int
        After the decimal point.
    signed : bool
        Whether a positive number gets a plus sign.

    Returns
    -------
    str
    """
    if math.isnan(value):
        return "\N{EN DASH}"
    return f"{value:{'+' if signed else ''}.{digits}f}".replace("-", "\N{MINUS SIGN}")


@dataclass(frozen=True)
class MetricRow:
    """One metric on one part of a sample.

    Parameters
    ----------
    metric : str
        Name, such as ``sigma_nmad``.
    point : str
        Point estimate it is made from, such as ``z_best``; ``pdf`` for metrics of the whole p(z).
    axis : str
        ``all``; ``z_spec``, ``mag`` or ``tomographic`` for a bin; ``selection`` for the sample of a requirement.
    value : float
        NaN where it is not defined, such as in a bin with too few objects.
    error : float
        One standard error.
    n_obj : int
        Objects it is made from.
    bin_low, bin_high : float, optional
        Edges, for bins.
    selection : str
        Name of a selection; empty for the other axes.
    """

    metric: str
    point: str
    axis: str
    value: float
    error: float
    n_obj: int
    bin_low: float | None = None
    bin_high: float | None = None
    selection: str = ""


@dataclass(frozen=True)
class Verdict:
    """A requirement beside what was measured.

    Parameters
    ----------
    requirement : Requirement
    row : MetricRow
        The measurement that it was held against.
    sample : str
        On which objects, as text.
    """

    requirement: Requirement
    row: MetricRow
    sample: str

    @property
    def met(self) -> bool | None:
        """Whether the requirement is met; None where it could not be measured."""
        if math.isnan(self.row.value):
            return None
        return abs(self.row.value) < self.requirement.limit

    @property
    def is_close(self) -> bool:
        """Whether the limit lies within two standard errors of the value."""
        return abs(abs(self.row.value) - self.requirement.limit) < 2.0 * self.row.error

    @property
    def words(self) -> str:
        """``met``, ``not met`` or ``not tested``, and whether it could have gone the other way."""
        if self.met is None:
            return "not tested"
        answer = "met" if self.met else "not met"
        return f"{answer}, within the error" if self.is_close else answer


@dataclass(frozen=True)
class MetricTable:
    """All metrics of a validation.

    Parameters
    ----------
    rows : tuple of MetricRow
    verdicts : tuple of Verdict
        The requirements that were tested.
    """

    rows: tuple[MetricRow, ...]
    verdicts: tuple[Verdict, ...] = ()

    def __iter__(self) -> Iterator[MetricRow]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    def select(
        self,
        *,
        metric: str | None = None,
        point: str | None = None,
        axis: str | None = None,
        selection: str | None = None,
    ) -> tuple[MetricRow, ...]:
        """Rows that agree with everything that is given, in the order of the table."""
        wanted = {"metric": metric, "point": point, "axis": axis, "selection": selection}
        asked = {name: value for name, value in wanted.items() if value is not None}
        return tuple(row for row in self.rows if all(getattr(row, name) == value for name, value in asked.items()))

    def row(self, metric: str, *, point: str | None = None) -> MetricRow:
        """The row of one metric on the whole sample; metrics of the PDF need no ``point``.

        Raises
        ------
        NotFoundError
            There is not exactly one such row.
        """
        found = self.select(metric=metric, point=point, axis="all")
        if len(found) != 1:
            known = sorted({(row.metric, row.point) for row in self.select(axis="all")})
            raise NotFoundError(f"no single metric {metric!r} of {point or 'pdf'!r} in this table, which has {known}")
        return found[0]

    def value(self, metric: str, *, point: str | None = None) -> float:
        """Value of one metric on the whole sample; see :meth:`row`."""
        return self.row(metric, point=point).value

    def to_arrow(self) -> pa.Table:
        """One Arrow row per metric row; NaN stays NaN, an edge that does not apply is null."""
        import pyarrow as pa

        schema = pa.schema(
            [
                pa.field("metric", pa.string(), nullable=False),
                pa.field("point", pa.string(), nullable=False),
                pa.field("axis", pa.string(), nullable=False),
                pa.field("value", pa.float64(), nullable=False),
                pa.field("error", pa.float64(), nullable=False),
                pa.field("n_obj", pa.int64(), nullable=False),
                pa.field("bin_low", pa.float64()),
                pa.field("bin_high", pa.float64()),
                pa.field("selection", pa.string(), nullable=False),
            ]
        )
        return pa.table(
            {name.name: [getattr(row, name.name) for row in self.rows] for name in fields(MetricRow)}, schema=schema
        )

    def to_json(self) -> str:
        """Rows and verdicts as strict JSON: numbers that are not defined are null."""
        verdicts = [
            {
                "selection": verdict.requirement.selection.name,
                "source": verdict.requirement.selection.source,
                "sample": verdict.sample,
                "requirement": verdict.requirement.words,
                "metric": verdict.requirement.metric,
                "limit": verdict.requirement.limit,
                "value": verdict.row.value,
                "error": verdict.row.error,
                "n_obj": verdict.row.n_obj,
                "verdict": verdict.words,
            }
            for verdict in self.verdicts
        ]
        content = {"metrics": [asdict(row) for row in self.rows], "requirements": verdicts}
        return plain_json(content)

    def to_markdown(self) -> str:
        """Metrics of the whole sample, and the requirements, as two Markdown tables."""
        lines = ["| metric | of | value | error | objects |", "|---|---|---:|---:|---:|"]
        lines += [
            f"| {row.metric} | {row.point} | {format_number(row.value)} | {format_number(row.error)} | {row.n_obj:,} |"
            for row in self.select(axis="all")
        ]
        if self.verdicts:
            lines += ["", "| requirement | sample | value | error | verdict |", "|---|---|---:|---:|---|"]
            lines += [
                f"| {verdict.requirement.selection.title}: {verdict.requirement.words} | {verdict.sample} "
                f"| {format_number(verdict.row.value)} | {format_number(verdict.row.error)} | {verdict.words} |"
                for verdict in self.verdicts
            ]
        return "\n".join(lines) + "\n"


def plain_json(content: Any) -> str:
    """Strict JSON of plain values: numbers that are not defined are null."""
    return json.dumps(_without_nan(content), indent=1, allow_nan=False)


def _without_nan(content: Any) -> Any:
    if isinstance(content, float):
        return content if math.isfinite(content) else None
    if isinstance(content, dict):
        return {key: _without_nan(value) for key, value in content.items()}
    if isinstance(content, list | tuple):
        return [_without_nan(value) for value in content]
    return content
