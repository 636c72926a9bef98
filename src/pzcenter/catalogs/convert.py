"""Any catalogue to any format that others read."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pzcenter.catalogs.columns import require_columns
from pzcenter.catalogs.exporters import (
    export_csv,
    export_fits,
    export_hats,
    export_hdf5,
    export_qp,
    export_rail,
    export_votable,
    import_qp,
    is_qp_file,
)
from pzcenter.catalogs.readers import open_catalog
from pzcenter.catalogs.writers import merge_to_parquet
from pzcenter.errors import NotFoundError, OutputExistsError, UsageError

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Sequence

    from pzcenter.catalogs.readers import Catalog

__all__ = ["ConversionReport", "convert", "target_names"]


def _export_parquet(catalog: Catalog, path: Path, columns: Sequence[str]) -> int:
    return merge_to_parquet(catalog, path, columns=columns, overwrite=True).n_rows or 0


TARGETS: dict[str, tuple[Callable[[Catalog, Path, Sequence[str]], int], tuple[str, ...]]] = {
    "parquet": (_export_parquet, (".parquet", ".pq")),
    "csv": (export_csv, (".csv", ".csv.gz", ".tsv", ".tsv.gz")),
    "fits": (export_fits, (".fits", ".fit")),
    "hdf5": (export_hdf5, ()),
    "rail": (export_rail, ()),
    "qp": (export_qp, ()),
    "hats": (export_hats, ()),
    "votable": (export_votable, (".vot", ".votable", ".xml")),
}
"""Exporter of each format, and the file names that ask for it."""
FROM_QP = "pz_pdf"
PDF_TABLE, POINT_TABLE = "pz_pdf", "pz"


@dataclass(frozen=True)
class ConversionReport:
    """What was written.

    Parameters
    ----------
    source, destination : str
    to : str
        Format.
    n_rows : int
    """

    source: str
    destination: str
    to: str
    n_rows: int


def target_names() -> list[str]:
    """Names of the formats that can be written."""
    return sorted([*TARGETS, FROM_QP])


def convert(
    source: str | os.PathLike[str],
    destination: str | os.PathLike[str],
    to: str | None = None,
    *,
    columns: Sequence[str] | None = None,
    overwrite: bool = False,
) -> ConversionReport:
    """Write a catalogue in another format, in bounded memory, whole or not at all.

    Parameters
    ----------
    source : path
        Catalogue in any format that can be read; the directory of a run, whose ``pz_pdf`` goes to ``qp`` and whose
        ``pz`` goes to all else; or a ``qp`` file, which becomes a ``pz_pdf`` table.
    destination : path
        File, or directory for ``hats`` and ``pz_pdf``.
    to : str, optional
        One of :func:`target_names`; found from the name of the destination when not given.
    columns : sequence of str, optional
        All by default.
    overwrite : bool
        Replace what is there; of directories only those with a manifest of ours.

    Returns
    -------
    ConversionReport

    Raises
    ------
    NotFoundError
        No source, or no such format.
    UsageError
        The format cannot be found from the name of the destination.
    OutputExistsError
        The destination is there, and ``overwrite`` is not set.
    ColumnError, SchemaError
        The table does not have what the format needs.
    """
    source, destination = Path(source), Path(destination)
    from_qp = is_qp_file(source)
    to = to or (FROM_QP if from_qp else _target_by_name(destination))
    if to not in target_names():
        raise NotFoundError(f"no format {to!r} to convert to; accepted are {target_names()}")
    if (to == FROM_QP) != from_qp:
        what = "is a qp file, which becomes a pz_pdf table only" if from_qp else "is not a qp file"
        raise UsageError(f"{source} {what}; asked for {to!r}")
    _make_way(destination, overwrite=overwrite)
    if from_qp:
        n_rows = import_qp(source, destination)
        return ConversionReport(str(source), str(destination), to, n_rows)
    part = source / (PDF_TABLE if to == "qp" else POINT_TABLE)
    catalog = open_catalog(part if part.is_dir() else source)
    wanted = catalog.column_names if columns is None else list(columns)
    require_columns(wanted, catalog.column_names, str(catalog.path))
    n_rows = TARGETS[to][0](catalog, destination, wanted)
    return ConversionReport(str(source), str(destination), to, n_rows)


def _target_by_name(destination: Path) -> str:
    for name, (_, suffixes) in TARGETS.items():
        if suffixes and destination.name.lower().endswith(suffixes):
            return name
    endings = sorted(suffix for _, suffixes in TARGETS.values() for suffix in suffixes)
    raise UsageError(
        f"which format {destination.name!r} should be is not clear from its name; "
        f"end it in one of {', '.join(endings)}, or name one of {', '.join(target_names())}"
    )


def _make_way(destination: Path, *, overwrite: bool) -> None:
    if not destination.exists():
        return
    if not overwrite:
        raise OutputExistsError(f"{destination} is already there; give another name, or overwrite it (--overwrite)")
    if destination.is_dir():
        if any(destination.iterdir()) and not (destination / "manifest.json").is_file():
            raise OutputExistsError(f"{destination} is a directory with other content; give another name")
        shutil.rmtree(destination)
