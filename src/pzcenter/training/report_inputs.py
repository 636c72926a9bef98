"""What a report is made of: tables, and reports of the steps as objects or as read from ``report.json``."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from pzcenter.errors import UsageError
from pzcenter.training.coverage_report import CoverageReport, Region
from pzcenter.training.plots.columns import bands_of
from pzcenter.training.select import CutCount, SelectionReport
from pzcenter.training.split import SplitReport
from pzcenter.training.subsample import SubsampleReport
from pzcenter.training.target_chunks import names_of, random_rows

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import ArrayLike

    from pzcenter.training.target_chunks import Target

__all__ = ["ReportInputs", "report_inputs"]

TARGET_ROWS = 200_000
"""Rows of the target that are drawn for the figures; its numbers come from the coverage."""


@dataclass(frozen=True, eq=False)
class ReportInputs:
    """Inputs of a report; what is None is left out.

    Parameters
    ----------
    redshifts, training : pa.Table or None
    target : pa.Table or None
        Random rows of it.
    n_target : int
        Objects of the target.
    combine, match : dict or None
    selection : SelectionReport or None
    split : SplitReport or None
    subsamples : list of SubsampleReport
    coverage : CoverageReport or None
    separations : ndarray or None
        Arcsec.
    separation_counts : tuple of ndarray or None
        Counts and edges, in place of the distances.
    notes : tuple of str
        Shown among the warnings.
    """

    redshifts: pa.Table | None
    training: pa.Table | None
    target: pa.Table | None
    n_target: int
    combine: dict[str, Any] | None
    match: dict[str, Any] | None
    selection: SelectionReport | None
    split: SplitReport | None
    subsamples: list[SubsampleReport]
    coverage: CoverageReport | None
    separations: np.ndarray[Any, Any] | None = None
    separation_counts: tuple[ArrayLike, ArrayLike] | None = None
    notes: tuple[str, ...] = ()


def report_inputs(
    *,
    redshifts: pa.Table | None = None,
    training: pa.Table | None = None,
    target: Target | None = None,
    combine: Any = None,
    match: Any = None,
    selection: Any = None,
    split: Any = None,
    subsample: Any = None,
    coverage: Any = None,
    separations: ArrayLike | Mapping[str, Any] | None = None,
    notes: Sequence[str] = (),
) -> ReportInputs:
    """Bring everything into one form.

    Parameters
    ----------
    redshifts, training : pa.Table, optional
    target : Target, optional
        A table, or a function that gives its pieces; read once.
    combine, match, selection, split, subsample, coverage : object or mapping, optional
        Reports of the steps, or what their ``as_dict()`` gave; ``subsample`` may be a list of them.
    separations : array_like or mapping, optional
        Distances of all matches, arcsec, or ``counts`` and ``edges_arcsec`` of their histogram; those of the training
        set by default.
    notes : sequence of str
        Shown among the warnings.

    Returns
    -------
    ReportInputs

    Raises
    ------
    UsageError
        Something that is no such report.
    """
    sample, n_target = (None, 0) if target is None else _sample(target)
    several = subsample if isinstance(subsample, list | tuple) else [] if subsample is None else [subsample]
    distances, counts = _separations(separations, training)
    return ReportInputs(
        redshifts, training, sample, n_target,
        _as_dict(combine, "combine", ("sources", "n_read", "n_kept")),
        _as_dict(match, "match", ("n_positions", "n_matched", "radius_arcsec")),
        _selection(selection), _rebuilt(SplitReport, split, "split"),
        [_rebuilt(SubsampleReport, each, "subsample") for each in several], _coverage(coverage), distances, counts,
        tuple(notes),
    )  # fmt: skip


def _sample(target: Target) -> tuple[pa.Table, int]:
    if isinstance(target, pa.Table) and not target.num_rows:
        return target, 0
    names = names_of(target)
    wanted = [f"flux_{band}" for band in bands_of(pa.table({name: pa.array([], pa.float64()) for name in names}))]
    wanted += [name for name in ("ra", "dec") if name in names]
    if not wanted:
        raise UsageError("the target has neither positions nor fluxes: " + ", ".join(names))
    return random_rows(target, wanted, TARGET_ROWS, seed=0)


def _separations(
    given: ArrayLike | Mapping[str, Any] | None, training: pa.Table | None
) -> tuple[np.ndarray[Any, Any] | None, tuple[ArrayLike, ArrayLike] | None]:
    if isinstance(given, dict):
        return None, (given["counts"], given["edges_arcsec"])
    if given is not None:
        return np.asarray(given, dtype=np.float64), None
    if training is not None and "separation_arcsec" in training.column_names:
        return np.asarray(training.column("separation_arcsec").to_numpy(), dtype=np.float64), None
    return None, None


def _as_dict(report: Any, name: str, needed: Iterable[str]) -> dict[str, Any] | None:
    if report is None:
        return None
    content = report.as_dict() if hasattr(report, "as_dict") else report
    if not isinstance(content, dict) or not set(needed) <= set(content):
        raise UsageError(f"{name} must be the report of that step, or its as_dict(); got {type(report).__name__}")
    return content


def _rebuilt(kind: type[Any], report: Any, name: str) -> Any:
    """Report as an object of its class."""
    if report is None or isinstance(report, kind):
        return report
    names = [item.name for item in fields(kind)]
    content = _as_dict(report, name, names) or {}
    return kind(**{each: content[each] for each in names})


def _selection(report: Any) -> SelectionReport | None:
    if report is None or isinstance(report, SelectionReport):
        return report
    content = _as_dict(report, "selection", [item.name for item in fields(SelectionReport)]) or {}
    cuts = tuple(CutCount(**each) for each in content["cuts"])
    return SelectionReport(content["n_in"], content["n_out"], cuts, tuple(content["absent_surveys"]))


def _coverage(report: Any) -> CoverageReport | None:
    if report is None or isinstance(report, CoverageReport):
        return report
    names = [item.name for item in fields(CoverageReport)]
    content = dict(_as_dict(report, "coverage", names) or {})
    for name in names:
        if name.startswith(("cell_", "distance_", "mag_")) and name != "mag_band":
            content[name] = np.array([np.nan if each is None else each for each in content[name]])
            if name == "cell_mag":
                content[name] = np.array(content[name], dtype=np.float64)
    regions = tuple(_region(each) for each in content["regions"])
    content |= {"bands": tuple(content["bands"]), "shape": tuple(content["shape"]), "regions": regions}
    return CoverageReport(**{name: content[name] for name in names})


def _region(content: Mapping[str, Any]) -> Region:
    kept = {item.name: content[item.name] for item in fields(Region)}
    kept["cell"] = tuple(kept["cell"])
    return Region(**kept)
