"""Point estimates of many p(z) in one pass over each row.

The kernel is written for float32 vectors: each loop does one thing on a scratch row of whole 16-point blocks, sums are
free to be reordered, and the serial work (quantiles, mode, search for the least risk) touches only a few blocks.
"""
# ruff: noqa: ANN001, ANN202, PLR0917 - numba infers the types of its kernels

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import numpy as np
from numba import njit

from pzcenter.science.pz.grid import LANES, check_pdf, grid_tables

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import ArrayLike, NDArray

__all__ = ["CONFIDENCE_HALF_WIDTH", "EDGE_RATIO", "SECOND_PEAK_RATIO", "PointEstimates", "point_estimates"]

CONFIDENCE_HALF_WIDTH = 0.03
"""Half width, in units of 1 + z_best, of the interval whose probability is ``z_conf`` (DMTN-049, app. A.2)."""

SECOND_PEAK_RATIO = 0.30
"""A second peak counts from this fraction of the main one."""

DIP_RATIO = 0.70
"""Two peaks are apart when p(z) falls between them to this fraction of the lower one, or below."""

EDGE_RATIO = 0.10
"""A density of this fraction of the peak at an end of the grid tells that the grid cuts the p(z)."""

BROAD = (0.4, 0.2)
"""Standard deviations of p(z) above which it counts as broad (cuts used in RTN-124)."""

_Z_NAMES = (
    "z_best", "z_mode", "z_mean", "z_median", "z_err68_low", "z_err68_high", "z_err95_low", "z_err95_high",
    "z_std", "z_skew", "z_kurt", "z_conf", "z_risk",
)  # fmt: skip
_LEVELS = np.array([0.025, 0.16, 0.5, 0.84, 0.975], dtype=np.float64)

# No 'nnan'/'ninf': a NaN in a row must still be seen. Reordered sums are what vectorises the loops.
_FAST = {"nsz", "arcp", "contract", "reassoc", "afn"}
_RISK_MASS_CUT = np.float32(1e-7)
_COARSE = 32  # grid points between the first evaluations of the risk


@dataclass(frozen=True, eq=False)
class PointEstimates:
    """Numbers that summarise each p(z); arrays of float32 (``z_*``) and bool (diagnostics), all (n_obj,).

    Rows without an estimate hold NaN in every ``z_*``, True in ``no_estimate`` and False in the other diagnostics.
    """

    z_best: NDArray[np.float32]
    """Grid point of least risk: the recommended point estimate."""
    z_mode: NDArray[np.float32]
    """Grid point of the highest density (the first one, when several are equal)."""
    z_mean: NDArray[np.float32]
    z_median: NDArray[np.float32]
    z_err68_low: NDArray[np.float32]
    """16 % quantile."""
    z_err68_high: NDArray[np.float32]
    """84 % quantile."""
    z_err95_low: NDArray[np.float32]
    """2.5 % quantile."""
    z_err95_high: NDArray[np.float32]
    """97.5 % quantile."""
    z_std: NDArray[np.float32]
    z_skew: NDArray[np.float32]
    """Third standardised central moment."""
    z_kurt: NDArray[np.float32]
    """Excess kurtosis: fourth standardised central moment minus 3, so 0 for a Gaussian."""
    z_conf: NDArray[np.float32]
    """Probability within 0.03 (1 + z_best) of z_best."""
    z_risk: NDArray[np.float32]
    """Expected loss at z_best, in [0, 1]."""
    multi_modal: NDArray[np.bool_]
    """A second peak of at least 30 % of the first, with a dip between them to 70 % of the lower one or less."""
    broad_0p4: NDArray[np.bool_]
    """``z_std`` above 0.4."""
    broad_0p2: NDArray[np.bool_]
    """``z_std`` above 0.2."""
    grid_edge: NDArray[np.bool_]
    """Mode on the first or last grid point, or at least 10 % of the peak density there."""
    no_estimate: NDArray[np.bool_]
    """NaN, infinity, or no positive density in the row."""

    @property
    def n_obj(self) -> int:
        """Number of objects."""
        return int(self.z_best.size)

    def columns(self) -> dict[str, NDArray[np.float32]]:
        """Give the ``z_*`` arrays by name, in the order of the PZ table."""
        return {name: getattr(self, name) for name in _Z_NAMES}

    def diagnostics(self) -> dict[str, NDArray[np.bool_]]:
        """Give the boolean arrays by name."""
        return {f.name: getattr(self, f.name) for f in fields(self) if f.name not in _Z_NAMES}

    def flags(self, bits: Mapping[str, int]) -> NDArray[np.uint32]:
        """Diagnostics as a bit mask.

        Parameters
        ----------
        bits : mapping of str to int
            Value (not number) of the bit for the diagnostics that are wanted, such as ``{"multi_modal": 32}``.

        Returns
        -------
        ndarray of uint32, (n_obj,)
        """
        out = np.zeros(self.n_obj, dtype=np.uint32)
        for name, values in self.diagnostics().items():
            if name in bits:
                out |= np.where(values, np.uint32(bits[name]), np.uint32(0))
        return out


def point_estimates(pdf: ArrayLike, z_grid: ArrayLike) -> PointEstimates:
    """All point estimates and diagnostics of each p(z).

    The density is taken as piecewise linear between grid points and zero outside; negative values count as zero, and
    rows need not be normalised. Moments, quantiles and ``z_conf`` are exact for that density (float32 arithmetic).
    ``z_mode`` and ``z_best`` are grid points, as in the tables of other codes.

    ``z_best`` minimises the risk ``R(z') = int p(z) L((z' - z)/(1 + z)) dz`` with the loss
    ``L(x) = 1 - 1/(1 + (x/gamma)^2)``, gamma = 0.15, by trapezoid rule over the grid. The search is branch and bound
    over cells of the grid with a rigorous bound on R''; the result is the argmin over all grid points up to the
    rounding of float32 sums: its risk exceeds the least by at most 2e-6.

    Parameters
    ----------
    pdf : ndarray of float32, (n_obj, n_z)
        Density per unit redshift.
    z_grid : ndarray, (n_z,)
        Increasing, above -1.

    Returns
    -------
    PointEstimates

    Raises
    ------
    ShapeError
        ``pdf`` is not (n_obj, n_z).
    GridError
        The grid does not increase.

    References
    ----------
    Tanaka et al. 2018, PASJ 70, S9 (risk); DMTN-049, appendix A.2 (loss, risk, confidence).
    """
    p, z = check_pdf(pdf, z_grid)
    tables = grid_tables(z)
    numbers = np.empty((len(_Z_NAMES), p.shape[0]), dtype=np.float32)
    marks = np.zeros((5, p.shape[0]), dtype=np.bool_)
    _estimate_rows(
        p,
        tables.z,
        tables.width,
        tables.hat,
        tables.first,
        tables.offset,
        tables.loss,
        tables.bend,
        tables.bend_of_peak,
        numbers,
        marks,
    )
    return PointEstimates(*numbers, *marks)


@njit(cache=True, nogil=True, error_model="numpy", fastmath=_FAST)
def _load(row, v):  # type: ignore[no-untyped-def]
    """Copy a row with negatives as zero; the plain sum tells a NaN or infinity."""
    total = np.float32(0.0)
    for k in range(row.shape[0]):
        x = row[k]
        total += x
        v[k] = max(np.float32(0.0), x)
    return total


@njit(cache=True, nogil=True, error_model="numpy")
def _highest(bits):  # type: ignore[no-untyped-def]
    """Bit pattern of the largest value: floats >= 0 sort like integers, whose maximum is vectorised."""
    top = np.int32(0)
    for k in range(bits.shape[0]):
        top = max(top, bits[k])
    return top


@njit(cache=True, nogil=True, error_model="numpy")
def _reaches(bits, block, level):  # type: ignore[no-untyped-def]
    """Whether any value of a block is at least ``level``, both as bit patterns."""
    values = bits[block * LANES : (block + 1) * LANES]
    found = False
    for j in range(LANES):
        found |= values[j] >= level
    return found


@njit(cache=True, nogil=True, error_model="numpy", fastmath=_FAST)
def _cells(v, width, mass, n_pad):  # type: ignore[no-untyped-def]
    """Probability of the cell to the right of each point."""
    half = np.float32(0.5)
    for k in range(n_pad):
        mass[k] = half * (v[k] + v[k + 1]) * width[k]


@njit(cache=True, nogil=True, error_model="numpy", fastmath=_FAST)
def _blocks(mass, start, n_block):  # type: ignore[no-untyped-def]
    """Cumulative probability at the first point of each block; the last entry is the total."""
    total = np.float64(0.0)
    start[0] = total
    for b in range(n_block):
        s = np.float32(0.0)
        for j in range(LANES):
            s += mass[b * LANES + j]
        total += np.float64(s)
        start[b + 1] = total
    return total


@njit(cache=True, nogil=True, error_model="numpy", fastmath=_FAST)
def _dot(a, b):  # type: ignore[no-untyped-def]
    s = np.float32(0.0)
    for k in range(a.shape[0]):
        s += a[k] * b[k]
    return s


@njit(cache=True, nogil=True, error_model="numpy", fastmath=_FAST)
def _central(v, hat0, hat1, hat2, hat3, hat4, offset, centre):  # type: ignore[no-untyped-def]
    """Second to fourth moments about ``centre``, exact for the piecewise linear density."""
    m2 = np.float32(0.0)
    m3 = np.float32(0.0)
    m4 = np.float32(0.0)
    two, three, four, six = np.float32(2.0), np.float32(3.0), np.float32(4.0), np.float32(6.0)
    for k in range(v.shape[0]):
        d = offset[k] - centre
        p = v[k]
        h0 = hat0[k] * d
        h1 = hat1[k]
        h2 = hat2[k]
        h3 = hat3[k]
        m2 += p * ((h0 + two * h1) * d + h2)
        m3 += p * (((h0 + three * h1) * d + three * h2) * d + h3)
        m4 += p * ((((h0 + four * h1) * d + six * h2) * d + four * h3) * d + hat4[k])
    return m2, m3, m4


@njit(cache=True, nogil=True, error_model="numpy")
def _quantile(target, z, v, mass, start):  # type: ignore[no-untyped-def]
    """Redshift at which the cumulative probability (not normalised) reaches ``target``."""
    b = 0
    while b < start.shape[0] - 2 and start[b + 1] < target:
        b += 1
    c = start[b]
    k = b * LANES
    last = z.shape[0] - 2
    while k < last and c + mass[k] < target:
        c += mass[k]
        k += 1
    # c + p0 t + (p1 - p0)/(2 h) t^2 = target; the form of the root that does not cancel.
    h = z[k + 1] - z[k]
    p0 = np.float64(v[k])
    slope = (np.float64(v[k + 1]) - p0) / h
    need = max(target - c, 0.0)
    root = p0 + np.sqrt(max(p0 * p0 + 2.0 * slope * need, 0.0))
    t = 2.0 * need / root if root > 0.0 else 0.0
    return z[k] + min(t, h)


@njit(cache=True, nogil=True, error_model="numpy")
def _cumulative(x, z, v, mass, start):  # type: ignore[no-untyped-def]
    """Probability (not normalised) below ``x``."""
    n = z.shape[0]
    if x <= z[0]:
        return 0.0
    if x >= z[n - 1]:
        return start[start.shape[0] - 1]
    k = min(int((x - z[0]) / (z[n - 1] - z[0]) * (n - 1)), n - 2)
    while z[k] > x:
        k -= 1
    while z[k + 1] <= x:
        k += 1
    b = k // LANES
    c = start[b]
    for j in range(b * LANES, k):
        c += mass[j]
    t = x - z[k]
    p0 = np.float64(v[k])
    return c + t * (p0 + 0.5 * t * (np.float64(v[k + 1]) - p0) / (z[k + 1] - z[k]))


@njit(cache=True, nogil=True, error_model="numpy", fastmath=_FAST)
def _total_rise(v):  # type: ignore[no-untyped-def]
    """Sum of all increases from point to point."""
    s = np.float32(0.0)
    for k in range(v.shape[0] - 1):
        d = v[k + 1] - v[k]
        s += max(np.float32(0.0), d)
    return s


@njit(cache=True, nogil=True, error_model="numpy")
def _rises(v, begin, end, step, peak):  # type: ignore[no-untyped-def]
    """Whether p(z), on the way from its mode, falls and rises again, enough on both counts."""
    high = np.float32(SECOND_PEAK_RATIO) * peak
    rise = np.float32(1.0 / DIP_RATIO)
    low = peak
    for k in range(begin, end, step):
        x = v[k]
        low = min(low, x)
        if x >= high and x >= rise * low:
            return True
    return False


@njit(cache=True, nogil=True, error_model="numpy")
def _second_peak(v, bits, high, n_block, mode, peak):  # type: ignore[no-untyped-def]
    """Whether there is a second peak on either side of the mode; looks only as far as p(z) is ``high``.

    A p(z) that goes up and down by little more than its peak, as most do, has none and needs no walk.
    """
    last = n_block - 1
    while not _reaches(bits, last, high):
        last -= 1
    first = 0
    while not _reaches(bits, first, high):
        first += 1
    begin, end = first * LANES, (last + 1) * LANES
    least_rise = np.float32(SECOND_PEAK_RATIO * (1.0 - DIP_RATIO)) * peak
    if _total_rise(v[begin:end]) < peak - v[begin] + np.float32(0.99) * least_rise:
        return False
    return _rises(v, mode + 1, end, 1, peak) or _rises(v, mode - 1, begin - 1, -1, peak)


@njit(cache=True, nogil=True, error_model="numpy", fastmath=_FAST)
def _may_hold_less(r_left, r_right, bend, width, best):  # type: ignore[no-untyped-def]
    """Whether R can be below ``best``, which neither end is, within a cell where R'' <= ``bend``.

    The lowest curve through the ends is a parabola; its minimum, if inside, is ``(a + b)/2 - (q + (b - a)^2/q)/4`` with
    ``q = bend width^2 / 2``.
    """
    q = np.float32(0.5) * bend * width * width
    d = r_right - r_left
    return abs(d) < q and np.float32(2.0) * (r_left + r_right - best - best) * q < q * q + d * d


@njit(cache=True, nogil=True, error_model="numpy", fastmath=_FAST)
def _least_risk(v, loss, offset, bend, top, bend_of_peak, lo, hi, stop, at, risk):  # type: ignore[no-untyped-def]
    """Grid point of least risk from ``lo`` to ``hi``, and its risk; ``v`` holds the points from ``lo`` to ``stop - 1``.

    Branch and bound: the risk is evaluated on a coarse set of points, then each cell between two of them is halved as
    long as the bound on R'' allows it to hold less than the best value so far. ``at`` and ``risk`` are the stack.
    """
    best = np.float32(3.0e38)
    best_at = lo
    n = 0
    k = lo
    while True:
        r = _dot(loss[k, lo:stop], v)
        at[n] = k
        risk[n] = r
        n += 1
        if r < best:
            best = r
            best_at = k
        if k == hi:
            break
        k = min(k + _COARSE, hi)
    for cell in range(n - 1):
        left = at[cell]
        r_left = risk[cell]
        at[n] = at[cell + 1]
        risk[n] = risk[cell + 1]
        depth = n + 1
        while depth > n:
            right = at[depth - 1]
            r_right = risk[depth - 1]
            if right - left > 1:
                curve = min(bend, top * bend_of_peak[left])
                if _may_hold_less(r_left, r_right, curve, offset[right] - offset[left], best):
                    middle = (left + right) >> 1
                    r = _dot(loss[middle, lo:stop], v)
                    if r < best:
                        best = r
                        best_at = middle
                    at[depth] = middle
                    risk[depth] = r
                    depth += 1
                    continue
            left = right
            r_left = r_right
            depth -= 1
    return best_at, best


@njit(cache=True, nogil=True, error_model="numpy")
def _estimate_rows(pdf, z, width, hat, first, offset, loss, bend, bend_of_peak, numbers, marks):  # type: ignore[no-untyped-def]
    n_obj, n = pdf.shape
    n_pad = width.shape[0]
    n_block = n_pad // LANES
    v = np.zeros(n_pad + LANES, dtype=np.float32)
    mass = np.zeros(n_pad, dtype=np.float32)
    start = np.zeros(n_block + 1, dtype=np.float64)
    bits = v.view(np.int32)
    one_bits = np.zeros(1, dtype=np.int32)
    one = one_bits.view(np.float32)
    at = np.empty(n_pad // _COARSE + 16, dtype=np.int64)
    risk = np.empty(at.shape[0], dtype=np.float32)
    for g in range(n_obj):
        row_sum = _load(pdf[g], v)
        top_bits = _highest(bits)
        one_bits[0] = top_bits
        top = one[0]
        if not (np.isfinite(row_sum) and top > 0.0):
            numbers[:, g] = np.nan
            marks[4, g] = True
            continue
        _cells(v, width, mass, n_pad)
        total = _blocks(mass, start, n_block)
        scale = np.float32(1.0 / total)

        # Blocks that hold any density, and those that matter for a risk of float32 precision.
        b0 = 0
        while start[b0 + 1] <= 0.0:
            b0 += 1
        b1 = n_block
        while start[b1 - 1] >= total:
            b1 -= 1
        r0 = b0
        while start[r0 + 1] < _RISK_MASS_CUT * total:
            r0 += 1
        r1 = b1
        while total - start[r1 - 1] < _RISK_MASS_CUT * total:
            r1 -= 1
        # The cell to the right of a block's last point reaches into the next block.
        i0, i1 = b0 * LANES, min((b1 + 1) * LANES, n_pad)
        j0, j1 = r0 * LANES, min((r1 + 1) * LANES, n_pad)

        centre = _dot(first[i0:i1], v[i0:i1]) * scale
        m2, m3, m4 = _central(
            v[i0:i1], hat[0, i0:i1], hat[1, i0:i1], hat[2, i0:i1], hat[3, i0:i1], hat[4, i0:i1], offset[i0:i1], centre
        )
        m2, m3, m4 = np.float64(m2) / total, np.float64(m3) / total, np.float64(m4) / total
        std = np.sqrt(m2)
        mode = 0
        while not _reaches(bits, mode // LANES, top_bits):
            mode += LANES
        while v[mode] != top:
            mode += 1
        lowest, least = _least_risk(
            v[j0:j1], loss, offset, _dot(bend[j0:j1], v[j0:j1]), top, bend_of_peak, j0, min(j1, n) - 1, j1, at, risk
        )
        best = z[lowest]
        reach = CONFIDENCE_HALF_WIDTH * (1.0 + best)
        inside = _cumulative(best + reach, z, v, mass, start) - _cumulative(best - reach, z, v, mass, start)

        numbers[0, g] = best
        numbers[1, g] = z[mode]
        numbers[2, g] = z[0] + centre
        numbers[3, g] = _quantile(_LEVELS[2] * total, z, v, mass, start)
        numbers[4, g] = _quantile(_LEVELS[1] * total, z, v, mass, start)
        numbers[5, g] = _quantile(_LEVELS[3] * total, z, v, mass, start)
        numbers[6, g] = _quantile(_LEVELS[0] * total, z, v, mass, start)
        numbers[7, g] = _quantile(_LEVELS[4] * total, z, v, mass, start)
        numbers[8, g] = std
        numbers[9, g] = m3 / (m2 * std)
        numbers[10, g] = m4 / (m2 * m2) - 3.0
        numbers[11, g] = min(max(inside / total, 0.0), 1.0)  # a difference of sums can round below 0
        numbers[12, g] = min(max(least * scale, 0.0), 1.0)
        edge = np.float32(EDGE_RATIO) * top
        one[0] = np.float32(SECOND_PEAK_RATIO) * top
        marks[0, g] = _second_peak(v, bits, one_bits[0], n_block, mode, top)
        marks[1, g] = std > BROAD[0]
        marks[2, g] = std > BROAD[1]
        marks[3, g] = v[0] >= edge or v[n - 1] >= edge
