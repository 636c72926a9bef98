"""What is kept of a scored method on disk, and read again: numbers of each object, metrics, some p(z), and a key.

The key is a checksum of all that the numbers follow from. A result whose key agrees, and whose files are those that
were written, is not made again.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

import pzcenter
from pzcenter.catalogs.storage import atomic_path, file_sha256, write_text_atomically
from pzcenter.errors import FileFormatError
from pzcenter.validation.examples import ExamplePdf
from pzcenter.validation.metric_suite_info import SUITE_VERSION
from pzcenter.validation.streamed_metrics import ObjectScores
from pzcenter.validation.table import MetricRow

from .kept import KeptDensities, WorstObject
from .results import MethodFacts

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

__all__ = ["STATE_NAME", "key_of", "read_kept", "read_rows", "read_scores", "read_state", "write_scored", "write_state"]

STATE_NAME = "score.json"
SCORES_NAME, KEPT_NAME, METRICS_NAME = "objects.parquet", "kept.npz", "metrics.parquet"
FORMAT_VERSION = 1
_GROUPS = {"points": "point.", "pdf": "pdf.", "covariates": "of."}


def key_of(content: Mapping[str, Any]) -> str:
    """Checksum of settings and inputs, with the versions of the program and of the metrics.

    Parameters
    ----------
    content : mapping
        Of plain values.

    Returns
    -------
    str
        SHA-256, 64 hexadecimal digits.
    """
    whole = {**content, "pzcenter": pzcenter.__version__, "suite": SUITE_VERSION, "store": FORMAT_VERSION}
    return hashlib.sha256(json.dumps(whole, sort_keys=True, default=str).encode()).hexdigest()


def write_scored(directory: Path, scores: ObjectScores, kept: KeptDensities, rows: Sequence[MetricRow]) -> None:
    """Write the numbers of one method.

    Parameters
    ----------
    directory : Path
        Made when it is not there.
    scores : ObjectScores
    kept : KeptDensities
    rows : sequence of MetricRow

    Raises
    ------
    StorageError
        The file system refused.
    """
    directory.mkdir(parents=True, exist_ok=True)
    columns: dict[str, NDArray[Any]] = {"object_id": scores.object_id, "z_spec": scores.z_spec}
    for group, prefix in _GROUPS.items():
        columns |= {prefix + name: values for name, values in getattr(scores, group).items()}
    counts = {"n_in": scores.n_in, "n_no_truth": scores.n_no_truth, "n_no_estimate": scores.n_no_estimate}
    table = pa.table(columns).replace_schema_metadata({"pz.counts": json.dumps(counts)})
    with atomic_path(directory / SCORES_NAME) as part:
        pq.write_table(table, part, compression="zstd", compression_level=3)
    with atomic_path(directory / METRICS_NAME) as part:
        pq.write_table(rows_table(rows), part, compression="zstd", compression_level=3)
    arrays = {"z_grid": scores.z_grid, "stack": scores.stack, **_kept_arrays(kept)}
    with atomic_path(directory / KEPT_NAME) as part, part.open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, **arrays)


def rows_table(rows: Sequence[MetricRow], **more: Sequence[Any]) -> pa.Table:
    """Rows of metrics as a table, after the columns of ``more``."""
    from pzcenter.validation.table import MetricTable

    table = MetricTable(tuple(rows), ()).to_arrow()
    for position, (name, values) in enumerate(more.items()):
        table = table.add_column(position, name, pa.array(values))
    return table


def read_rows(directory: Path) -> tuple[MetricRow, ...]:
    """Rows of metrics that :func:`write_scored` wrote."""
    return tuple(MetricRow(**row) for row in pq.read_table(directory / METRICS_NAME).to_pylist())


def read_scores(directory: Path, columns: Sequence[str] | None = None) -> ObjectScores:
    """Numbers of each object that :func:`write_scored` wrote.

    Parameters
    ----------
    directory : Path
    columns : sequence of str, optional
        Columns of the file besides ids and redshifts, such as ``point.z_best``; all by default.

    Returns
    -------
    ObjectScores
        Without what was not asked for.
    """
    wanted = None
    if columns is not None:
        there = set(pq.read_schema(directory / SCORES_NAME).names)
        wanted = ["object_id", "z_spec", *(name for name in columns if name in there)]
    table = pq.read_table(directory / SCORES_NAME, columns=wanted)
    counts = json.loads(table.schema.metadata[b"pz.counts"])
    groups: dict[str, Any] = {
        group: {
            name.removeprefix(prefix): table.column(name).to_numpy()
            for name in table.column_names
            if name.startswith(prefix)
        }
        for group, prefix in _GROUPS.items()
    }
    with np.load(directory / KEPT_NAME, allow_pickle=False) as stored:
        z_grid, stack = stored["z_grid"], stored["stack"]
    return ObjectScores(
        table.column("object_id").to_numpy(),
        table.column("z_spec").to_numpy(),
        z_grid=z_grid,
        stack=stack,
        **groups,
        **counts,
    )


def _kept_arrays(kept: KeptDensities) -> dict[str, NDArray[Any]]:
    examples, worst = kept.examples, kept.worst
    return {
        "kept_id": kept.object_id,
        "kept_pdf": kept.pdf,
        "example_kind": np.array([each.kind for each in examples], dtype="U16"),
        "example_id": np.array([each.object_id for each in examples], dtype=np.int64),
        "example_numbers": np.array([(each.z_spec, each.z_best, each.pit) for each in examples]).reshape(-1, 3),
        "example_pdf": np.array([each.pdf for each in examples], dtype=np.float32).reshape(
            len(examples), kept.z_grid.size
        ),
        "worst_id": np.array([each.object_id for each in worst], dtype=np.int64),
        "worst_numbers": np.array([(each.z_spec, each.z_best, each.pit) for each in worst]).reshape(-1, 3),
        "worst_pdf": kept.worst_pdf,
    }


def read_kept(directory: Path) -> KeptDensities:
    """The p(z) that :func:`write_scored` wrote."""
    with np.load(directory / KEPT_NAME, allow_pickle=False) as stored:
        examples = zip(
            stored["example_kind"], stored["example_id"], stored["example_pdf"], stored["example_numbers"], strict=True
        )
        worst = zip(stored["worst_id"], stored["worst_numbers"], strict=True)
        return KeptDensities(
            z_grid=stored["z_grid"],
            object_id=stored["kept_id"],
            pdf=stored["kept_pdf"],
            examples=tuple(
                ExamplePdf(str(kind), int(object_id), pdf.astype(np.float64), *(float(x) for x in numbers))
                for kind, object_id, pdf, numbers in examples
            ),
            worst=tuple(WorstObject(int(object_id), *(float(x) for x in numbers)) for object_id, numbers in worst),
            worst_pdf=stored["worst_pdf"],
        )


def write_state(directory: Path, key: str, facts: MethodFacts, counts: Mapping[str, Any]) -> None:
    """Write last what makes a result complete: its key, its facts, and the checksums of its files."""
    files = {name: file_sha256(directory / name) for name in (SCORES_NAME, KEPT_NAME, METRICS_NAME)}
    content = {"version": FORMAT_VERSION, "key": key, "facts": asdict(facts), "counts": dict(counts), "files": files}
    write_text_atomically(directory / STATE_NAME, json.dumps(content, indent=1) + "\n")


def read_state(directory: Path, key: str) -> tuple[MethodFacts, dict[str, Any]] | None:
    """Facts and counts of a finished result with this key; None where there is none, or its files have changed.

    Parameters
    ----------
    directory : Path
    key : str

    Returns
    -------
    (MethodFacts, dict) or None
    """
    path = directory / STATE_NAME
    if not path.is_file():
        return None
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content["key"] != key:
            return None
        whole = all(file_sha256(directory / name) == sha256 for name, sha256 in content["files"].items())
        facts = MethodFacts(**{**content["facts"], "sentences": tuple(content["facts"]["sentences"])})
    except (ValueError, KeyError, TypeError, OSError, FileFormatError):
        return None
    return (facts, content["counts"]) if whole else None
