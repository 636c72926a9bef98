"""p(z) in few bytes: encodings of density grids, and the measure of what an encoding loses.

An encoding turns each row into a ``code`` of fixed length and a ``row_max`` (the columns ``pdf_code`` and ``pdf_max``
of the ``pz_pdf`` table) and back. The default, ``u8sqrt``, stores the square root of p / max(p) in one byte per grid
point.
"""
# ruff: noqa: ANN001, ANN202, PLR0917 - numba infers the types of its kernels

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np
from numba import njit

from pzcenter.errors import NotFoundError, ShapeError, UsageError
from pzcenter.science.metrics.pdf import cde_loss, pit
from pzcenter.science.pz import mean, stack, trapezoid_weights
from pzcenter.science.pz.grid import check_pdf

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = [
    "FIDELITY_LIMITS",
    "Encoding",
    "encoding_names",
    "fidelity",
    "get_encoding",
    "pack_u8sqrt",
    "register_encoding",
    "unpack_u8sqrt",
]

FIDELITY_LIMITS = {
    "floor_kl_median": 1e-3,
    "floor_kl_p99": 1e-2,
    "mean_shift": 1e-4,
    "delta_cde": 2e-3,
    "max_delta_pit": 1e-3,
    "zeros_broken": 0.5,
}
"""An encoding is good enough for n(z) work when each figure of :func:`fidelity` is below its limit here."""

_KL_FLOOR = 1e-3

# How codes are rounded, by their size and by the width of the row (sum of p over max p, in grid points): below 1.5 to
# nearest; up to 32, and everywhere in rows wider than 40, with the running sum of the fractions; from 32 in narrower
# rows, with the error in p carried on; rows narrower than 3.5 have too few points to share an error.
_SHARE_FROM = np.float32(1.5)
_CARRY_FROM = np.float32(32.0)
_NARROW = np.float32(3.5)
_WIDE = np.float32(40.0)
_FULL = np.float32(255.0)
_CHAINS = 4


@runtime_checkable
class Encoding(Protocol):
    """A way to store densities on a grid that the table's metadata describe."""

    @property
    def name(self) -> str:
        """Stored with the table, never reused for something else."""

    @property
    def dtype(self) -> np.dtype[np.generic]:
        """Of one element of the code."""

    def code_length(self, n_z: int) -> int:
        """Elements of the code of one object."""

    def pack(self, pdf: ArrayLike) -> tuple[NDArray[np.generic], NDArray[np.float32]]:
        """Code (n_obj, code_length) and row maximum (n_obj,) of densities (n_obj, n_z)."""

    def unpack(self, code: NDArray[np.generic], row_max: NDArray[np.float32], z_grid: ArrayLike) -> NDArray[np.float32]:
        """Densities (n_obj, n_z) with unit integral; rows of NaN where ``row_max`` is NaN."""


@dataclass(frozen=True)
class SquareRootBytes:
    """One byte per grid point: 255 sqrt(p / max(p)), rounded to nearest."""

    name: str = "u8sqrt"
    dtype: np.dtype[np.generic] = field(default_factory=lambda: np.dtype(np.uint8))

    def code_length(self, n_z: int) -> int:
        """One element per grid point."""
        return n_z

    def pack(self, pdf: ArrayLike) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        """See :func:`pack_u8sqrt`."""
        return pack_u8sqrt(pdf)

    def unpack(self, code: NDArray[np.generic], row_max: NDArray[np.float32], z_grid: ArrayLike) -> NDArray[np.float32]:
        """See :func:`unpack_u8sqrt`."""
        return unpack_u8sqrt(code, row_max, z_grid)


@dataclass(frozen=True)
class PlainFloats:
    """The grid values themselves, as float32: four bytes per grid point, nothing lost."""

    name: str = "f32"
    dtype: np.dtype[np.generic] = field(default_factory=lambda: np.dtype(np.float32))

    def code_length(self, n_z: int) -> int:
        """One element per grid point."""
        return n_z

    def pack(self, pdf: ArrayLike) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Keep the values, and the largest of each row; NaN and zeros in rows that hold NaN or no density."""
        code = np.array(pdf, dtype=np.float32, ndmin=2)
        row_max = code.max(axis=1, initial=0.0)
        bad = ~(np.isfinite(code).all(axis=1) & (row_max > 0.0))
        code[bad] = 0.0
        row_max[bad] = np.nan
        return code, row_max

    def unpack(self, code: NDArray[np.generic], row_max: NDArray[np.float32], z_grid: ArrayLike) -> NDArray[np.float32]:
        """Give the values back as they were packed."""
        pdf, _ = check_pdf(np.array(code, dtype=np.float32), z_grid)
        pdf[np.isnan(row_max)] = np.nan
        return pdf


_ENCODINGS: dict[str, Encoding] = {}


def register_encoding(encoding: Encoding) -> None:
    """Make an encoding known by its name.

    Raises
    ------
    UsageError
        Another encoding has this name.
    """
    if _ENCODINGS.get(encoding.name, encoding) != encoding:
        raise UsageError(f"there is already an encoding called {encoding.name!r}")
    _ENCODINGS[encoding.name] = encoding


def get_encoding(name: str) -> Encoding:
    """Look up an encoding by name.

    Raises
    ------
    NotFoundError
        There is none.
    """
    if name not in _ENCODINGS:
        raise NotFoundError(f"no encoding is called {name!r}; there are {', '.join(encoding_names())}")
    return _ENCODINGS[name]


def encoding_names() -> tuple[str, ...]:
    """Names of the known encodings, sorted."""
    return tuple(sorted(_ENCODINGS))


register_encoding(SquareRootBytes())
register_encoding(PlainFloats())


def pack_u8sqrt(pdf: ArrayLike) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Densities as bytes of the square root scaled by the row maximum.

    ``code`` is ``255 sqrt(p / max(p))``, rounded to one of the two nearest integers, so that the error of a point is
    about ``sqrt(p max(p)) / 255``: small where p is small. Which of the two is chosen so that errors do not add up
    along the row, as they would for rounding to nearest where p is flat: the cumulative, and with it PIT and
    quantiles, is several times more exact for the same bytes.

    Zero is code 0; a positive value below 3.8e-6 of the row maximum (half a code, squared) becomes code 0 as well.
    Lifting such values to code 1 would put 1.5e-5 of the peak under the whole tail and move the mean by more than an
    encoding may.

    Parameters
    ----------
    pdf : ndarray, (n_obj, n_z)
        Density per unit redshift; negative values count as zero.

    Returns
    -------
    code : ndarray of uint8, (n_obj, n_z)
    row_max : ndarray of float32, (n_obj,)
        Largest value of each row. NaN, with all codes 0, for rows that hold NaN or infinity, or no positive value.

    Raises
    ------
    ShapeError
        ``pdf`` is not two-dimensional.
    """
    p = np.ascontiguousarray(pdf, dtype=np.float32)
    if p.ndim != 2:
        raise ShapeError(f"pdf must be (n_obj, n_z); got {p.shape}")
    code = np.empty(p.shape, dtype=np.uint8)
    row_max = np.empty(p.shape[0], dtype=np.float32)
    _pack_rows(p, code, row_max)
    return code, row_max


def unpack_u8sqrt(code: ArrayLike, row_max: ArrayLike, z_grid: ArrayLike | None = None) -> NDArray[np.float32]:
    """Densities from bytes.

    Parameters
    ----------
    code : ndarray of uint8, (n_obj, n_z)
    row_max : ndarray of float32, (n_obj,)
        NaN marks a row without a density.
    z_grid : ndarray, (n_z,), optional
        When given, rows come out with unit integral (rounding has changed it by some 1e-4); otherwise with their
        maximum equal to ``row_max``.

    Returns
    -------
    ndarray of float32, (n_obj, n_z)

    Raises
    ------
    ShapeError
        The arrays do not fit each other.
    """
    codes = np.ascontiguousarray(code, dtype=np.uint8)
    largest = np.ascontiguousarray(row_max, dtype=np.float32)
    if codes.ndim != 2 or largest.shape != codes.shape[:1]:
        raise ShapeError(f"code must be (n_obj, n_z) and row_max (n_obj,); got {codes.shape} and {largest.shape}")
    out = np.empty(codes.shape, dtype=np.float32)
    if z_grid is None:
        _unpack_rows(codes, largest, np.empty(0, dtype=np.float32), out)
        return out
    weight = trapezoid_weights(z_grid).astype(np.float32)
    if weight.size != codes.shape[1]:
        raise ShapeError(f"code has {codes.shape[1]} grid points, z_grid {weight.size}")
    _unpack_rows(codes, largest, weight, out)
    return out


def fidelity(pdf: ArrayLike, decoded: ArrayLike, z_grid: ArrayLike, z_true: ArrayLike) -> dict[str, float]:
    """Measure what an encoding has changed.

    Parameters
    ----------
    pdf, decoded : ndarray, (n_obj, n_z)
        Density before and after.
    z_grid : ndarray, (n_z,)
        Increasing.
    z_true : ndarray, (n_obj,)
        Redshifts at which CDE loss and PIT are compared.

    Returns
    -------
    dict of str to float
        ``floor_kl_median``, ``floor_kl_p99``: Kullback-Leibler divergence (nats) of the two densities, both raised to
        at least 1e-3 of the peak; ``mean_shift``: largest change of the mean redshift of n(z) over (1 + mean), in
        five bins of equal number by mean redshift; ``delta_cde``: absolute change of the CDE loss; ``max_delta_pit``:
        largest change of a PIT value; ``zeros_broken``: number of exact zeros that are not zero any more; ``n_used``:
        objects with a density before and after; ``n_lost``: objects that have lost theirs.

    Notes
    -----
    Compare with :data:`FIDELITY_LIMITS`.
    """
    before, z = check_pdf(pdf, z_grid)
    after, _ = check_pdf(decoded, z)
    truth = np.asarray(z_true, dtype=np.float64)
    had = np.isfinite(before).all(axis=1)
    used = had & np.isfinite(after).all(axis=1)
    lost = int(np.count_nonzero(had & ~used))
    before, after, truth = before[used], after[used], truth[used]
    kl = _floor_kl(before, after, z)
    return {
        "floor_kl_median": float(np.median(kl)),
        "floor_kl_p99": float(np.percentile(kl, 99.0)),
        "mean_shift": _mean_shift(before, after, z),
        "delta_cde": abs(cde_loss(after, z, truth) - cde_loss(before, z, truth)),
        "max_delta_pit": float(np.nanmax(np.abs(pit(after, z, truth) - pit(before, z, truth)))),
        "zeros_broken": float(np.count_nonzero((before == 0.0) & (after != 0.0))),
        "n_used": float(truth.size),
        "n_lost": float(lost),
    }


def _floor_kl(p: NDArray[np.float32], q: NDArray[np.float32], z: NDArray[np.float64]) -> NDArray[np.float64]:
    weight = trapezoid_weights(z)
    floor = _KL_FLOOR * p.max(axis=1, keepdims=True)
    a = np.maximum(p, floor).astype(np.float64)
    b = np.maximum(q, floor).astype(np.float64)
    a /= (a @ weight)[:, None]
    b /= (b @ weight)[:, None]
    values: NDArray[np.float64] = (a * np.log(a / b)) @ weight
    return values


def _mean_shift(p: NDArray[np.float32], q: NDArray[np.float32], z: NDArray[np.float64], n_bin: int = 5) -> float:
    rank = np.argsort(mean(p, z), kind="stable")
    shifts = []
    for rows in np.array_split(rank, n_bin):
        if rows.size:
            before, after = (float(mean(stack(x[rows], z)[None, :], z)[0]) for x in (p, q))
            shifts.append(abs(after - before) / (1.0 + before))
    return max(shifts, default=float("nan"))


_FAST = {"nsz", "arcp", "contract", "reassoc", "afn"}


@njit(cache=True, nogil=True, error_model="numpy", fastmath=_FAST)
def _split(v, scale, share_to, s, low, share):  # type: ignore[no-untyped-def]
    """Codes as real numbers, the integer below, and the share of the one above that gives the density on average."""
    one = np.float32(1.0)
    for k in range(v.shape[0]):
        x = np.sqrt(v[k]) * scale
        below = np.floor(x)
        exact = (x - below) * (x + below) / (below + below + one)
        nearest = one if x - below >= np.float32(0.5) else np.float32(0.0)
        s[k] = x
        low[k] = below
        share[k] = exact if (x >= _SHARE_FROM and x < share_to) else nearest


@njit(cache=True, nogil=True, error_model="numpy", fastmath=_FAST)
def _accumulate(share, length):  # type: ignore[no-untyped-def]
    """Running sums of the shares, from one half, in four stretches at once: a single sum would wait for itself."""
    a = b = c = d = np.float32(0.5)
    for k in range(length):
        a += share[k]
        b += share[k + length]
        c += share[k + 2 * length]
        d += share[k + 3 * length]
        share[k] = a
        share[k + length] = b
        share[k + 2 * length] = c
        share[k + 3 * length] = d


@njit(cache=True, nogil=True, error_model="numpy", fastmath=_FAST)
def _spread(low, total, code):  # type: ignore[no-untyped-def]
    """Take the integer above wherever the running sum passes an integer."""
    if code.shape[0]:
        code[0] = np.uint8(np.int32(low[0]) + np.int32(total[0]))
    for k in range(1, code.shape[0]):
        code[k] = np.uint8(np.int32(low[k]) + np.int32(total[k]) - np.int32(total[k - 1]))


@njit(cache=True, nogil=True, error_model="numpy", fastmath=_FAST)
def _carry(s, code):  # type: ignore[no-untyped-def]
    """Round ``s`` anew, carrying the error in s^2, the density, from both ends to the middle: two chains at once."""
    half = np.float32(0.5)
    first = 0
    while s[first] < _CARRY_FROM:
        first += 1
    last = s.shape[0] - 1
    while s[last] < _CARRY_FROM:
        last -= 1
    up = np.float32(0.0)
    down = np.float32(0.0)
    for i in range((last - first + 1) // 2):
        x = s[first + i]
        if x >= _CARRY_FROM:
            r = min(np.floor(x + up * (half / x) + half), _FULL)
            up += x * x - r * r
            code[first + i] = np.uint8(np.int32(r))
        x = s[last - i]
        if x >= _CARRY_FROM:
            r = min(np.floor(x + down * (half / x) + half), _FULL)
            down += x * x - r * r
            code[last - i] = np.uint8(np.int32(r))


@njit(cache=True, nogil=True, error_model="numpy", fastmath=_FAST)
def _pack_rows(pdf, code, row_max):  # type: ignore[no-untyped-def]
    n_obj, n = pdf.shape
    length = -(-n // _CHAINS)
    v = np.zeros(length * _CHAINS, dtype=np.float32)
    s = np.empty(v.shape[0], dtype=np.float32)
    low = np.empty(v.shape[0], dtype=np.float32)
    share = np.empty(v.shape[0], dtype=np.float32)
    bits = v.view(np.int32)
    top_bits = np.zeros(1, dtype=np.int32)
    top_value = top_bits.view(np.float32)
    for g in range(n_obj):
        row = pdf[g]
        total = np.float32(0.0)
        for k in range(n):
            x = row[k]
            total += x
            v[k] = max(np.float32(0.0), x)
        top = np.int32(0)
        for k in range(n):  # floats >= 0 sort like integers, whose maximum is vectorised
            top = max(top, bits[k])
        top_bits[0] = top
        largest = top_value[0]
        out = code[g]
        if not (np.isfinite(total) and largest > np.float32(0.0)):
            row_max[g] = np.nan
            for k in range(n):
                out[k] = 0
            continue
        row_max[g] = largest
        width = total / largest
        _split(v, _FULL / np.sqrt(largest), _FULL if width > _WIDE else _CARRY_FROM, s, low, share)
        _accumulate(share, length)
        for begin in range(0, n, length):
            end = min(begin + length, n)
            _spread(low[begin:end], share[begin:end], out[begin:end])
        if width > _NARROW and width <= _WIDE:
            _carry(s[:n], out)


@njit(cache=True, nogil=True, error_model="numpy", fastmath=_FAST)
def _unpack_rows(code, row_max, weight, out):  # type: ignore[no-untyped-def]
    n_obj, n = code.shape
    for g in range(n_obj):
        c = code[g]
        o = out[g]
        scale = row_max[g] / (_FULL * _FULL)
        if weight.shape[0] and not np.isnan(row_max[g]):
            total = np.float32(0.0)
            for k in range(n):
                x = np.float32(c[k])
                total += x * x * weight[k]
            scale = np.float32(1.0) / total
        for k in range(n):
            x = np.float32(c[k])
            o[k] = x * x * scale
