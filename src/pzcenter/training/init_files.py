"""Files of settings to begin with: every setting with its default and what it means."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import yaml
from pydantic import BaseModel

from pzcenter.errors import OutputExistsError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["settings_text", "write_settings"]


def settings_text(config: BaseModel, head: str) -> str:
    """Settings as YAML, each with its meaning.

    Parameters
    ----------
    config : BaseModel
    head : str
        First line.

    Returns
    -------
    str
    """
    return "\n".join([f"# {head}", *_lines(config, 0)]) + "\n"


def write_settings(path: Path, config: BaseModel, head: str, *, overwrite: bool = False) -> None:
    """Write a file of settings.

    Raises
    ------
    OutputExistsError
        It is there already.
    """
    from pzcenter.catalogs.storage import write_text_atomically

    if path.exists() and not overwrite:
        raise OutputExistsError(f"{path} is there already; --overwrite replaces it")
    write_text_atomically(path, settings_text(config, head))


def _lines(config: BaseModel, depth: int) -> list[str]:
    found: list[str] = []
    blank = "  " * depth
    for name, info in type(config).model_fields.items():
        value = getattr(config, name)
        words = ", ".join(part for part in (info.title, info.description) if part)
        if words:
            found.append(f"{blank}# {words}")
        if isinstance(value, BaseModel):
            found.append(f"{blank}{name}:")
            found += _lines(value, depth + 1)
        else:
            text = yaml.safe_dump({name: _plain(config, name)}, sort_keys=False, allow_unicode=True).rstrip()
            found += [f"{blank}{line}" for line in text.splitlines()]
    return found


def _plain(config: BaseModel, name: str) -> Any:
    return config.model_dump(mode="json", include={name}, exclude_defaults=False)[name]
