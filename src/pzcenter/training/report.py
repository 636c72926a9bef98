"""The report of a training set: one HTML page that holds everything and asks nothing of the network."""

from __future__ import annotations

import shlex
from datetime import UTC, datetime
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pzcenter
from pzcenter.catalogs.storage import write_text_atomically
from pzcenter.errors import UsageError
from pzcenter.training.report_inputs import report_inputs
from pzcenter.training.report_parts import text_of
from pzcenter.training.report_sections import sections_of
from pzcenter.training.report_summary import sentences_of, summary_sentences

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping, Sequence

    import pyarrow as pa
    from numpy.typing import ArrayLike

    from pzcenter.training.target_chunks import Target

__all__ = ["make_training_report", "summary_sentences", "training_report_html", "write_page"]


def make_training_report(
    path: str | os.PathLike[str],
    *,
    redshifts: pa.Table | None = None,
    training: pa.Table | None = None,
    target: Target | None = None,
    combine: Any = None,
    match: Any = None,
    selection: Any = None,
    split: Any = None,
    subsample: Any = None,
    coverage: Any = None,
    separations: ArrayLike | Mapping[str, Any] | None = None,
    notes: Sequence[str] = (),
    title: str = "Training set",
    command: str | Sequence[str] = "",
    checksums: Mapping[str, str] | None = None,
    versions: Mapping[str, str] | None = None,
    made_at: datetime | None = None,
) -> Path:
    """Write the report of redshifts, of a training set, or of both; what is not given is left out.

    Parameters
    ----------
    path : path
        Of the HTML file; replaced when it exists, and only by a complete one.
    redshifts : pa.Table, optional
        Table ``redshift``.
    training : pa.Table, optional
        Table ``training_set``.
    target : pa.Table, or function that gives an iterable of tables or batches, optional
        Catalogue that the training set is for: ``flux_{band}`` in nJy, ``ra``, ``dec``. The figures take random rows.
    combine, match, selection, split, subsample, coverage : object or mapping, optional
        Reports of the steps: CombineReport, MatchStatistics, SelectionReport, SplitReport, SubsampleReport or several
        in a list, CoverageReport; or what their ``as_dict()`` gave, as ``report.json`` keeps it.
    separations : array_like or mapping, optional
        Of all matches, arcsec, or ``counts`` and ``edges_arcsec`` of their histogram; those of the training set by
        default.
    notes : sequence of str
        Shown among the warnings.
    title : str
    command : str or sequence of str
        What to type to make all this again.
    checksums : mapping of str to str, optional
        SHA-256 by file.
    versions : mapping of str to str, optional
        Packages.
    made_at : datetime, optional
        Time to print; now by default. With it fixed, the same input gives the same bytes.

    Returns
    -------
    Path
        The file written.

    Raises
    ------
    UsageError
        Something is no report of its step, or the path cannot be that of a file.
    StorageError
        The disk refused.
    """
    _refuse_no_file(Path(path))
    html = training_report_html(
        redshifts=redshifts, training=training, target=target, combine=combine, match=match, selection=selection,
        split=split, subsample=subsample, coverage=coverage, separations=separations, notes=notes, title=title,
        command=command, checksums=checksums, versions=versions, made_at=made_at,
    )  # fmt: skip
    return write_page(path, html)


def write_page(path: str | os.PathLike[str], html: str) -> Path:
    """Write a page, whole or not at all.

    Parameters
    ----------
    path : path
        Of the HTML file; replaced when it exists.
    html : str

    Returns
    -------
    Path

    Raises
    ------
    UsageError
        The path cannot be that of a file.
    StorageError
        The disk refused.
    """
    path = Path(path)
    _refuse_no_file(path)
    write_text_atomically(path, html)
    return path


def training_report_html(
    *,
    title: str = "Training set",
    command: str | Sequence[str] = "",
    checksums: Mapping[str, str] | None = None,
    versions: Mapping[str, str] | None = None,
    made_at: datetime | None = None,
    **inputs: Any,
) -> str:
    """The page as text, to be kept in a product.

    Parameters
    ----------
    title, command, checksums, versions, made_at
        As for :func:`make_training_report`.
    **inputs
        The others of its arguments.

    Returns
    -------
    str
        HTML.

    Raises
    ------
    UsageError
        Something is no report of its step.
    """
    from jinja2 import Environment, StrictUndefined
    from markupsafe import Markup

    given = report_inputs(**inputs)
    words = command if isinstance(command, str) else shlex.join(command)
    sections = sections_of(given, command=words, checksums=checksums or {}, versions=versions or {})
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters["shown"] = text_of
    style = Markup(_text("pzcenter.data", "pages", "report.css"))  # noqa: S704 - our own file
    return environment.from_string(_text("pzcenter.training", "report.html")).render(
        style=style,
        version=pzcenter.__version__,
        title=title,
        made_at=(made_at or datetime.now(UTC)).strftime("%Y-%m-%d %H:%M UTC"),
        summary=sentences_of(given),
        sections=sections,
    )


def _refuse_no_file(path: Path) -> None:
    """Say at once that a path cannot be written."""
    if path.is_dir():
        raise UsageError(f"{path} is a directory; name a file, such as {path / 'report.html'}")
    above = next(each for each in path.absolute().parents if each.exists())
    if not above.is_dir():
        raise UsageError(f"{path} cannot be written: {above} is a file, not a directory")


def _text(room: str, *names: str) -> str:
    place = resources.files(room)
    for name in names:
        place = place / name
    return place.read_text(encoding="utf-8")
