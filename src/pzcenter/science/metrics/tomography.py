"""Tomographic bins: which objects fall in the bin where they belong, and what the bins know of the redshift.

All numbers come from one table of counts, ``table[true, assigned]`` (:func:`confusion_table`), so that parts of a
sample add up.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pzcenter.errors import ShapeError, UsageError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = [
    "assign_bins",
    "balanced_accuracy",
    "bin_accuracy",
    "bin_completeness",
    "bin_kappa",
    "bin_log_loss",
    "bin_purity",
    "confusion_table",
    "mutual_information",
]

LOG_LOSS_FLOOR = 1e-15
"""Probability that a hard assignment gives to each bin that it does not choose."""


def assign_bins(z: ArrayLike, edges: ArrayLike) -> NDArray[np.int64]:
    """Bin of each redshift, ``edges[i] <= z < edges[i + 1]``; -1 outside, and where z is NaN.

    Parameters
    ----------
    z : ndarray, (n_obj,)
    edges : ndarray, (n_bin + 1,)
        Increasing.

    Returns
    -------
    ndarray of int64, (n_obj,)

    Raises
    ------
    UsageError
        The edges do not increase.
    """
    limits = np.asarray(edges, dtype=np.float64)
    if limits.ndim != 1 or limits.size < 2 or not np.all(np.diff(limits) > 0.0):
        raise UsageError(f"edges of tomographic bins must increase, at least two of them; got {limits.tolist()}")
    values = np.asarray(z, dtype=np.float64)
    found = np.searchsorted(limits, values, side="right") - 1
    inside = (values >= limits[0]) & (values < limits[-1])
    return np.where(inside, found, -1).astype(np.int64)


def confusion_table(true_bin: ArrayLike, assigned_bin: ArrayLike, n_bin: int) -> NDArray[np.int64]:
    """Counts of objects by true bin (row) and assigned bin (column).

    Parameters
    ----------
    true_bin, assigned_bin : ndarray of int, (n_obj,)
        -1 for none; objects without an assigned bin are in no bin and are not counted.
    n_bin : int

    Returns
    -------
    ndarray of int64, (n_bin + 1, n_bin)
        The last row are objects that belong to none of the bins.

    Raises
    ------
    ShapeError
        The two have different shapes.
    UsageError
        A bin that there is not.
    """
    true, assigned = np.asarray(true_bin, dtype=np.int64), np.asarray(assigned_bin, dtype=np.int64)
    if true.shape != assigned.shape or true.ndim != 1:
        raise ShapeError(f"true_bin and assigned_bin must both be (n_obj,); got {true.shape} and {assigned.shape}")
    for name, bins in (("true_bin", true), ("assigned_bin", assigned)):
        if bins.size and not (bins.min() >= -1 and bins.max() < n_bin):
            raise UsageError(f"{name} must lie between -1 (none) and {n_bin - 1}; got {bins.min()} to {bins.max()}")
    used = assigned >= 0
    row = np.where(true[used] >= 0, true[used], n_bin)
    return np.bincount(row * n_bin + assigned[used], minlength=(n_bin + 1) * n_bin).reshape(n_bin + 1, n_bin)


def bin_accuracy(table: ArrayLike) -> float:
    """Share of the assigned objects that are in their true bin."""
    counts = _counts(table)
    return _ratio(float(np.trace(counts)), float(counts.sum()))


def bin_purity(table: ArrayLike) -> NDArray[np.float64]:
    """Share of the objects of each assigned bin that belong there, (n_bin,); NaN for an empty bin."""
    counts = _counts(table)
    with np.errstate(invalid="ignore", divide="ignore"):
        values: NDArray[np.float64] = np.diagonal(counts) / counts.sum(axis=0)
    return values


def bin_completeness(table: ArrayLike) -> NDArray[np.float64]:
    """Share of the assigned objects of each true bin that are found there (recall), (n_bin,); NaN for an empty bin."""
    counts = _counts(table)
    with np.errstate(invalid="ignore", divide="ignore"):
        values: NDArray[np.float64] = np.diagonal(counts) / counts.sum(axis=1)[: counts.shape[1]]
    return values


def balanced_accuracy(table: ArrayLike) -> float:
    """Mean of :func:`bin_completeness` over the bins that have true members."""
    recall = bin_completeness(table)
    known = recall[np.isfinite(recall)]
    return float(known.mean()) if known.size else float("nan")


def bin_kappa(table: ArrayLike) -> float:
    """Cohen's kappa: agreement beyond what the bins' sizes give by chance; 1 perfect, 0 by chance.

    NaN where chance alone agrees always, which leaves nothing to measure.

    References
    ----------
    Cohen 1960, Educ. Psychol. Meas. 20, 37.
    """
    counts = _counts(table)
    n = counts.sum()
    if not n > 0:
        return float("nan")
    chance = float((counts.sum(axis=1)[: counts.shape[1]] * counts.sum(axis=0)).sum() / n**2)
    return _ratio(float(np.trace(counts) / n) - chance, 1.0 - chance)


def bin_log_loss(table: ArrayLike) -> float:
    """Log loss of hard assignments, nats: -ln 1e-15 for each wrong one, as in the DESC n(z) challenge."""
    right = bin_accuracy(table)
    return float(-right * np.log1p(-LOG_LOSS_FLOOR) - (1.0 - right) * np.log(LOG_LOSS_FLOOR))


def mutual_information(table: ArrayLike, *, corrected: bool = True) -> float:
    """Mutual information of row and column, bits: what the assigned bin tells about the redshift of an object.

    ``sum p_ij log2(p_ij/(p_i p_j))``. Chance makes it (r - 1)(c - 1)/(2 n ln 2) where there is none; ``corrected``
    takes this off (Miller 1955), with r and c the rows and columns that hold anything.

    Parameters
    ----------
    table : ndarray, (n_row, n_column)
        Counts; rows may be fine cells of the true redshift.
    corrected : bool

    Returns
    -------
    float
        At most log2 of the number of bins; NaN for an empty table.

    References
    ----------
    Shannon 1948, Bell Syst. Tech. J. 27, 379; Miller 1955, in Information Theory in Psychology.
    """
    counts = np.asarray(table, dtype=np.float64)
    n = counts.sum()
    if not n > 0:
        return float("nan")
    row, column = counts.sum(axis=1), counts.sum(axis=0)
    expected = np.outer(row, column) / n
    known = counts > 0
    bits = float((counts[known] * np.log2(counts[known] / expected[known])).sum() / n)
    if not corrected:
        return bits
    cells = np.count_nonzero(known) - np.count_nonzero(row) - np.count_nonzero(column) + 1
    return bits - float(cells / (2.0 * n * np.log(2.0)))


def _counts(table: ArrayLike) -> NDArray[np.float64]:
    counts = np.asarray(table, dtype=np.float64)
    if counts.ndim != 2 or counts.shape[0] - counts.shape[1] not in {0, 1}:
        raise ShapeError(f"a table of bins must be (n_bin, n_bin) or (n_bin + 1, n_bin); got {counts.shape}")
    return counts


def _ratio(above: float, below: float) -> float:
    return above / below if below > 0.0 else float("nan")
