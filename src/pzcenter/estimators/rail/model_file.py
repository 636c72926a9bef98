"""A model of ours as one file, for frameworks that keep a model in a file: a zip of the files of its directory."""

from __future__ import annotations

import tempfile
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

from pzcenter.errors import ModelError, NotFoundError
from pzcenter.estimators.registry import load_model
from pzcenter.estimators.storage import MAX_MODEL_BYTES, read_files, write_files

if TYPE_CHECKING:
    from pzcenter.estimators.protocol import Estimator

__all__ = ["MODEL_SUFFIX", "read_model_file", "write_model_file"]

MODEL_SUFFIX = "pzmodel"
MAX_FILES = 100
_LONG_AGO = (1980, 1, 1, 0, 0, 0)
"""Time of the files within: a model is the same bytes whenever it is written."""


def write_model_file(model: Estimator, path: Path | str) -> None:
    """Write a model as one file.

    Parameters
    ----------
    model : Estimator
    path : Path or str
        Overwritten.

    Raises
    ------
    StorageError
        The disk refused.
    """
    with tempfile.TemporaryDirectory(prefix="pz-model-") as folder:
        model.save(Path(folder) / "model")
        files = read_files(Path(folder) / "model")
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in sorted(files.items()):
            archive.writestr(zipfile.ZipInfo(name, _LONG_AGO), content)


def read_model_file(path: Path | str) -> Estimator:
    """Read a model that is one file, or a directory as :meth:`pzcenter.estimators.Estimator.save` writes it.

    Parameters
    ----------
    path : Path or str

    Returns
    -------
    Estimator

    Raises
    ------
    NotFoundError
        There is nothing.
    ModelError, ChecksumError
        It is no such file, or the model in it must not be used.
    """
    if Path(path).is_dir():
        return load_model(path)
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            if len(members) > MAX_FILES or sum(member.file_size for member in members) > MAX_MODEL_BYTES:
                raise ModelError(f"{path}: more than {MAX_FILES} files, or more than {MAX_MODEL_BYTES} bytes in them")
            files = {member.filename: archive.read(member) for member in members}
    except FileNotFoundError:
        raise NotFoundError(f"there is no model {path}") from None
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, OSError) as error:
        raise ModelError(f"{path} is not a model of pzcenter in a file: {error}") from None
    with tempfile.TemporaryDirectory(prefix="pz-model-") as folder:
        write_files(Path(folder) / "model", files)
        return load_model(Path(folder) / "model")
