"""The page of a product: n(z) of all bins with their bands, and what must be known of them."""

from __future__ import annotations

import json
import shlex
from typing import TYPE_CHECKING

import numpy as np

from pzcenter.catalogs.storage import write_text_atomically
from pzcenter.validation.comparison.html import page_html
from pzcenter.validation.comparison.page_parts import Cell, Page, Section, TextTable, percent, picture, with_error
from pzcenter.validation.plots.style import BLUE, SKY, dress, legend, new_figure

if TYPE_CHECKING:
    from pathlib import Path

    from matplotlib.figure import Figure

    from pzcenter.pipelines.nz.product import NzProduct

__all__ = ["nz_page", "plot_correlation", "plot_nz", "write_nz_page"]

_PER_ROW = 2


def write_nz_page(path: Path, product: NzProduct) -> Path:
    """Write the page of a product as HTML.

    Raises
    ------
    StorageError
        The file system refused.
    """
    write_text_atomically(path, page_html(nz_page(product)))
    return path


def nz_page(product: NzProduct) -> Page:
    """Everything that the page shows."""
    rows = [
        [
            Cell(f"{row['point_low']:g} to {row['point_high']:g}", product.settings.get("point", "")),
            Cell(f"{row['n_obj']:,}", "", "n"),
            Cell(with_error(row["mean"], row["mean_err"]), "", "n"),
            Cell(with_error(row["width"], row["width_err"]), "", "n"),
            Cell(percent(row["share_without_redshifts"]), "", "n"),
        ]
        for row in product.bin_rows()
    ]
    heads = ("bin", "objects", "mean redshift", "width", "objects not represented")
    counts = [[Cell(name.replace("_", " ")), Cell(f"{value:,}")] for name, value in product.counts.items()]
    facts = [
        [Cell(name), Cell(str(value))]
        for name, value in product.diagnostics.items()
        if not (isinstance(value, list) and len(value) > 10)
    ]
    command = product.record.get("command")
    sections = [
        Section("bins", "Bins", tables=[TextTable("bins", heads, rows)]),
        Section(
            "nz", "n(z)",
            pictures=[
                picture(
                    plot_nz(product), title="n(z) of each bin",
                    reading="Line: the estimate. Shades: where 68 % and 95 % of the samples lie, cell by cell. Grey: "
                    "the range of the point estimate that makes the bin.",
                    alt="Histograms of redshift of each tomographic bin with error bands.",
                ),
                picture(
                    plot_correlation(product), title="Correlation of the mean redshifts",
                    reading="Bins that share objects' ambiguities have means that move together.",
                    alt="Correlation matrix of the mean redshifts of the bins.",
                ),
            ],
        ),
        Section("counts", "Objects", tables=[TextTable("counts", ("", ""), counts, is_pairs=True)]),
        Section("diagnostics", "Diagnostics", tables=[TextTable("diagnostics", ("", ""), facts, is_pairs=True)]),
        Section(
            "provenance", "How this was made",
            codes=[("Command", shlex.join(command or [])), ("Settings", json.dumps(product.settings, indent=1))],
        ),
    ]  # fmt: skip
    return Page(
        title="Redshift distributions of tomographic bins",
        meta=f"method {product.method} · {int(product.estimate.n_obj.sum()):,} objects in {product.bins.n_bin} bins",
        summary=[product.label, *(f"{note[:1].upper()}{note[1:]}." for note in product.notes)],
        sections=[section for section in sections if not section.is_empty],
    )


def plot_nz(product: NzProduct) -> Figure:
    """n(z) of each bin with its bands."""
    found, bins = product.estimate, product.bins
    n_row = -(-bins.n_bin // _PER_ROW)
    figure = new_figure(8.5, 0.6 + 2.3 * n_row)
    panels = figure.subplots(n_row, _PER_ROW, squeeze=False, sharex=True).ravel()
    wide, narrow = found.band(0.95), found.band(0.68)
    for index, axes in enumerate(panels):
        if index >= bins.n_bin:
            axes.set_visible(False)
            continue
        axes.axvspan(bins.low[index], bins.high[index], color="0.92", linewidth=0)
        for (low, high), alpha, label in ((wide, 0.3, "95 %"), (narrow, 0.6, "68 %")):
            axes.fill_between(
                np.repeat(found.edges, 2)[1:-1], np.repeat(low[index], 2), np.repeat(high[index], 2),
                color=SKY, alpha=alpha, linewidth=0, label=label,
            )  # fmt: skip
        axes.stairs(found.nz[index], found.edges, color=BLUE, linewidth=1.5, baseline=None, label=product.method)
        axes.set_ylim(bottom=0)
        title = f"{bins.names[index]}: mean {found.mean[index]:.4f} ± {found.mean_error[index]:.4f}"
        is_last = index >= bins.n_bin - _PER_ROW
        dress(axes, xlabel="redshift" if is_last else "", ylabel="n(z)", title=title)
        axes.tick_params(labelbottom=is_last)
    legend(panels[0], loc="upper right")
    return figure


def plot_correlation(product: NzProduct) -> Figure:
    """Correlation of the mean redshifts of the bins."""
    covariance = product.estimate.mean_covariance()
    scale = np.sqrt(np.diag(covariance))
    with np.errstate(invalid="ignore", divide="ignore"):
        correlation = covariance / scale[:, None] / scale
    figure = new_figure(4.8, 4.0)
    axes = figure.subplots()
    mesh = axes.imshow(correlation, vmin=-1, vmax=1, cmap="PuOr_r", origin="lower")
    places = np.arange(product.bins.n_bin)
    axes.set_xticks(places, product.bins.names, rotation=45, ha="right", fontsize=8)
    axes.set_yticks(places, product.bins.names, fontsize=8)
    figure.colorbar(mesh, ax=axes, label="correlation")
    return figure
