"""Files of settings are read here, and what is wrong with them is said in full."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from pzcenter.errors import ConfigError, NotFoundError

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

__all__ = ["faults_of", "read_settings", "read_yaml"]

Model = TypeVar("Model", bound=BaseModel)
MAX_BYTES = 10_000_000
"""No file of settings is larger; a table given in its place is."""


def read_settings(
    path: str | os.PathLike[str], model: type[Model], *, written_by: str, others: Mapping[str, str] | None = None
) -> Model:
    """Read a file of settings.

    Parameters
    ----------
    path : path
        YAML.
    model : type of BaseModel
    written_by : str
        Command that writes such a file, for messages.
    others : mapping of str to str, optional
        Settings by which the files of other commands are known, with the command.

    Returns
    -------
    BaseModel
        Of the class ``model``.

    Raises
    ------
    NotFoundError
        There is no such file.
    ConfigError
        It is no YAML file of settings, or a setting is unknown or not accepted; all of them are named.
    """
    path = Path(path)
    if not path.exists():
        raise NotFoundError(f"{path} does not exist; '{written_by} {path}' writes one")
    content = read_yaml(path)
    if not isinstance(content, dict):
        raise ConfigError(f"{path} holds no settings, which are lines of the form 'name: value'; see '{written_by}'")
    for name, command in (others or {}).items():
        if name in content and name not in model.model_fields:
            raise ConfigError(
                f"{path} has the settings of '{command}'; '{written_by}' writes those that are needed here"
            )
    try:
        return model.model_validate(content)
    except ValidationError as error:
        raise ConfigError(f"{path}: {faults_of(error)}") from error


def read_yaml(path: Path) -> Any:
    """Content of a YAML file.

    Raises
    ------
    ConfigError
        It is a directory, too large, no text or no YAML.
    """
    if path.is_dir():
        raise ConfigError(f"{path} is a directory; a YAML file is needed")
    if path.stat().st_size > MAX_BYTES:
        raise ConfigError(f"{path} has {path.stat().st_size:,} bytes; a file of settings has at most {MAX_BYTES:,}")
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} is not text; a YAML file is needed") from error
    except yaml.YAMLError as error:
        raise ConfigError(f"{path} is not YAML: {error}") from error


def faults_of(error: ValidationError) -> str:
    """All that is wrong with settings: which, what is accepted, and what was given."""
    return "; ".join(_fault(each["type"], each["loc"], each["msg"], each["input"]) for each in error.errors())


def _fault(kind: str, place: tuple[int | str, ...], words: str, given: Any) -> str:
    where = ".".join(map(str, place)) or "settings"
    if kind == "extra_forbidden":
        return f"{where}: there is no such setting"
    if kind == "missing":
        return f"{where}: is needed and not given"
    shown = f", not {given!r}" if isinstance(given, str | int | float | bool | None) else ""
    return f"{where}: {words.removeprefix('Value error, ')}{shown}"
