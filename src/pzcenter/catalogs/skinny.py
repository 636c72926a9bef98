"""The skinny table: the columns that photo-z methods need, in nJy, dereddened, cut and partitioned.

Two passes over the rows, one over the input: (1) read, convert, cut, and write sorted runs to disk; (2) take each
partition's range out of the runs and write it. Between the two the object ids are checked to be unique and the
partitions are chosen from the counts on the sky. Memory does not grow with the input, except for 50 MB of counts.

Both passes keep a journal. A killed run continues after its last finished step, and the final bytes are the same.
"""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
from collections import Counter
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

import pzcenter
from pzcenter.catalogs.columns import require_columns
from pzcenter.catalogs.hats_layout import data_path
from pzcenter.catalogs.manifest import MANIFEST_NAME, FileRecord, Journal, Manifest
from pzcenter.catalogs.provenance import provenance_record, write_provenance
from pzcenter.catalogs.readers import BATCH_SIZE, Catalog, open_catalog
from pzcenter.catalogs.runs import PIXEL, Run, write_run
from pzcenter.catalogs.skinny_rows import check_flux_levels, converter_for, count_flags, skinny_schema, skinny_table
from pzcenter.catalogs.storage import write_text_atomically
from pzcenter.catalogs.tiling import SkyCounts, choose_pixels
from pzcenter.catalogs.unique_ids import require_unique_ids
from pzcenter.catalogs.writers import finish_dataset, write_partition
from pzcenter.errors import EmptyTableError, FileFormatError, InternalError, OutputExistsError
from pzcenter.schema import PZFlag, check_table
from pzcenter.science.sky import pixel_range_29

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterator, Sequence

    import pyarrow as pa
    from numpy.typing import NDArray

    from pzcenter.catalogs.conversion import Converter
    from pzcenter.schema.mapping import Cut, Mapping

__all__ = ["REPORT_NAME", "SkinnyReport", "is_skinny", "make_skinny"]

log = logging.getLogger(__name__)

REPORT_NAME = "skinny_report.json"
WORK_DIRECTORY = ".tmp"
PLAN_NAME = "plan.json"
ROWS_PER_RUN = 450_000
SHARE_OF_READING = 0.7
PIXELS_AT_ONCE = 256


@dataclass(frozen=True)
class SkinnyReport:
    """What became of the rows of a catalogue.

    Parameters
    ----------
    path : str
        Directory of the skinny table.
    n_in, n_out : int
        Rows read and written; ``n_in = n_out + sum(n_cut.values())``.
    n_cut : dict of str to int
        Rows removed by each cut, in the order of the cuts; a row counts for the first cut that removes it.
    n_flagged : dict of str to int
        Written rows with each flag bit that occurs.
    mapping : str
        Name of the mapping.
    bands : tuple of str
        In the table.
    n_partitions : int
        Data files.
    notes : tuple of str
        What a user should know, such as bands that the catalogue lacks.
    """

    path: str
    n_in: int
    n_out: int
    n_cut: dict[str, int]
    n_flagged: dict[str, int]
    mapping: str
    bands: tuple[str, ...]
    n_partitions: int
    notes: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """As plain numbers and texts, for JSON."""
        return asdict(self)


@dataclass
class _Plan:
    """All that decides the output: what a run must share with the one that it continues."""

    catalog: Catalog
    converter: Converter
    root: Path
    rows_per_partition: int
    notes: list[str] = field(default_factory=list)

    @property
    def work(self) -> Path:
        return self.root / WORK_DIRECTORY / "skinny"

    @property
    def fingerprint(self) -> str:
        converter = self.converter
        content = {
            "version": pzcenter.__version__,
            "source": _identity(self.catalog.path),
            "group": self.catalog.group,
            "mapping": converter.mapping.model_dump(mode="json"),
            "cuts": [cut.model_dump(mode="json") for cut in converter.cuts],
            "deredden": converter.deredden,
            "ebv_map": type(converter.ebv_map).__name__,
            "row_numbers": converter.row_numbers,
            "rows_per_partition": self.rows_per_partition,
            "rows_per_run": ROWS_PER_RUN,
        }
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()

    @property
    def schema(self) -> pa.Schema:
        return skinny_schema(self.converter, self.converter.output_columns)


def make_skinny(
    source: str | os.PathLike[str] | Catalog,
    destination: str | os.PathLike[str],
    mapping: Mapping | str | None = None,
    *,
    bands: Sequence[str] | None = None,
    cuts: Sequence[Cut | str] | None = None,
    deredden: bool = True,
    ebv_map: Any = None,
    row_numbers: bool = False,
    rows_per_partition: int = BATCH_SIZE,
    resume: bool = False,
    overwrite: bool = False,
    progress: Callable[[float, str], None] | None = None,
    command: Sequence[str] | None = None,
    input_checksums: bool = True,
) -> SkinnyReport:
    """Make the skinny table of a catalogue.

    With positions the result is a HATS catalogue, its pixels chosen so that they hold at most ``rows_per_partition``
    rows; without them it is ``part-00000.parquet`` and so on, in input order.

    Parameters
    ----------
    source : path or Catalog
        Any catalogue that :func:`~pzcenter.catalogs.open_catalog` opens.
    destination : path
        Directory to make.
    mapping : Mapping, str, optional
        What the columns mean: a mapping, its name or the path of its file; found from the columns when not given.
    bands : sequence of str, optional
        Bands that must be there; by default those of the mapping that the table has.
    cuts : sequence of Cut or str, optional
        Conditions that rows must fulfil in place of the mapping's, such as ``"refExtendedness > 0.5"``; an empty
        sequence for none.
    deredden : bool
        Take out Galactic extinction where the mapping says that it is still in. Rows without a known E(B-V) keep
        their fluxes and get the flag ``not_dereddened``.
    ebv_map : object, optional
        Dust map with ``query(SkyCoord)``, for catalogues without an E(B-V) column.
    row_numbers : bool
        Number the rows in place of an id column.
    rows_per_partition : int
        Most rows of a partition.
    resume : bool
        Continue a run that was stopped; return the report of one that is complete.
    overwrite : bool
        Remove a skinny table that is already there.
    progress : callable, optional
        Called with the fraction done and a text.
    command : sequence of str, optional
        Command line for the provenance record.
    input_checksums : bool
        Take the SHA-256 of an input that has no manifest, which reads it once more.

    Returns
    -------
    SkinnyReport
        Also in ``skinny_report.json``; a provenance record is in ``provenance.json``, checksums in ``manifest.json``.

    Raises
    ------
    NotFoundError, FileFormatError, EmptyTableError
        The source cannot be read.
    ColumnError, BandError
        It lacks columns or bands.
    UnitError
        Fluxes are magnitudes, or magnitudes are fluxes; or the first rows are as bright as no survey's.
    DuplicateIdError
        Ids appear more than once after the cuts.
    OutputExistsError
        There is something at ``destination`` that may not be replaced or continued.
    StorageError
        The file system refused.
    """
    tell = progress or (lambda _fraction, _text: None)
    catalog = source if isinstance(source, Catalog) else open_catalog(source)
    converter, notes = converter_for(catalog.column_names, str(catalog.path), mapping, bands=bands, cuts=cuts)
    if row_numbers:
        notes.append("object ids are row numbers, from 0")
    converter = replace(converter, deredden=deredden, ebv_map=ebv_map, row_numbers=row_numbers)
    require_columns(converter.columns, catalog.column_names, str(catalog.path))
    plan = _Plan(catalog, converter, Path(destination), max(1, rows_per_partition), notes)
    finished = _prepare(plan, resume=resume, overwrite=overwrite)
    if finished is not None:
        return finished
    started = datetime.now(UTC)
    try:
        write_text_atomically(plan.work / PLAN_NAME, json.dumps({"fingerprint": plan.fingerprint}) + "\n")
        state = _read(plan, tell)
        require_unique_ids(state.runs, str(catalog.path))
        records = _write(plan, state.runs, tell)
        report = _report(plan, state, records)
        _describe(plan, report, started=started, command=command, input_checksums=input_checksums)
        finish_dataset(plan.root, records, table="skinny", schema=plan.schema)
    except Exception:
        # Only an interrupt or a kill leaves work to be continued: after an error nothing stays behind.
        shutil.rmtree(plan.root, ignore_errors=True)
        raise
    shutil.rmtree(plan.root / WORK_DIRECTORY, ignore_errors=True)
    tell(1.0, f"{report.n_out} rows in {report.n_partitions} partitions")
    return report


def is_skinny(path: str | os.PathLike[str]) -> bool:
    """Whether this is a finished skinny table."""
    if not (Path(path) / MANIFEST_NAME).is_file():
        return False
    try:
        return Manifest.read(Path(path)).table == "skinny"
    except FileFormatError:
        return False


def _prepare(plan: _Plan, *, resume: bool, overwrite: bool) -> SkinnyReport | None:
    """Make the directory ready; the report where the table is there already and may be used."""
    root, state = plan.root, plan.work / PLAN_NAME
    if root.is_file():
        raise OutputExistsError(f"{root} is a file; the skinny table needs a directory")
    if root.is_dir() and any(root.iterdir()):
        complete, begun = (root / MANIFEST_NAME).is_file() and (root / REPORT_NAME).is_file(), state.is_file()
        if not complete and not begun:
            raise OutputExistsError(f"{root} is a directory with other content; give another name")
        if not resume and not overwrite:
            what = "a complete skinny table" if complete else "a skinny table that was begun"
            raise OutputExistsError(f"{root} is already there, {what}: ask to resume, or to overwrite it")
        if resume:
            stored = json.loads((root / REPORT_NAME if complete else state).read_text(encoding="utf-8"))
            if stored.pop("fingerprint", None) != plan.fingerprint:
                raise OutputExistsError(
                    f"{root} was made from another source, mapping or setting, and cannot be continued; overwrite it"
                )
            if complete:
                shutil.rmtree(root / WORK_DIRECTORY, ignore_errors=True)
            return _report_from(stored) if complete else None
        shutil.rmtree(root)
    return None


def _report(plan: _Plan, state: _Progress, records: Sequence[FileRecord]) -> SkinnyReport:
    return SkinnyReport(
        path=str(plan.root),
        n_in=state.n_in,
        n_out=sum(record.n_rows or 0 for record in records),
        n_cut=dict(state.n_cut),
        n_flagged={str(flag.name): n for flag in PZFlag if (n := state.n_flagged[str(flag.name)])},
        mapping=plan.converter.mapping.name,
        bands=plan.converter.mapping.bands,
        n_partitions=len(records),
        notes=tuple(plan.notes),
    )


def _describe(
    plan: _Plan, report: SkinnyReport, *, started: datetime, command: Sequence[str] | None, input_checksums: bool
) -> None:
    """Write the report and the provenance record."""
    content = {**report.as_dict(), "fingerprint": plan.fingerprint}
    write_text_atomically(plan.root / REPORT_NAME, json.dumps(content, indent=1) + "\n")
    converter = plan.converter
    record = provenance_record(
        "catalog skinny",
        started=started,
        inputs=[plan.catalog.path],
        configuration={
            "mapping": converter.mapping.model_dump(mode="json"),
            "cuts": [str(cut) for cut in converter.cuts],
            "deredden": converter.deredden,
            "rows_per_partition": plan.rows_per_partition,
        },
        counts={"n_in": report.n_in, "n_out": report.n_out, **report.n_cut},
        command=command,
        input_checksums=input_checksums,
    )
    write_provenance(plan.root, record)


def _report_from(stored: dict[str, Any]) -> SkinnyReport:
    return SkinnyReport(**{**stored, "bands": tuple(stored["bands"]), "notes": tuple(stored["notes"])})


def _identity(path: Path) -> list[tuple[str, int, int]]:
    """Names, sizes and times of the source's files: a source that changed is another source."""
    files = [path] if path.is_file() else sorted(child for child in path.rglob("*") if child.is_file())
    return [(child.as_posix(), (stat := child.stat()).st_size, stat.st_mtime_ns) for child in files]


@dataclass
class _Progress:
    """Runs that are on disk, and what was counted on the way to them."""

    runs: list[Run]
    n_in: int = 0
    n_cut: Counter[str] = field(default_factory=Counter)
    n_flagged: Counter[str] = field(default_factory=Counter)


def _restore(plan: _Plan, journal: Journal) -> _Progress:
    """Continue after the last run that the journal knows."""
    state = _Progress([], n_cut=Counter(dict.fromkeys(plan.converter.cut_names, 0)))
    for entry in journal.entries():
        if "run" not in entry:
            continue
        layout = tuple((name, kind) for name, kind in entry["layout"])
        state.runs.append(Run(plan.work / entry["run"], entry["n_rows"], layout))
        state.n_in = entry["n_in"]
        state.n_cut.update(entry["n_cut"])
        state.n_flagged.update(entry["n_flagged"])
    return state


def _read(plan: _Plan, tell: Callable[[float, str], None]) -> _Progress:
    """First pass: convert and cut the input, and write it as sorted runs."""
    catalog, converter, journal = plan.catalog, plan.converter, Journal(plan.work / "journal.jsonl")
    state = _restore(plan, journal)
    judged = False
    waiting: list[dict[str, NDArray[Any]]] = []
    n_cut, begun, position = Counter[str](), state.n_in, state.n_in

    def flush() -> None:
        columns = {name: np.concatenate([part[name] for part in waiting]) for name in converter.output_columns}
        if not state.runs:
            check_flux_levels(columns, converter.mapping, str(catalog.path))
        path = plan.work / f"run-{len(state.runs):06d}.bin"
        run = write_run(path, columns)
        flagged = count_flags(columns["flags"])
        journal.append({
            "run": path.name, "n_rows": run.n_rows, "layout": run.layout, "n_in": position, "n_cut": dict(n_cut),
            "n_flagged": flagged,
        })  # fmt: skip
        state.runs.append(run)
        state.n_in = position
        state.n_cut.update(n_cut)
        state.n_flagged.update(flagged)

    for batch in catalog.batches(converter.columns, BATCH_SIZE, start=state.n_in):
        if not judged:
            converter.check_units(batch)
            judged = True
        skinny, cut = converter.convert(batch, position)
        waiting.append(skinny)
        n_cut.update(cut)
        position += batch.num_rows
        if position - begun >= ROWS_PER_RUN:
            flush()
            waiting, n_cut, begun = [], Counter(), position
        tell(SHARE_OF_READING * min(position / (catalog.n_rows or position), 1.0), f"{position} rows read")
    if waiting:
        flush()
    n_out = sum(run.n_rows for run in state.runs)
    if state.n_in != n_out + state.n_cut.total():
        raise InternalError(f"{state.n_in} rows came in, {n_out} went out, and the cuts removed {dict(state.n_cut)}")
    if n_out == 0:
        raise EmptyTableError(f"{catalog.path}: none of {state.n_in} rows is left after the cuts {dict(state.n_cut)}")
    return state


def _write(plan: _Plan, runs: Sequence[Run], tell: Callable[[float, str], None]) -> list[FileRecord]:
    """Second pass: take each partition out of the runs."""
    journal = Journal(plan.work / "journal.jsonl")
    entries = (entry["file"] for entry in journal.entries() if "file" in entry)
    written = {entry["path"]: FileRecord(**entry) for entry in entries if (plan.root / entry["path"]).is_file()}
    partitions = _sky_partitions(plan, runs) if plan.converter.has_position else _row_partitions(plan, runs)
    schema, total = plan.schema, sum(run.n_rows for run in runs)
    records, n_done = [], 0
    for path, pieces in partitions:
        record = written.get(path)
        if record is None:
            table = _table(pieces, schema)
            check_table(table, "skinny")
            record = write_partition(table, plan.root, path)
            journal.append({"file": asdict(record)})
        records.append(record)
        n_done += record.n_rows or 0
        tell(SHARE_OF_READING + (1 - SHARE_OF_READING) * n_done / total, f"{n_done} rows written")
    return records


Pieces = list[tuple[Run, int, int]]
"""Rows ``start`` to ``stop`` of runs."""


def _sky_partitions(plan: _Plan, runs: Sequence[Run]) -> Iterator[tuple[str, Pieces]]:
    """HEALPix pixels and their rows in each run."""
    sky = SkyCounts()
    for run in runs:
        sky.add(run.column(PIXEL, 0, run.n_rows))
    pixels = choose_pixels(sky, plan.rows_per_partition)
    for first in range(0, len(pixels), PIXELS_AT_ONCE):
        block = pixels[first : first + PIXELS_AT_ONCE]
        limits = np.array([pixel_range_29(pixel, order) for order, pixel, _ in block])
        bounds = [(run, run.bounds(limits.ravel()).reshape(-1, 2).tolist()) for run in runs]
        for index, (order, pixel, _) in enumerate(block):
            pieces = [(run, ends[index][0], ends[index][1]) for run, ends in bounds if ends[index][0] < ends[index][1]]
            yield data_path(f"Norder={order}/Npix={pixel}"), pieces


def _row_partitions(plan: _Plan, runs: Sequence[Run]) -> Iterator[tuple[str, Pieces]]:
    """Equal numbers of rows in input order."""
    edges = np.concatenate([[0], np.cumsum([run.n_rows for run in runs])]).tolist()
    limits = [*range(0, edges[-1], plan.rows_per_partition), edges[-1]]
    for index, (low, high) in enumerate(pairwise(limits)):
        pieces = [
            (run, max(low - first, 0), min(high, last) - first)
            for run, (first, last) in zip(runs, pairwise(edges), strict=True)
            if first < high and last > low
        ]
        yield data_path(f"part-{index:05d}"), pieces


def _table(pieces: Pieces, schema: pa.Schema) -> pa.Table:
    """Rows of a partition in their final order."""
    parts = [run.rows(start, stop) for run, start, stop in pieces]
    columns = {
        name: np.concatenate([part[name] for part in parts]) if len(parts) > 1 else parts[0][name] for name in parts[0]
    }
    return skinny_table(columns, schema, in_order=len(parts) == 1)
