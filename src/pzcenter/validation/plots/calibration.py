"""Whether the widths of the PDFs are true: the probability integral transform (PIT)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .style import BLUE, GREY, VERMILION, annotate, dress, legend, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from pzcenter.validation.sample import ValidationSample
    from pzcenter.validation.table import MetricTable

__all__ = ["plot_pit_qq"]

_KS_95 = 1.358  # 95 % point of sqrt(n) times the Kolmogorov-Smirnov distance (Smirnov 1948, Ann. Math. Stat. 19, 279)


def plot_pit_qq(sample: ValidationSample, table: MetricTable) -> Figure:
    """Histogram of the PIT with the band expected of true PDFs, and the QQ plot with its deviation.

    Parameters
    ----------
    sample : ValidationSample
    table : MetricTable
        Of the same sample.

    Returns
    -------
    matplotlib.figure.Figure
    """
    pit, n_obj = sample.pit, sample.n_obj
    figure = new_figure(8.8, 4.2)
    halves = figure.add_gridspec(1, 2, width_ratios=(1.25, 1))
    histogram = figure.add_subplot(halves[0])
    inner = halves[1].subgridspec(2, 1, height_ratios=(2.6, 1), hspace=0.04)
    qq = figure.add_subplot(inner[0])
    deviation = figure.add_subplot(inner[1], sharex=qq)

    n_bin = int(np.clip(n_obj // 50, 10, 50))
    edges = np.linspace(0.0, 1.0, n_bin + 1)
    counts, _ = np.histogram(pit, bins=edges)
    scale = n_bin / n_obj
    spread = 1.96 * np.sqrt((n_bin - 1) / n_obj)  # 95 % of a binomial count with probability 1/n_bin, over its mean
    histogram.axhspan(1.0 - spread, 1.0 + spread, color=GREY, alpha=0.35, linewidth=0, label="expected, 95 % of bins")
    histogram.stairs(counts * scale, edges, color=BLUE, fill=True, alpha=0.35)
    histogram.stairs(counts * scale, edges, color=BLUE, linewidth=1.6, label="this sample")
    histogram.axhline(1.0, color="0.2", linewidth=0.8, linestyle="--")
    histogram.set(xlim=(0, 1), ylim=(0, 1.25 * max(float(counts.max() * scale), 1.3)))
    dress(
        histogram,
        xlabel="PIT: cumulative p(z) at the true redshift",
        ylabel="objects, relative to uniform",
        title="PIT",
    )
    annotate(histogram, _numbers(table))
    legend(histogram, loc="upper right")

    level = np.linspace(0.0, 1.0, 501)
    below = np.searchsorted(np.sort(pit), level, side="right") / n_obj
    band = _KS_95 / np.sqrt(n_obj)
    qq.plot(level, level, color="0.2", linewidth=0.8, linestyle="--")
    qq.plot(level, below, color=BLUE, linewidth=2.0)
    qq.set(xlim=(0, 1), ylim=(0, 1))
    dress(qq, ylabel="observed fraction below", title="QQ")
    qq.tick_params(labelbottom=False)
    deviation.axhspan(-band, band, color=GREY, alpha=0.35, linewidth=0)
    deviation.axhline(0.0, color="0.2", linewidth=0.8, linestyle="--")
    deviation.plot(level, below - level, color=VERMILION, linewidth=1.6)
    limit = 1.25 * max(float(np.abs(below - level).max()), 2.0 * band)
    deviation.set_ylim(-limit, limit)
    dress(deviation, xlabel="predicted fraction below", ylabel="difference")
    return figure


def _numbers(table: MetricTable) -> str:
    outside, distance = table.row("pit_outlier_rate"), table.row("pit_ks")
    inside = "\n".join(
        f"{name} % interval holds {100 * table.value(f'coverage_{name}'):.1f} %" for name in ("68", "95")
    )
    return (
        f"KS distance {distance.value:.4f} ± {distance.error:.4f}\n"
        f"truth outside the PDF {100 * outside.value:.2f} ± {100 * outside.error:.2f} %\n{inside}"
    )
