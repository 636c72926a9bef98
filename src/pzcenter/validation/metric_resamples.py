"""Values and standard errors of all metrics of one group of objects.

Means have the error of a mean; the others that of a bootstrap over the objects, in which the resamples are the rows of
one array (:mod:`pzcenter.science.metrics.rows`). A large group is resampled in part, ``m`` of ``n`` objects, and the
scatter scaled to ``n`` (Bickel, Götze & van Zwet 1997, Statistica Sinica 7, 1).
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from zlib import crc32

import numpy as np

from pzcenter.science import metrics
from pzcenter.science.metrics.pdf import PIT_OUTLIER
from pzcenter.science.metrics.point import ABSOLUTE_OUTLIER, CATASTROPHIC
from pzcenter.science.metrics.rows import ks_of_rows, nmad_of_rows, pit_statistics_of_rows, point_statistics_of_rows

from .metric_suite_info import DP1_OUTLIER

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from .streamed_metrics import ObjectScores

__all__ = ["Resampler", "group_metrics", "pdf_metrics_of", "point_metrics_of"]

Numbers = dict[str, tuple[float, float]]
"""Value and standard error by name."""

_GROWING = {"pit_cvm", "pit_ad"}  # sums over objects: their scatter grows with the sample
_MEANS = ("cde_loss", "crps", "log_score", "brier", "credibility", "concentration", "risk", "kld", "rmse")


class Resampler:
    """Draws of objects, each with a seed of its own label, so that no result depends on what else is computed.

    Parameters
    ----------
    n_resample : int
        Fewer than 2 give NaN errors where there is no formula.
    seed : int
    max_rows : int
        Objects of one resample at most.
    """

    def __init__(self, n_resample: int, *, seed: int = 0, max_rows: int = 5000) -> None:
        self.n_resample = n_resample
        self.seed = seed
        self.max_rows = max_rows
        self._last: tuple[int, str, NDArray[np.int32]] | None = None

    def generator(self, label: str) -> np.random.Generator:
        """Give the random numbers that belong to a label."""
        return np.random.default_rng([self.seed, crc32(label.encode())])

    def draw(self, n_obj: int, label: str) -> NDArray[np.int32]:
        """Indices of the objects of each resample, sorted within each, (n_resample, n_row)."""
        if self._last is None or self._last[:2] != (n_obj, label):
            size = (self.n_resample, min(n_obj, self.max_rows))
            chosen = self.generator(label).integers(n_obj, size=size, dtype=np.int32)  # sorts fast
            chosen.sort(axis=1)
            self._last = (n_obj, label, chosen)
        return self._last[2]

    def errors(
        self, n_obj: int, label: str, statistics: Callable[[NDArray[np.integer]], dict[str, NDArray[np.float64]]]
    ) -> dict[str, float]:
        """Standard error of each statistic of the rows drawn."""
        if self.n_resample < 2:
            return {}
        drawn = self.draw(n_obj, label)
        share = n_obj / drawn.shape[1]
        return {
            name: float(values.std(ddof=1) * share ** (0.5 if name in _GROWING else -0.5))
            for name, values in statistics(drawn).items()
        }


def group_metrics(
    scores: ObjectScores, rows: NDArray[np.int64] | slice, resampler: Resampler, label: str, points: tuple[str, ...]
) -> dict[str, Numbers]:
    """All metrics of some objects.

    Parameters
    ----------
    scores : ObjectScores
    rows : ndarray of int64 or slice
        The objects; at least one.
    resampler : Resampler
    label : str
        Name of the group, which seeds its resamples.
    points : tuple of str
        Point estimates wanted.

    Returns
    -------
    dict of str to dict of str to (float, float)
        By point estimate, and ``pdf``: value and standard error of each metric.
    """
    z_spec = scores.z_spec[rows]
    found = {point: point_metrics_of(scores.points[point][rows], z_spec, resampler, label) for point in points}
    if scores.pdf:
        found["pdf"] = pdf_metrics_of({name: value[rows] for name, value in scores.pdf.items()}, resampler, label)
    return found


def point_metrics_of(
    z_phot: NDArray[np.float64], z_spec: NDArray[np.float64], resampler: Resampler, label: str = ""
) -> Numbers:
    """Value and error of every metric of point estimates, all finite."""
    dz = metrics.delta_z(z_phot, z_spec)
    order = np.argsort(dz)
    dz = dz[order]
    difference, one_plus_z = (z_phot - z_spec)[order], (1.0 + z_spec)[order]

    def statistics(chosen: NDArray[np.integer]) -> dict[str, NDArray[np.float64]]:
        found = point_statistics_of_rows(dz[chosen])
        return {**found, "sigma_nmad": nmad_of_rows(difference[chosen], one_plus_z[chosen])}

    everything = {**point_statistics_of_rows(dz[None]), "sigma_nmad": nmad_of_rows(difference[None], one_plus_z[None])}
    errors = resampler.errors(dz.size, label, statistics)
    numbers = {name: (float(value[0]), errors.get(name, np.nan)) for name, value in everything.items()}
    means = {
        "mean_bias": dz,
        "outlier_fraction": np.abs(dz) > ABSOLUTE_OUTLIER,
        "outlier_fraction_0p2": np.abs(dz) > DP1_OUTLIER,
        "catastrophic_fraction": np.abs(difference) > CATASTROPHIC,
        "loss": metrics.lorentzian_loss(z_phot, z_spec),
    }
    return numbers | {name: _mean(column) for name, column in means.items()}


def pdf_metrics_of(columns: dict[str, NDArray[np.floating]], resampler: Resampler, label: str = "") -> Numbers:
    """Value and error of every metric of p(z), from the scores of the objects."""
    pit, level = (np.sort(columns[name].astype(np.float64)) for name in ("pit", "hpd_level"))

    def statistics(chosen: NDArray[np.integer]) -> dict[str, NDArray[np.float64]]:
        return pit_statistics_of_rows(pit[chosen])

    errors = resampler.errors(pit.size, label, statistics)
    numbers = {
        name: (float(value[0]), errors.get(name, np.nan)) for name, value in pit_statistics_of_rows(pit[None]).items()
    }
    levels = resampler.errors(level.size, label, lambda chosen: {"hpd_ks": ks_of_rows(level[chosen])})
    numbers["hpd_ks"] = (metrics.pit_ks(level), levels.get("hpd_ks", np.nan))
    means: dict[str, NDArray[np.generic]] = {
        "pit_outlier_rate": (pit < PIT_OUTLIER) | (pit > 1.0 - PIT_OUTLIER),
        "coverage_68": np.abs(pit - 0.5) <= 0.34,
        "coverage_95": np.abs(pit - 0.5) <= 0.475,
    }
    means |= {name: columns[name] for name in _MEANS if name in columns}
    return numbers | {name: _mean(column) for name, column in means.items()}


def _mean(column: NDArray[np.generic]) -> tuple[float, float]:
    values = column.astype(np.float64)
    error = float(values.std(ddof=1) / np.sqrt(values.size)) if values.size > 1 else float("nan")
    return float(values.mean()), error
