"""Every metric of the suite: what it is, where it comes from, what it is called elsewhere, and which way is better."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pzcenter.science.metrics.pdf import PIT_OUTLIER
from pzcenter.science.metrics.point import CATASTROPHIC

from .metric_info import METRICS, MetricInfo

__all__ = ["DP1_OUTLIER", "SUITE", "SUITE_VERSION", "MetricDefinition"]

SUITE_VERSION = "1"
"""Goes up when any definition changes, so that scores of two versions are not compared."""

DP1_OUTLIER = 0.2
"""Threshold of abs(dz) of the outliers of Rubin's DP1 and of the DESC challenge (SITCOMTN-154)."""

Family = Literal["point", "pdf", "truth", "nz", "bins", "technical"]
Better = Literal["lower", "higher", "target"]


@dataclass(frozen=True)
class MetricDefinition(MetricInfo):
    """What people and programs need to know of a metric.

    Parameters
    ----------
    family : {"point", "pdf", "truth", "nz", "bins", "technical"}
        What it is made from: points, p(z), true p(z), n(z) of bins, assignment to bins, time and size.
    reference : str
        Where it is defined.
    better : {"lower", "higher", "target"}
        Which way is better; ``target`` means nearer to ``goal``.
    goal : float
        What a perfect result gives, for ``target``.
    rail_name : str
        In qp or RAIL; empty where there is none.
    challenge_name : str
        Column of the DESC p(z) challenge's scores; empty where there is none.
    """

    family: Family = "point"
    reference: str = ""
    better: Better = "lower"
    goal: float = 0.0
    rail_name: str = ""
    challenge_name: str = ""

    def badness(self, value: float) -> float:
        """How far from perfect: the lower the better, whatever the metric."""
        if self.better == "target":
            return abs(value - self.goal)
        return -value if self.better == "higher" else value


def _known(name: str, family: Family, reference: str, **more: str | float) -> MetricDefinition:
    """Definition of a metric that :data:`METRICS` explains."""
    info = METRICS[name]
    return MetricDefinition(info.title, info.definition, info.ideal, family=family, reference=reference, **more)  # type: ignore[arg-type]


_D = MetricDefinition
_SCHMIDT = "Schmidt et al. 2020"
_BEERS = "Beers et al. 1990"

SUITE: dict[str, MetricDefinition] = {
    # --- point estimates; e = (z_phot - z_spec)/(1 + z_spec)
    "bias": _known("bias", "point", "LSST Science Book", better="target", rail_name="point_bias"),
    "mean_bias": _D("Mean offset, outliers included", "mean e", "0", "point", "", "target"),
    "biweight_bias": _D(
        "Offset of the core",
        "biweight location of e, clipped at 3 sigma",
        "0",
        "point",
        _BEERS,
        "target",
        rail_name="biweight mean of the plots",
        challenge_name="mean",
    ),
    "sigma_nmad": _known("sigma_nmad", "point", "Brammer et al. 2008"),
    "sigma_mad": _D(
        "Scatter, from the median deviation of e",
        "1.4826 median |e - median e|",
        "0",
        "point",
        rail_name="point_stats_sigma_mad",
    ),
    "sigma_iqr": _known("sigma_iqr", "point", _SCHMIDT, rail_name="point_stats_iqr"),
    "sigma_rms": _D("Scatter, outliers included", "standard deviation of e", "0", "point"),
    "biweight_sigma": _D(
        "Scatter of the core",
        "biweight scale of e, clipped at 3 sigma",
        "0",
        "point",
        _BEERS,
        rail_name="biweight std of the plots",
        challenge_name="std",
    ),
    "outlier_fraction": _known("outlier_fraction", "point", "RTN-124"),
    "outlier_fraction_0p2": _D(
        f"Outliers, fixed limit {DP1_OUTLIER:g}",
        f"fraction with |e| > {DP1_OUTLIER:g}",
        "0",
        "point",
        "SITCOMTN-154",
        rail_name="abs. outliers of the plots",
        challenge_name="abs_outlier_rate",
    ),
    "outlier_fraction_3sigma": _known(
        "outlier_fraction_3sigma", "point", "LSST Science Book", rail_name="point_outlier_rate"
    ),
    "outlier_fraction_biweight": _D(
        "Outliers, relative to the core",
        "fraction with |e| > 3 biweight_sigma",
        "0",
        "point",
        _BEERS,
        rail_name="rel. outliers of the plots",
    ),
    "catastrophic_fraction": _D(
        "Catastrophic failures", f"fraction with |z_phot - z_spec| > {CATASTROPHIC:g}", "0", "point", "DMTN-049"
    ),
    "loss": _D("Lorentzian loss", "mean of 1 - 1/(1 + (e/0.15)²)", "0", "point", "Tanaka et al. 2018; DMTN-049"),
    # --- p(z)
    "pit_ks": _known("pit_ks", "pdf", _SCHMIDT, rail_name="pit: KS", challenge_name="ks"),
    "pit_cvm": _known("pit_cvm", "pdf", _SCHMIDT, rail_name="pit: CvM", challenge_name="CvM"),
    "pit_ad": _D(
        "PIT: deviation from uniform, tails weighted",
        "Anderson-Darling statistic",
        "1",
        "pdf",
        "Anderson & Darling 1954",
    ),
    "pit_ad_ksamp": _D(
        "PIT beside equally spaced values",
        "two-sample Anderson-Darling statistic",
        "-1.3",
        "pdf",
        "Scholz & Stephens 1987",
        rail_name="pit: anderson_ksamp",
        challenge_name="ksamp",
    ),
    "pit_outlier_rate": _known(
        "pit_outlier_rate",
        "pdf",
        _SCHMIDT,
        better="target",
        goal=2 * PIT_OUTLIER,
        rail_name="pit: outlier_rate",
        challenge_name="outlier",
    ),
    "coverage_68": _known("coverage_68", "pdf", "", better="target", goal=0.68),
    "coverage_95": _known("coverage_95", "pdf", "", better="target", goal=0.95),
    "hpd_ks": _D(
        "Credible levels: largest deviation from uniform",
        "KS distance of the highest-density levels at z_spec",
        "0",
        "pdf",
        "Wittman et al. 2016",
    ),
    "cde_loss": _known("cde_loss", "pdf", "Izbicki & Lee 2017", rail_name="cdeloss"),
    "crps": _known("crps", "pdf", "Hersbach 2000"),
    "log_score": _known("log_score", "pdf", "Good 1952"),
    "brier": _D(
        "Brier score of the grid cells",
        "mean of Σ(P_k - [z_spec in cell k])²",
        "0",
        "pdf",
        "Brier 1950",
        rail_name="brier",
    ),
    "credibility": _D(
        "Probability at the truth",
        "mean of C(z_spec) = ∫ p within 0.03 (1 + z) of z_spec",
        "1",
        "pdf",
        "DMTN-049",
        "higher",
    ),
    "concentration": _D("Probability at the estimate", "mean of C(z_best)", "1", "pdf", "Tanaka et al. 2018", "higher"),
    "risk": _D("Risk that p(z) promises", "mean of ∫ p L at z_best", "loss", "pdf", "Tanaka et al. 2018"),
    # --- against true p(z)
    "kld": _D(
        "Information lost", "mean of ∫ p_true ln(p_true/p), nats", "0", "truth", "Malz et al. 2018", rail_name="kld"
    ),
    "rmse": _D("Distance from the true p(z)", "mean of rms(p - p_true) over the grid", "0", "truth", rail_name="rmse"),
    # --- n(z) of tomographic bins
    "nz_mean_shift": _known("nz_mean_shift", "nz", "DESC SRD", better="target"),
    "nz_width_shift": _D(
        "Shift of the width of n(z)",
        "(width of stacked p(z) - std of z_spec) / (1 + mean z_spec)",
        "0",
        "nz",
        "DESC SRD",
        "target",
    ),
    "nz_wasserstein": _D(
        "Distance of n(z)", "∫ |F - F_spec| dz", "0", "nz", "Vaserstein 1969", challenge_name="wasserstein_dist"
    ),
    "nz_kl_bits": _D(
        "Information lost by n(z)",
        "Σ P log2(P/Q) over cells of 0.05",
        "0",
        "nz",
        "Kullback & Leibler 1951",
        challenge_name="kl_divergence",
    ),
    # --- assignment to tomographic bins
    "bin_purity": _D("Purity", "share of a bin's objects that belong there", "1", "bins", "", "higher"),
    "bin_completeness": _D("Completeness", "share of a true bin's objects found there", "1", "bins", "", "higher"),
    "bin_accuracy": _D("Accuracy", "share of objects in their true bin", "1", "bins", "", "higher"),
    "balanced_accuracy": _D(
        "Balanced accuracy",
        "mean completeness of the bins",
        "1",
        "bins",
        "",
        "higher",
        challenge_name="balanced_accuracy",
    ),
    "bin_kappa": _D(
        "Cohen's kappa",
        "(accuracy - chance)/(1 - chance)",
        "1",
        "bins",
        "Cohen 1960",
        "higher",
        challenge_name="cohens_kappa",
    ),
    "bin_log_loss": _D(
        "Log loss of hard assignments",
        "mean of -ln q, q = 1e-15 where wrong",
        "0",
        "bins",
        challenge_name="log_loss_from_labels",
    ),
    "mutual_information": _D(
        "What the bin tells of z",
        "Σ p_ij log2(p_ij/(p_i p_j)), z in cells of 0.05, bits",
        "log2 of the bins",
        "bins",
        "Shannon 1948",
        "higher",
        challenge_name="mutual_info",
    ),
    # --- the method
    "train_s": _D("Training", "s", "", "technical", "DESC p(z) challenge"),
    "estimate_ms": _D("Estimation, per object", "ms", "", "technical", "DMTN-049"),
    "peak_gb": _D("Peak memory", "GB", "", "technical", "DMTN-049"),
    "output_bytes": _D("Output, per object", "bytes", "", "technical", "DMTN-049"),
    "model_mb": _D("Trained model", "MB", "", "technical", "DESC p(z) challenge"),
}
"""All metrics by name, in the order of tables."""
