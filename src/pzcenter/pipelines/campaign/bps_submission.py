"""A BPS submission for a graph that exists: site file, clusters, commands of this environment."""

from __future__ import annotations

import sys
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import yaml
from pydantic import BaseModel, ConfigDict, Field

from pzcenter.errors import ConfigError, NotFoundError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["BpsSettings", "clusters_of", "site_document", "submission_document"]


class BpsSettings(BaseModel):
    """Where and how BPS runs the graphs of a campaign."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    site: Annotated[
        str, Field(title="local, slurm, htcondor or panda as shipped, or the path of a BPS file of your own")
    ] = "local"
    workers: Annotated[int | None, Field(gt=0, title="processes on this machine; the site file's by default")] = None
    tracts_per_job: Annotated[
        int, Field(gt=0, title="most partitions of one job; a job takes some seconds to start")
    ] = 4
    environment: Annotated[
        tuple[str, ...], Field(title="names of further environment variables that jobs need; none that is secret")
    ] = ()
    settings: Annotated[dict[str, Any], Field(title="further BPS settings, which win over those of the site file")] = {}
    time_limit: Annotated[float | None, Field(gt=0, title="longest time of one submission", description="s")] = None
    poll_seconds: Annotated[
        float, Field(gt=0, title="time between two looks at a batch system that does not wait", description="s")
    ] = 30.0


def site_document(site: str) -> dict[str, Any]:
    """Read a site file.

    Parameters
    ----------
    site : str
        Name of a shipped one, or path.

    Raises
    ------
    NotFoundError
        Neither.
    ConfigError
        It is not a mapping, or names no service or no site.
    """
    shipped = files("pzcenter.pipelines").joinpath("definitions", "bps")
    names = sorted(entry.name.removesuffix(".yaml") for entry in shipped.iterdir() if entry.name.endswith(".yaml"))
    if site in names:
        text = shipped.joinpath(f"{site}.yaml").read_text(encoding="utf-8")
    elif Path(site).is_file():
        text = Path(site).read_text(encoding="utf-8")
    else:
        raise NotFoundError(f"no site {site!r}: give one of {', '.join(names)}, or the path of a BPS file")
    try:
        document = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ConfigError(f"the site file {site} is not YAML: {error}") from error
    if not isinstance(document, dict) or not {"wmsServiceClass", "computeSite"} <= set(document):
        raise ConfigError(f"the site file {site} must be a mapping with wmsServiceClass and computeSite")
    return document


def clusters_of(
    tasks: Mapping[str, Iterable[str]], edges: Iterable[tuple[str, str]], *, tracts_per_job: int
) -> dict[str, dict[str, Any]]:
    """Put the quanta of some partitions into one job, because a job takes seconds to start.

    Tasks of a partition that follow each other go into the same job. Where a task of the whole release stands between
    two of them, they cannot: the tasks are told apart by how many such tasks come before them.

    Parameters
    ----------
    tasks : mapping of str to iterable of str
        Dimensions of each task.
    edges : iterable of (str, str)
        Task, and a task that reads what it writes.
    tracts_per_job : int

    Returns
    -------
    dict of str to dict
        BPS's ``cluster`` section; empty where no task has partitions.
    """
    labels = list(tasks)
    edges = list(edges)
    stage = dict.fromkeys(labels, 0)
    for _ in labels:  # at most as many rounds as the longest path has tasks
        for before, after in edges:
            gathers = "tract" not in set(tasks[before]) or "tract" not in set(tasks[after])
            stage[after] = max(stage[after], stage[before] + gathers)
    stages: dict[int, list[str]] = {}
    for label in labels:
        if "tract" in set(tasks[label]):
            stages.setdefault(stage[label], []).append(label)
    return {
        f"tracts{number}": {
            "pipetasks": ",".join(members),
            "dimensions": "skymap",
            "partitionDimensions": "tract",
            "partitionMaxSize": tracts_per_job,
        }
        for number, members in sorted(stages.items())
    }


def submission_document(
    settings: BpsSettings,
    *,
    repository: str,
    graph_path: Path,
    run: str,
    directory: Path,
    clusters: Mapping[str, Mapping[str, Any]],
    name: str,
) -> dict[str, Any]:
    """The BPS file of one submission.

    The graph is taken as it is, with its run and the ids of its datasets. BPS's own last job, which would register the
    outputs, is left out: the campaign does that, and checks it.

    Parameters
    ----------
    settings : BpsSettings
    repository : str
        Root or URI.
    graph_path : Path
    run : str
        Output run of the graph.
    directory : Path
        Submit directory.
    clusters : mapping
        See :func:`clusters_of`.
    name : str
        Of the campaign.

    Returns
    -------
    dict
    """
    document = site_document(settings.site)
    site = document.setdefault("site", {}).setdefault(document["computeSite"], {})
    if settings.workers is not None and "cores" in site:
        site["cores"] = settings.workers
    site.setdefault("run_dir", str(directory / "parsl"))
    python = str(document.pop("containerPython", sys.executable))
    command = f"{python} -m pzcenter.pipelines.campaign"
    ours: dict[str, Any] = {
        "project": "pzcenter",
        "campaign": name,
        "qgraphFile": str(graph_path),
        "submitPath": str(directory / "bps"),  # which BPS makes
        "payload": {"payloadName": name, "butlerConfig": repository, "output": run, "outputRun": run},
        "runQuantumCommand": f"{command}.bps_job {{butlerConfig}} "
        f"{{fileDistributionEndPoint}}{{qgraphFile}} {directory / 'outcomes'} {{qgraphNodeId}}",
        "pipetask": {
            "pipetaskInit": {
                "runQuantumCommand": f"{command}.rubin_command pipetask --long-log --log-level INFO "
                "pre-exec-init-qbb {butlerConfig} {fileDistributionEndPoint}{qgraphFile}"
            }
        },
        "updateQuantumGraph": "mv -f {inputQgraphFile} {qgraphFile}",
        "finalJob": {"whenRun": "NEVER"},
    }
    if clusters:
        ours["clusterAlgorithm"] = "lsst.ctrl.bps.quantum_clustering_funcs.dimension_clustering"
        ours["cluster"] = {label: dict(words) for label, words in clusters.items()}
    return _merged(_merged(ours, document), settings.settings)


def _merged(under: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Two documents in one; where both say something, the second wins."""
    found = dict(under)
    for key, value in over.items():
        both = isinstance(value, dict) and isinstance(found.get(key), dict)
        found[key] = _merged(found[key], value) if both else value
    return found
