"""Score every submission on every scenario, from the stored predictions alone: the same bytes whenever it is done.

Scores of one version of the metrics, the bands and the truth lie in a directory of their own. A later version is kept
beside the earlier ones.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from importlib.metadata import version as version_of
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow.parquet as pq

import pzcenter
from pzcenter.catalogs.storage import atomic_path, file_sha256, storage_errors, write_text_atomically
from pzcenter.errors import ChecksumError, PZCenterError
from pzcenter.validation.metric_suite import evaluate_suite
from pzcenter.validation.metric_suite_info import SUITE_VERSION
from pzcenter.validation.submissions import align, open_submission
from pzcenter.validation.table import MetricTable
from pzcenter.validation.technical_metrics import TechnicalFacts
from pzcenter.validation.verdicts import challenge_scores

from .controls import add_controls
from .layout import PRIVATE_MODE, Challenge, open_challenge
from .object_scores import score_objects, table_of_scores
from .submitting import verify_stored

if TYPE_CHECKING:
    from pathlib import Path

    import pyarrow as pa

    from .records import SubmissionRecord

__all__ = ["ScoreFailure", "ScoreReport", "ScoreTask", "score", "scoring_version"]

VERSION_NAME = "version.json"
FAILURES_NAME = "failures.json"
_POINTS = ("z_best", "pdf", "method")

Runner = Callable[[Callable[[Any], Any], Sequence[Any]], Iterable[Any]]
"""Calls a function on each task and gives the results in the order of the tasks."""


@dataclass(frozen=True)
class ScoreTask:
    """One submission on one scenario; small, since it travels to another process.

    Parameters
    ----------
    directory : Path
        Of the challenge.
    submission_id, scenario, version : str
    """

    directory: Path
    submission_id: str
    scenario: str
    version: str


@dataclass(frozen=True)
class ScoreFailure:
    """A submission that could not be scored.

    Parameters
    ----------
    submission_id, scenario, code, reason : str
    """

    submission_id: str
    scenario: str
    code: str
    reason: str


@dataclass(frozen=True)
class ScoreReport:
    """What was scored.

    Parameters
    ----------
    version : str
        Of metrics, bands and truth: name of the directory.
    n_scored, n_kept, n_compared : int
        Scored now; there already; made again and found the same.
    failures : tuple of ScoreFailure
    refused_controls : tuple of str
        Controls that could not be trained, with the reason.
    """

    version: str
    n_scored: int
    n_kept: int
    n_compared: int
    failures: tuple[ScoreFailure, ...]
    refused_controls: tuple[str, ...]


def scoring_version(challenge: Challenge) -> str:
    """Version of the metrics, and a digest of all that scores depend on beside the predictions.

    Parameters
    ----------
    challenge : Challenge

    Returns
    -------
    str
        Such as ``1-0a1b2c3d``.
    """
    digest = hashlib.sha256(json.dumps(_dependences(challenge), sort_keys=True).encode()).hexdigest()
    return f"{SUITE_VERSION}-{digest[:8]}"


def score(
    challenge: Challenge,
    *,
    submissions: Sequence[str] | None = None,
    again: bool = False,
    controls: bool = True,
    run: Runner = map,
) -> ScoreReport:
    """Score submissions that have no scores of this version.

    Parameters
    ----------
    challenge : Challenge
    submissions : sequence of str, optional
        Their ids; all by default.
    again : bool
        Score once more what is scored, and compare.
    controls : bool
        Train and hand in the controls where they are not there.
    run : callable
        Makes the tasks: called with a function and its tasks, gives the results in the order of the tasks. The
        builtin ``map`` makes one after the other; ``pzcenter.pipelines`` has one that uses several processes.

    Returns
    -------
    ScoreReport
        A submission that cannot be scored is among the failures and does not stop the others.

    Raises
    ------
    ConfigError, NotFoundError
        The truth is not there, or others can read it; no such submission.
    ChecksumError
        The truth is not what its manifest says.
    """
    from pzcenter.catalogs import verify_manifest

    challenge.vault.check_private()
    verify_manifest(challenge.vault.tables)
    refused = add_controls(challenge) if controls else ()
    version = scoring_version(challenge)
    _write_version(challenge, version)
    wanted = challenge.submissions() if submissions is None else [challenge.submission(each) for each in submissions]
    tasks = [
        ScoreTask(challenge.directory, record.submission_id, scenario, version)
        for record in wanted
        for scenario in record.scenarios
    ]
    there = [task for task in tasks if score_path(challenge, task).is_file()]
    todo = tasks if again else [task for task in tasks if task not in there]
    failures = tuple(failure for failure in run(score_task, todo) if failure is not None)
    _write_failures(challenge, version, failures)
    n_compared = (
        len(there) - sum((each.submission_id, each.scenario) in _keys(there) for each in failures) if again else 0
    )
    n_scored = len(todo) - len(failures) - n_compared
    return ScoreReport(version, n_scored, 0 if again else len(there), n_compared, failures, refused)


def score_task(task: ScoreTask) -> ScoreFailure | None:
    """Score one submission on one scenario and write what comes out; the reason where that fails."""
    challenge = open_challenge(task.directory)
    try:
        _score_one(challenge, challenge.submission(task.submission_id), task)
    except PZCenterError as error:
        return ScoreFailure(task.submission_id, task.scenario, error.code, str(error))
    except Exception as error:  # noqa: BLE001 - one submission must not stop the others
        return ScoreFailure(task.submission_id, task.scenario, "internal", f"{type(error).__name__}: {error}")
    return None


def score_path(challenge: Challenge, task: ScoreTask) -> Path:
    """File of the scores of one submission on one scenario; the metric table lies beside it."""
    return challenge.scores / task.version / task.submission_id / f"{task.scenario}.json"


def _score_one(challenge: Challenge, record: SubmissionRecord, task: ScoreTask) -> None:
    verify_stored(challenge, record)
    stored = record.file_of(task.scenario)
    assert stored is not None
    settings = challenge.settings.scoring
    truth = challenge.vault.table(task.scenario)
    submission = open_submission(challenge.submission_path(record.submission_id) / stored.path, name=record.name)
    scores = score_objects(submission, align(submission, np.asarray(truth.column("object_id"))), truth)
    technical = _technical(record, stored.n_bytes, stored.n_rows)
    table = evaluate_suite(
        scores, mag_band=settings.mag_band, technical=technical, n_bootstrap=settings.n_bootstrap, seed=settings.seed
    )
    files = {
        score_path(challenge, task).with_suffix(".parquet"): _parquet(table.to_arrow()),
        challenge.vault.object_scores(task.version, task.submission_id, task.scenario): _parquet(
            table_of_scores(scores)
        ),
    }
    counts = {"n_obj": scores.n_obj, "n_test": truth.num_rows, "n_no_estimate": scores.n_no_estimate}
    head = _head(challenge, record, task, table, counts) | {
        "metrics_sha256": _sha256(files[score_path(challenge, task).with_suffix(".parquet")]),
    }
    path = score_path(challenge, task)
    text = json.dumps(head, indent=1, allow_nan=False, ensure_ascii=False) + "\n"
    if path.is_file():
        _compare(path, text, files)
        return
    for place, content in files.items():
        _write(place, content, private=challenge.vault.directory in place.parents)
    write_text_atomically(path, text)


def _head(
    challenge: Challenge, record: SubmissionRecord, task: ScoreTask, table: MetricTable, counts: dict[str, int]
) -> dict[str, Any]:
    stored = record.file_of(task.scenario)
    assert stored is not None
    bands = [each.band for each in challenge.settings.scoring.bands]
    values = {row.metric: row.value for row in table.select(axis="all") if row.point in _POINTS}
    points = challenge_scores(values, bands=bands)
    truth_path = challenge.vault.tables / f"{task.scenario}.parquet"
    return {
        "challenge": challenge.settings.name,
        "challenge_version": challenge.settings.version,
        "version": task.version,
        "metrics_version": SUITE_VERSION,
        "scenario": task.scenario,
        "submission_id": record.submission_id,
        "prediction_sha256": stored.sha256,
        "truth_sha256": file_sha256(truth_path),
        **counts,
        "points": points.points,
        "possible": points.possible,
        "missing": list(points.missing),
        "fraction": points.fraction,
        "requirements": json.loads(MetricTable((), table.verdicts).to_json())["requirements"],
    }


def _technical(record: SubmissionRecord, n_bytes: int, n_rows: int) -> TechnicalFacts:
    said = record.technical
    nan = float("nan")
    return TechnicalFacts(
        train_s=said.get("train_s", nan),
        estimate_s=said.get("estimate_ms", nan) * n_rows / 1e3,
        n_obj=n_rows,
        peak_bytes=said.get("peak_gb", nan) * 1e9,
        output_bytes=float(n_bytes),
        model_bytes=said.get("model_mb", nan) * 1e6,
    )


def _dependences(challenge: Challenge) -> dict[str, Any]:
    scoring = challenge.settings.scoring.model_dump(mode="json")
    return {
        "metrics_version": SUITE_VERSION,
        "challenge": challenge.settings.name,
        "challenge_version": challenge.settings.version,
        "truth_sha256": file_sha256(challenge.vault.tables / "manifest.json"),
        **{name: scoring[name] for name in ("bands", "mag_band", "n_bootstrap", "seed")},
    }


def _write_version(challenge: Challenge, version: str) -> None:
    path = challenge.scores / version / VERSION_NAME
    if path.is_file():
        return
    with storage_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    software = {"pzcenter": pzcenter.__version__, **{name: version_of(name) for name in ("numpy", "scipy", "pyarrow")}}
    content = {"version": version, **_dependences(challenge), "first_made_with": software}
    write_text_atomically(path, json.dumps(content, indent=1) + "\n")


def _write_failures(challenge: Challenge, version: str, failures: Sequence[ScoreFailure]) -> None:
    """Those of the last scoring."""
    path = challenge.scores / version / FAILURES_NAME
    entries = [asdict(failure) for failure in failures]
    write_text_atomically(path, json.dumps(entries, indent=1, ensure_ascii=False) + "\n")


def _compare(path: Path, text: str, files: dict[Path, bytes]) -> None:
    differ = [place.name for place, content in files.items() if not place.is_file() or place.read_bytes() != content]
    if path.read_text(encoding="utf-8") != text:
        differ.append(path.name)
    if differ:
        raise ChecksumError(
            f"{path.parent.name}: scored again, {', '.join(differ)} is not the same; {VERSION_NAME} says "
            "which software made it first"
        )


def _parquet(table: pa.Table) -> bytes:
    sink = io.BytesIO()
    pq.write_table(table, sink, compression="zstd", compression_level=3)
    return sink.getvalue()


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _write(path: Path, content: bytes, *, private: bool) -> None:
    with storage_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True, mode=PRIVATE_MODE if private else 0o777)
        with atomic_path(path) as unfinished:
            unfinished.write_bytes(content)
        with suppress(OSError):
            (path.parent / ".tmp").rmdir()


def _keys(tasks: Sequence[ScoreTask]) -> set[tuple[str, str]]:
    return {(task.submission_id, task.scenario) for task in tasks}
