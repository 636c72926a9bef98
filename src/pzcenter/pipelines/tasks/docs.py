"""The reference page of the tasks, made from the classes: ``python -m pzcenter.pipelines.tasks.docs PAGE``."""

from __future__ import annotations

import re
import sys
from importlib.resources import files
from pathlib import Path
from typing import Any

import lsst.pex.config as pex_config
import yaml
from lsst.pipe.base import PipelineTaskConfig
from lsst.pipe.base.connectionTypes import BaseInput, PrerequisiteInput

from pzcenter.pipelines import tasks
from pzcenter.pipelines.repository.dataset_types import PARTITION

__all__ = ["tasks_page"]

_HEAD = """# Tasks

Made from the classes; do not edit. Run `python -m pzcenter.pipelines.tasks.docs docs/reference/tasks.md`.

Every task is a thin frame around functions that know nothing of the middleware: its method `run` takes tables and gives
tables, in memory. The pipeline that joins them is `pzcenter/pipelines/definitions/pz.yaml`; `{algo}` is its parameter,
the name of a method.

A field is set with `-c LABEL:FIELD=VALUE`, in a file given with `-C LABEL:FILE`, or in the configuration of a campaign;
`pz run STEP --show config`, like Rubin's `pipetask run --show config`, prints all fields with these descriptions and
their values. Besides the fields below every task has those of the middleware: `connections`, by which dataset types get
other names, and `saveLogOutput`.

The metadata of every quantum hold `wall_s`, `cpu_s` (all threads) and `peak_bytes` (of the process so far), besides the
counts of the task.
"""


def tasks_page() -> str:
    """Write the page.

    Returns
    -------
    str
        Markdown.
    """
    pipeline = yaml.safe_load(files("pzcenter.pipelines").joinpath("definitions", "pz.yaml").read_text("utf-8"))
    label_of = {entry["class"].rpartition(".")[2]: label for label, entry in pipeline["tasks"].items()}
    # As in the pipeline; what is not part of it comes last.
    names = sorted(tasks.__all__, key=lambda name: list(label_of).index(name) if name in label_of else len(label_of))
    sections = [_section(getattr(tasks, name), label_of.get(name), pipeline["subsets"]) for name in names]
    return "\n".join([_HEAD, *sections])


def _section(task: Any, label: str | None, subsets: dict[str, Any]) -> str:
    config = task.ConfigClass
    connections = config.ConnectionsClass
    module = sys.modules[task.__module__]
    steps = [name for name, subset in subsets.items() if label in subset["subset"]]
    there = set(connections(config=config()).allConnections)
    rows = [_connection(connection, name in there) for name, connection in connections.allConnections.items()]
    fields = [
        _field(name, field)
        for name, field in config._fields.items()
        if name not in PipelineTaskConfig._fields and name != "connections"
    ]
    lines = [
        f"## {label or task.__name__}",
        "",
        _flat(module.__doc__ or ""),
        "",
        f"- Class: `pzcenter.pipelines.tasks.{task.__name__}`.",
        f"- Runs in: {', '.join(f'`{step}`' for step in steps) or 'no step of the pipeline'}.",
        f"- Once for each: {_dimensions(connections.dimensions)}.",
        "",
        "| dataset type | role | of each | storage class | what |",
        "|---|---|---|---|---|",
        *rows,
        "",
    ]
    if fields:
        lines += ["| field | default | accepted | what |", "|---|---|---|---|", *fields]
    else:
        lines.append("No fields of its own.")
    return "\n".join([*lines, ""])


def _connection(connection: Any, by_default: bool) -> str:
    role = "output"
    if isinstance(connection, BaseInput):
        role = "prerequisite" if isinstance(connection, PrerequisiteInput) else "input"
        role += ", all there are" if connection.multiple else ""
        role += ", where there is one" if connection.minimum == 0 else ""
    role += "" if by_default else ", on request"
    return (
        f"| `{connection.name}` | {role} | {_dimensions(connection.dimensions)} | `{connection.storageClass}` "
        f"| {_flat(connection.doc)} |"
    )


def _dimensions(dimensions: Any) -> str:
    """Dimensions, the larger first."""
    known = [name for name in PARTITION if name in dimensions]
    return ", ".join([*known, *sorted(set(dimensions) - set(known))]) or "repository"


def _field(name: str, field: Any) -> str:
    accepted = ""
    if isinstance(field, pex_config.RangeField):
        accepted = field.rangeString
    elif isinstance(field, pex_config.ConfigChoiceField):
        accepted = "a method, see [Estimators](estimators.md)"
    elif isinstance(field, pex_config.ChoiceField):
        accepted = ", ".join(f"`{value}`" for value in field.allowed if value is not None)
    elif isinstance(field, pex_config.ListField):
        accepted = "list"
    return f"| `{name}` | {_shown(field.default)} | {_escaped(accepted)} | {_flat(field.doc)} |"


def _shown(value: Any) -> str:
    if value is None:
        return "not given"
    if isinstance(value, str) and not value:
        return "empty"
    if isinstance(value, list | tuple) and not value:
        return "none"
    if isinstance(value, list | tuple):
        return ", ".join(f"`{each}`" for each in value)
    return f"`{value}`"


def _flat(text: str) -> str:
    """First paragraph on one line, fit for a cell of a table."""
    line = re.sub(r"\s+", " ", text.strip().split("\n\n")[0]).replace("``", "`")
    return _escaped(line)


def _escaped(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m pzcenter.pipelines.tasks.docs PAGE")
    Path(sys.argv[1]).write_text(tasks_page(), encoding="utf-8")
