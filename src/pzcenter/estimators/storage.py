"""Models on disk: a directory of plain data files and a manifest, ``model.yaml``.

Nothing in it can run: arrays are safetensors, tables are Parquet, small facts are YAML. The manifest carries the size
and SHA-256 of each file and a digest of itself, which is the identity of the model in provenance records. A model comes
from anybody, so :func:`read_model` believes nothing it has not checked, and parses only bytes it has already hashed.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import shutil
import stat
import tempfile
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pzcenter.errors import ChecksumError, ModelError, NotFoundError, OutputExistsError, StorageError
from pzcenter.estimators.checks import check_z_grid
from pzcenter.estimators.protocol import TrainingFacts

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from pzcenter.estimators.protocol import EstimatorConfig

__all__ = [
    "ARRAYS_FILE",
    "CARD_FILE",
    "FORMAT_VERSION",
    "MANIFEST_FILE",
    "MAX_MANIFEST_BYTES",
    "MAX_MODEL_BYTES",
    "Manifest",
    "StoredModel",
    "model_digest",
    "parse_manifest",
    "read_files",
    "read_manifest",
    "read_model",
    "read_plain_file",
    "write_files",
    "write_model",
]

MANIFEST_FILE = "model.yaml"
ARRAYS_FILE = "arrays.safetensors"
CARD_FILE = "card.json"
"""What is told of a model beside its numbers; it may be absent, and is no part of the digest."""
FORMAT_VERSION = 1
MAX_MANIFEST_BYTES = 1 << 20
"""One MiB: a manifest is a page of text."""
MAX_MODEL_BYTES = 4 << 30
"""Four GiB: more than this does not fit the memory of a worker."""

_Z_GRID = "z_grid"
_FILE_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}\.(safetensors|parquet|yaml)")
_SHA256 = r"^[0-9a-f]{64}$"
_RECORDED_PACKAGES = ("pzcenter", "numpy", "scipy", "numba", "safetensors")


class FileRecord(BaseModel):
    """One data file of a model."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    n_bytes: int = Field(ge=0, le=MAX_MODEL_BYTES)
    sha256: str = Field(pattern=_SHA256)


class TrainingRecord(BaseModel):
    """The training sample as the manifest tells it."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    n_obj: int = Field(ge=1)
    z_min: float
    z_max: float
    sha256: str = Field(pattern=_SHA256)


class GridRecord(BaseModel):
    """The redshift grid in three numbers; the points themselves are in ``arrays.safetensors``."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    z_min: float
    z_max: float
    n_z: int = Field(ge=2)


class Manifest(BaseModel):
    """Content of ``model.yaml``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: str = Field(pattern="^pzcenter-model$")
    format_version: int
    estimator: str = Field(pattern=r"^([a-z0-9][a-z0-9_.-]*|rail:[A-Za-z][A-Za-z0-9_]*)$")
    bands: tuple[str, ...] = Field(min_length=1)
    z_grid: GridRecord
    config: dict[str, Any]
    training: TrainingRecord | None
    facts: dict[str, Any]
    packages: dict[str, str]
    files: dict[str, FileRecord]
    digest: str = Field(pattern=_SHA256)


@dataclass(frozen=True, eq=False)
class StoredModel:
    """A model as read from disk, verified and not yet interpreted by its method.

    Parameters
    ----------
    manifest : Manifest
        Everything that is not an array.
    arrays : dict of str to ndarray
        From ``arrays.safetensors``, without the grid.
    z_grid : ndarray of float64, (n_z,)
        Redshift grid.
    files : dict of str to bytes
        The other files, verified.
    """

    manifest: Manifest
    arrays: dict[str, NDArray[Any]]
    z_grid: NDArray[np.float64]
    files: dict[str, bytes] = field(default_factory=dict)

    @property
    def training(self) -> TrainingFacts | None:
        """The training sample in numbers."""
        record = self.manifest.training
        return None if record is None else TrainingFacts(**record.model_dump())

    def array(self, name: str, shape: tuple[int | None, ...], dtype: Any) -> NDArray[Any]:
        """One array that must be there in this form.

        Parameters
        ----------
        name : str
            Of the array.
        shape : tuple of int or None
            None accepts any length on that axis.
        dtype : dtype
            Exact.

        Returns
        -------
        ndarray
            Not writable.

        Raises
        ------
        ModelError
            Absent, or of another shape or type.
        """
        if name not in self.arrays:
            raise ModelError(f"the model has no array {name!r}; it has {sorted(self.arrays)}")
        value = self.arrays[name]
        fits = len(value.shape) == len(shape) and all(
            want is None or want == have for want, have in zip(shape, value.shape, strict=True)
        )
        if not fits or value.dtype != np.dtype(dtype):
            wanted = tuple("any" if length is None else length for length in shape)
            raise ModelError(
                f"array {name!r} must be {np.dtype(dtype)} of shape {wanted}; got {value.dtype} of {value.shape}"
            )
        return value


def write_model(
    directory: Path | str,
    *,
    estimator: str,
    config: EstimatorConfig,
    bands: tuple[str, ...],
    z_grid: NDArray[np.float64],
    arrays: Mapping[str, NDArray[Any]],
    training: TrainingFacts | None,
    facts: Mapping[str, Any] | None = None,
    files: Mapping[str, bytes] | None = None,
) -> str:
    """Write a model; it appears whole or not at all.

    Parameters
    ----------
    directory : Path or str
        Must not exist, or be empty. Its parents are made.
    estimator : str
        Name of the method.
    config : EstimatorConfig
        Settings.
    bands : tuple of str
        In the model's order.
    z_grid : ndarray of float64, (n_z,)
        Redshift grid.
    arrays : mapping of str to ndarray
        The model's numbers; the name ``z_grid`` is taken.
    training : TrainingFacts or None
        None when no data were used.
    facts : mapping, optional
        Small plain values for the reader of the manifest and for the method, such as tuned settings.
    files : mapping of str to bytes, optional
        Further ``.parquet`` or ``.yaml`` files by name.

    Returns
    -------
    str
        The digest of the model.

    Raises
    ------
    OutputExistsError
        ``directory`` is a file or holds something.
    StorageError
        The disk refused.
    ModelError
        A file name that would not be read back, or facts that are not plain values.
    """
    target = Path(directory)
    _require_empty(target)
    contents = {ARRAYS_FILE: _arrays_to_bytes({**arrays, _Z_GRID: z_grid}), **(files or {})}
    for name in contents:
        if not _is_file_name(name):
            raise ModelError(f"{name!r} cannot be a file of a model; accepted: lower case *.safetensors|parquet|yaml")
    plain = {
        "format": "pzcenter-model",
        "format_version": FORMAT_VERSION,
        "estimator": estimator,
        "bands": list(bands),
        "z_grid": {"z_min": float(z_grid[0]), "z_max": float(z_grid[-1]), "n_z": int(z_grid.size)},
        "config": config.model_dump(mode="json"),
        "training": None if training is None else asdict(training),
        "facts": dict(facts or {}),
        "packages": _package_versions(),
        "files": {
            name: {"n_bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
            for name, content in sorted(contents.items())
        },
    }
    try:
        plain["digest"] = _digest(plain)
    except (TypeError, ValueError) as error:
        raise ModelError(f"the facts of a model must be plain finite values: {error}") from error
    contents[MANIFEST_FILE] = yaml.safe_dump(plain, sort_keys=False, width=120).encode()
    _write_directory(target, contents)
    return str(plain["digest"])


def read_manifest(directory: Path | str) -> Manifest:
    """Read and verify ``model.yaml`` alone, to learn whose model it is.

    Parameters
    ----------
    directory : Path or str
        Of the model.

    Returns
    -------
    Manifest

    Raises
    ------
    NotFoundError
        No such directory, or no manifest in it.
    ModelError
        The manifest is not one, or of a newer format.
    ChecksumError
        The manifest was changed after it was written.
    """
    path = Path(directory)
    if not path.is_dir():
        raise NotFoundError(f"{path} is not a directory; a model is a directory with {MANIFEST_FILE}")
    return parse_manifest(read_plain_file(path / MANIFEST_FILE, MAX_MANIFEST_BYTES), where=str(path))


def parse_manifest(content: bytes, *, where: str = "the model") -> Manifest:
    """Read and verify the content of ``model.yaml``.

    Parameters
    ----------
    content : bytes
    where : str
        What it belongs to, for the messages.

    Returns
    -------
    Manifest

    Raises
    ------
    ModelError, ChecksumError
        As :func:`read_manifest`.
    """
    name = f"{where}/{MANIFEST_FILE}"
    try:
        plain = yaml.load(content, Loader=_PlainLoader)  # noqa: S506 - derived from SafeLoader
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError, ValueError) as error:
        raise ModelError(f"{name} is not readable YAML: {error}") from None
    if not isinstance(plain, dict):
        raise ModelError(f"{name} is not a manifest: it holds {type(plain).__name__}")
    version = plain.get("format_version")
    if version != FORMAT_VERSION:
        raise ModelError(f"{where} has model format {version!r}; this version reads {FORMAT_VERSION}")
    try:
        manifest = Manifest.model_validate(plain)
    except (ValidationError, RecursionError) as error:
        raise ModelError(f"{name} is not a manifest: {_first_problem(error)}") from None
    if _digest({key: value for key, value in plain.items() if key != "digest"}) != manifest.digest:
        raise ChecksumError(f"{name} was changed after the model was written: its digest differs")
    return manifest


def read_files(directory: Path | str) -> dict[str, bytes]:
    """Files of a saved model as they are, verified and not interpreted.

    Parameters
    ----------
    directory : Path or str
        Of the model.

    Returns
    -------
    dict of str to bytes
        By name, the manifest included.

    Raises
    ------
    NotFoundError, ModelError, ChecksumError
        As :func:`read_model`.
    """
    path = Path(directory)
    content = read_plain_file(path / MANIFEST_FILE, MAX_MANIFEST_BYTES)
    manifest = parse_manifest(content, where=str(path))
    _check_listing(path, manifest)
    files = {name: _read_recorded(path / name, record) for name, record in manifest.files.items()}
    if (path / CARD_FILE).exists():
        files[CARD_FILE] = read_plain_file(path / CARD_FILE, MAX_MANIFEST_BYTES)
    return {**files, MANIFEST_FILE: content}


def write_files(directory: Path | str, files: Mapping[str, bytes]) -> None:
    """Write files that :func:`read_files` gave; the model appears whole or not at all.

    Parameters
    ----------
    directory : Path or str
        Must not exist, or be empty. Its parents are made.
    files : mapping of str to bytes

    Raises
    ------
    OutputExistsError, StorageError
        As :func:`write_model`.
    ModelError
        A name that a model cannot have.
    """
    target = Path(directory)
    _require_empty(target)
    strange = [name for name in files if name not in {MANIFEST_FILE, CARD_FILE} and not _is_file_name(name)]
    if strange or MANIFEST_FILE not in files:
        raise ModelError(f"not the files of a model: {sorted(files)[:5]}")
    _write_directory(target, files)


def model_digest(directory: Path | str) -> str:
    """Identity of a saved model: the digest of its manifest, which holds the SHA-256 of every file.

    Parameters
    ----------
    directory : Path or str
        Of the model.

    Returns
    -------
    str
        64 hexadecimal digits.

    Raises
    ------
    NotFoundError, ModelError, ChecksumError
        As :func:`read_manifest`.
    """
    return read_manifest(directory).digest


def read_model(directory: Path | str, *, estimator: str) -> StoredModel:
    """Read a model of one method and verify everything.

    Parameters
    ----------
    directory : Path or str
        Of the model; it may be a link, the files in it may not.
    estimator : str
        Name of the method that reads.

    Returns
    -------
    StoredModel

    Raises
    ------
    NotFoundError
        No such directory, or a file of the manifest is missing.
    ModelError
        Another method's model, unknown files, links, sizes beyond reason, unreadable arrays.
    ChecksumError
        A file is not what the manifest recorded.
    """
    path = Path(directory)
    manifest = read_manifest(path)
    if manifest.estimator != estimator:
        raise ModelError(f"{path} is a model of {manifest.estimator!r}, and {estimator!r} reads it")
    _check_listing(path, manifest)
    files = {name: _read_recorded(path / name, record) for name, record in manifest.files.items()}
    arrays = _arrays_from_bytes(path / ARRAYS_FILE, files.pop(ARRAYS_FILE))
    if _Z_GRID not in arrays:
        raise ModelError(f"{path / ARRAYS_FILE} has no redshift grid")
    grid = check_z_grid(arrays.pop(_Z_GRID))
    record = manifest.z_grid
    if (float(grid[0]), float(grid[-1]), grid.size) != (record.z_min, record.z_max, record.n_z):
        raise ModelError(f"{path}: the grid in {ARRAYS_FILE} is not the one in {MANIFEST_FILE}")
    return StoredModel(manifest=manifest, arrays=arrays, z_grid=grid, files=files)


class _PlainLoader(yaml.SafeLoader):
    """Safe YAML without aliases, which can make a small file explode in memory."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("aliases are not accepted")
        return super().compose_node(parent, index)


def _require_empty(target: Path) -> None:
    if target.exists() and not (target.is_dir() and not any(target.iterdir())):
        raise OutputExistsError(f"{target} exists and is not an empty directory; give another name or remove it")


def _is_file_name(name: str) -> bool:
    return _FILE_NAME.fullmatch(name) is not None and name != MANIFEST_FILE


def _check_listing(path: Path, manifest: Manifest) -> None:
    for name in manifest.files:
        if not _is_file_name(name):
            raise ModelError(f"{path}: the manifest names {name!r}, which is not an accepted file name")
    if ARRAYS_FILE not in manifest.files:
        raise ModelError(f"{path}: the manifest does not name {ARRAYS_FILE}")
    total = sum(record.n_bytes for record in manifest.files.values())
    if total > MAX_MODEL_BYTES:
        raise ModelError(f"{path}: {total} bytes of model; at most {MAX_MODEL_BYTES} are accepted")
    unknown = sorted({entry.name for entry in path.iterdir()} - {MANIFEST_FILE, CARD_FILE, *manifest.files})
    if unknown:
        raise ModelError(f"{path} holds files that its manifest does not name: {unknown[:5]}")


def _read_recorded(path: Path, record: FileRecord) -> bytes:
    content = read_plain_file(path, record.n_bytes)
    if len(content) != record.n_bytes or hashlib.sha256(content).hexdigest() != record.sha256:
        raise ChecksumError(f"{path} is not the file its manifest recorded: its SHA-256 differs")
    return content


def read_plain_file(path: Path, max_bytes: int) -> bytes:
    """Content of a plain file of a model, not through a link and not more than ``max_bytes``.

    Raises
    ------
    NotFoundError, ModelError, StorageError
        It is not there, is no plain file or too large, or cannot be read.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        raise NotFoundError(f"{path} is missing from the model") from None
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise ModelError(f"{path} is a symbolic link; the files of a model must be plain files") from None
        raise StorageError(f"{path} cannot be read: {error.strerror}") from error
    with os.fdopen(descriptor, "rb") as stream:
        status = os.fstat(stream.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise ModelError(f"{path} is not a plain file")
        if status.st_size > max_bytes:
            raise ModelError(f"{path} has {status.st_size} bytes; at most {max_bytes} are expected")
        return stream.read(max_bytes + 1)


def _arrays_to_bytes(arrays: Mapping[str, NDArray[Any]]) -> bytes:
    from safetensors.numpy import save

    return bytes(save({name: np.ascontiguousarray(value) for name, value in sorted(arrays.items())}))


def _arrays_from_bytes(path: Path, content: bytes) -> dict[str, NDArray[Any]]:
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        arrays: dict[str, NDArray[Any]] = load(content)
    except (SafetensorError, ValueError, KeyError, TypeError) as error:
        raise ModelError(f"{path} is not readable as safetensors: {error}") from None
    for value in arrays.values():
        value.setflags(write=False)
    return arrays


def _write_directory(target: Path, contents: Mapping[str, bytes]) -> None:
    """Write files beside ``target``, then rename: a reader sees all of them or none."""
    temporary: Path | None = None
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{target.name}.", suffix=".part", dir=target.parent))
        for name, content in contents.items():
            with (temporary / name).open("xb") as stream:
                stream.write(content)
                stream.flush()
                os.fsync(stream.fileno())
        temporary.chmod(0o755)
        temporary.rename(target)
    except OSError as error:
        if error.errno in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR):
            raise OutputExistsError(f"{target} appeared while the model was being written") from error
        raise StorageError(f"the model cannot be written to {target}: {error.strerror}") from error
    finally:
        if temporary is not None and temporary.exists():
            shutil.rmtree(temporary, ignore_errors=True)


def _digest(plain: Mapping[str, Any]) -> str:
    text = json.dumps(plain, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def _first_problem(error: ValidationError | RecursionError) -> str:
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    item = error.errors()[0]
    return f"{'.'.join(str(part) for part in item['loc'])}: {item['msg']}"


def _package_versions() -> dict[str, str]:
    from importlib.metadata import PackageNotFoundError, version

    found: dict[str, str] = {}
    for package in _RECORDED_PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
