"""The way of the data: landing zone (DTN), Tier 1, Tier 0, and the outbox (DTN) from which packages leave.

===============  =======================================================  ==================================
flow             what                                                     where
===============  =======================================================  ==================================
(1)              download to the DTN: :func:`receive`                     ``landing``
(2), (3)         into the archive, read-only, registered: :func:`promote`  ``tier1``
(4), (5)         fast disk from which the work reads                      ``tier0`` (``fast_tier``)
(6)              the work writes its catalogue                            the campaign's destination
(7), (8)         package to the DTN, for the receiver: :func:`send`       ``outbox``
===============  =======================================================  ==================================

Each movement can be repeated and continued, is checked against checksums, and is one line of ``movements.jsonl`` of the
place it goes to.
"""

from __future__ import annotations

import os
import re
import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pzcenter.catalogs.manifest import MANIFEST_NAME, FileRecord, Journal, Manifest
from pzcenter.catalogs.storage import file_sha256, storage_errors
from pzcenter.errors import ChecksumError, ConfigError, NotFoundError, OutputExistsError
from pzcenter.pipelines.delivery.fast_tier import QUOTA_VARIABLE, TIER_VARIABLE
from pzcenter.pipelines.delivery.movements import MoveReport, bring_files, expected_checksums, record_movement
from pzcenter.pipelines.delivery.places import place_of
from pzcenter.pipelines.delivery.sizes import bytes_of_text

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["REGISTER", "TierConfig", "landed_manifest", "promote", "read_tiers", "receive"]

NAME = re.compile(r"[A-Za-z0-9][\w.-]*")
INCOMING, QUARANTINE, MANIFESTS = ".incoming", ".quarantine", ".manifests"
REGISTER = "datasets.jsonl"
READ_ONLY_FILE, READ_ONLY_DIRECTORY = 0o444, 0o555


class TierConfig(BaseModel):
    """Places of the data flow."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    landing: Annotated[Path, Field(title="landing zone, where data arrive")]
    tier1: Annotated[Path, Field(title="archive: registered and read-only")]
    outbox: Annotated[str | None, Field(title="where packages leave: directory or s3:// URI")] = None
    tier0: Annotated[Path | None, Field(title="fast disk that the work reads from")] = None
    tier0_quota: Annotated[str, Field(title="most space that it may take")] = "20 GB"
    cost_per_tb_year: Annotated[float, Field(ge=0, title="price of keeping 10^12 bytes for a year")] = 0.0

    def environment(self) -> dict[str, str]:
        """Variables by which the work finds the fast disk; empty where there is none."""
        if self.tier0 is None:
            return {}
        return {TIER_VARIABLE: str(self.tier0.absolute()), QUOTA_VARIABLE: str(bytes_of_text(self.tier0_quota))}


def read_tiers(path: str | os.PathLike[str]) -> TierConfig:
    """Read the places from a YAML file.

    Raises
    ------
    NotFoundError
        There is no such file.
    ConfigError
        A setting is unknown, missing or not accepted; all of them are named.
    """
    path = Path(path)
    if not path.is_file():
        raise NotFoundError(f"there is no file {path}")
    try:
        config = TierConfig.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except yaml.YAMLError as error:
        raise ConfigError(f"{path} is not YAML: {error}") from error
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors())
        raise ConfigError(f"{path}: {faults}; settings are {', '.join(TierConfig.model_fields)}") from error
    bytes_of_text(config.tier0_quota)
    return config


def receive(
    source: str | os.PathLike[str],
    landing: str | os.PathLike[str],
    *,
    name: str | None = None,
    checksums: str | os.PathLike[str] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> MoveReport:
    """Bring a data set into the landing zone.

    The same call continues one that was stopped, in the middle of a file if need be; it does nothing when all is there.

    Parameters
    ----------
    source : path or str
        Directory or ``s3://`` URI. Lists of checksums in it (``SHA256SUMS``, ``manifest-sha256.txt``,
        ``manifest.json``) are what the files must fulfil.
    landing : path
        Landing zone; the data set becomes a directory in it.
    name : str, optional
        Of the data set; that of the source by default.
    checksums : path, optional
        List in the form of ``sha256sum``, in place of those in the source.
    progress : callable, optional
        Called with the bytes that are done and all bytes.

    Returns
    -------
    MoveReport
        What did not arrive as it should is in ``landing/.quarantine/NAME`` and in ``quarantined``.

    Raises
    ------
    NotFoundError
        There is nothing at the source.
    FileFormatError
        A list of checksums is damaged.
    StorageError
        The landing zone, or the source as a whole, refused.
    """
    begun = time.monotonic()
    zone, place = Path(landing), place_of(source)
    label = _name(name or str(source).rstrip("/").rpartition("/")[2])
    files = place.files()
    text = None if checksums is None else _text(checksums)
    target = zone / label
    tally = bring_files(
        place,
        files,
        target,
        expected=expected_checksums(place, text),
        quarantine=zone / QUARANTINE / label,
        journal=Journal(zone / INCOMING / f"{label}.jsonl"),
        progress=progress,
    )
    sha256 = ""
    if not tally.quarantined:
        sha256 = _write_manifest(zone, label, tally.records)
        shutil.rmtree(zone / QUARANTINE / label, ignore_errors=True)
    else:
        # What arrived before is not the whole of what is at the source now.
        (zone / MANIFESTS / label / MANIFEST_NAME).unlink(missing_ok=True)
    report = MoveReport(
        what="receive",
        name=label,
        source=place.uri,
        destination=str(target),
        n_files=len(files),
        n_new=tally.n_new,
        n_known=tally.n_known,
        bytes_moved=tally.bytes_moved,
        seconds=time.monotonic() - begun,
        quarantined=tuple(tally.quarantined),
        sha256=sha256,
    )
    record_movement(zone, report)
    return report


def promote(landed: str | os.PathLike[str], tier1: str | os.PathLike[str], *, keep_landing: bool = False) -> MoveReport:
    """Move a data set from the landing zone into Tier 1: every byte checked, then read-only and registered.

    Parameters
    ----------
    landed : path
        Directory of a complete data set in the landing zone.
    tier1 : path
        Archive; the data set becomes a directory in it.
    keep_landing : bool
        Leave the data set in the landing zone too.

    Returns
    -------
    MoveReport

    Raises
    ------
    NotFoundError
        It did not arrive completely.
    ChecksumError
        A file changed since it arrived, or one is missing; all of them are named.
    OutputExistsError
        Tier 1 has another data set of this name: what is there is never changed.
    StorageError
        The file system refused.
    """
    begun = time.monotonic()
    source, archive = Path(landed).absolute(), Path(tier1).absolute()
    label = source.name
    target = archive / label
    manifest, sha256 = landed_manifest(source.parent, label)
    n_new = 0
    if target.exists():
        known = archive / MANIFESTS / label / MANIFEST_NAME
        if not known.is_file() or file_sha256(known) != sha256:
            raise OutputExistsError(f"{target} is another data set of this name, and Tier 1 is never changed")
    else:
        staging = archive / INCOMING / label
        with storage_errors(target):
            _collect(source, staging, manifest)
            _make_read_only(staging)
            _write_manifest(archive, label, manifest.files)
            # The directory itself must stay writable while it is moved.
            staging.rename(target)
            target.chmod(READ_ONLY_DIRECTORY)
        n_new = len(manifest.files)
        facts = {"n_files": n_new, "n_bytes": manifest.n_bytes, "sha256": sha256}
        Journal(archive / REGISTER).append({"name": label, **facts})
    if not keep_landing and source.is_dir():
        shutil.rmtree(source)
        (source.parent / INCOMING / f"{label}.jsonl").unlink(missing_ok=True)
    report = MoveReport(
        what="promote",
        name=label,
        source=str(source),
        destination=str(target),
        n_files=len(manifest.files),
        n_new=n_new,
        n_known=len(manifest.files) - n_new,
        bytes_moved=manifest.n_bytes if n_new else 0,
        seconds=time.monotonic() - begun,
        sha256=sha256,
    )
    record_movement(archive, report)
    return report


def landed_manifest(zone: Path, name: str) -> tuple[Manifest, str]:
    """Manifest of a data set of a zone, and its checksum.

    Raises
    ------
    NotFoundError
        There is no complete data set of this name.
    """
    folder = zone / MANIFESTS / name
    if not (folder / MANIFEST_NAME).is_file():
        raise NotFoundError(f"{zone} has no complete data set {name!r}; 'pz deliver receive' brings one, or continues")
    return Manifest.read(folder), file_sha256(folder / MANIFEST_NAME)


def _collect(source: Path, staging: Path, manifest: Manifest) -> None:
    """Link or copy all files, reading each once to check it."""
    faults = []
    for record in manifest.files:
        path, there = source / record.path, staging / record.path
        there.parent.mkdir(parents=True, exist_ok=True)
        there.unlink(missing_ok=True)
        try:
            os.link(path, there)
        except FileNotFoundError:
            faults.append(f"{record.path} is missing")
            continue
        except OSError:
            shutil.copyfile(path, there)
        if (found := file_sha256(there)) != record.sha256:
            there.unlink()
            faults.append(f"{record.path} has SHA-256 {found[:12]}..., not {record.sha256[:12]}...")
    if faults:
        more = f" and {len(faults) - 10} more" if len(faults) > 10 else ""
        raise ChecksumError(f"{source} changed since it arrived: {'; '.join(faults[:10])}{more}; receive it again")


def _make_read_only(directory: Path) -> None:
    for folder, _, names in os.walk(directory, topdown=False):
        for name in names:
            (Path(folder) / name).chmod(READ_ONLY_FILE)
        if Path(folder) != directory:
            Path(folder).chmod(READ_ONLY_DIRECTORY)


def _write_manifest(zone: Path, name: str, records: Sequence[FileRecord]) -> str:
    folder = zone / MANIFESTS / name
    path = Manifest(table="files", files=tuple(sorted(records))).write(folder)
    return file_sha256(path)


def _name(text: str) -> str:
    if not NAME.fullmatch(text):
        raise ConfigError(f"{text!r} is not a name for a data set: letters, digits, dots, dashes and underscores")
    return text


def _text(path: str | os.PathLike[str]) -> str:
    if not Path(path).is_file():
        raise NotFoundError(f"there is no file {path}")
    return Path(path).read_text(encoding="utf-8")
