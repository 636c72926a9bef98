"""The work itself, in a process of its own: ``python -m pzcenter.server.services.jobs.child WORKSPACE``.

Reads ``spec.json`` in the workspace, writes ``result.json`` and files below ``out``. Tells its progress as lines of
JSON. It has no connection to the database, and ends when whoever started it is gone.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from pzcenter.errors import PZCenterError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

__all__ = ["main"]

SCORING = "score_challenge"
TABLES = {"combine_redshift_dedup": "redshift", "training_set_maker": "training_set"}
EXTENSIONS = {"csv": "csv", "fits": "fits", "hdf5": "hdf5", "votable": "vot"}
ALIASES = {
    "ra": "RA", "dec": "Dec", "z_spec": "z", "z_err": "z_err", "z_flag": "z_flag", "survey": "survey",
}  # fmt: skip


def main(arguments: list[str]) -> int:
    """Do the work of one workspace.

    Parameters
    ----------
    arguments : list of str
        The workspace.

    Returns
    -------
    int
        0 done, 1 refused (the reason stands in ``result.json``).
    """
    workspace = Path(arguments[0])
    spec = json.loads((workspace / "spec.json").read_text())
    _limit(spec["memory_bytes"], spec["cpu_seconds"])
    threading.Thread(target=_end_with_parent, daemon=True).start()
    os.chdir(workspace)
    try:
        result = _work(spec)
    except PZCenterError as error:
        result = {"failure": f"{error}", "code": error.code}
    except MemoryError:
        result = {"failure": f"more than {spec['memory_bytes']:,} bytes of memory would be needed", "code": "memory"}
    (workspace / "result.json").write_text(json.dumps(result))
    return 1 if "failure" in result else 0


def _work(spec: dict[str, Any]) -> dict[str, Any]:
    if spec["pipeline"] == SCORING:
        return _score(Path(spec["challenge"]))
    # Imported here: the limits hold for what the libraries take, too.
    import pyarrow.parquet as pq

    from pzcenter.training.build import build_redshifts, build_training_set
    from pzcenter.training.product import export_product

    combine = spec["combine"]
    Path("combine.yaml").write_text(yaml.safe_dump(combine))
    _tell("combine", 0, 1)
    command = ["pz", "specz", "combine", "combine.yaml", "redshifts"]
    made, _ = build_redshifts(
        "combine.yaml", "redshifts", command=command, progress=lambda done, n: _tell("combine", done, n)
    )
    directory = Path("redshifts")
    _say(directory)
    if spec["pipeline"] == "training_set_maker":
        training = spec["training"] | {"redshifts": "redshifts", "objects": spec["objects"]}
        Path("training.yaml").write_text(yaml.safe_dump(training))
        command = ["pz", "training", "make", "training.yaml", "training"]
        made, _ = build_training_set("training.yaml", "training", command=command, progress=_tell)
        directory = Path("training")
        _say(directory)
    table = TABLES[spec["pipeline"]]
    main_file = directory / f"{table}.parquet"
    wanted = spec["output_format"]
    if wanted not in {None, "parquet"}:
        main_file = directory / f"{table}.{EXTENSIONS[wanted]}"
        export_product(directory, main_file)
    others = [path for path in sorted(directory.iterdir()) if path != main_file and path.is_file()]
    return {
        "main": str(main_file),
        "n_rows": made.n_rows,
        "files": [str(path) for path in others if path.name != f"{table}.parquet"],
        "columns": [_column(field) for field in pq.read_schema(made.table_path)],
        "command": " ".join(command),
    }


def _say(directory: Path) -> None:
    """Say what was counted, for the log."""
    report = json.loads((directory / "report.json").read_text())
    lines = []
    for each in report.get("sources", []):
        counts = ", ".join(f"{name}: {n:,}" for name, n in each.items() if name.startswith("n_") and n)
        lines += [f"{each['name']} {counts}", *(f"warning: {words}" for words in each.get("warnings", []))]
    lines += [f"{name}: {n:,}" for name, n in report.items() if name.startswith("n_") and isinstance(n, int)]
    lines += [f"warning: {each}" for each in report.get("warnings", [])]
    print(f"{directory}:", *lines, sep="\n  ", file=sys.stderr, flush=True)  # noqa: T201 - the log of the job


def _score(directory: Path) -> dict[str, Any]:
    from pzcenter.validation.challenges import open_challenge, score, write_leaderboard

    challenge = open_challenge(directory)
    report = score(challenge, run=_one_by_one)
    write_leaderboard(challenge)
    failures = {each.submission_id: str(each.reason) for each in report.failures}
    return {"scored": report.version, "failures": failures}


def _one_by_one(work: Callable[[Any], Any], tasks: Sequence[Any]) -> Iterator[Any]:
    """Do tasks, and say how far it is; the leaderboard is the last step."""
    for done, task in enumerate(tasks):
        _tell("score", done, len(tasks) + 1)
        yield work(task)
    _tell("rank", len(tasks), len(tasks) + 1)


def _column(field: Any) -> dict[str, Any]:
    words = {key.decode(): value.decode() for key, value in (field.metadata or {}).items()}
    return {
        "name": field.name, "datatype": str(field.type), "unit": words.get("unit"), "ucd": words.get("ucd"),
        "description": words.get("description"), "alias": ALIASES.get(field.name),
    }  # fmt: skip


def _tell(stage: str, done: int, n_all: int) -> None:
    print(json.dumps({"stage": stage, "done": done, "all": n_all}), flush=True)  # noqa: T201 - read by the worker


def _limit(memory_bytes: int, cpu_seconds: int) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_seconds, cpu_seconds))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _end_with_parent() -> None:
    """Wait for the end of the standard input, which comes when the worker is gone."""
    while os.read(sys.stdin.fileno(), 1):
        pass
    os._exit(3)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
