"""The report of a release: one HTML page with n(z), maps, tracts and flags, made from sums alone."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from pzcenter.errors import EmptyTableError

from .page import figure_uri, render_page
from .plots.release import plot_release_errors, plot_release_maps, plot_release_nz
from .release_maps import FLAGS
from .release_tables import metrics_table
from .report import Caption

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from .release_sums import ReleaseSums

__all__ = ["RELEASE_CAPTIONS", "release_report"]

N_TRACT = 40
N_MISSING_SHOWN = 20
"""Tracts in the page; the table of metrics has all."""

_REMARKABLE = 5.0

RELEASE_CAPTIONS = {
    "nz": Caption(
        "n(z)",
        "Left: the mean of the p(z) of all objects, and the histogram of their point estimates; spikes of the "
        "histogram alone are redshifts that the method prefers. Right: the same mean for objects chosen by z_best.",
        "Redshift distribution of all objects and of bins of the point estimate.",
    ),
    "maps": Caption(
        "On the sky",
        "Left: density of objects; holes are masked or missing areas. Right: median width of the p(z); areas that "
        "stand out have fewer bands, shallower photometry or dust.",
        "Maps of the density of objects and of the median width of their redshift densities in HEALPix cells.",
    ),
    "errors": Caption(
        "Where the redshift is known",
        "Left: errors of the point estimates, outliers outside the dashed lines. Right: flat where the widths of the "
        "p(z) are true; a hump means too wide, a bowl too narrow, spikes at the ends truths outside the p(z).",
        "Histogram of redshift errors, and of the probability integral transform.",
    ),
}


def release_report(
    sums: ReleaseSums,
    *,
    method: str,
    title: str = "Photometric redshifts of a release",
    made_at: datetime | None = None,
    missing_tracts: Sequence[int] = (),
) -> str:
    """Write the report of a release.

    Parameters
    ----------
    sums : ReleaseSums
        Of all tracts.
    method : str
        Name of the photo-z method.
    title : str
    made_at : datetime, optional
        Time to print; without it there is none, and the same sums give the same page.
    missing_tracts : sequence of int
        Tracts that the release should have and lacks.

    Returns
    -------
    str
        HTML, self-contained.

    Raises
    ------
    EmptyTableError
        There are no objects.
    """
    if not sums.total("n_obj"):
        raise EmptyTableError("the release has no objects; a report needs at least 1")
    release, *tracts = (_with_nan(row) for row in metrics_table(sums, method).to_pylist())
    flag_counts = sums.maps.flags.sum(axis=0).tolist()
    flags = [(flag.name, flag.meaning, count) for flag, count in zip(FLAGS, flag_counts, strict=True) if count]
    figures = {
        "nz": plot_release_nz(sums),
        "maps": plot_release_maps(sums.maps),
        "errors": plot_release_errors(sums),
    }
    return render_page(
        "release_report.html",
        title=title,
        method=method,
        made_at="" if made_at is None else made_at.strftime("%Y-%m-%d %H:%M UTC"),
        summary=_sentences(release, tracts, missing_tracts),
        release=release,
        n_tract=len(tracts),
        tracts=tracts[:N_TRACT],
        flags=sorted(flags, key=lambda entry: -entry[2]),
        figures=[
            (name, RELEASE_CAPTIONS[name], figure_uri(figure)) for name, figure in figures.items() if figure is not None
        ],
    )


def _with_nan(row: dict[str, Any]) -> dict[str, Any]:
    """NaN for a number that is missing, so that the page shows a dash."""
    return {name: math.nan if value is None else value for name, value in row.items()}


def _sentences(release: dict[str, Any], tracts: list[dict[str, Any]], missing: Sequence[int]) -> list[str]:
    """What a reader should take home, most important first."""
    n_obj, n_estimate = release["n_obj"], release["n_estimate"]
    sentences = [f"{n_estimate:,} of {n_obj:,} objects ({100 * n_estimate / n_obj:.2f} %) have a photometric redshift."]
    if missing:
        shown = ", ".join(map(str, missing[:N_MISSING_SHOWN])) + (", ..." if len(missing) > N_MISSING_SHOWN else "")
        sentences.append(f"{len(missing)} tracts are missing and not counted in this: {shown}.")
    if release["n_truth"]:
        sentences.append(
            f"Of {release['n_truth']:,} objects with known redshift, {100 * release['outlier_fraction']:.1f} % are "
            f"wrong by more than 0.15 (1+z); their scatter (sigma_nmad) is {release['sigma_nmad']:.4f} (1+z)."
        )
    remarkable = [tract for tract in tracts if tract["deviation"] > _REMARKABLE]
    if remarkable:
        worst = remarkable[0]
        sentences.append(
            f"{len(remarkable)} of {len(tracts)} tracts stand out by more than {_REMARKABLE:g} standard deviations, "
            f"most of all tract {worst['tract']}: {worst['reason']}."
        )
    else:
        sentences.append(f"No tract stands out among the {len(tracts)}.")
    return sentences
