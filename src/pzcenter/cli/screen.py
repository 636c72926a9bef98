"""What goes to the screen: data to stdout, everything else to stderr, and colours only where a person looks."""

from __future__ import annotations

import json
import math
import sys
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["bytes_text", "json_text", "plain_table", "print_json", "print_paths", "seconds_text", "stderr", "stdout"]

PIPE_WIDTH = 200
"""Columns of what goes to a file or a pipe, where no terminal says how wide it is."""


def stdout() -> Console:
    """Console for data."""
    return _console(sys.stdout)


def stderr() -> Console:
    """Console for messages."""
    return _console(sys.stderr)


def _console(stream: Any) -> Console:
    return Console(file=stream, highlight=False, width=None if stream.isatty() else PIPE_WIDTH)


def plain_table(title: str | None = None, **columns: str) -> Table:
    """A table with little ink.

    Parameters
    ----------
    title : str, optional
    **columns : str
        ``left`` or ``right`` by the column's name; an underscore in it stands for a blank.

    Returns
    -------
    Table
    """
    table = Table(
        title=title, title_justify="left", title_style="bold", box=None, header_style="dim", padding=(0, 2, 0, 0)
    )
    for name, side in columns.items():
        table.add_column(name.replace("_", " ").strip(), justify="right" if side == "right" else "left")
    return table


def print_paths(paths: Mapping[str, Path]) -> None:
    """Name and path of each product, never broken over two lines, so that they can be copied."""
    width = max((len(name) for name in paths), default=0)
    for name, path in paths.items():
        stdout().print(f"[dim]{name:<{width}}[/]  {path}", soft_wrap=True)


def json_text(content: Any) -> str:
    """Strict JSON: numbers that are not defined are null, paths are texts."""
    return json.dumps(_plain(content), indent=1, allow_nan=False, ensure_ascii=False)


def print_json(content: Any) -> None:
    """One JSON value on stdout."""
    sys.stdout.write(json_text(content) + "\n")


def _plain(content: Any) -> Any:
    if isinstance(content, float):
        return content if math.isfinite(content) else None
    if isinstance(content, dict):
        return {str(key): _plain(value) for key, value in content.items()}
    if isinstance(content, list | tuple):
        return [_plain(value) for value in content]
    if content is None or isinstance(content, str | int):
        return content
    return str(content)


def seconds_text(seconds: float) -> str:
    """A time for people: ``0.4 s``, ``12 s``, ``3 min 20 s``, ``2 h 5 min``."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def bytes_text(n_bytes: float) -> str:
    """A size for people, in powers of ten: ``640 kB``, ``1.2 GB``."""
    value, units = float(n_bytes), ("bytes", "kB", "MB", "GB", "TB")
    index = 0
    while value >= 1000 and index < len(units) - 1:
        value, index = value / 1000, index + 1
    return f"{value:.0f} {units[index]}" if index == 0 or value >= 10 else f"{value:.1f} {units[index]}"
