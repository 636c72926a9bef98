"""What this project makes itself: the directory of a run, a delivery package, a table ``pz`` or ``pz_pdf`` alone."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from pzcenter.catalogs import open_catalog
from pzcenter.errors import FileFormatError

from .columns import JoinedColumns, TableColumns

if TYPE_CHECKING:
    from pathlib import Path

    from .columns import Columns

__all__ = ["is_project_directory", "package_texts", "project_columns"]

_PDF_TABLE, _POINT_TABLE = "pz_pdf", "pz"
_DESCRIPTION, _CATALOG = "package.json", "catalog"


def _root(path: Path) -> Path:
    """Directory that holds the tables."""
    return path / _CATALOG if (path / _DESCRIPTION).is_file() else path


def is_project_directory(path: Path) -> bool:
    """Whether a directory is that of a run or a package: it holds a table ``pz`` or ``pz_pdf``."""
    return any((_root(path) / name).is_dir() for name in (_PDF_TABLE, _POINT_TABLE))


def project_columns(path: Path) -> Columns:
    """Columns of the tables of a run or a package.

    Parameters
    ----------
    path : Path

    Returns
    -------
    Columns
        Densities and point estimates, where both are there.

    Raises
    ------
    FileFormatError
        The tables are not of the same objects.
    """
    tables = [
        TableColumns(open_catalog(_root(path) / name))
        for name in (_PDF_TABLE, _POINT_TABLE)
        if (_root(path) / name).is_dir()
    ]
    return tables[0] if len(tables) == 1 else JoinedColumns(tables[0], tables[1], "objectId")


def package_texts(path: Path) -> tuple[str | None, str]:
    """Name and description of a package; None and nothing for other directories.

    Raises
    ------
    FileFormatError
        Its ``package.json`` cannot be read.
    """
    description = path / _DESCRIPTION
    if not description.is_file():
        return None, ""
    try:
        facts = json.loads(description.read_text(encoding="utf-8"))
        return facts.get("name"), f"method {facts.get('method')}, release {facts.get('release')}"
    except (ValueError, AttributeError) as error:
        raise FileFormatError(f"{description} cannot be read: {error}") from error
