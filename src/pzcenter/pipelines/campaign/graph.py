"""The graph of work of one step: which quanta there are, and what each reads and writes."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pzcenter.errors import ConfigError, EmptyTableError, NotFoundError
from pzcenter.pipelines.campaign.zip_reading import mend_zip_reading

mend_zip_reading()

from lsst.daf.butler import EmptyQueryResultError, MissingCollectionError, MissingDatasetTypeError  # noqa: E402 - after the mending
from lsst.pipe.base import Pipeline  # noqa: E402
from lsst.pipe.base.all_dimensions_quantum_graph_builder import AllDimensionsQuantumGraphBuilder  # noqa: E402
from lsst.pipe.base.quantum_graph import PredictedQuantumGraph  # noqa: E402

from pzcenter.pipelines.repository.open import open_repository  # noqa: E402

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping, Sequence

__all__ = ["PIPELINE", "GraphFile", "Overrides", "build_graph", "init_outputs", "load_pipeline", "read_graph"]

PIPELINE = str(files("pzcenter.pipelines.definitions") / "pz.yaml")
"""Pipeline of our production."""


@dataclass(frozen=True)
class Overrides:
    """Changes of a pipeline's configuration, the later the stronger.

    Parameters
    ----------
    parameters : dict of str to str
        Parameters of the pipeline, such as ``{"algo": "neighbours"}``.
    files : tuple of (str, str)
        Task label and file of configuration.
    values : tuple of (str, str, object)
        Task label, field and value, a text as on the command line or a value.
    """

    parameters: Mapping[str, str] | None = None
    files: tuple[tuple[str, str], ...] = ()
    values: tuple[tuple[str, str, Any], ...] = ()


@dataclass(frozen=True)
class GraphFile:
    """A graph on disk.

    Parameters
    ----------
    path : Path
    run : str
        Collection that it writes into.
    n_quanta : dict of str to int
        By task label.
    """

    path: Path
    run: str
    n_quanta: dict[str, int]

    @property
    def n_total(self) -> int:
        """Quanta of all tasks."""
        return sum(self.n_quanta.values())


def load_pipeline(
    pipeline: str | os.PathLike[str] = PIPELINE, subset: str = "", overrides: Overrides | None = None
) -> Any:
    """Pipeline with its changes, or one subset of it.

    Raises
    ------
    NotFoundError
        No such pipeline, subset or task.
    ConfigError
        A field or value that a task does not accept.
    """
    where = f"{pipeline}#{subset}" if subset else str(pipeline)
    changes = overrides or Overrides()
    try:
        loaded = Pipeline.from_uri(where)
        for name, value in (changes.parameters or {}).items():
            loaded.addConfigOverride("parameters", name, value)
        for label, path in changes.files:
            loaded.addConfigFile(label, path)
        for label, name, value in changes.values:
            loaded.addConfigOverride(label, name, value)
    except (FileNotFoundError, LookupError, ValueError) as error:
        raise NotFoundError(f"{where}: {error}") from error
    try:
        loaded.to_graph()
    except Exception as error:
        raise ConfigError(f"the configuration of {where} is not accepted: {_last_line(error)}") from error
    return loaded


def build_graph(
    root: str | os.PathLike[str],
    path: str | os.PathLike[str],
    *,
    pipeline: Any,
    inputs: Sequence[str],
    output_run: str,
    where: str = "",
    skip_existing_in: Sequence[str] = (),
) -> GraphFile | None:
    """Build the graph of a pipeline and write it.

    Parameters
    ----------
    root : path or URI
        Repository.
    path : path
        File to write, ``.qg``.
    pipeline : Pipeline
        From :func:`load_pipeline`.
    inputs : sequence of str
        Collections to search, in order.
    output_run : str
    where : str
        Expression that data ids fulfil.
    skip_existing_in : sequence of str
        Collections: quanta that are done there are left out.

    Returns
    -------
    GraphFile or None
        None where everything is done already.

    Raises
    ------
    EmptyTableError
        There is nothing to do, and nothing was done: the message says what is missing.
    NotFoundError
        A dataset type or a prerequisite, such as the model, is not there.
    """
    with open_repository(root, collections=inputs, run=None) as butler:
        there = set(butler.collections.query("*"))
        known = [name for name in skip_existing_in if name in there]
        try:
            builder = AllDimensionsQuantumGraphBuilder(
                pipeline.to_graph(),
                butler,
                where=where,
                input_collections=list(inputs),
                output_run=output_run,
                skip_existing_in=known,
            )
            components = builder.finish(
                metadata={"skip_existing_in": known, "data_query": where}, attach_datastore_records=True
            )
            graph = components.assemble()
        except (
            FileNotFoundError, MissingDatasetTypeError, MissingCollectionError, EmptyQueryResultError, LookupError
        ) as error:  # fmt: skip
            raise NotFoundError(f"the graph of {output_run} cannot be built: {_last_line(error)}") from error
    counts = {label: len(quanta) for label, quanta in graph.quanta_by_task.items() if quanta}
    if not counts:
        if known:
            return None
        raise EmptyTableError(
            f"nothing to do for {output_run}: no dataset of the inputs {', '.join(_inputs(pipeline))} in "
            f"{', '.join(inputs)}" + (f" fulfils {where!r}" if where else "")
        )
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    components.write(str(target))
    return GraphFile(target, output_run, counts)


def read_graph(path: str | os.PathLike[str]) -> Any:
    """Graph with all that its quanta need to be executed."""
    graph = PredictedQuantumGraph.read_execution_quanta(str(path))
    graph.build_execution_quanta()
    return graph


def _inputs(pipeline: Any) -> list[str]:
    graph = pipeline.to_graph()
    return sorted(name for name, _ in graph.iter_overall_inputs())


def _last_line(error: BaseException) -> str:
    """What is wrong, from the innermost error: the outer ones say where it was met."""
    inner: BaseException = error
    while inner.__cause__ is not None or (inner.__context__ is not None and not inner.__suppress_context__):
        inner = inner.__cause__ or inner.__context__ or inner
    lines = [line.strip() for line in str(inner).splitlines() if line.strip()]
    said = [line for line in lines if not line.startswith(("File ", "For more information", "Parameters", "Traceback"))]
    return (said or lines or [type(inner).__name__])[-1] if len(said) < 2 else "; ".join(said[:3])


def init_outputs(graph: Any) -> list[Any]:
    """What the tasks of a graph write once for a run. A task all of whose quanta were done before has no part in it."""
    labels = {node["task_label"] for node in graph.quantum_only_xgraph.nodes.values()}
    return [ref for label in ("", *sorted(labels)) for ref in graph.get_init_outputs(label).values()]
