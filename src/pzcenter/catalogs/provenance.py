"""How a data set was made: enough to make it again, and to see that nothing changed.

Names of hosts and users stay out, because the record travels with published data.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import platform
import re
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pzcenter
from pzcenter.catalogs.manifest import MANIFEST_NAME, Manifest
from pzcenter.catalogs.storage import file_sha256, write_text_atomically
from pzcenter.errors import FileFormatError, NotFoundError

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Mapping, Sequence

    import pyarrow as pa

__all__ = [
    "PROVENANCE_NAME",
    "describe_file",
    "provenance_record",
    "provenance_table",
    "read_provenance",
    "write_provenance",
]

PROVENANCE_NAME = "provenance.json"
FORMAT_NAME = "pzcenter-provenance"
FORMAT_VERSION = 1
HOME_PATTERN = re.compile(r"/(?:home|Users)/[^/\s=,:]+|/root(?=/|$)")


def describe_file(path: str | os.PathLike[str], *, checksum: bool = True) -> dict[str, Any]:
    """Say what a file or directory is, in a way that shows any change of its content.

    Parameters
    ----------
    path : path
        File, or directory such as a HATS catalogue or a model.
    checksum : bool
        Read the content. A directory with a ``manifest.json`` is never read: its manifest has the checksums.

    Returns
    -------
    dict
        ``path``, ``n_bytes``, ``n_rows`` where a manifest says it, ``sha256``: of a file its own; of a directory that
        of its manifest, or else of the lines ``SHA256  PATH`` of all files sorted by path.

    Raises
    ------
    NotFoundError
        There is nothing at the path.
    """
    path = Path(path)
    shown = _without_user(str(path))
    if path.is_file():
        n_bytes = path.stat().st_size
        return {"path": shown, "n_bytes": n_bytes, "sha256": file_sha256(path) if checksum else None}
    if not path.is_dir():
        raise NotFoundError(f"there is no file or directory {path}")
    if (path / MANIFEST_NAME).is_file():
        manifest = Manifest.read(path)
        return {
            "path": shown,
            "n_bytes": manifest.n_bytes,
            "n_rows": manifest.n_rows,
            "sha256": file_sha256(path / MANIFEST_NAME),
            "sha256_of": MANIFEST_NAME,
        }
    files = sorted(child for child in path.rglob("*") if child.is_file())
    digest = None
    if checksum:
        lines = (f"{file_sha256(child)}  {child.relative_to(path).as_posix()}\n" for child in files)
        total = hashlib.sha256()
        for line in lines:
            total.update(line.encode())
        digest = total.hexdigest()
    n_bytes = sum(child.stat().st_size for child in files)
    return {"path": shown, "n_bytes": n_bytes, "sha256": digest, "sha256_of": "list of files"}


def provenance_record(
    task: str,
    *,
    started: datetime,
    inputs: Iterable[str | os.PathLike[str]] = (),
    model: str | os.PathLike[str] | None = None,
    configuration: Mapping[str, Any] | None = None,
    counts: Mapping[str, Any] | None = None,
    command: Sequence[str] | None = None,
    input_checksums: bool = True,
) -> dict[str, Any]:
    """Record of a run that ends now.

    Parameters
    ----------
    task : str
        What was done, such as ``"catalog skinny"``.
    started : datetime
        With time zone.
    inputs : iterable of path
        Files and directories that were read.
    model : path, optional
        Directory of the model.
    configuration : mapping, optional
        Settings, as plain values.
    counts : mapping, optional
        Numbers of rows in, out and cut.
    command : sequence of str, optional
        Command line; that of this process by default.
    input_checksums : bool
        Read inputs that have no manifest to take their checksum.

    Returns
    -------
    dict
        With stable order of keys.
    """
    words = [Path(sys.argv[0]).name, *sys.argv[1:]] if command is None else list(command)
    return {
        "format": FORMAT_NAME,
        "version": FORMAT_VERSION,
        "task": task,
        "command": [_without_user(word) for word in words],
        "started": started.astimezone(UTC).isoformat(timespec="seconds"),
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        "inputs": [describe_file(path, checksum=input_checksums) for path in inputs],
        "model": None if model is None else describe_file(model),
        "configuration": dict(configuration or {}),
        "counts": dict(counts or {}),
        "pzcenter": pzcenter.__version__,
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "packages": _package_versions(),
    }


def _without_user(text: str) -> str:
    home = str(Path.home())
    if len(home) > 1:
        text = text.replace(home, "~")
    return HOME_PATTERN.sub("~", text)


def _package_versions() -> dict[str, str]:
    """Versions of the packages that PZ Center declares to need, as far as they are installed."""
    versions = {}
    for requirement in importlib.metadata.requires("pzcenter") or []:
        match = re.match(r"[A-Za-z0-9_.-]+", requirement)
        if match is None:
            continue
        try:
            versions[match[0]] = importlib.metadata.version(match[0])
        except importlib.metadata.PackageNotFoundError:
            continue
    return dict(sorted(versions.items()))


def write_provenance(directory: str | os.PathLike[str], record: Mapping[str, Any]) -> Path:
    """Write ``provenance.json``, whole or not at all.

    Parameters
    ----------
    directory : path
    record : mapping
        From :func:`provenance_record`.

    Returns
    -------
    Path

    Raises
    ------
    StorageError
        The file system refused.
    """
    path = Path(directory) / PROVENANCE_NAME
    write_text_atomically(path, json.dumps(dict(record), indent=1, default=str) + "\n")
    return path


def read_provenance(directory: str | os.PathLike[str]) -> dict[str, Any]:
    """Read ``provenance.json`` of a data set.

    Raises
    ------
    NotFoundError
        There is none.
    FileFormatError
        It is damaged or of another kind.
    """
    path = Path(directory) / PROVENANCE_NAME
    if not path.is_file():
        raise NotFoundError(f"{directory} has no {PROVENANCE_NAME}")
    try:
        record: dict[str, Any] = dict(json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, TypeError) as error:
        raise FileFormatError(f"{path} is damaged: {error}") from error
    if record.get("format") != FORMAT_NAME:
        raise FileFormatError(f"{path} is not of format {FORMAT_NAME!r}")
    return record


def provenance_table(record: Mapping[str, Any], run_id: str) -> pa.Table:
    """Rows of the table ``pz_provenance``: one for each command, input, model, setting and package.

    Parameters
    ----------
    record : mapping
        From :func:`provenance_record`.
    run_id : str

    Returns
    -------
    pa.Table
    """
    import pyarrow as pa

    from pzcenter.schema import arrow_schema

    rows: list[dict[str, Any]] = [{"role": "command", "name": record["task"], "value": " ".join(record["command"])}]
    described = [("input", entry) for entry in record["inputs"]]
    described += [("model", record["model"])] if record["model"] else []
    for role, entry in described:
        rows.append({
            "role": role, "name": entry["path"], "checksum": entry["sha256"],
            "n_bytes": entry["n_bytes"], "n_rows": entry.get("n_rows"),
        })  # fmt: skip
    rows += [
        {"role": "config", "name": name, "value": json.dumps(value, default=str)}
        for name, value in record["configuration"].items()
    ]
    software = {"pzcenter": record["pzcenter"], "python": record["python"], **record["packages"]}
    rows += [{"role": "package", "name": name, "value": version} for name, version in software.items()]
    finished = datetime.fromisoformat(record["finished"])
    return pa.Table.from_pylist(
        [{"run_id": run_id, "item": number, "created": finished, **row} for number, row in enumerate(rows)],
        schema=arrow_schema("pz_provenance"),
    )
