"""Check a delivery package: every byte, every count, and all that is wrong at once.

It needs the package and PZ Center, and neither the repository nor the middleware that made it.
"""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from pzcenter.catalogs.content_hash import content_hash, hash_of_parts
from pzcenter.catalogs.manifest import MANIFEST_NAME, Manifest
from pzcenter.catalogs.readers.hats import COLLECTION_FILE, read_properties
from pzcenter.catalogs.storage import file_sha256
from pzcenter.errors import NotFoundError, PZCenterError
from pzcenter.pipelines.delivery import layout
from pzcenter.pipelines.delivery.release_state import check_states
from pzcenter.pipelines.delivery.verify_ids import check_margin, check_objects, check_unique
from pzcenter.pipelines.delivery.verify_tables import check_catalog, check_companion, check_same_rows, read_definitions

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterable

__all__ = ["Fault", "VerifyReport", "verify_package"]

PACKAGE_FORMAT = "pzcenter-package"


@dataclass(frozen=True, order=True)
class Fault:
    """One thing that is wrong.

    Parameters
    ----------
    check : str
        Kind of check, such as ``bytes``.
    where : str
        File or table.
    words : str
    """

    check: str
    where: str
    words: str

    def __str__(self) -> str:
        return f"{self.where}: {self.words}"


@dataclass(frozen=True)
class VerifyReport:
    """What was checked and what is wrong.

    Parameters
    ----------
    path : str
    checks : tuple of str
        Kinds of checks that were made, in order.
    faults : tuple of Fault
        Empty for a sound package.
    n_files, n_bytes, n_rows : int
        Files and bytes that were read, rows of the core table.
    seconds : float
    """

    path: str
    checks: tuple[str, ...]
    faults: tuple[Fault, ...]
    n_files: int
    n_bytes: int
    n_rows: int
    seconds: float

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return not self.faults

    def as_dict(self) -> dict[str, Any]:
        """As plain values, for JSON."""
        return {**asdict(self), "ok": self.ok}


def verify_package(
    package: str | os.PathLike[str],
    *,
    objects: str | os.PathLike[str] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> VerifyReport:
    """Check a package.

    Parameters
    ----------
    package : path
        Directory.
    objects : path, optional
        Object catalogue of the release, of any format: each of its objects must have one row, and each row an object.
    progress : callable, optional
        Called with the files that are read and all files.

    Returns
    -------
    VerifyReport
        All that is wrong.

    Raises
    ------
    NotFoundError
        There is no such directory, or it is not a package at all, or the Object catalogue is not there.
    """
    begun = time.monotonic()
    root = Path(package)
    if not (root / layout.DESCRIPTION).is_file() and not (root / layout.CHECKSUMS).is_file():
        raise NotFoundError(f"{package} is not a delivery package: it has neither package.json nor {layout.CHECKSUMS}")
    if objects is not None and not Path(objects).exists():
        raise NotFoundError(f"there is no Object catalogue {objects}")
    work = _Verification(root, progress)
    work.do("files", "package", work.files)
    work.do("bytes", layout.CHECKSUMS, work.checksums)
    work.do("states", layout.STATES, lambda: ((layout.STATES, words) for words in check_states(root)))
    work.do("texts", "package", work.texts)
    definitions = work.do("schema", layout.SCHEMA, lambda: read_definitions(root / layout.SCHEMA)) or {}
    for name in work.catalogs():
        work.do("tables", f"{layout.CATALOG}/{name}", partial(work.catalog, name, definitions))
    work.do("rows", layout.CATALOG, work.same_rows)
    for name in layout.TABLES:
        where = f"{layout.CATALOG}/{name}.parquet"
        work.do("companions", where, partial(check_companion, root / where, definitions.get(name), where))
    work.do("counts", layout.DESCRIPTION, work.counts)
    work.do("ids", f"{layout.CATALOG}/pz", lambda: check_unique(root / layout.CATALOG / "pz"))
    if (root / layout.CATALOG / "pz_margin").is_dir():
        pz, margin = (root / layout.CATALOG / name for name in ("pz", "pz_margin"))
        work.do("ids", f"{layout.CATALOG}/pz_margin", lambda: check_margin(pz, margin))
    if objects is not None:
        work.do("objects", str(objects), lambda: check_objects(root / layout.CATALOG / "pz", objects))
    work.do("provenance", layout.PROVENANCE, work.provenance)
    return VerifyReport(
        path=str(root),
        checks=tuple(work.checks),
        faults=tuple(sorted(set(work.faults))),
        n_files=work.n_files,
        n_bytes=work.n_bytes,
        n_rows=work.n_rows,
        seconds=time.monotonic() - begun,
    )


class _Verification:
    """The checks of one package; what one of them cannot read is a fault and does not stop the others."""

    def __init__(self, root: Path, progress: Callable[[int, int], None] | None) -> None:
        self.root = root
        self.progress = progress
        self.checks: dict[str, None] = {}
        self.faults: list[Fault] = []
        self.n_files = self.n_bytes = self.n_rows = 0
        self.sums: dict[str, Any] = {}

    def do(self, check: str, where: str, function: Callable[[], Any]) -> Any:
        """Make one check: an iterable of (where, words) is its faults; anything else is its result."""
        self.checks[check] = None
        try:
            found = function()
            if isinstance(found, dict):
                return found
            self.faults += [Fault(check, *fault) for fault in found]
        except (PZCenterError, OSError, pa.ArrowException, ValueError, KeyError, TypeError, AttributeError) as error:
            words = str(error) or type(error).__name__
            self.faults.append(Fault(check, where, f"cannot be read: {words}"))
        return None

    def catalogs(self) -> list[str]:
        """Names of the catalogues that are there or should be."""
        there = {path.parent.name for path in (self.root / layout.CATALOG).glob(f"*/{MANIFEST_NAME}")}
        return sorted({"pz", "pz_pdf", *there})

    def files(self) -> Iterable[tuple[str, str]]:
        """What must be there is there."""
        return [(name, "is missing") for name in layout.REQUIRED_FILES if not (self.root / name).is_file()]

    def checksums(self) -> Iterable[tuple[str, str]]:
        """Read every byte, and compare the two lists of checksums with it and with each other."""
        listed = _read_checksums(self.root / layout.CHECKSUMS)
        manifest = Manifest.read(self.root)
        recorded = {record.path: record for record in manifest.files}
        for path in sorted(set(listed) ^ {*recorded, MANIFEST_NAME}):
            yield path, f"is in only one of {layout.CHECKSUMS} and {MANIFEST_NAME}"
        there = {path.relative_to(self.root).as_posix() for path in self.root.rglob("*") if path.is_file()}
        for path in sorted(there - set(listed) - layout.UNLISTED):
            yield path, f"is not in {layout.CHECKSUMS}"
        for number, (path, sha256) in enumerate(sorted(listed.items()), 1):
            if path not in there:
                yield path, "is missing"
                continue
            self.n_files += 1
            size = (self.root / path).stat().st_size
            self.n_bytes += size
            record = recorded.get(path)
            if record is not None and size != record.n_bytes:
                yield path, f"has {size} bytes, not {record.n_bytes}"
            found = file_sha256(self.root / path)
            if found != sha256 or (record is not None and found != record.sha256):
                yield path, f"has SHA-256 {found[:12]}..., not {sha256[:12]}..."
            if self.progress is not None:
                self.progress(number, len(listed))

    def texts(self) -> Iterable[tuple[str, str]]:
        """README, licence, citation and notebooks can be read as what they are."""
        for name in (layout.README, layout.LICENCE):
            if not (self.root / name).read_text(encoding="utf-8").strip():
                yield name, "is empty"
        citation = yaml.safe_load((self.root / layout.CITATION).read_text(encoding="utf-8"))
        for key in ("cff-version", "title", "authors", "message"):
            if not citation.get(key):
                yield layout.CITATION, f"has no {key}"
        for path in (self.root / layout.NOTEBOOKS).glob("*.ipynb"):
            if not json.loads(path.read_text(encoding="utf-8")).get("cells"):
                yield f"{layout.NOTEBOOKS}/{path.name}", "has no cells"

    def catalog(self, name: str, definitions: dict[str, Any]) -> Iterable[tuple[str, str]]:
        """Files, rows and metadata of one HATS catalogue."""
        where = f"{layout.CATALOG}/{name}"
        directory = self.root / where
        table = "pz" if name == "pz_margin" else name
        result = check_catalog(directory, definitions.get(table), where=where, margin=name == "pz_margin")
        self.sums[name] = result
        if name == "pz":
            self.n_rows = result.n_rows
        listed = _read_checksums(self.root / layout.CHECKSUMS)
        return [
            *result.faults,
            *(
                (f"{where}/{record.path}", "has another checksum in the manifest of its catalogue")
                for record in Manifest.read(directory).files
                if listed.get(f"{where}/{record.path}") != record.sha256
            ),
        ]

    def same_rows(self) -> Iterable[tuple[str, str]]:
        """The core table and the densities have the same rows in the same order; the collection names what is there."""
        catalog = self.root / layout.CATALOG
        yield from check_same_rows(catalog / "pz", catalog / "pz_pdf")
        if (catalog / COLLECTION_FILE).is_file():
            properties = read_properties(catalog / COLLECTION_FILE)
            names = [properties.get("hats_primary_table_url", ""), *properties.get("all_margins", "").split()]
            for name in names:
                if not (catalog / name / MANIFEST_NAME).is_file() or not name:
                    yield f"{layout.CATALOG}/{COLLECTION_FILE}", f"names {name!r}, which is not there"

    def counts(self) -> Iterable[tuple[str, str]]:
        """Counts that the package declares are those that were found."""
        description = json.loads((self.root / layout.DESCRIPTION).read_text(encoding="utf-8"))
        if description.get("format") != PACKAGE_FORMAT:
            yield layout.DESCRIPTION, f"is of format {description.get('format')!r}, not {PACKAGE_FORMAT!r}"
        if description["n_obj"] != self.n_rows:
            yield f"{layout.CATALOG}/pz", f"has {self.n_rows} rows, and the release {description['n_obj']} objects"
        for name, entry in description["catalogs"].items():
            found = self.sums.get(name)
            if found is not None and found.n_rows != entry["n_rows"]:
                yield f"{layout.CATALOG}/{name}", f"has {found.n_rows} rows, and {entry['n_rows']} are declared"
            if (manifest := self.root / entry["path"]).is_dir() and content_hash(manifest) != entry["content_hash"]:
                yield entry["path"], "has another content hash than declared"
        hashes = {name: entry["content_hash"] for name, entry in description["catalogs"].items()}
        if hash_of_parts(hashes) != description["content_hash"]:
            yield layout.DESCRIPTION, "its content hash does not follow from those of its catalogues"
        if "pz" in self.sums:
            yield from self._bits(self.sums["pz"])

    def _bits(self, pz: Any) -> Iterable[tuple[str, str]]:
        """Every flag bit and model of a row has a row of its own, and the quality report counts the same."""
        where = f"{layout.CATALOG}/pz"
        flags = pq.read_table(self.root / layout.CATALOG / "pz_flag.parquet", columns=["bit", "name"]).to_pylist()
        names = {row["bit"]: row["name"] for row in flags}
        for bit, number in pz.bits.items():
            if bit not in names:
                yield where, f"{number} rows have the flag bit {bit}, which pz_flag does not name"
        models = pq.read_table(self.root / layout.CATALOG / "pz_model.parquet", columns=["model_id"])
        known = set(models["model_id"].to_pylist())
        for model, number in sorted(pz.models.items()):
            if model not in known:
                yield where, f"{number} rows have the model_id {model}, which pz_model does not have"
        summary = json.loads((self.root / layout.QA_SUMMARY).read_text(encoding="utf-8"))
        found = {
            "n_obj": pz.n_rows,
            "n_estimate": pz.n_estimate,
            "flags": {names.get(bit, f"bit_{bit}"): number for bit, number in pz.bits.items()},
            "models": {str(model): number for model, number in sorted(pz.models.items())},
        }
        for key, value in found.items():
            if summary[key] != value:
                yield layout.QA_SUMMARY, f"{key} is {summary[key]}, and the table has {value}"

    def provenance(self) -> Iterable[tuple[str, str]]:
        """The record of the build speaks of these catalogues; the PROV document names nothing it does not declare."""
        folder = self.root / layout.PROVENANCE
        record = json.loads((folder / "provenance.json").read_text(encoding="utf-8"))
        for entry in record["inputs"]:
            path = self.root / entry["path"] / MANIFEST_NAME
            if not path.is_file() or file_sha256(path) != entry["sha256"]:
                yield f"{layout.PROVENANCE}/provenance.json", f"{entry['path']} is not the one it was made from"
        for path in sorted(folder.glob("*.prov.json")):
            from pzcenter.pipelines.lineage.prov import undeclared

            for words in undeclared(json.loads(path.read_text(encoding="utf-8"))):
                yield f"{layout.PROVENANCE}/{path.name}", f"is not declared: {words}"


def _read_checksums(path: Path) -> dict[str, str]:
    sums = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        sha256, separator, name = line.partition("  ")
        if not separator or len(sha256) != 64:
            raise ValueError(f"{line[:80]!r} is not a line of sha256sum")
        sums[name] = sha256
    return sums
