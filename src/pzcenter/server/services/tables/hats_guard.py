"""The properties of a HATS catalogue name other files; those must lie in the catalogue."""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from pzcenter.catalogs.readers.hats import read_properties
from pzcenter.errors import FileFormatError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["refuse_ways_out"]

SUFFIX = re.compile(r"/|\.[A-Za-z0-9][A-Za-z0-9._-]{0,30}", re.ASCII)
MAX_BYTES = 1 << 20


def refuse_ways_out(directory: Path) -> None:
    """Refuse a HATS catalogue or collection whose properties lead out of it.

    Parameters
    ----------
    directory : Path

    Raises
    ------
    FileFormatError
        The main table of a collection is not below it, or the ending of its files is no ending.
    """
    found = _properties(directory / "collection.properties")
    primary = found.get("hats_primary_table_url", "")
    parts = PurePosixPath(primary).parts
    if primary and (primary.startswith("/") or "\\" in primary or ".." in parts):
        raise FileFormatError(f"{directory}: the main table {primary!r} lies outside of the collection")
    for folder in {directory, directory / primary}:
        for name in ("hats.properties", "properties"):
            suffix = _properties(folder / name).get("hats_npix_suffix", ".parquet")
            if not SUFFIX.fullmatch(suffix):
                raise FileFormatError(f"{directory}: hats_npix_suffix {suffix[:60]!r} is no ending of a file name")


def _properties(path: Path) -> dict[str, str]:
    if not path.is_file():
        return {}
    if path.stat().st_size > MAX_BYTES:
        raise FileFormatError(f"{path} is no list of properties: it has more than {MAX_BYTES} bytes")
    return read_properties(path)
