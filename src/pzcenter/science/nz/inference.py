"""n(z) inferred from p(z): the distribution of the sample, with the prior that was in each p(z) taken out.

The model (Leistedt, Mortlock & Peiris 2016; Malz & Hogg 2022): the sample has a histogram phi of true redshifts, with a
Dirichlet prior; an object in cell k has the likelihood

    L_ik = p(d_i | z in k)  ~  P_ik / Pi_k

with P_ik the probability of the cell in the object's p(z), and Pi_k that in the prior which the p(z) holds. Gibbs
sampling draws in turn a cell for each object, with probability phi_k L_ik, and phi, from the Dirichlet distribution of
the counts. Tomographic bins are chosen by the data and not by the true redshift, so the cells drawn for the objects of
a bin are draws of that bin's distribution, with the selection in it.

The p(z) must be calibrated under their own prior: what is wrong with them is not seen from here.
"""
# ruff: noqa: ANN001, ANN202 - numba infers the types of its kernels

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numba import njit

from pzcenter.errors import ConfigError, EmptyTableError, ShapeError
from pzcenter.science.nz.estimate import NzEstimate, histogram_moments

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["Inference", "implicit_prior", "infer_nz"]

_N_EM = 300
_EM_CONVERGED = 1e-6
_N_CHAIN = 2


@dataclass(frozen=True, eq=False)
class Inference:
    """What came of an inference.

    Parameters
    ----------
    estimate : NzEstimate
        Of the tomographic bins; the central n(z) is the mean of the posterior.
    whole : ndarray of float64, (n_sample, n_cell)
        Draws of the share of each cell in the whole sample.
    n_used : int
        Objects that took part.
    n_impossible : int
        Objects left out because no cell has a likelihood.
    n_effective : float
        Independent draws to which the samples of the bins' means amount, the fewest of all bins.
    r_hat : float
        Largest ratio of the scatter of all chains to that within one, of the bins' means; near 1 when they agree.
    """

    estimate: NzEstimate
    whole: NDArray[np.float64]
    n_used: int
    n_impossible: int
    n_effective: float
    r_hat: float


def implicit_prior(z: ArrayLike, edges: NDArray[np.float64]) -> NDArray[np.float64]:
    """Share of each cell in the redshifts that a method was trained on, which is the prior of its p(z).

    Parameters
    ----------
    z : array_like, (n,)
        Redshifts of the training set, or one number per cell: its counts.
    edges : ndarray of float64, (n_cell + 1,)

    Returns
    -------
    ndarray of float64, (n_cell,)
        Positive, sums to 1. Half an object is added to each cell, so that none is impossible.

    Raises
    ------
    EmptyTableError
        There are no redshifts within the edges.

    References
    ----------
    Perks 1947, J. Inst. Actuaries 73, 285, for the half.
    """
    counts = np.histogram(np.asarray(z, dtype=np.float64), edges)[0].astype(np.float64)
    if not counts.any():
        raise EmptyTableError(f"no redshift of the training lies between {edges[0]:g} and {edges[-1]:g}")
    return np.asarray((counts + 0.5) / (counts + 0.5).sum())


def infer_nz(
    probability: NDArray[np.floating],
    bin_index: NDArray[np.int16],
    prior: NDArray[np.float64],
    edges: NDArray[np.float64],
    *,
    n_bin: int,
    alpha: float = 1.0,
    n_iter: int = 2000,
    n_sample: int = 500,
    seed: int = 0,
) -> Inference:
    """Draw from the posterior of n(z).

    Parameters
    ----------
    probability : ndarray, (n_obj, n_cell)
        Of each cell in the p(z) of each object; all objects of the sample, also those in no tomographic bin.
    bin_index : ndarray of int16, (n_obj,)
        -1 for none.
    prior : ndarray of float64, (n_cell,)
        Share of each cell in the prior that the p(z) hold; equal shares for cells of equal width where it was flat.
    edges : ndarray of float64, (n_cell + 1,)
    n_bin : int
    alpha : float
        Of the Dirichlet prior, in each cell: 1 is flat over all histograms.
    n_iter : int
        Steps of each of two chains; the first fifth is left out. They start from the most likely histogram.
    n_sample : int
        Draws kept of them.
    seed : int

    Returns
    -------
    Inference

    Raises
    ------
    ShapeError, ConfigError
        Arrays that do not fit, or a prior that is not positive.
    EmptyTableError
        No object with a likelihood is in a tomographic bin.

    References
    ----------
    Leistedt, Mortlock & Peiris 2016, MNRAS 460, 4258, section 2; Malz & Hogg 2022, ApJ 928, 127.
    """
    n_obj, n_cell = probability.shape
    if bin_index.shape != (n_obj,) or prior.shape != (n_cell,) or edges.shape != (n_cell + 1,):
        raise ShapeError(
            f"bin_index, prior and edges must be ({n_obj},), ({n_cell},), ({n_cell + 1},); got {bin_index.shape}, "
            f"{prior.shape}, {edges.shape}"
        )
    if not (np.all(np.isfinite(prior)) and np.all(prior > 0)) or alpha <= 0:
        raise ConfigError("the prior in the p(z) must be positive in every cell, and alpha positive")
    n_burn = n_iter // 5
    per_chain = -(-n_sample // _N_CHAIN)
    if n_iter - n_burn < per_chain:
        raise ConfigError(f"{n_sample} samples need at least {2 * n_sample} steps; got {n_iter}")
    likelihood = np.asarray(np.divide(probability, prior), dtype=np.float32)
    top = likelihood.max(axis=1)
    possible = np.isfinite(top) & (top > 0)
    likelihood = np.ascontiguousarray(likelihood[possible] / top[possible, None])
    bins = np.ascontiguousarray(bin_index[possible])
    if not (bins >= 0).any():
        raise EmptyTableError("no object with a likelihood is in a tomographic bin")
    start = _most_likely(likelihood)
    first, last = _support(likelihood)
    keep = np.unique(np.linspace(n_burn, n_iter - 1, per_chain).astype(np.int64))
    chains = [
        _gibbs(likelihood, first, last, bins, n_bin, start, alpha, n_iter, keep, seed * 1009 + chain)
        for chain in range(_N_CHAIN)
    ]
    whole = np.concatenate([phi for phi, _ in chains])
    counts = np.concatenate([found for _, found in chains])
    share = _populations(counts, whole, np.random.default_rng(seed))
    n_in_bin = np.bincount(bins[bins >= 0], minlength=n_bin)
    share[:, n_in_bin == 0] = np.nan
    mean_samples, width_samples = histogram_moments(share, edges)
    shape = (_N_CHAIN, keep.size, n_bin)
    estimate = NzEstimate(
        edges=edges,
        nz=share.mean(axis=0) / np.diff(edges),
        samples=share / np.diff(edges),
        mean=mean_samples.mean(axis=0),
        width=width_samples.mean(axis=0),
        mean_samples=mean_samples,
        width_samples=width_samples,
        n_obj=np.bincount(bin_index[bin_index >= 0], minlength=n_bin),
    )
    moves = histogram_moments(counts / np.maximum(counts.sum(axis=-1, keepdims=True), 1), edges)[0].reshape(shape)
    n_effective, r_hat = _mixing(moves[:, :, n_in_bin > 0])
    return Inference(estimate, whole, int(possible.sum()), int(np.count_nonzero(~possible)), n_effective, r_hat)


def _most_likely(likelihood: NDArray[np.float32]) -> NDArray[np.float64]:
    """Histogram of the largest likelihood, by expectation and maximisation (Dempster, Laird & Rubin 1977)."""
    phi = np.full(likelihood.shape[1], 1.0 / likelihood.shape[1])
    for _ in range(_N_EM):
        evidence = likelihood @ phi.astype(np.float32)
        moved = phi * ((1.0 / evidence) @ likelihood) / likelihood.shape[0]
        moved /= moved.sum()
        converged = np.abs(moved - phi).max() < _EM_CONVERGED
        phi = moved
        if converged:
            break
    return phi


def _support(likelihood: NDArray[np.float32]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """First cell of each object with a likelihood, and the one after the last."""
    some = likelihood > 0
    return some.argmax(axis=1), likelihood.shape[1] - some[:, ::-1].argmax(axis=1)


def _populations(
    counts: NDArray[np.int64], whole: NDArray[np.float64], rng: np.random.Generator
) -> NDArray[np.float64]:
    """Share of each cell in the population of each bin, given the cells drawn for its objects.

    The prior is one object spread as the whole sample is: with one in each cell, those far from a bin would move its
    mean.
    """
    shape = np.maximum(counts + whole[:, None, :], 1e-12)
    drawn = rng.standard_gamma(shape) + 1e-300
    return np.asarray(drawn / drawn.sum(axis=-1, keepdims=True))


def _mixing(moves: NDArray[np.float64]) -> tuple[float, float]:
    """Fewest independent draws and largest R-hat of traces (n_chain, n_draw, n_trace).

    References
    ----------
    Gelman et al. 2013, Bayesian Data Analysis, 3rd ed., eqs. 11.3, 11.4, 11.8.
    """
    n_chain, n_draw, n_trace = moves.shape
    if n_draw < 4:
        return float(n_chain), float("nan")
    n_effective, r_hat = np.inf, 1.0
    for trace in range(n_trace):
        x = moves[:, :, trace]
        within = x.var(axis=1, ddof=1).mean()
        between = n_draw * x.mean(axis=1).var(ddof=1)
        pooled = (n_draw - 1) / n_draw * within + between / n_draw
        if not within > 0:
            continue
        r_hat = max(r_hat, float(np.sqrt(pooled / within)))
        total = 0.0
        for lag in range(1, n_draw // 2):
            rho = 1.0 - 0.5 * np.mean((x[:, lag:] - x[:, :-lag]) ** 2) / pooled
            if rho < 0.05:
                break
            total += rho
        n_effective = min(n_effective, n_chain * n_draw / (1.0 + 2.0 * total))
    return (float(n_chain * n_draw) if np.isinf(n_effective) else float(n_effective)), r_hat


@njit(cache=True, nogil=True, error_model="numpy")
def _gibbs(likelihood, first, last, bins, n_bin, start, alpha, n_iter, keep, seed):  # type: ignore[no-untyped-def] # noqa: PLR0917
    n_obj, n_cell = likelihood.shape
    np.random.seed(seed)  # noqa: NPY002 - the generator that numba has
    phi = start.copy()
    cumulative = np.empty(n_cell, dtype=np.float32)
    weight = np.empty(n_cell, dtype=np.float32)
    counts = np.empty((n_bin + 1, n_cell), dtype=np.int64)
    kept_phi = np.empty((keep.size, n_cell))
    kept_counts = np.empty((keep.size, n_bin, n_cell), dtype=np.int64)
    n_kept = 0
    for step in range(n_iter):
        counts[:] = 0
        for k in range(n_cell):
            weight[k] = np.float32(phi[k])
        for i in range(n_obj):
            total = np.float32(0.0)
            low, high = first[i], last[i]
            for k in range(low, high):
                total += likelihood[i, k] * weight[k]
                cumulative[k] = total
            level = np.float32(np.random.random()) * total  # noqa: NPY002
            k = low
            while k < high - 1 and cumulative[k] <= level:
                k += 1
            counts[bins[i] if bins[i] >= 0 else n_bin, k] += 1
        norm = 0.0
        for k in range(n_cell):
            seen = 0
            for b in range(n_bin + 1):
                seen += counts[b, k]
            phi[k] = np.random.standard_gamma(alpha + seen)  # noqa: NPY002
            norm += phi[k]
        for k in range(n_cell):
            phi[k] /= norm
        if n_kept < keep.size and step == keep[n_kept]:
            kept_phi[n_kept] = phi
            kept_counts[n_kept] = counts[:n_bin]
            n_kept += 1
    return kept_phi, kept_counts
