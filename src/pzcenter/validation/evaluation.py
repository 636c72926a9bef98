"""From a sample with known redshifts to the metric table: every metric, with its error, overall and in bins."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from pzcenter.errors import ConfigError
from pzcenter.schema import PZ
from pzcenter.science import metrics

from .bootstrap import Bootstrap, Statistic
from .requirements import REQUIREMENTS, SELECTIONS
from .sample import POINTS, PdfChunk, ValidationSample, collect_sample
from .table import MetricRow, MetricTable, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from .requirements import Selection

__all__ = ["TOMOGRAPHIC_EDGES", "default_mag_edges", "default_z_edges", "evaluate"]

# Lens bins of year 1 of the DESC Science Requirements Document, and one for all that lies behind them.
TOMOGRAPHIC_EDGES = (0.2, 0.4, 0.6, 0.8, 1.0, 1.2, 3.0)
MIN_BIN_OBJECTS = 20  # a bin with fewer has no numbers
# Rows of one resample at most. The precision of an error comes from the number of resamples, not from these.
_BOOTSTRAP_ROWS = 5_000
_BOOTSTRAP_ROWS_BIN = 1_000


def evaluate(
    source: ValidationSample | PZ | PdfChunk | Iterable[PdfChunk],
    z_spec: NDArray[np.float64] | None = None,
    *,
    points: Mapping[str, NDArray[np.floating]] | None = None,
    mag: NDArray[np.floating] | None = None,
    mag_band: str | None = None,
    z_edges: Sequence[float] | None = None,
    mag_edges: Sequence[float] | None = None,
    tomographic_edges: Sequence[float] = TOMOGRAPHIC_EDGES,
    n_bootstrap: int = 100,
    seed: int = 0,
) -> MetricTable:
    """Hold redshift PDFs and point estimates against known redshifts.

    Parameters
    ----------
    source : ValidationSample, PZ, PdfChunk, or iterable of PdfChunk
        What to test. An iterable is read once and may hold any number of objects.
    z_spec : ndarray, (n_obj,), optional
        True redshifts, needed with a ``PZ``; the other sources bring their own.
    points : mapping of str to ndarray, (n_obj,), optional
        With a ``PZ``: its published point estimates; computed from the PDFs where not given.
    mag : ndarray, (n_obj,), optional
        With a ``PZ``: AB magnitudes in ``mag_band``.
    mag_band : str, optional
        Band of the magnitudes.
    z_edges, mag_edges : sequence of float, optional
        Edges of the bins in ``z_spec`` and in magnitude; chosen from the sample when not given.
    tomographic_edges : sequence of float
        Edges in ``z_best`` of the bins whose n(z) is tested.
    n_bootstrap : int
        Resamples for the errors; 0 gives NaN errors where there is no formula.
    seed : int
        Of the resampling: the same seed gives the same errors.

    Returns
    -------
    MetricTable

    Raises
    ------
    ConfigError
        ``z_spec`` is missing or not wanted, edges do not increase, or ``n_bootstrap`` is negative.
    EmptyTableError
        No object has both a true redshift and an estimate.

    Notes
    -----
    Errors of CDE loss, CRPS and log score are those of a mean; those of all other metrics are bootstrap errors
    (:mod:`pzcenter.validation.bootstrap`).
    """
    if n_bootstrap < 0:
        raise ConfigError(f"n_bootstrap must not be negative; got {n_bootstrap}")
    sample = _as_sample(source, z_spec, points=points, mag=mag, mag_band=mag_band)
    bootstrap = Bootstrap(n_bootstrap, seed=seed)
    everything = np.ones(sample.n_obj, dtype=bool)
    rows = _metric_rows(sample, everything, _Place("all"), bootstrap)
    rows += _binned_rows(
        sample, "z_spec", sample.z_spec, default_z_edges(sample) if z_edges is None else z_edges, bootstrap
    )
    if sample.mag is not None:
        rows += _binned_rows(
            sample, "mag", sample.mag, default_mag_edges(sample) if mag_edges is None else mag_edges, bootstrap
        )
    rows += _nz_rows(sample, tomographic_edges)
    verdicts: list[Verdict] = []
    for selection in SELECTIONS:
        chosen = selection.rows(sample.z_spec, sample.mag, sample.mag_band)
        found = _metric_rows(sample, chosen, _Place("selection", selection=selection.name), bootstrap)
        rows += found
        verdicts += _verdicts(selection, found, sample.mag_band)
    return MetricTable(tuple(rows), tuple(verdicts))


def default_z_edges(sample: ValidationSample) -> NDArray[np.float64]:
    """Edges of ten or so bins in ``z_spec`` that cover the sample: multiples of 0.1, 0.2, 0.25 or 0.5."""
    return _round_edges(*np.percentile(sample.z_spec, (0.1, 99.9)), steps=(0.1, 0.2, 0.25, 0.5))


def default_mag_edges(sample: ValidationSample) -> NDArray[np.float64]:
    """Edges of ten or so bins in magnitude that cover the sample: multiples of 0.25, 0.5 or 1.

    Raises
    ------
    ConfigError
        The sample has no magnitudes.
    """
    if sample.mag is None or not np.isfinite(sample.mag).any():
        raise ConfigError("the sample has no magnitudes to bin in")
    return _round_edges(*np.nanpercentile(sample.mag, (0.5, 99.9)), steps=(0.25, 0.5, 1.0))


def _round_edges(low: float, high: float, *, steps: Sequence[float]) -> NDArray[np.float64]:
    step = next((step for step in steps if (high - low) / step <= 13), steps[-1])
    first, last = np.floor(low / step), np.ceil(high / step)
    return np.arange(first, max(last, first + 1) + 1) * step


def _as_sample(
    source: ValidationSample | PZ | PdfChunk | Iterable[PdfChunk],
    z_spec: NDArray[np.float64] | None,
    *,
    points: Mapping[str, NDArray[np.floating]] | None,
    mag: NDArray[np.floating] | None,
    mag_band: str | None,
) -> ValidationSample:
    if isinstance(source, PZ):
        if z_spec is None:
            raise ConfigError("z_spec is needed with a PZ: one true redshift per object, NaN where unknown")
        return collect_sample([PdfChunk.from_pz(source, z_spec, points=points, mag=mag)], mag_band=mag_band)
    if z_spec is not None or points is not None or mag is not None:
        raise ConfigError("z_spec, points and mag go with a PZ; chunks and samples bring their own")
    if isinstance(source, ValidationSample):
        return source
    return collect_sample([source] if isinstance(source, PdfChunk) else source, mag_band=mag_band)


@dataclass(frozen=True)
class _Place:
    """Where in the table a group of rows stands."""

    axis: str
    bin_low: float | None = None
    bin_high: float | None = None
    selection: str = ""

    @property
    def is_bin(self) -> bool:
        """Whether it is a bin of an axis."""
        return self.bin_low is not None


def _statistics(sample: ValidationSample, chosen: NDArray[np.bool_]) -> list[Statistic]:
    """Every metric of the objects ``chosen``, ready to be computed."""
    z_spec, pit = sample.z_spec[chosen], sample.pit[chosen]
    found = []
    for point in POINTS:
        z_phot = sample.points[point][chosen]
        found += [
            Statistic(name, point, (z_phot, z_spec), getattr(metrics, name))
            for name in ("bias", "sigma_nmad", "sigma_iqr", "outlier_fraction", "outlier_fraction_3sigma")
        ]
    found += [
        Statistic("pit_ks", "pdf", (pit,), metrics.pit_ks),
        Statistic("pit_cvm", "pdf", (pit,), metrics.pit_cvm, error_power=0.5),  # a sum: it grows with the sample
        Statistic("pit_outlier_rate", "pdf", (pit,), metrics.pit_outlier_rate),
    ]
    found += [
        Statistic(f"coverage_{percent}", "pdf", (pit,), partial(metrics.coverage, level=percent / 100))
        for percent in (68, 95)
    ]
    means = {"cde_loss": sample.cde[chosen], "crps": sample.crps[chosen], "log_score": sample.log_score[chosen]}
    found += [Statistic(name, "pdf", (column,), _mean, is_mean=True) for name, column in means.items()]
    return found


def _mean(column: NDArray[np.float64]) -> float:
    return float(np.mean(column))


def _metric_rows(
    sample: ValidationSample,
    chosen: NDArray[np.bool_],
    place: _Place,
    bootstrap: Bootstrap,
) -> list[MetricRow]:
    """All metrics of the objects ``chosen``, as rows of the table."""
    n_obj = int(np.count_nonzero(chosen))
    statistics = _statistics(sample, chosen)
    if n_obj < (1 if place.axis == "all" else MIN_BIN_OBJECTS):
        values = errors = [np.nan] * len(statistics)
    else:
        values = [statistic.value for statistic in statistics]
        errors = bootstrap.errors(statistics, max_rows=_BOOTSTRAP_ROWS_BIN if place.is_bin else _BOOTSTRAP_ROWS)
    return [
        MetricRow(
            statistic.metric,
            statistic.point,
            place.axis,
            value,
            error,
            n_obj,
            place.bin_low,
            place.bin_high,
            place.selection,
        )
        for statistic, value, error in zip(statistics, values, errors, strict=True)
    ]


def _binned_rows(
    sample: ValidationSample,
    axis: str,
    column: NDArray[np.float64],
    edges: Sequence[float] | NDArray[np.float64],
    bootstrap: Bootstrap,
) -> list[MetricRow]:
    """All metrics in each bin of ``axis``, whose values are in ``column``."""
    bins = np.asarray(edges, dtype=np.float64)
    _check_edges(axis, bins)
    rows: list[MetricRow] = []
    for low, high in pairwise(bins):
        place = _Place(axis, float(low), float(high))
        rows += _metric_rows(sample, (column >= low) & (column < high), place, bootstrap)
    return rows


def _nz_rows(sample: ValidationSample, edges: Sequence[float]) -> list[MetricRow]:
    """Shift of the mean redshift of each tomographic bin, with its standard error."""
    bins = np.asarray(edges, dtype=np.float64)
    _check_edges("tomographic", bins)
    rows = []
    for low, high in pairwise(bins):
        chosen = (sample.points["z_best"] >= low) & (sample.points["z_best"] < high)
        n_obj = int(np.count_nonzero(chosen))
        value = error = np.nan
        if n_obj >= MIN_BIN_OBJECTS:
            difference = sample.pdf_mean[chosen] - sample.z_spec[chosen]
            scale = 1.0 + np.mean(sample.z_spec[chosen])
            value, error = np.mean(difference) / scale, np.std(difference, ddof=1) / np.sqrt(n_obj) / scale
        rows.append(
            MetricRow("nz_mean_shift", "pdf", "tomographic", float(value), float(error), n_obj, float(low), float(high))
        )
    return rows


def _check_edges(axis: str, edges: NDArray[np.float64]) -> None:
    if edges.ndim != 1 or edges.size < 2 or not np.all(np.diff(edges) > 0):
        raise ConfigError(f"edges of the bins in {axis} must increase, at least two of them; got {edges.tolist()}")


def _verdicts(selection: Selection, rows: list[MetricRow], mag_band: str | None) -> list[Verdict]:
    """Hold the requirements of one selection against its rows, on the first point estimate."""
    sample = selection.words(mag_band)
    return [
        Verdict(requirement, row, sample)
        for requirement in REQUIREMENTS
        if requirement.selection is selection
        for row in rows
        if row.metric == requirement.metric and row.point == POINTS[0]
    ]
