"""Figures of a validation: one function each, a matplotlib ``Figure`` back, no global state."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from .calibration import plot_pit_qq
from .distribution import plot_nz
from .gallery import plot_examples
from .scatter import plot_z_phot_z_spec
from .sky import plot_sky
from .trends import plot_trends

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from pzcenter.validation.sample import ValidationSample
    from pzcenter.validation.table import MetricTable

__all__ = [
    "make_figures",
    "plot_examples",
    "plot_nz",
    "plot_pit_qq",
    "plot_sky",
    "plot_trends",
    "plot_z_phot_z_spec",
    "save_plots",
]


def make_figures(sample: ValidationSample, table: MetricTable, *, point: str = "z_best") -> dict[str, Figure]:
    """Every figure that the sample allows.

    Parameters
    ----------
    sample : ValidationSample
    table : MetricTable
        Of the same sample.
    point : str
        Point estimate to show.

    Returns
    -------
    dict of str to Figure
        By name, in the order of the report.
    """
    figures = {
        "z_phot_z_spec": plot_z_phot_z_spec(sample, table, point=point),
        "trends": plot_trends(table, point=point, mag_band=sample.mag_band),
        "pit_qq": plot_pit_qq(sample, table),
        "nz": plot_nz(sample, table),
        "examples": plot_examples(sample),
    }
    sky = plot_sky(sample, point=point)
    return figures if sky is None else {**figures, "sky": sky}


def save_plots(
    sample: ValidationSample, table: MetricTable, directory: str | Path, *, point: str = "z_best"
) -> dict[str, Path]:
    """Write every figure as PNG.

    Parameters
    ----------
    sample : ValidationSample
    table : MetricTable
        Of the same sample.
    directory : path
        Made when it does not exist; files of the same name are replaced.
    point : str
        Point estimate to show.

    Returns
    -------
    dict of str to Path
        Path of each figure by its name.
    """
    folder = Path(directory)
    folder.mkdir(parents=True, exist_ok=True)
    paths = {}
    for name, figure in make_figures(sample, table, point=point).items():
        paths[name] = folder / f"{name}.png"
        figure.savefig(paths[name], format="png", metadata={"Software": None})
    return paths
