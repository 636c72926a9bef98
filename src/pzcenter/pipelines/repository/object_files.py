"""Object tables as they were delivered: which files there are, and of which tract each of them is.

A file is looked at before anything is told to a repository: whether it can be read, has ids and positions, and is of
one tract.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pzcenter.catalogs.hats_layout import pixel_of_path
from pzcenter.catalogs.storage import file_sha256
from pzcenter.errors import (
    ColumnError,
    DataIdError,
    EmptyTableError,
    FileFormatError,
    NotFoundError,
    PZCenterError,
)
from pzcenter.pipelines.repository.tiling import bounding_region, nuniq, pixel_region

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

__all__ = ["ID_NAMES", "TractFile", "hats_root", "look_at_files"]

TRACT_IN_NAME = re.compile(r"(?:tract|^)[_=-]?(\d+)", re.IGNORECASE)
ID_NAMES, RA_NAMES, DEC_NAMES = ("objectId", "object_id", "id"), ("coord_ra", "ra"), ("coord_dec", "dec")
HATS_MARKS = ("hats.properties", "properties")
HATS_COLLECTION = "collection.properties"
MAX_TRACT = 2**31 - 1
OPEN_FILES = 500
"""Tracts into which a file is split in one go, well below the usual limit of open files."""


@dataclass(frozen=True)
class TractFile:
    """A file that holds the objects of one tract.

    Parameters
    ----------
    path : Path
    tract : int
    n_rows : int
    region : lsst.sphgeom.Region
    whole : Path, optional
        File of several tracts that this one was cut from.
    """

    path: Path
    tract: int
    n_rows: int
    region: Any
    whole: Path | None = None

    def record(self) -> dict[str, Any]:
        """Say where it came from, and what it was then: the dataset ``object_record``."""
        stat = self.path.stat()
        record = {
            "uri": (self.whole or self.path).resolve().as_uri(),
            "sha256": file_sha256(self.path),
            "n_bytes": stat.st_size,
            "mtime_ns": stat.st_mtime_ns,
            "n_rows": self.n_rows,
        }
        return record if self.whole is None else {**record, "whole_sha256": file_sha256(self.whole)}


def hats_root(source: Path) -> Path | None:
    """Directory of a HATS catalogue, for its own directory or that of a collection; None for anything else.

    Parameters
    ----------
    source : Path

    Raises
    ------
    FileFormatError
        It is the margin of a catalogue, whose rows are objects of other pixels.
    """
    if not source.is_dir():
        return None
    collection = source / HATS_COLLECTION
    if collection.is_file():
        primary = _properties(collection).get("hats_primary_table_url", "")
        source = source / primary.rstrip("/").rpartition("/")[2]
    marks = [source / name for name in HATS_MARKS if (source / name).is_file()]
    if not marks:
        return None
    kind = _properties(marks[0]).get("dataproduct_type", "object")
    if kind in {"margin", "index"}:
        raise FileFormatError(f"{source} is the {kind} of a HATS catalogue; the catalogue itself is accepted")
    return source


def _properties(path: Path) -> dict[str, str]:
    lines = path.read_text(encoding="utf-8").splitlines()
    pairs = (line.partition("=") for line in lines if not line.startswith("#"))
    return {key.strip(): value.strip() for key, _, value in pairs}


def look_at_files(
    source: Path,
    *,
    split_into: Path | None = None,
    keep_going: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[list[TractFile], dict[str, str]]:
    """Look at each file: footer, ids and positions, tract.

    Parameters
    ----------
    source : Path
        Directory of Parquet files, directory of a HATS catalogue, or one file.
    split_into : Path, optional
        Directory for the parts of a file that holds several tracts.
    keep_going : bool
        Report files that are refused, in place of an error.
    progress : callable, optional
        Called with the files looked at and all files.

    Returns
    -------
    list of TractFile
    dict of str to str
        Reason by file that is refused.

    Raises
    ------
    NotFoundError, EmptyTableError
        There are no files, or there are no rows in one.
    FileFormatError, ColumnError, DataIdError
        A file cannot be read, lacks ids or positions, or its tract cannot be told; it is named.
    """
    hats = hats_root(source)
    whole = None
    if source.is_file() and split_into is not None:
        paths = _split(source, split_into)
        whole = source if paths != [source] else None
    else:
        paths = [source] if source.is_file() else _data_files(hats or source)
    found, refused = _examine_all(paths, is_hats=hats is not None, keep_going=keep_going, progress=progress)
    if whole is not None:
        found = [replace(each, whole=whole) for each in found]
    return found, refused


def _data_files(source: Path) -> list[Path]:
    paths = sorted(
        path
        for path in source.rglob("*")
        if path.suffix in {".parquet", ".parq"} and not path.name.startswith(("_", ".")) and path.is_file()
    )
    if not paths:
        raise NotFoundError(f"{source} holds no Parquet files")
    return paths


def _examine_all(
    paths: Sequence[Path], *, is_hats: bool, keep_going: bool, progress: Callable[[int, int], None] | None
) -> tuple[list[TractFile], dict[str, str]]:
    found: dict[int, TractFile] = {}
    refused: dict[str, str] = {}
    for number, path in enumerate(paths):
        try:
            each = _examine(path, is_hats=is_hats)
            if each.tract in found:
                raise DataIdError(f"{path} and {found[each.tract].path} are both of tract {each.tract}")
            found[each.tract] = each
        except PZCenterError as error:
            if not keep_going:
                raise
            refused[str(path)] = str(error)
        if progress is not None:
            progress(number + 1, len(paths))
    return list(found.values()), refused


def _examine(path: Path, *, is_hats: bool) -> TractFile:
    try:
        names = pq.read_schema(path).names
        columns = [_first(names, choices, path) for choices in (ID_NAMES, RA_NAMES, DEC_NAMES)]
        wanted = [*columns, *(["tract"] if "tract" in names else [])]
        table = pq.read_table(path, columns=wanted)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, OSError) as error:
        raise FileFormatError(f"{path} cannot be read as Parquet: {str(error).splitlines()[0]}") from error
    if table.num_rows == 0:
        raise EmptyTableError(f"{path} has no rows")
    if is_hats:
        pixel = pixel_of_path(path.as_posix())
        if pixel is None:
            raise DataIdError(f"{path} is not named by a HEALPix pixel, as the files of a HATS catalogue are")
        return TractFile(path, nuniq(*pixel), table.num_rows, pixel_region(*pixel))
    ra, dec = (np.asarray(table.column(name).to_numpy(), dtype=np.float64) for name in columns[1:])
    return TractFile(path, _tract_of(path, table), table.num_rows, bounding_region(ra, dec))


def _first(names: Sequence[str], choices: Sequence[str], path: Path) -> str:
    for choice in choices:
        if choice in names:
            return choice
    raise ColumnError(f"{path} has none of the columns {list(choices)}; it has {list(names)[:20]}")


def _tract_of(path: Path, table: pa.Table) -> int:
    if "tract" in table.column_names:
        column = table.column("tract")
        extremes = pc.min_max(column).as_py()
        if extremes["min"] is not None:
            if column.null_count:
                raise DataIdError(f"{path} has {column.null_count} rows without a tract")
            if extremes["min"] != extremes["max"]:
                raise DataIdError(
                    f"{path} holds objects of the tracts {extremes['min']} to {extremes['max']}; one file for each "
                    "tract is accepted, or one file that is copied, which splits it (--transfer copy)"
                )
            return _accepted_tract(extremes["min"], path)
    match = TRACT_IN_NAME.search(path.stem)
    if match is None:
        raise DataIdError(
            f"{path} has no column 'tract', and its name does not tell the tract, as tract_1234.parquet does"
        )
    return _accepted_tract(int(match[1]), path)


def _accepted_tract(number: float, path: Path) -> int:
    if not 0 <= number <= MAX_TRACT or number != int(number):
        raise DataIdError(f"{path} is of tract {number}; whole numbers from 0 to {MAX_TRACT} are accepted")
    return int(number)


def _split(path: Path, scratch: Path) -> list[Path]:
    """Files of one tract each, in bounded memory; the file itself where nothing tells its tracts apart."""
    try:
        file = pq.ParquetFile(path)
    except (pa.ArrowInvalid, OSError) as error:
        raise FileFormatError(f"{path} cannot be read as Parquet: {str(error).splitlines()[0]}") from error
    if "tract" not in file.schema_arrow.names:
        return [path]
    tracts: set[int | None] = set()
    for batch in _readable_batches(file, path, ["tract"]):
        tracts.update(pc.unique(batch.column("tract")).to_pylist())
    if None in tracts:
        raise DataIdError(f"{path} has rows without a tract")
    ordered = sorted(tract for tract in tracts if tract is not None)
    for start in range(0, len(ordered), OPEN_FILES):
        _write_tracts(file, path, scratch, ordered[start : start + OPEN_FILES])
    return [_part(scratch, tract) for tract in ordered]


def _part(scratch: Path, tract: int) -> Path:
    return scratch / f"tract_{tract}.parquet"


def _write_tracts(file: pq.ParquetFile, path: Path, scratch: Path, tracts: Sequence[int]) -> None:
    writers = {tract: pq.ParquetWriter(_part(scratch, tract), file.schema_arrow) for tract in tracts}
    try:
        for batch in _readable_batches(file, path):
            tract = batch.column("tract")
            for value in pc.unique(tract).to_pylist():
                if value in writers:
                    writers[value].write_batch(batch.filter(pc.equal(tract, value)))
    finally:
        for writer in writers.values():
            writer.close()


def _readable_batches(
    file: pq.ParquetFile, path: Path, columns: Sequence[str] | None = None
) -> Iterator[pa.RecordBatch]:
    try:
        yield from file.iter_batches(columns=columns)
    except (pa.ArrowInvalid, OSError) as error:
        raise FileFormatError(f"{path} cannot be read as Parquet: {str(error).splitlines()[0]}") from error
