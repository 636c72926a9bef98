"""The leaderboard as data and as a page."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, fields
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from pzcenter.catalogs.storage import atomic_path, storage_errors, write_text_atomically
from pzcenter.errors import EmptyTableError
from pzcenter.validation.metric_suite_info import SUITE_VERSION

from .board_lines import BoardLine, board_lines
from .board_page import board_page
from .scoring import scoring_version

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from .layout import Challenge

__all__ = ["BOARD_SCHEMA", "leaderboard", "write_leaderboard"]

_TEXTS = pa.list_(pa.field("item", pa.string(), nullable=False))
BOARD_SCHEMA = pa.schema(
    [
        *(
            pa.field(name, pa.string(), nullable=False)
            for name in ("scenario", "metric", "submission_id", "name", "author", "method", "kind", "submitted")
        ),
        *(pa.field(name, pa.float64(), nullable=False) for name in ("value", "error", "low", "high")),
        *(pa.field(name, pa.int32(), nullable=False) for name in ("points", "possible")),
        *(pa.field(name, pa.int32()) for name in ("rank", "rank_low", "rank_high")),
        pa.field("same_as", _TEXTS, nullable=False),
        pa.field("beats", _TEXTS, nullable=False),
        pa.field("medal", pa.int32()),
        pa.field("n_obj", pa.int64(), nullable=False),
        pa.field("coverage", pa.float64(), nullable=False),
    ]
)
"""Columns of the leaderboard, those of :class:`~pzcenter.validation.challenges.board_lines.BoardLine`."""


def leaderboard(challenge: Challenge, *, version: str | None = None) -> pa.Table:
    """Make the leaderboard of what is scored.

    Parameters
    ----------
    challenge : Challenge
    version : str, optional
        Of the scores; the present one by default.

    Returns
    -------
    pa.Table
        One row for each scenario, metric and submission, see :data:`BOARD_SCHEMA`; the scenario ``overall`` first.

    Raises
    ------
    EmptyTableError
        Nothing is scored.
    """
    return _table(_lines(challenge, version))


def write_leaderboard(
    challenge: Challenge, directory: Path | None = None, *, version: str | None = None
) -> dict[str, Path]:
    """Write the leaderboard as Parquet, JSON and one HTML page that needs nothing else.

    Parameters
    ----------
    challenge : Challenge
    directory : Path, optional
        ``leaderboard/`` of the challenge by default.
    version : str, optional
        Of the scores; the present one by default.

    Returns
    -------
    dict of str to Path
        ``page``, ``parquet`` and ``json``. The same scores give the same bytes.

    Raises
    ------
    EmptyTableError
        Nothing is scored.
    StorageError
        The disk refused.
    """
    chosen = scoring_version(challenge) if version is None else version
    lines = _lines(challenge, chosen)
    root = challenge.board if directory is None else directory
    with storage_errors(root):
        root.mkdir(parents=True, exist_ok=True)
    paths = {"page": root / "index.html", "parquet": root / "leaderboard.parquet", "json": root / "leaderboard.json"}
    with atomic_path(paths["parquet"]) as unfinished:
        pq.write_table(_table(lines), unfinished, compression="zstd", compression_level=3)
    settings = challenge.settings
    content = {
        "challenge": settings.name,
        "challenge_version": settings.version,
        "version": chosen,
        "metrics_version": SUITE_VERSION,
        "lines": [_plain(asdict(line)) for line in lines],
    }
    write_text_atomically(paths["json"], json.dumps(content, indent=1, allow_nan=False, ensure_ascii=False) + "\n")
    write_text_atomically(paths["page"], board_page(challenge, lines, version=chosen))
    return paths


def _lines(challenge: Challenge, version: str | None) -> list[BoardLine]:
    lines = board_lines(challenge, version=version)
    if not any(math.isfinite(line.value) for line in lines):
        raise EmptyTableError("nothing is scored with this version of the metrics; 'pz challenge score' does it")
    return lines


def _table(lines: Sequence[BoardLine]) -> pa.Table:
    columns = {field.name: [getattr(line, field.name) for line in lines] for field in fields(BoardLine)}
    return pa.table({name: columns[name] for name in BOARD_SCHEMA.names}, schema=BOARD_SCHEMA)


def _plain(content: dict[str, Any]) -> dict[str, Any]:
    return {
        name: None if isinstance(value, float) and not math.isfinite(value) else value
        for name, value in content.items()
    }
