"""One step, or any part of the pipeline, without a campaign: for trying, mending and looking."""

from __future__ import annotations

import io
import logging
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pzcenter.errors import ConfigError, OutputExistsError, PartitionError
from pzcenter.pipelines.campaign.collect import collect
from pzcenter.pipelines.campaign.graph import PIPELINE, Overrides, build_graph, load_pipeline, read_graph
from pzcenter.pipelines.campaign.local_pool import LocalExecutor
from pzcenter.pipelines.repository.open import open_repository

from lsst.daf.butler import CollectionType  # isort: skip - after the mending of zip files

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Sequence

    from pzcenter.pipelines.campaign.collect import CollectReport

__all__ = ["SHOWN", "run_step", "set_log_levels", "show"]

SHOWN = ("config", "tasks", "graph", "data")
RUN_FORM = "%Y%m%dT%H%M%SZ"


def show(
    what: str,
    root: str | os.PathLike[str],
    *,
    pipeline: str = PIPELINE,
    subset: str = "",
    overrides: Overrides | None = None,
    inputs: Sequence[str] = (),
    where: str = "",
) -> str:
    """Say what would be done, and do nothing.

    Parameters
    ----------
    what : str
        ``config``: settings of the tasks, as Python that ``-C`` reads; ``tasks``: labels and classes; ``graph``: quanta
        with their inputs and outputs; ``data``: data ids of the quanta.
    root : path or URI
        Repository; needed for ``graph`` and ``data``.
    pipeline, subset : str
    overrides : Overrides, optional
    inputs : sequence of str
    where : str

    Returns
    -------
    str

    Raises
    ------
    ConfigError
        ``what`` is none of these.
    """
    if what not in SHOWN:
        raise ConfigError(f"--show {what!r} is not known; {', '.join(SHOWN)} are accepted")
    loaded = load_pipeline(pipeline, subset, overrides)
    tasks = loaded.to_graph().tasks
    if what == "tasks":
        return "\n".join(f"{label}: {node.task_class_name}" for label, node in tasks.items())
    if what == "config":
        texts = []
        for label, node in tasks.items():
            stream = io.StringIO()
            node.config.saveToStream(stream)
            texts.append(f"### Configuration of task {label!r}\n{stream.getvalue()}")
        return "\n".join(texts)
    with tempfile.TemporaryDirectory(prefix="pz-graph-") as folder:
        made = build_graph(
            root, Path(folder) / "show.qg", pipeline=loaded, inputs=inputs, output_run="show", where=where
        )
        if made is None:
            return ""
        nodes = read_graph(made.path).quantum_only_xgraph.nodes
    lines = []
    for node in nodes.values():
        quantum = node["quantum"]
        words = ", ".join(f"{name}={value}" for name, value in quantum.dataId.required.items())
        lines.append(f"{node['task_label']} {words}".rstrip())
        if what == "graph":
            lines += [f"  in  {ref}" for refs in quantum.inputs.values() for ref in refs]
            lines += [f"  out {ref}" for refs in quantum.outputs.values() for ref in refs]
    return "\n".join(lines if what == "graph" else sorted(lines))


def run_step(
    root: str | os.PathLike[str],
    *,
    pipeline: str = PIPELINE,
    subset: str = "",
    overrides: Overrides | None = None,
    inputs: Sequence[str],
    output: str,
    where: str = "",
    workers: int = 1,
    extend_run: bool = False,
    skip_existing: bool = False,
    fail_fast: bool = False,
    debug: bool = False,
    progress: Callable[[Any, Any], None] | None = None,
) -> CollectReport | None:
    """Build the graph of a step, execute it on this machine, and register what it made.

    Parameters
    ----------
    root : path or URI
        Repository.
    pipeline, subset : str
    overrides : Overrides, optional
    inputs : sequence of str
        Collections.
    output : str
        Chain; each call adds a run ``OUTPUT/TIME`` at its head.
    where : str
    workers : int
    extend_run : bool
        Go on in the newest run of the chain, in place of a new one; its configuration must be the same.
    skip_existing : bool
        Leave out what is done in the chain.
    fail_fast : bool
        End with the first failure.
    debug : bool
        Import ``debug.py`` where there is one.
    progress : callable, optional
        Called with each outcome.

    Returns
    -------
    CollectReport or None
        None where there was nothing left to do.

    Raises
    ------
    OutputExistsError
        ``extend_run`` with another configuration.
    PartitionError
        A quantum failed and ``fail_fast`` is set.
    """
    loaded = load_pipeline(pipeline, subset, overrides)
    with open_repository(root, writeable=True) as butler:
        butler.collections.register(output, CollectionType.CHAINED)
        runs = list(butler.collections.get_info(output).children)
    run = runs[0] if extend_run and runs else f"{output}/{datetime.now(UTC).strftime(RUN_FORM)}"
    with tempfile.TemporaryDirectory(prefix="pz-graph-") as folder:
        graph = build_graph(
            root, Path(folder) / "step.qg", pipeline=loaded, inputs=[*runs, *inputs], output_run=run, where=where,
            skip_existing_in=runs if skip_existing or extend_run else (),
        )  # fmt: skip
        if graph is None:
            return None
        try:
            LocalExecutor(root, workers=workers, fail_fast=fail_fast, debug=debug, progress=progress).execute(
                graph.path, run
            )
        except ConfigError as error:
            raise OutputExistsError(str(error)) from error
        finally:
            report = collect(root, graph.path)
            with open_repository(root, writeable=True) as butler:
                if run not in butler.collections.get_info(output).children:
                    butler.collections.prepend_chain(output, run)
    if fail_fast and report.failed:
        first = report.failed[0]
        raise PartitionError(f"{first.task} {first.data_id} failed: {first.error}")
    return report


def set_log_levels(levels: Sequence[str]) -> None:
    """Set the levels of loggers.

    Parameters
    ----------
    levels : sequence of str
        ``LEVEL``, or ``COMPONENT=LEVEL`` such as ``lsst.daf.butler=DEBUG``.

    Raises
    ------
    ConfigError
        No such level.
    """
    names = logging.getLevelNamesMapping()
    for text in levels:
        component, _, level = text.rpartition("=")
        if level.upper() not in names:
            raise ConfigError(f"--loglevel {text!r}: {level!r} is no level; {', '.join(sorted(names))} are accepted")
        logging.basicConfig()
        logging.getLogger(component or None).setLevel(names[level.upper()])
