"""Example PDFs: good, broad, bimodal and wrong ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .style import BLUE, GREEN, GREY, VERMILION, annotate, dress, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from pzcenter.validation.sample import ValidationSample

__all__ = ["plot_examples"]

_SHADE = {"good": GREEN, "broad": BLUE, "bimodal": BLUE, "wrong": VERMILION}


def plot_examples(sample: ValidationSample) -> Figure:
    """Show up to nine PDFs, chosen by their ids, with the true redshift.

    Parameters
    ----------
    sample : ValidationSample

    Returns
    -------
    matplotlib.figure.Figure
    """
    figure = new_figure(8.8, 6.8)
    panels = list(figure.subplots(3, 3).flat)
    for index, (axes, example) in enumerate(zip(panels, sample.examples, strict=False)):
        colour = _SHADE[example.kind]
        axes.fill_between(sample.z_grid, example.pdf, color=colour, alpha=0.25, linewidth=0)
        axes.plot(sample.z_grid, example.pdf, color=colour, linewidth=1.6)
        axes.axvline(example.z_spec, color="black", linewidth=1.8, label="true redshift (z_spec)")
        axes.axvline(example.z_best, color=GREY, linewidth=1.8, linestyle=":", label="point estimate (z_best)")
        low, high = _window(sample.z_grid, example.pdf, example.z_spec)
        axes.set(xlim=(low, high), ylim=(0.0, 1.6 * float(example.pdf.max())))
        dress(
            axes,
            xlabel="redshift" if index >= len(sample.examples) - 3 else "",
            ylabel="p(z), per unit redshift" if index % 3 == 0 else "",
            title=f"{example.kind} · {example.object_id}",
        )
        peak = float(sample.z_grid[np.argmax(example.pdf)])
        annotate(
            axes,
            f"z_spec {example.z_spec:.2f}\nz_best {example.z_best:.2f}\nPIT {example.pit:.3f}",
            place="upper right" if peak < 0.5 * (low + high) else "upper left",
            size=8.5,
        )
    for axes in panels[len(sample.examples) :]:
        axes.set_axis_off()
    if sample.examples:
        handles, labels = panels[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper center", ncols=2, fontsize=10, frameon=False)
    return figure


def _window(z_grid: NDArray[np.float64], pdf: NDArray[np.float64], z_spec: float) -> tuple[float, float]:
    """Redshift range that holds the truth and all of the PDF that can be seen, at least 0.4 wide."""
    seen = z_grid[pdf > 0.01 * pdf.max()]
    low, high = min(float(seen[0]), z_spec), max(float(seen[-1]), z_spec)
    margin = max(0.12 * (high - low), 0.5 * (0.4 - (high - low)), 0.03)
    return max(low - margin, float(z_grid[0])), min(high + margin, float(np.max(z_grid)))
