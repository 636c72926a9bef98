"""Build the package that leaves the house, from a finished catalogue.

A third party opens it with LSDB, joins it with Object, and checks every byte and count, with nothing else at hand.
"""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime
from importlib.resources import files
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq

import pzcenter
from pzcenter.catalogs.content_hash import hash_of_parts, hash_of_records
from pzcenter.catalogs.hats_layout import pixel_of_path
from pzcenter.catalogs.manifest import MANIFEST_NAME, Manifest
from pzcenter.catalogs.provenance import provenance_record, provenance_table
from pzcenter.catalogs.storage import atomic_file
from pzcenter.catalogs.writers import parquet_options
from pzcenter.errors import ChecksumError, ConfigError, FileFormatError, NotFoundError, PartitionError
from pzcenter.pipelines.delivery import layout
from pzcenter.pipelines.delivery.about import PackageAbout
from pzcenter.pipelines.delivery.notebooks import fixed_notebook, random_notebook
from pzcenter.pipelines.delivery.places import place_of
from pzcenter.pipelines.delivery.release_state import (
    BEFORE_SIGN_OFF,
    check_state_name,
    record_state,
    require_no_embargo,
)
from pzcenter.pipelines.delivery.staging import Staging, open_staging
from pzcenter.pipelines.delivery.storage_costs import StorageReport, storage_report
from pzcenter.pipelines.delivery.summary import catalog_summary, known_answers, redshift_grid
from pzcenter.pipelines.delivery.texts import citation_text, licence_text, readme_text

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterable, Mapping

    from pzcenter.pipelines.delivery.places import Place

__all__ = ["PACKAGE_FORMAT", "PackageReport", "build_package"]

PACKAGE_FORMAT, PACKAGE_VERSION = "pzcenter-package", 1
CATALOGS = {"pz": "pz", "pz_pdf": "pz_pdf", "pz_margin": "pz"}
"""Catalogues that a package may hold, and the table of each. The skinny table never leaves: it has the photometry."""
COLLECTION = "collection.properties"


@dataclass(frozen=True)
class PackageReport:
    """A package that was built.

    Parameters
    ----------
    path : str
    name, state : str
    n_obj, n_files, n_bytes : int
    n_linked, n_copied, n_kept : int
        Files of the catalogue that were linked, copied, or there from an earlier attempt.
    content_hash : str
        Of the catalogue.
    storage : StorageReport
    seconds : float
    """

    path: str
    name: str
    state: str
    n_obj: int
    n_files: int
    n_bytes: int
    n_linked: int
    n_copied: int
    n_kept: int
    content_hash: str
    storage: StorageReport
    seconds: float

    def as_dict(self) -> dict[str, Any]:
        """As plain values, for JSON."""
        return {**asdict(self), "storage": self.storage.as_dict()}


def build_package(
    catalog: str | os.PathLike[str],
    destination: str | os.PathLike[str],
    *,
    about: PackageAbout | None = None,
    state: str = "draft",
    by: str = "",
    note: str = "",
    embargo_until: date | None = None,
    embargoed_copy: bool = False,
    n_obj: int | None = None,
    content_hash: str | None = None,
    qa: Iterable[str | os.PathLike[str]] = (),
    provenance: Iterable[str | os.PathLike[str]] = (),
    campaign: Mapping[str, Any] | None = None,
    links: bool = True,
    cost_per_tb_year: float = 0.0,
    overwrite: bool = False,
    today: date | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> PackageReport:
    """Build a delivery package; it appears whole or not at all, and the same call continues one that was stopped.

    Parameters
    ----------
    catalog : path or str
        Directory or ``s3://`` URI with the HATS catalogues ``pz`` and ``pz_pdf``, and ``pz_margin`` where there is
        one, with their manifests, and ``pz_model``, ``pz_flag``, ``pz_quality`` as Parquet: what step 6 leaves.
    destination : path
        Directory to make.
    about : PackageAbout, optional
        Title, authors, contacts, licence.
    state : str
        First state of the package.
    by, note : str
        Who sets it, and why.
    embargo_until : date, optional
        Before it nothing is built, unless ``embargoed_copy`` is set.
    embargoed_copy : bool
        Build before the date, for a site that keeps the package closed.
    n_obj : int, optional
        Objects of the release, which the table must have; not checked by default.
    content_hash : str, optional
        That the catalogue must have; not checked by default.
    qa : iterable of path
        Files of the quality report.
    provenance : iterable of path
        Files that say where the rows come from.
    campaign : mapping, optional
        Facts of the campaign, such as its sign-offs.
    links : bool
        Link the files of the catalogue where they are on the same file system.
    cost_per_tb_year : float
        For the storage accounting.
    overwrite : bool
        Replace what is at the destination.
    today : date, optional
        UTC; now by default.
    progress : callable, optional
        Called with the bytes that are done and all bytes.

    Returns
    -------
    PackageReport

    Raises
    ------
    EmbargoError
        The embargo lasts.
    NotFoundError, FileFormatError
        The catalogue is not finished, or not HATS.
    ChecksumError
        A file is not as its manifest says, or the catalogue is another one.
    PartitionError
        The table has not as many rows as the release has objects.
    OutputExistsError, StorageError
        The destination is there already, or the file system refused.
    """
    begun, started = time.monotonic(), datetime.now(UTC)
    about = about or PackageAbout()
    target, place = Path(destination).absolute(), place_of(catalog)
    check_state_name(state)
    if state not in BEFORE_SIGN_OFF and not by.strip():
        raise ConfigError(f"say who lets the package out as {state} (--by NAME)")
    require_no_embargo(embargo_until, embargoed_copy=embargoed_copy, state=state, today=today, what=about.full_title)
    extras = {f"{layout.QA}/{Path(path).name}": Path(path) for path in qa}
    extras |= {f"{layout.PROVENANCE}/{Path(path).name}": Path(path) for path in provenance}
    for path in extras.values():
        if not path.is_file():
            raise NotFoundError(f"there is no file {path}")
    manifests = _manifests(place)
    _require_rows(manifests, n_obj)
    hashes = {name: hash_of_records(manifest.files) for name, manifest in manifests.items()}
    if content_hash not in (None, hash_of_parts(hashes)):
        raise ChecksumError(f"{place.uri} is not the catalogue that was asked for: its content hash is another one")
    with open_staging(target, links=links, overwrite=overwrite) as staging:
        staging.begin(hashes)
        _bring_catalog(staging, place, manifests, progress)
        for name, path in extras.items():
            staging.take(place_of(path.parent), path.name, name, keep=False)
        facts = _facts(staging.root, manifests)
        closed_until = embargo_until if embargoed_copy else None
        _write_texts(staging, about, facts, closed_until=closed_until, today=today or started.date())
        _write_provenance(staging, started, campaign)
        storage = _storage(staging, facts, cost_per_tb_year)
        description = _description(about, manifests, facts, storage)
        staging.write(layout.DESCRIPTION, json.dumps(description, indent=1) + "\n")
        _write_checksums(staging)
        record_state(
            staging.root, state, by=by, note=note, embargo_until=embargo_until, embargoed_copy=embargoed_copy
        )  # fmt: skip
        # A copy under embargo is for its owner alone, whatever the umask.
        staging.root.chmod(0o700 if embargoed_copy else 0o755)
    records = staging.records.values()
    return PackageReport(
        path=str(target),
        name=about.name,
        state=state,
        n_obj=facts["summary"]["n_obj"],
        n_files=len(records),
        n_bytes=sum(record.n_bytes for record in records),
        n_linked=staging.done["linked"],
        n_copied=staging.done["copied"],
        n_kept=staging.done["kept"],
        content_hash=description["content_hash"],
        storage=storage,
        seconds=time.monotonic() - begun,
    )


def _manifests(place: Place) -> dict[str, Manifest]:
    """Manifests of the catalogues, and the refusal of what is not finished."""
    found: dict[str, Manifest] = {}
    for name, table in CATALOGS.items():
        path = f"{name}/{MANIFEST_NAME}"
        if not place.has(path):
            continue
        manifest = _read_manifest(place, name)
        if manifest.table != table:
            raise FileFormatError(f"{place.uri}/{name} is a table {manifest.table!r}, not {table!r}")
        data = [record for record in manifest.files if record.n_rows is not None]
        if not data or not all(pixel_of_path(record.path) for record in data):
            raise FileFormatError(f"{place.uri}/{name} is not a HATS catalogue: a package needs positions (ra, dec)")
        found[name] = manifest
    missing = [name for name in ("pz", "pz_pdf") if name not in found]
    missing += [f"{name}.parquet" for name in layout.TABLES if not place.has(f"{name}.parquet")]
    if missing:
        raise NotFoundError(f"{place.uri} has no finished {', '.join(missing)}: nothing to deliver yet")
    return found


def _read_manifest(place: Place, name: str) -> Manifest:
    if place.local is not None:
        return Manifest.read(place.local / name)
    with TemporaryDirectory() as folder:
        (Path(folder) / MANIFEST_NAME).write_bytes(place.read(f"{name}/{MANIFEST_NAME}"))
        return Manifest.read(Path(folder))


def _require_rows(manifests: Mapping[str, Manifest], n_obj: int | None) -> None:
    rows = {name: manifests[name].n_rows for name in ("pz", "pz_pdf")}
    if len(set(rows.values())) > 1:
        raise PartitionError(f"pz has {rows['pz']} rows and pz_pdf {rows['pz_pdf']}: they must have the same")
    if n_obj is not None and rows["pz"] != n_obj:
        raise PartitionError(f"the table has {rows['pz']} rows and the release {n_obj} objects")


def _bring_catalog(
    staging: Staging,
    place: Place,
    manifests: Mapping[str, Manifest],
    progress: Callable[[int, int], None] | None,
) -> None:
    total, done = sum(manifest.n_bytes for manifest in manifests.values()), 0
    for name, manifest in manifests.items():
        for record in manifest.files:
            path = f"{name}/{record.path}"
            staging.take(place, path, f"{layout.CATALOG}/{path}", expected=record)
            done += record.n_bytes
            if progress is not None:
                progress(done, total)
        staging.take(place, f"{name}/{MANIFEST_NAME}", f"{layout.CATALOG}/{name}/{MANIFEST_NAME}")
    names = [f"{name}.parquet" for name in layout.TABLES]
    for name in [*names, *([COLLECTION] if place.has(COLLECTION) else [])]:
        staging.take(place, name, f"{layout.CATALOG}/{name}")


def _facts(root: Path, manifests: Mapping[str, Manifest]) -> dict[str, Any]:
    """What texts, notebooks and the description say of the catalogue."""
    catalog = root / layout.CATALOG
    z_min, z_max, n_z, encoding = redshift_grid(catalog / "pz_pdf")
    data = [record for record in manifests["pz"].files if record.n_rows is not None]
    return {
        "summary": catalog_summary(catalog / "pz"),
        "answers": known_answers(catalog / "pz"),
        "grid": (z_min, z_max, n_z),
        "encoding": encoding,
        "has_margin": "pz_margin" in manifests,
        "is_collection": (catalog / COLLECTION).is_file(),
        "directories": not data[0].path.rpartition("/")[2].startswith("Npix="),
    }


def _write_texts(
    staging: Staging, about: PackageAbout, facts: Mapping[str, Any], *, closed_until: date | None, today: date
) -> None:
    answers, (z_min, z_max, n_z) = facts["answers"], facts["grid"]
    n_obj = facts["summary"]["n_obj"]
    readme = readme_text(
        about,
        n_obj=n_obj,
        grid=facts["grid"],
        centre=(answers["ra"], answers["dec"]),
        embargo_until=closed_until,
        **{name: facts[name] for name in ("has_margin", "is_collection", "directories")},
    )
    title = about.full_title
    staging.write(layout.README, readme)
    staging.write(layout.LICENCE, licence_text(about, year=today.year))
    staging.write(layout.CITATION, citation_text(about, released=today))
    staging.write(layout.QA_SUMMARY, json.dumps(facts["summary"], indent=1) + "\n")
    staging.write(f"{layout.NOTEBOOKS}/check_fixed.ipynb", fixed_notebook(title=title, n_obj=n_obj, **answers))
    staging.write(
        f"{layout.NOTEBOOKS}/check_random.ipynb", random_notebook(title=title, z_min=z_min, z_max=z_max, n_z=n_z)
    )
    folder = files("pzcenter.schema").joinpath("tables")
    for name in ("pz", "pz_pdf", "pz_provenance", *layout.TABLES):
        staging.write(f"{layout.SCHEMA}/{name}.yaml", folder.joinpath(f"{name}.yaml").read_text(encoding="utf-8"))


def _write_provenance(staging: Staging, started: datetime, campaign: Mapping[str, Any] | None) -> None:
    """Record of the build itself, as JSON and as the table pz_provenance."""
    catalog = staging.root / layout.CATALOG
    record = provenance_record(
        "deliver build",
        started=started,
        inputs=[catalog / "pz", catalog / "pz_pdf"],
        configuration={"campaign": dict(campaign)} if campaign else {},
        command=["pz", "deliver", "build"],
    )
    for entry in record["inputs"]:
        # Where it was built is nobody's business.
        entry["path"] = f"{layout.CATALOG}/{Path(entry['path']).name}"
    staging.write(f"{layout.PROVENANCE}/provenance.json", json.dumps(record, indent=1, default=str) + "\n")
    table = provenance_table(record, run_id=str((campaign or {}).get("name", "package")))
    target = f"{layout.PROVENANCE}/pz_provenance.parquet"
    with atomic_file(staging.root / target) as sink:
        pq.write_table(table, sink, **parquet_options(table.schema))
    staging.add(target)


def _storage(staging: Staging, facts: Mapping[str, Any], cost_per_tb_year: float) -> StorageReport:
    """Bytes of each product, by the directory or table that holds it."""
    products: dict[str, tuple[int, int, int | None]] = {}
    for path, record in staging.records.items():
        first, *rest = path.split("/")
        name = rest[0].removesuffix(".parquet") if first == layout.CATALOG else first if rest else "texts"
        n_files, n_bytes, n_rows = products.get(name, (0, 0, None))
        rows = n_rows if record.n_rows is None else (n_rows or 0) + record.n_rows
        products[name] = (n_files + 1, n_bytes + record.n_bytes, rows)
    return storage_report(
        products,
        n_obj=facts["summary"]["n_obj"],
        n_z=facts["grid"][2],
        encoding=facts["encoding"],
        cost_per_tb_year=cost_per_tb_year,
    )


def _description(
    about: PackageAbout, manifests: Mapping[str, Manifest], facts: Mapping[str, Any], storage: StorageReport
) -> dict[str, Any]:
    hashes = {name: hash_of_records(manifest.files) for name, manifest in manifests.items()}
    z_min, z_max, n_z = facts["grid"]
    return {
        "format": PACKAGE_FORMAT,
        "format_version": PACKAGE_VERSION,
        "pzcenter": pzcenter.__version__,
        **about.model_dump(exclude={"licence_text"}),
        "title": about.full_title,
        "n_obj": facts["summary"]["n_obj"],
        "content_hash": hash_of_parts(hashes),
        "pdf": {"encoding": facts["encoding"], "z_min": z_min, "z_max": z_max, "n_z": n_z},
        "catalogs": {
            name: {
                "path": f"{layout.CATALOG}/{name}",
                "table": manifest.table,
                "content_hash": hashes[name],
                "n_rows": manifest.n_rows,
                "n_files": len(manifest.files),
                "n_bytes": manifest.n_bytes,
            }
            for name, manifest in manifests.items()
        },
        "storage": storage.as_dict(),
    }


def _write_checksums(staging: Staging) -> None:
    """Write the list of all files, once for programs and once for ``sha256sum``."""
    manifest = Manifest(table="package", files=tuple(sorted(staging.records.values())))
    manifest.write(staging.root)
    staging.add(MANIFEST_NAME)
    lines = [f"{record.sha256}  {path}\n" for path, record in sorted(staging.records.items())]
    staging.write(layout.CHECKSUMS, "".join(lines))
