"""Make a challenge: the tree for participants, and apart from it what they must not see."""

from __future__ import annotations

import json
import os
import secrets
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pzcenter.catalogs import FileRecord, Manifest, provenance_record, write_partition, write_provenance
from pzcenter.catalogs.columns import float_column, int_column
from pzcenter.catalogs.storage import file_sha256, storage_errors, write_text_atomically
from pzcenter.errors import ConfigError, OutputExistsError

from .blinding import blind_scenario
from .layout import KEY_NAME, PRIVATE_MODE, PUBLIC, SETTINGS_NAME, TRUTH_TABLES, Challenge, open_challenge
from .leaks import leaks_of
from .readme import readme_text
from .settings import read_settings, settings_text
from .sources import read_sources, source_paths

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa
    from numpy.typing import NDArray

    from .blinding import BlindScenario
    from .settings import ChallengeSettings

__all__ = ["KEY_BYTES", "create_challenge", "new_key"]

KEY_BYTES = 32
PUBLIC_TABLE, TRUTH_TABLE = "challenge", "challenge_truth"


def new_key() -> bytes:
    """Make a secret key of the operating system's random numbers."""
    return secrets.token_bytes(KEY_BYTES)


def create_challenge(
    settings_path: str | os.PathLike[str],
    directory: str | os.PathLike[str],
    *,
    truth: str | os.PathLike[str] | None = None,
    key: bytes | None = None,
    command: Sequence[str] | None = None,
) -> Challenge:
    """Make a challenge from its settings.

    Parameters
    ----------
    settings_path : path
        ``challenge.yaml``; paths in it are relative to its directory.
    directory : path
        New; what the organiser keeps. ``public/`` in it is for participants.
    truth : path, optional
        New directory for what is withheld, mode 0700, outside of ``directory``; by default what the settings say, or
        the directory's name with ``.truth`` after it.
    key : bytes, optional
        Of the ids; a new one by default. The key of an earlier version gives the same ids to the same test set.
    command : sequence of str, optional
        For the record; that of this process by default.

    Returns
    -------
    Challenge

    Raises
    ------
    ConfigError
        The settings are not accepted, the truth would lie where participants look, or the files would tell it.
    OutputExistsError
        One of the directories has something in it.
    NotFoundError, FileFormatError, ColumnError, BandError, EmptyTableError, DuplicateIdError
        A source is missing or does not serve.
    StorageError
        The disk refused; nothing is left behind.
    """
    started = datetime.now(UTC)
    source = Path(settings_path)
    settings = read_settings(source)
    target = Path(directory).resolve()
    vault = _vault_path(target, settings, truth)
    _refuse_what_is_there(target, vault)
    secret = new_key() if key is None else key
    if not 16 <= len(secret) <= 64:
        raise ConfigError(f"the key has {len(secret)} bytes; accepted are 16 to 64")
    unfinished = [path.with_name(f".{path.name}.unfinished") for path in (vault, target)]
    for path in unfinished:
        shutil.rmtree(path, ignore_errors=True)
    try:
        with storage_errors(target):
            _write_vault_head(unfinished[0], settings, secret)
            inputs = _write_tables(
                unfinished[1] / PUBLIC, unfinished[0] / TRUTH_TABLES, settings, source.parent, secret
            )
            shown = settings.model_copy(update={"truth": os.path.relpath(vault, target)})
            write_text_atomically(unfinished[1] / SETTINGS_NAME, settings_text(shown.model_dump(mode="json")))
            record = provenance_record(
                "challenge create", started=started, inputs=[source, *inputs], command=command,
                configuration={"challenge": settings.name, "version": settings.version},
            )  # fmt: skip
            write_provenance(unfinished[0], record)
            for made, final in zip(unfinished, (vault, target), strict=True):
                if final.exists():
                    final.rmdir()
                made.replace(final)
    finally:
        for path in unfinished:
            shutil.rmtree(path, ignore_errors=True)
    return open_challenge(target)


def _vault_path(target: Path, settings: ChallengeSettings, truth: str | os.PathLike[str] | None) -> Path:
    if truth is not None:
        vault = Path(truth).resolve()
    elif settings.truth is not None:
        vault = Path(os.path.normpath(target / settings.truth))
    else:
        vault = target.with_name(f"{target.name}.truth")
    if vault == target or target in vault.parents or vault in target.parents:
        raise ConfigError(f"the truth in {vault} must lie outside of the challenge {target}, and not around it")
    return vault


def _refuse_what_is_there(*directories: Path) -> None:
    for path in directories:
        if path.exists() and (not path.is_dir() or any(path.iterdir())):
            raise OutputExistsError(
                f"{path} has something in it; a challenge is never overwritten, name a new directory"
            )
        path.parent.mkdir(parents=True, exist_ok=True)


def _write_vault_head(directory: Path, settings: ChallengeSettings, key: bytes) -> None:
    directory.mkdir(mode=PRIVATE_MODE)
    directory.chmod(PRIVATE_MODE)
    content = {"challenge": settings.name, "version": settings.version, "key": key.hex()}
    write_text_atomically(directory / KEY_NAME, json.dumps(content, indent=1) + "\n")
    (directory / KEY_NAME).chmod(0o600)


def _write_tables(public: Path, tables: Path, settings: ChallengeSettings, base: Path, key: bytes) -> list[Path]:
    """Write all scenarios; gives the files they were made from."""
    records: list[FileRecord] = []
    truths: list[FileRecord] = []
    inputs: dict[Path, None] = {}
    first_id = 1
    seen: list[dict[str, pa.Table]] = []
    for scenario in settings.scenarios:
        sources = read_sources(scenario, base)
        inputs |= dict.fromkeys(source_paths(scenario, base).values())
        seen.append(
            {
                role: table.select(["objectId", "z_spec"])
                for role, table in sources.items()
                if "z_spec" in table.column_names
            }
        )
        made = blind_scenario(sources, scenario, key=key, first_id=first_id, mag_band=settings.scoring.mag_band)
        first_id += sum(table.num_rows for table in made.public.values())
        records += [
            write_partition(table, public, f"{scenario.name}/{role}.parquet") for role, table in made.public.items()
        ]
        truths.append(write_partition(made.truth, tables, f"{scenario.name}.parquet", id_column="object_id"))
        _refuse_leaks(public / scenario.name, made)
    _refuse_shared(settings.scenario_names, seen)
    counts = {record.path: record.n_rows or 0 for record in records}
    for name, text in (
        ("README.md", readme_text(settings, counts)),
        (SETTINGS_NAME, settings_text(settings.public())),
    ):
        path = public / name
        write_text_atomically(path, text)
        records.append(FileRecord(name, file_sha256(path), path.stat().st_size))
    for directory, table, found in ((public, PUBLIC_TABLE, records), (tables, TRUTH_TABLE, truths)):
        Manifest(table, tuple(found)).write(directory)
        for scratch in directory.rglob(".tmp"):
            shutil.rmtree(scratch, ignore_errors=True)
    return list(inputs)


def _refuse_shared(names: Sequence[str], sources: Sequence[dict[str, pa.Table]]) -> None:
    """No object of the test set of one scenario may stand, with its redshift, among what another one gives away.

    Two catalogues may use one id for different objects; these differ in redshift.
    """
    for tested, own in zip(names, sources, strict=True):
        secret = _objects(own["test"])
        for shown, other in zip(names, sources, strict=True):
            for role in set(other) - {"test"}:
                n_shared = int(np.intersect1d(secret, _objects(other[role])).size)
                if n_shared:
                    raise ConfigError(
                        f"{n_shared} objects of the test set of {tested!r} are in the {role} set of {shown!r}; "
                        "none may be"
                    )


def _objects(table: pa.Table) -> NDArray[np.void]:
    """Id and redshift of each object as one value."""
    pairs = np.empty(table.num_rows, dtype=[("id", "<i8"), ("z", "<f8")])
    pairs["id"] = int_column(table.column("objectId"), "objectId")
    pairs["z"] = float_column(table.column("z_spec"))
    return np.unique(pairs[np.isfinite(pairs["z"])])


def _refuse_leaks(directory: Path, made: BlindScenario) -> None:
    others = [directory / f"{role}.parquet" for role in made.public if role != "test"]
    told = leaks_of(directory / "test.parquet", made.truth, training_paths=others)
    if told:
        raise ConfigError(f"the test set would tell what is withheld: {'; '.join(told)}")
