"""What each metric of a metric table is, for people."""

from __future__ import annotations

from dataclasses import dataclass

from pzcenter.science.metrics.pdf import DENSITY_FLOOR, PIT_OUTLIER
from pzcenter.science.metrics.point import ABSOLUTE_OUTLIER

__all__ = ["METRICS", "MetricInfo"]


@dataclass(frozen=True)
class MetricInfo:
    """What people need to know of a metric.

    Parameters
    ----------
    title : str
        In words.
    definition : str
        In symbols; ``e`` is (z_phot - z_spec)/(1 + z_spec).
    ideal : str
        What a perfect result gives.
    """

    title: str
    definition: str
    ideal: str


METRICS = {
    "bias": MetricInfo("Bias", "median e", "0"),
    "sigma_nmad": MetricInfo(
        "Scatter, from the median deviation", "1.4826 median(|D - median D| / (1 + z_spec)), D = z_phot - z_spec", "0"
    ),
    "sigma_iqr": MetricInfo("Scatter, from the quartiles", "(e75 - e25) / 1.349", "0"),
    "outlier_fraction": MetricInfo("Outliers, fixed limit", f"fraction with |e| > {ABSOLUTE_OUTLIER:g}", "0"),
    "outlier_fraction_3sigma": MetricInfo(
        "Outliers, relative to the scatter", "fraction with |e| > max(0.06, 3 sigma_iqr)", "0"
    ),
    "pit_ks": MetricInfo("PIT: largest deviation from uniform", "Kolmogorov-Smirnov distance", "0"),
    "pit_cvm": MetricInfo("PIT: mean square deviation from uniform", "Cramér-von Mises statistic", "0.17"),
    "pit_outlier_rate": MetricInfo(
        "Truth outside the PDF", f"fraction with PIT < {PIT_OUTLIER:g} or > {1 - PIT_OUTLIER:g}", f"{2 * PIT_OUTLIER:g}"
    ),
    "cde_loss": MetricInfo("CDE loss", "mean of ∫p² dz - 2 p(z_spec)", "as low as possible"),
    "crps": MetricInfo("CRPS", "mean of ∫(F(z) - [z ≥ z_spec])² dz", "0"),
    "log_score": MetricInfo("Log score", f"mean of -ln p(z_spec), p at least {DENSITY_FLOOR:g}", "as low as possible"),
    "coverage_68": MetricInfo("Truth inside the 68 % interval", "fraction", "0.68"),
    "coverage_95": MetricInfo("Truth inside the 95 % interval", "fraction", "0.95"),
    "nz_mean_shift": MetricInfo(
        "Shift of the mean of n(z), in a bin of z_best", "(mean of stacked p(z) - mean z_spec) / (1 + mean z_spec)", "0"
    ),
}
