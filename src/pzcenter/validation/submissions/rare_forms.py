"""Forms of qp that few hand in: packed integers, sparse bases, splines, and the distributions of scipy.stats."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from pzcenter.errors import FileFormatError, MissingDependencyError

from .cumulative import averages, cell_edges
from .densities import Evaluated
from .faults import EMPTY, FINE, NOT_FINITE
from .forms import on_grid

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

__all__ = [
    "SCIPY_NAMES",
    "PackedIntegerForm",
    "QpForm",
    "ScipyForm",
    "SparseForm",
    "SplineForm",
]

SCIPY_NAMES = frozenset(
    [
        "beta",
        "cauchy",
        "chi2",
        "expon",
        "exponnorm",
        "exponpow",
        "fisk",
        "gamma",
        "gengamma",
        "gennorm",
        "gumbel_l",
        "gumbel_r",
        "halfnorm",
        "invgamma",
        "invgauss",
        "johnsonsb",
        "johnsonsu",
        "laplace",
        "loggamma",
        "logistic",
        "lognorm",
        "maxwell",
        "norm",
        "pearson3",
        "powernorm",
        "rayleigh",
        "rice",
        "skewnorm",
        "t",
        "triang",
        "truncnorm",
        "uniform",
        "weibull_max",
        "weibull_min",
    ]
)
"""Distributions of scipy.stats whose cumulative is a closed form, so that a file cannot stop the machine with one."""
_SPARSE_WEIGHTS = 32_000
"""Integer that stands for a weight of 1 in qp's sparse indices."""
_SPARSE_CUT = 1e-5
_MAX_BASIS = 1 << 24


@dataclass(frozen=True, eq=False)
class PackedIntegerForm:
    """Densities in one byte per point, linear or logarithmic in p / max(p) (qp ``packed_interp``)."""

    z_grid: NDArray[np.float64]
    is_logarithmic: bool = False
    log_floor: float = -3.0
    name: str = "packed integers"
    columns: tuple[str, ...] = ("ypacked", "ymax")

    def densities(self, rows: Mapping[str, NDArray[Any]], z_grid: NDArray[np.float64]) -> Evaluated:
        """See :class:`.forms.Form`."""
        share = rows["ypacked"] / np.float32(255.0)
        if self.is_logarithmic:
            share = np.where(share > 0.0, 10.0 ** (-self.log_floor * (share - 1.0)), 0.0)
        values = share * np.asarray(rows["ymax"]).reshape(-1, 1)
        return on_grid(values, self.z_grid, z_grid, is_relative=True)


@dataclass(frozen=True, eq=False)
class SparseForm:
    """Sums of few Voigt profiles of a common basis, each in one integer (qp ``sparse``).

    References
    ----------
    Carrasco Kind & Brunner 2014, MNRAS 441, 3550.
    """

    z_grid: NDArray[np.float64]
    mu: tuple[float, float]
    sigma: tuple[float, float]
    n_mu: int
    n_sigma: int
    n_gamma: int
    name: str = "sparse basis"
    columns: tuple[str, ...] = ("sparse_indices",)

    def densities(self, rows: Mapping[str, NDArray[Any]], z_grid: NDArray[np.float64]) -> Evaluated:
        """See :class:`.forms.Form`."""
        code = np.asarray(rows["sparse_indices"]).astype(np.int64)
        index, weight = code & 0xFFFF, (code >> 16) / _SPARSE_WEIGHTS
        weight[:, 0] = 1.0
        used, place = np.unique(index, return_inverse=True)
        basis, place = self._basis(used), place.reshape(index.shape)
        values = np.zeros((code.shape[0], self.z_grid.size))
        for k in range(code.shape[1]):
            values += weight[:, k, None] * basis[place[:, k]]
        return on_grid(np.maximum(values, 0.0), self.z_grid, z_grid, is_relative=True)

    def _basis(self, used: NDArray[np.int64]) -> NDArray[np.float64]:
        """Voigt profiles (n_used, n_z), of unit Euclidean norm."""
        from scipy.special import voigt_profile

        n_basis = self.n_mu * self.n_sigma * self.n_gamma
        if used.size and not 0 <= used[-1] < n_basis <= _MAX_BASIS:
            raise FileFormatError(f"sparse index {used[-1]} in a basis of {n_basis}; accepted are up to {_MAX_BASIS}")
        mean = np.linspace(*self.mu, self.n_mu)[used // (self.n_sigma * self.n_gamma)]
        sigma = np.linspace(*self.sigma, self.n_sigma)[used // self.n_gamma % self.n_sigma]
        gamma = np.linspace(0.0, 0.5, self.n_gamma)[used % self.n_gamma]
        profile = voigt_profile(self.z_grid - mean[:, None], sigma[:, None], gamma[:, None])
        profile[profile < _SPARSE_CUT] = 0.0
        norm = np.sqrt(np.vecdot(profile, profile))[:, None]
        values: NDArray[np.float64] = np.divide(profile, norm, out=profile, where=norm > 0.0)
        return values


@dataclass(frozen=True, eq=False)
class SplineForm:
    """A spline for each object: knots, coefficients, degree (qp ``spline``); 0 where it falls below 0."""

    name: str = "spline"
    columns: tuple[str, ...] = ("splx", "sply", "spln")
    z_grid: NDArray[np.float64] | None = None

    def densities(self, rows: Mapping[str, NDArray[Any]], z_grid: NDArray[np.float64]) -> Evaluated:
        """See :class:`.forms.Form`."""
        from scipy.interpolate import splantider, splev

        edges = cell_edges(z_grid)
        knots, coefficients = (np.asarray(rows[name], dtype=np.float64) for name in self.columns[:2])
        degree = np.asarray(rows["spln"]).reshape(-1).astype(int)
        cumulative, total = np.full((knots.shape[0], edges.size), np.nan), np.full(knots.shape[0], np.nan)
        fault = np.where(np.isnan(knots).all(axis=1) | np.isnan(coefficients).all(axis=1), EMPTY, FINE).astype(np.uint8)
        for row in np.flatnonzero(fault == FINE):
            t, c = knots[row], coefficients[row]
            if not (
                np.isfinite(t).all() and np.isfinite(c).all() and np.all(np.diff(t) >= 0) and 1 <= degree[row] <= 5
            ):
                fault[row] = NOT_FINITE
                continue
            integral = splantider((t, c, int(degree[row])))
            ends = splev(np.clip(edges, t[0], t[-1]), integral)
            cumulative[row], total[row] = ends, float(splev(t[-1], integral) - splev(t[0], integral))
        return Evaluated(np.maximum(averages(cumulative, edges), 0.0), total, fault)


@dataclass(frozen=True, eq=False)
class ScipyForm:
    """A distribution of scipy.stats with parameters for each object."""

    distribution: str
    columns: tuple[str, ...]
    z_grid: NDArray[np.float64] | None = None

    @property
    def name(self) -> str:
        """In words, for reports."""
        return f"distribution {self.distribution}"

    def densities(self, rows: Mapping[str, NDArray[Any]], z_grid: NDArray[np.float64]) -> Evaluated:
        """See :class:`.forms.Form`."""
        from scipy import stats

        edges = cell_edges(z_grid)
        parameters = {name: np.asarray(rows[name], dtype=np.float64).reshape(-1, 1) for name in self.columns}
        n_obj = len(next(iter(parameters.values())))
        with np.errstate(all="ignore"):
            cumulative = np.broadcast_to(
                getattr(stats, self.distribution).cdf(edges, **parameters), (n_obj, edges.size)
            )
        values = np.stack([value[:, 0] for value in parameters.values()], axis=1)
        fault = np.where(np.isfinite(cumulative).all(axis=1), FINE, NOT_FINITE).astype(np.uint8)
        fault[np.isnan(values).all(axis=1)] = EMPTY
        return Evaluated(averages(cumulative, edges), np.where(fault == FINE, 1.0, np.nan), fault)


@dataclass(frozen=True, eq=False)
class QpForm:
    """Anything else that qp itself can build from its tables; needs the package qp-prob."""

    kind: str
    columns: tuple[str, ...]
    meta: Mapping[str, NDArray[Any]]
    z_grid: NDArray[np.float64] | None = None

    @property
    def name(self) -> str:
        """In words, for reports."""
        return f"qp {self.kind}"

    @cached_property
    def _factory(self) -> Any:
        try:
            import qp
        except ImportError as error:
            raise MissingDependencyError(
                f"ensembles of type {self.kind!r} are read through qp: pip install 'pzcenter[qp]'"
            ) from error
        return qp.factory.instance()

    def densities(self, rows: Mapping[str, NDArray[Any]], z_grid: NDArray[np.float64]) -> Evaluated:
        """See :class:`.forms.Form`."""
        edges = cell_edges(z_grid)
        data = {name: rows[name] for name in self.columns}
        try:
            ensemble = self._factory.from_tables({"meta": dict(self.meta), "data": data})
            cumulative = np.asarray(ensemble.cdf(edges), dtype=np.float64)
        except (KeyError, ValueError, TypeError, IndexError, NotImplementedError) as error:
            raise FileFormatError(f"qp cannot read an ensemble of type {self.kind!r}: {error}") from error
        fault = np.where(np.isfinite(cumulative).all(axis=1), FINE, NOT_FINITE).astype(np.uint8)
        return Evaluated(averages(cumulative, edges), np.where(fault == FINE, 1.0, np.nan), fault)
