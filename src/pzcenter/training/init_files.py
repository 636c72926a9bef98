"""Files of settings to begin with: every setting with its default and what it means."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, get_args, get_origin

import yaml
from pydantic import BaseModel

from pzcenter.errors import OutputExistsError

if TYPE_CHECKING:
    from pathlib import Path

    from pydantic.fields import FieldInfo

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
        if words := _words(info):
            found.append(f"{blank}# {words}")
        if isinstance(value, BaseModel):
            found.append(f"{blank}{name}:")
            found += _lines(value, depth + 1)
        else:
            found += _keys(value, blank)
            text = yaml.safe_dump({name: _plain(config, name)}, sort_keys=False, allow_unicode=True).rstrip()
            found += [f"{blank}{line}" for line in text.splitlines()]
    return found


def _keys(value: Any, blank: str) -> list[str]:
    """What the keys of each item of a list mean, told once."""
    if not (isinstance(value, tuple) and value and isinstance(value[0], BaseModel)):
        return []
    fields = type(value[0]).model_fields
    return [f"{blank}#   {name}: {words}" for name, info in fields.items() if (words := _words(info))]


def _words(info: FieldInfo) -> str:
    """What a setting means, and the values that are accepted where they are few."""
    title, description = info.title or "", info.description or ""
    words = f"{title}: {description}" if description[:1].isupper() else ", ".join(filter(None, (title, description)))
    choices = ", ".join(str(each) for each in _choices(info.annotation))
    return f"{words} ({choices})" if words and choices else words


def _choices(annotation: Any) -> list[Any]:
    if get_origin(annotation) is Literal:
        return list(get_args(annotation))
    return [choice for each in get_args(annotation) for choice in _choices(each)]


def _plain(config: BaseModel, name: str) -> Any:
    return config.model_dump(mode="json", include={name}, exclude_defaults=False)[name]
