"""All that a comparison leaves on disk: metrics as data, ranks, settings, pages, provenance, and a manifest of it."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from pzcenter.catalogs.manifest import FileRecord, Manifest
from pzcenter.catalogs.provenance import write_provenance
from pzcenter.catalogs.storage import atomic_path, file_sha256, write_text_atomically
from pzcenter.validation.metric_suite_info import SUITE_VERSION

from .store import rows_table

if TYPE_CHECKING:
    from pzcenter.validation.ranking import Ranking

    from .results import Comparison, MethodResult
    from .settings import ComparisonSettings

__all__ = [
    "COMPARISON_NAME",
    "SETTINGS_NAME",
    "comparison_json",
    "rebuild_command",
    "settings_yaml",
    "write_comparison",
]

COMPARISON_NAME = "comparison"
SETTINGS_NAME = f"{COMPARISON_NAME}.yaml"
REPORT_NAME = "report"
MANIFEST_TABLE = "pz_comparison"


def write_comparison(
    made: Comparison, *, pages: bool = True, pdf: bool = True, made_at: datetime | None = None
) -> None:
    """Write metrics, ranks, pages, settings, provenance, and last the manifest.

    Parameters
    ----------
    made : Comparison
    pages, pdf : bool
        Write the HTML pages, and the same as PDF.
    made_at : datetime, optional
        Time on the pages; now when not given.

    Raises
    ------
    StorageError
        The file system refused.
    """
    root, time = made.directory, made_at or datetime.now(UTC)
    root.mkdir(parents=True, exist_ok=True)
    write_text_atomically(root / SETTINGS_NAME, settings_yaml(made.settings, root))
    _write_table(root / "metrics.parquet", _metrics(made))
    _write_table(root / "ranks.parquet", _ranks(made.rankings))
    write_text_atomically(root / "metrics.json", comparison_json(made))
    for method in made.methods:
        write_text_atomically(method.directory / "metrics.json", method.table.to_json() + "\n")
    if pages:
        _write_pages(made, time, pdf=pdf)
    write_provenance(root, made.record)
    Manifest(MANIFEST_TABLE, tuple(_records(made, pages=pages, pdf=pdf))).write(root)


def rebuild_command(directory: Path) -> str:
    """What makes all this again, typed in the directory of the results."""
    del directory
    return f"pz validate run {SETTINGS_NAME} --out again"


def settings_yaml(settings: ComparisonSettings, directory: Path) -> str:
    """Settings as a YAML file in ``directory``; paths that were relative are seen from there."""
    import yaml

    content = settings.model_dump(mode="json", exclude_defaults=True)

    def seen(path: str) -> str:
        return path if Path(path).is_absolute() else os.path.relpath(path, directory)

    for name in ("truth", "photometry", "training"):
        if content.get(name) is not None:
            content[name] = seen(content[name])
    for each in content["submissions"]:
        each |= {name: seen(each[name]) for name in ("path", "ids") if each.get(name) is not None}
    head = "# A comparison of photometric redshifts. To make it again: pz validate run THIS_FILE --out DIR\n"
    return head + yaml.safe_dump(content, sort_keys=False, allow_unicode=True)


def _write_table(path: Path, table: pa.Table) -> None:
    with atomic_path(path) as part:
        pq.write_table(table, part, compression="zstd", compression_level=3)


def _metrics(made: Comparison) -> pa.Table:
    """Rows of all methods, each with its method and the objects it is of: its own, or those common to all."""
    groups = [(method.name, "own", method.table.rows) for method in made.methods]
    groups += [(name, "common", table.rows) for name, table in made.common_tables.items()]
    rows = [row for _, _, some in groups for row in some]
    names = [name for name, _, some in groups for _ in some]
    objects = [which for _, which, some in groups for _ in some]
    return rows_table(rows, method=pa.array(names, pa.string()), objects=pa.array(objects, pa.string()))


def _ranks(rankings: tuple[Ranking, ...]) -> pa.Table:
    schema = pa.schema(
        [
            *((name, pa.string()) for name in ("metric", "point", "method")),
            *((name, pa.float64()) for name in ("value", "error")),
            *((name, pa.int32()) for name in ("rank", "rank_low", "rank_high")),
            ("same_as", pa.list_(pa.string())),
            ("n_obj", pa.int64()),
        ]
    )
    rows = [
        {
            "metric": ranking.metric,
            "point": ranking.point,
            "method": line.name,
            "n_obj": ranking.n_obj,
            **{name: getattr(line, name) for name in ("value", "error", "rank", "rank_low", "rank_high")},
            "same_as": list(line.same_as),
        }
        for ranking in rankings
        for line in ranking.methods
    ]
    return pa.Table.from_pylist(rows, schema=schema)


def comparison_json(made: Comparison) -> str:
    """Everything but the metrics in bins, as strict JSON: numbers that are not defined are null."""
    from pzcenter.validation.table import MetricTable, plain_json

    content = {
        "format": "pzcenter-comparison",
        "version": 1,
        "metrics_version": SUITE_VERSION,
        "pzcenter": made.record.get("pzcenter"),
        "truth": {"n_obj": made.truth.n_obj, "sources": [dict(source) for source in made.truth.sources]},
        "training": None if made.training is None else [dict(source) for source in made.training.sources],
        "methods": [_method_json(method) for method in made.methods],
        "failures": [asdict(failure) for failure in made.failures],
        "ranks": [asdict(ranking) for ranking in made.rankings],
        "n_common": made.n_common,
        "unranked": made.unranked,
        "common": {
            name: json.loads(MetricTable(table.rows, ()).to_json())["metrics"]
            for name, table in made.common_tables.items()
        },
        "notes": list(made.notes),
    }
    return plain_json(content) + "\n"


def _method_json(method: MethodResult) -> dict[str, Any]:
    whole = replace(method.table, rows=method.table.select(axis="all"))
    challenge = method.challenge
    return {
        **asdict(method.facts),
        "n_obj": method.n_obj,
        "n_no_estimate": method.n_no_estimate,
        "coverage": method.coverage,
        "key": method.key,
        "challenge": {"points": challenge.points, "total": challenge.total, "possible": challenge.possible},
        **json.loads(whole.to_json()),
    }


def _write_pages(made: Comparison, time: datetime, *, pdf: bool) -> None:
    from .pages import write_pages

    write_pages(made, time, pdf=pdf)


def _records(made: Comparison, *, pages: bool, pdf: bool) -> list[FileRecord]:
    """Every file of this comparison with its checksum."""
    root = made.directory
    suffixes = [".html"] * pages + [".pdf"] * (pages and pdf)
    paths = [root / name for name in (SETTINGS_NAME, "metrics.parquet", "ranks.parquet", "metrics.json")]
    paths += [root / "provenance.json", *(root / f"{COMPARISON_NAME}{suffix}" for suffix in suffixes)]
    for method in made.methods:
        names = ["score.json", "objects.parquet", "kept.npz", "metrics.parquet", "metrics.json"]
        names += [f"{REPORT_NAME}{suffix}" for suffix in suffixes if suffix != ".pdf" or not method.is_control]
        paths += [method.directory / name for name in names]
    return [
        FileRecord(path.relative_to(root).as_posix(), file_sha256(path), path.stat().st_size, _n_rows(path))
        for path in paths
    ]


def _n_rows(path: Path) -> int | None:
    return int(pq.read_metadata(path).num_rows) if path.suffix == ".parquet" else None
