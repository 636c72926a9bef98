"""n(z) and purity of tomographic bins: stacked p(z) beside the true redshifts, bin by bin."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pzcenter.errors import ConfigError
from pzcenter.science import metrics

from .evaluation import MIN_BIN_OBJECTS
from .metric_resamples import Resampler
from .streamed_metrics import ROUNDING, STACK_STEP
from .table import MetricRow

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from .streamed_metrics import ObjectScores

__all__ = ["LENS_Y1", "LENS_Y10", "TomographicBins", "default_bins", "nz_rows", "source_bins", "tomography_rows"]

CELL = 0.05
"""Width of the cells of redshift in which information is counted."""

_FINE = 0.002


@dataclass(frozen=True)
class TomographicBins:
    """Bins in a point estimate.

    Parameters
    ----------
    name : str
        As in the ``axis`` column of a metric table.
    title : str
        For people.
    edges : tuple of float
        Increasing multiples of 0.01.
    point : str
        Point estimate by which objects are assigned. n(z) is that of ``z_best``.

    Raises
    ------
    ConfigError
        The edges do not increase.
    """

    name: str
    title: str
    edges: tuple[float, ...]
    point: str = "z_best"

    def __post_init__(self) -> None:
        if len(self.edges) < 2 or not np.all(np.diff(self.edges) > 0):
            raise ConfigError(f"edges of {self.name} must increase, at least two of them; got {list(self.edges)}")

    @property
    def n_bin(self) -> int:
        """Number of bins."""
        return len(self.edges) - 1


LENS_Y1 = TomographicBins("lens_y1", "DESC SRD lens bins, year 1", tuple(round(0.2 + 0.2 * i, 2) for i in range(6)))
LENS_Y10 = TomographicBins("lens_y10", "DESC SRD lens bins, year 10", tuple(round(0.2 + 0.1 * i, 2) for i in range(11)))


def source_bins(scores: ObjectScores, *, n_bin: int = 5) -> TomographicBins:
    """Bins of equal numbers of objects in ``z_best``, as the source bins of the DESC SRD, at multiples of 0.01.

    Fewer bins where the estimates pile up in too few places.
    """
    z_best = scores.points["z_best"]
    inner = np.quantile(z_best, np.arange(1, n_bin) / n_bin)
    top = max(float(z_best.max()) + STACK_STEP, STACK_STEP)
    edges = np.unique(np.round(np.array([min(0.0, z_best.min()), *inner, top]) / STACK_STEP).astype(np.int64))
    return TomographicBins("source", f"{n_bin} bins of equal numbers", tuple((edges * STACK_STEP).round(2).tolist()))


def default_bins(scores: ObjectScores) -> tuple[TomographicBins, ...]:
    """Lens bins of the DESC SRD for years 1 and 10, and five source bins."""
    return LENS_Y1, LENS_Y10, source_bins(scores)


def nz_rows(scores: ObjectScores, bins: TomographicBins, *, n_bootstrap: int = 100, seed: int = 0) -> list[MetricRow]:
    """How far the n(z) of each bin, the sum of its p(z), lies from the true redshifts of its objects.

    Parameters
    ----------
    scores : ObjectScores
        With scores of p(z).
    bins : TomographicBins
    n_bootstrap : int
        Resamples for the errors.
    seed : int

    Returns
    -------
    list of MetricRow
        ``nz_mean_shift, nz_width_shift, nz_wasserstein, nz_kl_bits`` of each bin; NaN for fewer than 20 objects.

    Notes
    -----
    The mean and the width of a sum of p(z) follow from the mean and the width of each, so that the bootstrap of the
    shifts needs no p(z). In that of the distance and of the information an object stands for the mean p(z) of its
    cell of ``z_best``, 0.01 wide.
    """
    if not scores.pdf:
        return []
    # An estimate on an edge, but for rounding, belongs to the cell above it, as in the sums of p(z).
    assigned = metrics.assign_bins(scores.points["z_best"] + ROUNDING * STACK_STEP, bins.edges)
    resampler = Resampler(n_bootstrap, seed=seed)
    rows = []
    for i, (low, high) in enumerate(zip(bins.edges[:-1], bins.edges[1:], strict=True)):
        chosen = np.flatnonzero(assigned == i)
        numbers = dict.fromkeys(("nz_mean_shift", "nz_width_shift", "nz_wasserstein", "nz_kl_bits"), (np.nan, np.nan))
        if chosen.size >= MIN_BIN_OBJECTS:
            label = f"{bins.name}/{low}"
            numbers = _shifts(scores, chosen, resampler, label)
            numbers |= _distances(scores, chosen, (low, high), resampler, label)
        rows += [
            MetricRow(name, "pdf", bins.name, value, error, int(chosen.size), low, high)
            for name, (value, error) in numbers.items()
        ]
    return rows


def _shifts(
    scores: ObjectScores, chosen: NDArray[np.int64], resampler: Resampler, label: str
) -> dict[str, tuple[float, float]]:
    truth = scores.z_spec[chosen]
    mean = scores.pdf["pdf_mean"][chosen].astype(np.float64)
    square = scores.pdf["pdf_std"][chosen].astype(np.float64) ** 2 + mean**2

    def shifts(rows: NDArray[np.integer]) -> dict[str, NDArray[np.float64]]:
        z, m, s = truth[rows], mean[rows].mean(axis=1), square[rows].mean(axis=1)
        scale = 1.0 + z.mean(axis=1)
        width = np.sqrt(np.maximum(s - m**2, 0.0)) - z.std(axis=1)
        return {"nz_mean_shift": (m - z.mean(axis=1)) / scale, "nz_width_shift": width / scale}

    errors = resampler.errors(truth.size, label, shifts)
    everything = shifts(np.arange(truth.size)[None])
    return {name: (float(value[0]), errors.get(name, np.nan)) for name, value in everything.items()}


def _distances(
    scores: ObjectScores, chosen: NDArray[np.int64], edges: tuple[float, float], resampler: Resampler, label: str
) -> dict[str, tuple[float, float]]:
    truth, z = scores.z_spec[chosen], scores.z_grid
    nz = scores.stacked_nz(*edges)
    low, high = min(z[0], float(truth.min())), max(z[-1], float(truth.max()))
    cells: NDArray[np.float64] = np.arange(np.floor(low / CELL), np.ceil(high / CELL + 1e-9) + 1) * CELL
    value = metrics.nz_wasserstein(nz, z, truth), metrics.nz_kl_bits(nz, z, truth, cells)
    error = (np.nan, np.nan)
    if resampler.n_resample > 1:
        drawn = chosen[resampler.draw(chosen.size, label)]
        distance, bits = _resampled_distances(scores, drawn, edges, cells)
        share = np.sqrt(drawn.shape[1] / chosen.size)
        error = float(share * distance.std(ddof=1)), float(share * bits.std(ddof=1))
    return {"nz_wasserstein": (value[0], error[0]), "nz_kl_bits": (value[1], error[1])}


def _resampled_distances(
    scores: ObjectScores, drawn: NDArray[np.int64], edges: tuple[float, float], cells: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Wasserstein distance and information of resamples, (n_resample,) each.

    An object brings its redshift, and for its p(z) the mean one of its cell of ``z_best``, 0.01 wide.
    """
    first, last = (round(edge / STACK_STEP) for edge in edges)
    steps_per_cell = round(CELL / _FINE)
    fine = cells[0] + np.arange((cells.size - 1) * steps_per_cell + 1) * _FINE
    cumulative = _cumulative_of_cells(scores, first, last, fine)
    cell = np.floor(scores.points["z_best"][drawn] / STACK_STEP + ROUNDING).astype(np.int64)
    cell = np.clip(cell - first, 0, last - first - 1)
    place = np.clip(((scores.z_spec[drawn] - fine[0]) / _FINE).astype(np.int64), 0, fine.size - 2)
    in_cell = np.array([np.bincount(row, minlength=last - first) for row in cell])
    at_place = np.array([np.bincount(row, minlength=fine.size - 1) for row in place])
    estimate = in_cell @ cumulative / drawn.shape[1]
    spectroscopic = np.cumsum(at_place, axis=1) / drawn.shape[1]
    distance = np.abs(spectroscopic - estimate[:, 1:]).sum(axis=1) * _FINE
    p = at_place.reshape(len(drawn), -1, steps_per_cell).sum(axis=2) / drawn.shape[1] + 1e-12
    q = np.diff(estimate[:, ::steps_per_cell], axis=1) + 1e-12
    return distance, (p * np.log2(p / q)).sum(axis=1)


def _cumulative_of_cells(scores: ObjectScores, first: int, last: int, at: NDArray[np.float64]) -> NDArray[np.float64]:
    """Cumulative of the mean p(z) of each cell of ``z_best``, (n_cell, n_at)."""
    z, stack = scores.z_grid, scores.stack[first:last]
    area = 0.5 * np.diff(z) * (stack[:, 1:] + stack[:, :-1])
    c = np.concatenate((np.zeros((len(stack), 1)), np.cumsum(area, axis=1)), axis=1)
    total = np.where(c[:, -1:] > 0.0, c[:, -1:], 1.0)
    return np.array([np.interp(at, z, row) for row in c / total])


def tomography_rows(
    scores: ObjectScores, bins: TomographicBins, *, n_bootstrap: int = 100, seed: int = 0
) -> list[MetricRow]:
    """How well objects are assigned to bins: purity and completeness of each, agreement and information of all.

    Parameters
    ----------
    scores : ObjectScores
    bins : TomographicBins
    n_bootstrap : int
        Resamples for the errors; they are draws of the table of counts, which is the bootstrap over objects.
    seed : int

    Returns
    -------
    list of MetricRow
        Those of one bin with its edges, those of all without.
    """
    assigned = metrics.assign_bins(scores.points[bins.point], bins.edges)
    true = metrics.assign_bins(scores.z_spec, bins.edges)
    cell = np.floor(scores.z_spec / CELL).astype(np.int64)
    cell -= cell.min()
    fine = np.zeros((int(cell.max()) + 1, bins.n_bin), dtype=np.int64)
    np.add.at(fine, (cell[assigned >= 0], assigned[assigned >= 0]), 1)
    counts = metrics.confusion_table(true, assigned, bins.n_bin)
    n_obj = int(counts.sum())
    value, error = _with_error(counts, _of_table, n_bootstrap, seed)
    bits, bits_error = _with_error(fine, lambda table: np.array([metrics.mutual_information(table)]), n_bootstrap, seed)
    names = [("bin_purity", i) for i in range(bins.n_bin)] + [("bin_completeness", i) for i in range(bins.n_bin)]
    rows = []
    sizes = {"bin_purity": counts.sum(axis=0), "bin_completeness": counts.sum(axis=1)[: bins.n_bin]}
    for k, (name, i) in enumerate(names):
        size = int(sizes[name][i])
        number = (float(value[k]), float(error[k])) if size >= MIN_BIN_OBJECTS else (np.nan, np.nan)
        rows.append(MetricRow(name, bins.point, bins.name, *number, size, bins.edges[i], bins.edges[i + 1]))
    for k, name in enumerate(_OVERALL, start=len(names)):
        rows.append(MetricRow(name, bins.point, bins.name, float(value[k]), float(error[k]), n_obj))
    rows.append(MetricRow("mutual_information", bins.point, bins.name, float(bits[0]), float(bits_error[0]), n_obj))
    return rows


_OVERALL = ("bin_accuracy", "balanced_accuracy", "bin_kappa", "bin_log_loss")


def _of_table(table: NDArray[np.int64]) -> NDArray[np.float64]:
    overall = [getattr(metrics, name)(table) for name in _OVERALL]
    return np.concatenate([metrics.bin_purity(table), metrics.bin_completeness(table), overall])


def _with_error(
    table: NDArray[np.int64],
    function: Callable[[NDArray[np.int64]], NDArray[np.float64]],
    n_bootstrap: int,
    seed: int,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Value of a function of a table of counts, and its scatter over multinomial draws of the table."""
    value = function(table)
    n_obj = int(table.sum())
    if n_bootstrap < 2 or not n_obj:
        return value, np.full(value.shape, np.nan)
    drawn = np.random.default_rng(seed).multinomial(n_obj, table.ravel() / n_obj, size=n_bootstrap)
    values = np.array([function(counts.reshape(table.shape)) for counts in drawn])
    known = np.isfinite(values).all(axis=0)
    return value, np.where(known, np.where(known, values, 0.0).std(axis=0, ddof=1), np.nan)
