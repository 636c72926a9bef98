"""Figures of a report with their captions; each is drawn where its columns are there."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from pzcenter.training import plots
from pzcenter.training.plots.columns import bands_of, magnitudes, numbers
from pzcenter.training.plots.projection import sky_window
from pzcenter.training.report_parts import Image, draw

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

    from pzcenter.training.coverage_report import CoverageReport
    from pzcenter.training.plots.projection import SkyWindow
    from pzcenter.training.report_inputs import ReportInputs

__all__ = [
    "coverage_images",
    "match_images",
    "photometry_images",
    "redshift_images",
    "sky_images",
    "split_images",
    "weight_images",
]


def sky_images(inputs: ReportInputs) -> list[Image]:
    """Redshifts on the sky; and the training set with its target, in the target's surroundings."""
    found, edge = [], _positions(inputs.target)
    redshifts = _positions(inputs.redshifts)
    if redshifts is not None:
        reading = "Density of redshifts; RA increases to the left."
        if edge is not None:
            reading += " A red line is the edge of the target, where it has one: only redshifts inside can be matched."
        found.append(
            draw(
                lambda ax: plots.plot_sky(*redshifts, footprint=edge, ax=ax), wide=True, size=(8.0, 5.0),
                title="Redshifts on the sky",
                reading=reading,
                alt="Map of the density of redshifts in HEALPix cells.",
            )
        )  # fmt: skip
    training = _positions(inputs.training)
    if training is None:
        return found
    shown = edge if edge is not None and _good(edge).any() else training
    if not _good(shown).any():
        return found
    window = sky_window(*(values[_good(shown)] for values in shown))
    panels = [lambda ax: plots.plot_sky(*training, footprint=edge, window=window, label="training rows", ax=ax)]
    if edge is not None and inputs.target is not None:
        share = inputs.n_target / max(inputs.target.num_rows, 1)
        panels.append(
            lambda ax: plots.plot_sky(*edge, window=window, objects_per_row=share, label="target objects", ax=ax)
        )
    found.append(
        draw(
            panels, wide=True, size=_size(window, len(panels)),
            title="Training set and target on the sky",
            reading="A training set from a small part of the target knows only the galaxies and the photometry there.",
            alt="Maps of the density of training rows and of target objects in HEALPix cells.",
        )
    )  # fmt: skip
    return found


def _good(positions: tuple[NDArray[np.float64], NDArray[np.float64]]) -> NDArray[np.bool_]:
    return np.isfinite(positions[0]) & (np.abs(positions[1]) <= 90.0)


def _size(window: SkyWindow, n_panel: int) -> tuple[float, float]:
    """Inches of maps side by side, with no more space above them than they need."""
    left, right, bottom, top = window.extent
    width = 9.6 if n_panel > 1 else 6.4
    aspect = abs((top - bottom) / (right - left)) / window.squeeze
    return width, float(np.clip((width / n_panel - 0.6) * aspect + 1.4, 3.0, 6.5))


def _positions(table: pa.Table | None) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
    if table is None or not {"ra", "dec"} <= set(table.column_names):
        return None
    return numbers(table, "ra"), numbers(table, "dec")


def redshift_images(table: pa.Table, *, of: str) -> list[Image]:
    """n(z) by survey, quality and kind, and the surveys by quality.

    Parameters
    ----------
    table : pa.Table
    of : str
        What the rows are, for the captions.
    """
    there = set(table.column_names)
    if "z_spec" not in there:
        return []
    found = []
    if there.isdisjoint(_NZ_READING):
        found.append(
            draw(
                lambda ax: plots.plot_nz(table, by=None, ax=ax),
                title="Redshifts",
                reading="Narrow peaks are structures, or lines that were taken for others.",
                alt=f"Histogram of the redshifts of the {of}.",
            )
        )
    for by, words in (("survey", "survey"), ("z_flag", "quality"), ("z_type", "kind")):
        if by in there:
            found.append(
                draw(
                    lambda ax, by=by: plots.plot_nz(table, by=by, log=by == "z_type", ax=ax),
                    title=f"Redshifts by {words}",
                    reading=_NZ_READING[by],
                    alt=f"Histogram of the redshifts of the {of} by {words}.",
                )
            )
    if {"survey", "z_flag"} <= there:
        found.append(
            draw(
                lambda ax: plots.plot_surveys(table, ax=ax),
                title="Surveys by quality",
                reading="Each bar is one survey with the number of its rows; the colours are shares of quality.",
                alt=f"Bars of the surveys of the {of}, divided by quality.",
            )
        )
    return found


_NZ_READING = {
    "survey": "Stacked: the upper edge is the sum. Narrow peaks are structures, or lines that were taken for others.",
    "z_flag": "Stacked. Where unsure redshifts make most of a bin, a cut in quality takes away that redshift range.",
    "z_type": "Counts on a logarithmic axis. Photometric redshifts are no truth to train on.",
}


def match_images(inputs: ReportInputs) -> list[Image]:
    """Separations with the chance matches."""
    if inputs.separations is None and inputs.separation_counts is None:
        return []
    match = inputs.match or {}
    n_positions = match.get("n_positions")
    if n_positions is not None:
        n_positions = int(n_positions) - int(match.get("n_no_position") or 0)
    return [
        draw(
            lambda ax: plots.plot_separations(
                inputs.separations, histogram=inputs.separation_counts, radius_arcsec=match.get("radius_arcsec"),
                n_positions=n_positions, chance=match.get("chance_measured"), ax=ax,
            ),
            size=(9.6, 3.4), wide=True,
            title="Separations",
            reading="The orange line is what unrelated objects would give, were there no counterparts: where the "
            "histogram has come down to it, a larger radius adds wrong pairs alone.",
            alt="Histogram of the separations of redshifts and objects with the number expected by chance.",
        )
    ]  # fmt: skip


def photometry_images(training: pa.Table, target: pa.Table | None) -> list[Image]:
    """Magnitude, colours, and redshift against magnitude."""
    bands = bands_of(training, target) or bands_of(training)
    if not bands:
        return []
    beside = target if target is not None and bands_of(training, target) else None
    band = "i" if "i" in bands else bands[len(bands) // 2]
    rest = ", the target grey" if beside is not None else ""
    found = [
        draw(
            lambda ax: plots.plot_magnitude(training, beside, band=band, ax=ax),
            title=f"Magnitudes {band}",
            reading=f"The training set is blue{rest}; each has unit area. Missing faint objects are extrapolated.",
            alt=f"Histograms of the magnitudes {band}.",
        )
    ]
    if "z_spec" in training.column_names:
        found.append(
            draw(
                lambda ax: plots.plot_z_mag(training, band=band, ax=ax),
                title="Redshift against magnitude",
                reading="Empty corners are galaxies that no survey could measure, or that do not exist.",
                alt=f"Redshift against magnitude {band} of the training set.",
            )
        )
    pairs = list(pairwise(bands))
    if pairs:
        panels = [lambda ax, two=two: plots.plot_colour(training, beside, bands=two, ax=ax) for two in pairs]
        found.append(
            draw(
                panels, size=(9.6, 0.5 + 2.6 * -(-len(pairs) // 3)), wide=True, one_legend=True, title="Colours",
                reading=f"The training set is blue{rest}; each has unit area.",
                alt="Histograms of the colours " + ", ".join(f"{a}-{b}" for a, b in pairs) + ".",
            )
        )  # fmt: skip
    return found


def split_images(table: pa.Table) -> list[Image]:
    """What the samples are made of."""
    if not {"split", "z_spec"} <= set(table.column_names):
        return []
    found = [
        draw(
            lambda ax: plots.plot_split_nz(table, ax=ax),
            title="Redshifts of the samples",
            reading="Each has unit area: lines that part by more than their noise are samples that are not alike.",
            alt="Histograms of the redshifts of the samples.",
        )
    ]
    if "survey" in table.column_names:
        found.append(
            draw(
                lambda ax: plots.plot_split(table, ax=ax),
                title="Surveys of the samples",
                reading="The bars are alike when the samples are.",
                alt="Bars of the samples, divided by survey.",
            )
        )
    return found


def weight_images(training: pa.Table, target: pa.Table | None) -> list[Image]:
    """n(z) and magnitudes before and after the rows are weighted."""
    if "weight" not in training.column_names:
        return []
    weight = numbers(training, "weight")
    known = weight[np.isfinite(weight)]
    if not known.size or np.ptp(known) == 0:
        return []
    panels = []
    if "z_spec" in training.column_names:
        z_spec = numbers(training, "z_spec")
        panels.append(lambda ax: plots.plot_reweighted(z_spec, weight, ax=ax))
    bands = bands_of(training, target)
    if bands:
        band = "i" if "i" in bands else bands[len(bands) // 2]
        mag = magnitudes(training, band)
        other = None if target is None else magnitudes(target, band)
        panels.append(
            lambda ax: plots.plot_reweighted(mag, weight, target=other, xlabel=f"{band} magnitude (AB)", ax=ax)
        )
    if not panels:
        return []
    return [
        draw(
            panels, size=(9.6, 3.8), wide=True, one_legend=True, title="Before and after the weights",
            reading="Weights should bring the set to its target; spikes are a few rows that stand for many.",
            alt="Histograms of redshift and magnitude before and after weighting.",
        )
    ]  # fmt: skip


def coverage_images(report: CoverageReport) -> list[Image]:
    """Where the target lacks training objects."""
    return [
        draw(
            [
                lambda ax: plots.plot_coverage_map(report, ax=ax),
                lambda ax: plots.plot_coverage_cells(report, ax=ax),
            ],
            size=(9.6, 4.4), wide=True,
            title="Coverage of the target",
            reading="Left the map of the target, on which neighbours are alike; right its cells by magnitude and "
            "colour, larger for more objects. Dark cells lack training objects; the numbers are those of the regions.",
            alt="Map of the target's cells shaded by the share that is not covered, and the cells by magnitude and "
            "colour.",
        ),
        draw(
            lambda ax: plots.plot_coverage_magnitude(report, ax=ax),
            title="Coverage by magnitude",
            reading="Orange objects would be extrapolated.",
            alt="Histogram of the target by magnitude, divided into covered and not covered, with the training set.",
        ),
        draw(
            lambda ax: plots.plot_coverage_distance(report, ax=ax),
            title="Distance to the training set",
            reading="Objects right of the limit are farther than training objects usually are from each other.",
            alt="Histograms of the distance of target objects and of training objects to the training set.",
        ),
    ]  # fmt: skip
