"""A product on disk: the table, what it means, how it was made, whom to cite; written whole or not at all.

The table has the same bytes whenever it is made again from the same inputs by the same version: `config.yaml` holds all
settings, `report.json` all counts, `provenance.json` inputs with their checksums, versions and the command.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pzcenter.catalogs import FileRecord, Manifest, convert, provenance_record, verify_manifest, write_provenance
from pzcenter.catalogs.storage import file_sha256, storage_errors, write_text_atomically
from pzcenter.catalogs.writers import write_partition
from pzcenter.errors import ColumnError, FileFormatError, NotFoundError, OutputExistsError
from pzcenter.schema import arrow_schema, check_table, load_table
from pzcenter.training.sources import bibtex_of, surveys_to_cite

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from pzcenter.catalogs import ConversionReport
    from pzcenter.training.surveys import Survey

__all__ = ["CONFIG_NAME", "REPORT_PAGE", "Product", "export_product", "open_product", "write_product"]

CONFIG_NAME, REPORT_NAME, CITATIONS_NAME, SCHEMA_NAME, README_NAME = (
    "config.yaml", "report.json", "citations.bib", "schema.yaml", "README.md",
)  # fmt: skip
REPORT_PAGE = "report.html"
TABLES = ("redshift", "training_set")


@dataclass(frozen=True)
class Product:
    """A product that is complete.

    Parameters
    ----------
    directory : Path
    table_name : str
        ``redshift`` or ``training_set``.
    report : dict
        What is in ``report.json``.
    sha256 : str
        Of the table's file.
    n_rows : int
    """

    directory: Path
    table_name: str
    report: dict[str, Any]
    sha256: str
    n_rows: int

    @property
    def table_path(self) -> Path:
        """File of the table."""
        return self.directory / f"{self.table_name}.parquet"

    def table(self, columns: Sequence[str] | None = None) -> pa.Table:
        """The rows."""
        return pq.read_table(self.table_path, columns=None if columns is None else list(columns), partitioning=None)


def write_product(
    directory: str | os.PathLike[str],
    table_name: str,
    table: pa.Table,
    *,
    config: str,
    report: Mapping[str, Any],
    inputs: Sequence[str | os.PathLike[str]],
    started: datetime,
    task: str,
    texts: Mapping[str, str] | None = None,
    surveys: Sequence[str] = (),
    own_surveys: Sequence[Survey] = (),
    command: Sequence[str] | None = None,
    overwrite: bool = False,
) -> Product:
    """Write a product.

    Parameters
    ----------
    directory : path
        New, or empty, or a product that ``overwrite`` replaces.
    table_name : str
        Definition of the table.
    table : pa.Table
    config : str
        Settings as YAML: the command with this file makes the product again.
    report : mapping
        For ``report.json``.
    inputs : sequence of path
        Files that were read; their checksums go into the provenance.
    started : datetime
    task : str
        Such as ``specz combine``.
    texts : mapping of str to str, optional
        Further files by name, such as a report page.
    surveys : sequence of str
        To be cited.
    own_surveys : sequence of Survey
        Those of the user among them.
    command : sequence of str, optional
    overwrite : bool

    Returns
    -------
    Product

    Raises
    ------
    OutputExistsError
        The directory has something in it.
    SchemaError, ColumnError
        The table is not what its definition says.
    StorageError
        The disk refused; nothing is left behind.
    """
    target = Path(directory)
    _refuse_what_is_there(target, overwrite=overwrite)
    schema = arrow_schema(table_name, columns=table.column_names)
    table = table.select(schema.names).cast(schema)
    check_table(table, table_name)
    scratch = target.with_name(f".{target.name}.unfinished")
    shutil.rmtree(scratch, ignore_errors=True)
    try:
        with storage_errors(scratch):
            scratch.mkdir(parents=True)
        record = write_partition(table, scratch, f"{table_name}.parquet", id_column="objectId")
        shutil.rmtree(scratch / ".tmp", ignore_errors=True)
        written = {
            CONFIG_NAME: config,
            REPORT_NAME: json.dumps(dict(report), indent=1, default=_plain) + "\n",
            CITATIONS_NAME: _citations(surveys, own_surveys),
            SCHEMA_NAME: (files("pzcenter.schema") / "tables" / f"{table_name}.yaml").read_text(encoding="utf-8"),
            README_NAME: _readme(table_name, table, surveys),
            **(texts or {}),
        }
        for name, text in written.items():
            write_text_atomically(scratch / name, text)
        write_provenance(
            scratch,
            provenance_record(
                task, started=started, inputs=inputs, configuration={"config": config}, command=command,
                counts={"n_rows": table.num_rows},
            ),
        )  # fmt: skip
        others = [
            FileRecord(path.name, file_sha256(path), path.stat().st_size)
            for path in sorted(scratch.iterdir())
            if path.name != record.path
        ]
        Manifest(table_name, (record, *others)).write(scratch)
        with storage_errors(target):
            if target.exists():
                shutil.rmtree(target)
            scratch.replace(target)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return open_product(target)


def open_product(directory: str | os.PathLike[str], *, verify: bool = False) -> Product:
    """Open a product.

    Parameters
    ----------
    directory : path
    verify : bool
        Compare every file with its checksum.

    Returns
    -------
    Product

    Raises
    ------
    NotFoundError
        It is not there, or not complete.
    FileFormatError
        Its report or manifest is damaged, or it is another kind of data set.
    ChecksumError
        A file is not what the manifest says.
    """
    path = Path(directory)
    if not path.is_dir():
        what = "is a file, and a product is a directory" if path.is_file() else "does not exist"
        raise NotFoundError(f"{path} {what}; 'pz specz combine' and 'pz training make' make products")
    manifest = verify_manifest(path) if verify else Manifest.read(path)
    name = manifest.table
    record = next((each for each in manifest.files if each.path == f"{name}.parquet"), None)
    if name not in TABLES or record is None:
        raise FileFormatError(f"{path} is a data set of table {name!r}, and no redshifts or training set")
    try:
        report = json.loads((path / REPORT_NAME).read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise NotFoundError(f"{path} has no {REPORT_NAME}") from error
    except ValueError as error:
        raise FileFormatError(f"{path / REPORT_NAME} is damaged: {error}") from error
    return Product(path, name, report, record.sha256, record.n_rows or 0)


def export_product(
    directory: str | os.PathLike[str],
    path: str | os.PathLike[str],
    *,
    split: str | None = None,
    to: str | None = None,
    overwrite: bool = False,
) -> ConversionReport:
    """Write the table of a product, or one of its samples, in another format.

    Parameters
    ----------
    directory : path
    path : path
        Its name says the format, unless ``to`` does.
    split : str, optional
        Sample.
    to : str, optional
        Format.
    overwrite : bool

    Returns
    -------
    ConversionReport

    Raises
    ------
    ColumnError
        A sample of a table that is not split.
    NotFoundError
        No such product or sample.
    UsageError
        The format is not known.
    OutputExistsError
        The file is there.
    """
    product = open_product(directory)
    if split is None:
        return convert(product.table_path, path, to, overwrite=overwrite)
    table = product.table()
    if "split" not in table.column_names:
        raise ColumnError(f"{directory} is not split into samples; it is a table {product.table_name!r}")
    rows = table.filter(pc.equal(table.column("split"), split))
    if not rows.num_rows:
        known = ", ".join(sorted(pc.unique(table.column("split")).to_pylist()))
        raise NotFoundError(f"{directory} has no sample {split!r}; it has {known}")
    with tempfile.TemporaryDirectory(prefix="pz-export-", dir=Path(path).absolute().parent) as scratch:
        write_partition(rows, scratch, f"{product.table_name}.parquet", durable=False)
        return convert(Path(scratch) / f"{product.table_name}.parquet", path, to, overwrite=overwrite)


def _refuse_what_is_there(target: Path, *, overwrite: bool) -> None:
    if not target.exists() or (target.is_dir() and not any(target.iterdir())):
        return
    ours = target.is_dir() and (target / "manifest.json").is_file() and (target / CONFIG_NAME).is_file()
    if not ours:
        raise OutputExistsError(f"{target} has something else in it; name a new directory")
    if not overwrite:
        raise OutputExistsError(
            f"{target} is a finished product; --overwrite makes it anew, another directory keeps both"
        )


def _citations(names: Sequence[str], further: Sequence[Survey]) -> str:
    """BibTeX of the surveys; those without a citation are named in a comment."""
    known, unknown = surveys_to_cite(names, further)
    missing = f"% No citation is known of {', '.join(unknown)}.\n" if unknown else ""
    return missing + bibtex_of(known)


def _readme(table_name: str, table: pa.Table, surveys: Sequence[str]) -> str:
    definition = load_table(table_name)
    names = ", ".join(sorted(set(surveys))) or "none"
    lines = [
        f"# {definition.description}",
        "",
        f"{table.num_rows:,} rows. Surveys: {names}; cite them ({CITATIONS_NAME}).",
        "",
        "| file | what |",
        "|---|---|",
        f"| `{table_name}.parquet` | the table |",
        f"| `{SCHEMA_NAME}` | its columns: types, units, UCDs, what they mean (Felis) |",
        f"| `{CONFIG_NAME}` | all settings |",
        f"| `{REPORT_NAME}` | what was counted on the way |",
        f"| `{REPORT_PAGE}` | the same for reading, with figures; `pz training report` makes it |",
        "| `provenance.json` | inputs with checksums, versions, command |",
        f"| `{CITATIONS_NAME}` | papers of the surveys |",
        "| `manifest.json` | SHA-256 of every file |",
        "",
        "| column | unit | what |",
        "|---|---|---|",
    ]
    for name in table.column_names:
        column = definition.column(name)
        lines.append(f"| `{name}` | {column.unit or ''} | {column.description} |")
    if "split" in table.column_names:
        counts = {each["values"]: each["counts"] for each in pc.value_counts(table.column("split")).to_pylist()}
        lines += ["", "Samples: " + ", ".join(f"{name} {n:,}" for name, n in sorted(counts.items())) + "."]
    return "\n".join(lines) + "\n"


def _plain(value: Any) -> Any:
    """Numbers of NumPy and whatever else reports hold, for JSON."""
    if hasattr(value, "tolist"):
        return value.tolist()
    if isinstance(value, (set, frozenset)):
        return sorted(value)
    return str(value)
