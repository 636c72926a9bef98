"""One number that tells whether two finished catalogues hold the same rows in the same files.

It comes from the paths and checksums of the data files alone. Properties, manifests, companions and reports, which
may name versions, hosts or times, do not enter.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

from pzcenter.catalogs.hats_layout import pixel_of_path
from pzcenter.catalogs.manifest import MANIFEST_NAME, FileRecord, Manifest
from pzcenter.errors import NotFoundError

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Mapping

__all__ = ["content_hash", "hash_of_parts", "hash_of_records"]


def content_hash(dataset: str | os.PathLike[str]) -> str:
    """Content hash of a finished catalogue, read from its manifest.

    Parameters
    ----------
    dataset : path
        Directory with a ``manifest.json``, or a collection of such directories, as a production delivers it.

    Returns
    -------
    str
        SHA-256, 64 hexadecimal digits: of the sorted list of paths and checksums of the data files; of a
        collection, of the sorted list of names and content hashes of its catalogues.

    Raises
    ------
    NotFoundError
        Neither the directory nor any directory in it has a manifest.
    FileFormatError
        A manifest is damaged.
    """
    root = Path(dataset)
    if (root / MANIFEST_NAME).is_file():
        return hash_of_records(Manifest.read(root).files)
    parts = {path.parent.name: content_hash(path.parent) for path in root.glob(f"*/{MANIFEST_NAME}")}
    if not parts:
        raise NotFoundError(f"{root} has no {MANIFEST_NAME}, nor has any directory in it: it is not complete")
    return hash_of_parts(parts)


def hash_of_records(records: Iterable[FileRecord]) -> str:
    """Content hash of the data files among some files.

    Data files are those of HEALPix pixels; where there is none, all whose rows were counted. Companions of a HATS
    catalogue, such as ``pz_quality`` with its times, do not enter.
    """
    tables = [record for record in records if record.n_rows is not None]
    of_pixels = [record for record in tables if pixel_of_path(record.path)]
    return _digest((record.path, record.sha256) for record in of_pixels or tables)


def hash_of_parts(parts: Mapping[str, str]) -> str:
    """Content hash of a collection from those of its catalogues by name."""
    return _digest(parts.items())


def _digest(entries: Iterable[tuple[str, str]]) -> str:
    digest = hashlib.sha256()
    for name, checksum in sorted(entries):
        digest.update(f"{name}\t{checksum}\n".encode())
    return digest.hexdigest()
