"""The quality report: one HTML page that holds everything, asks nothing of the network, and prints well."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pzcenter.errors import StorageError
from pzcenter.schema import PZFlag

from .metric_info import METRICS
from .page import figure_uri, render_page
from .plots import make_figures
from .sample import POINTS
from .summary import summary_sentences

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .sample import ValidationSample
    from .table import MetricTable

__all__ = ["CAPTIONS", "RunFacts", "make_report"]


@dataclass(frozen=True)
class Caption:
    """How to read a figure.

    Parameters
    ----------
    title : str
    reading : str
        One sentence below the figure.
    alt : str
        What it shows, for those who cannot see it.
    """

    title: str
    reading: str
    alt: str


CAPTIONS = {
    "z_phot_z_spec": Caption(
        "Estimated against true redshift",
        "A perfect estimate lies on the black line; what is outside the dashed lines is an outlier; groups away from "
        "the line are colours that two redshifts share.",
        "Two-dimensional histogram of estimated against true redshift, with the outlier limits, and the residuals "
        "with their running median below.",
    ),
    "trends": Caption(
        "Bias, scatter and outliers, by redshift and magnitude",
        "Each bar is one bin with its standard error; it should lie inside the requirement lines.",
        "Bias, scatter and outlier fraction in bins of true redshift and of magnitude, with requirement lines.",
    ),
    "pit_qq": Caption(
        "Are the widths of the PDFs true?",
        "True PDFs give a flat histogram inside the grey band: a hump means too wide, a bowl too narrow, a slope "
        "biased, and spikes at the ends truths outside the PDF.",
        "Histogram of the probability integral transform with the expected band, and quantile-quantile plot.",
    ),
    "nz": Caption(
        "n(z) of tomographic bins",
        "The blue line, the sum of the PDFs of all objects chosen by z_best in the shaded range, should follow the "
        "grey histogram of their true redshifts.",
        "Stacked p(z), histogram of true redshifts and of point estimates in bins of z_best.",
    ),
    "examples": Caption(
        "Example PDFs",
        "Nine objects of different kinds, chosen by their ids and not by their beauty: the black line is the truth.",
        "Nine probability densities of redshift with true and estimated redshift marked.",
    ),
    "sky": Caption(
        "On the sky",
        "Left: where the objects with known redshift are; right: patches that stand out have worse photometry or "
        "dust, or few objects.",
        "Map of the density of objects and of the median redshift error in HEALPix cells.",
    ),
}


@dataclass(frozen=True)
class RunFacts:
    """What is known of the run that made the redshifts; everything is optional.

    Parameters
    ----------
    title : str
    model : mapping of str to object
        Name, version, template set, … of the model.
    counts : mapping of str to int
        Objects at each step, such as objects in, removed by each cut, estimated.
    rates : mapping of str to object
        Seconds, objects per second, memory.
    inputs : sequence of mapping
        One per input file: ``path``, ``sha256``, ``rows``.
    config : mapping of str to object
    versions : mapping of str to str
        Packages.
    command : str
        What to type to make all this again.
    """

    title: str = "Photometric redshift quality report"
    model: Mapping[str, Any] = field(default_factory=dict)
    counts: Mapping[str, int] = field(default_factory=dict)
    rates: Mapping[str, Any] = field(default_factory=dict)
    inputs: tuple[Mapping[str, Any], ...] = ()
    config: Mapping[str, Any] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    command: str = ""


def make_report(
    path: str | Path,
    sample: ValidationSample,
    table: MetricTable,
    *,
    facts: RunFacts | None = None,
    point: str = "z_best",
    made_at: datetime | None = None,
) -> Path:
    """Write the report of one validation.

    Parameters
    ----------
    path : path
        Of the HTML file; replaced when it exists, and only by a complete one.
    sample : ValidationSample
    table : MetricTable
        Of the same sample.
    facts : RunFacts, optional
        What is known of the run.
    point : str
        Point estimate to show first.
    made_at : datetime, optional
        Time to print; now when not given. With it fixed, the same input gives the same bytes.

    Returns
    -------
    Path
        The file written.

    Raises
    ------
    StorageError
        The file could not be written.
    """
    facts = facts or RunFacts()
    figures = make_figures(sample, table, point=point)
    html = render_page(
        "report.html",
        facts=facts,
        point=point,
        points=POINTS,
        sample=sample,
        table=table,
        summary=summary_sentences(sample, table, point=point),
        metrics=METRICS,
        flags=_flag_rows(sample),
        figures=[(name, CAPTIONS[name], figure_uri(figure)) for name, figure in figures.items()],
        made_at=(made_at or datetime.now(UTC)).strftime("%Y-%m-%d %H:%M UTC"),
    )
    return _write(Path(path), html)


def _write(path: Path, text: str) -> Path:
    part = path.with_name(f".{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_text(text, encoding="utf-8")
        part.replace(path)
    except OSError as error:
        with suppress(OSError):
            part.unlink(missing_ok=True)
        raise StorageError(f"cannot write the report {path}: {error.strerror}") from error
    return path


def _flag_rows(sample: ValidationSample) -> list[tuple[str, str, int]]:
    """Name, meaning and number of objects of each flag that occurs."""
    return [(name, PZFlag[name].meaning, count) for name, count in sample.flag_counts.items() if count]
