"""What the lineage of a row consists of, as plain records: no import of the middleware here."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

__all__ = [
    "LINEAGE_NAME",
    "PROV_NAME",
    "SHOWN",
    "Campaign",
    "DatasetFacts",
    "Lineage",
    "ModelFacts",
    "QuantumFacts",
    "SignOff",
]

PROV_NAME, LINEAGE_NAME = "provenance.prov.json", "pz_lineage.parquet"
"""Files of a package that say where its rows come from."""

SHOWN = ("z_best", "z_err68_low", "z_err68_high", "model_id", "band_mask", "flags")
"""Columns of the row that are told with its lineage."""


@dataclass(frozen=True)
class DatasetFacts:
    """One dataset: a file that was made or brought in.

    Parameters
    ----------
    id : str
        UUID of the dataset.
    dataset_type : str
    data_id : dict
        Such as skymap and tract.
    run : str
        Collection that holds it.
    uri : str, optional
        Where the file lies.
    sha256 : str, optional
        Of the file as it lies there now.
    recorded_sha256 : str, optional
        As it was noted when the file came in; None for what the pipeline made.
    n_bytes : int, optional
    made_by : str, optional
        Id of the quantum; None for what came from outside.
    """

    id: str
    dataset_type: str
    data_id: dict[str, Any]
    run: str
    uri: str | None = None
    sha256: str | None = None
    recorded_sha256: str | None = None
    n_bytes: int | None = None
    made_by: str | None = None


@dataclass(frozen=True)
class QuantumFacts:
    """One execution of a task.

    Parameters
    ----------
    id : str
        UUID of the quantum; made up from run, label and data id where no graph is left.
    label : str
        Of the task.
    run : str
        Collection with its outputs.
    data_id : dict
    inputs, outputs : tuple of str
        Ids of the datasets of the lineage.
    n_other_inputs : int
        Inputs of other partitions, which this row does not come from.
    started, finished : str, optional
        UTC.
    cpu_s : float, optional
    peak_bytes : int, optional
    config_sha256 : str, optional
        Of the configuration, as the middleware stored it.
    versions : dict of str to str
        Of the packages.
    counts : dict
        What the task itself recorded.
    evidence : str
        ``"graph"`` where a quantum graph says what went in, ``"pipeline"`` where it follows from the pipeline and the
        collections.
    """

    id: str
    label: str
    run: str
    data_id: dict[str, Any]
    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    n_other_inputs: int = 0
    started: str | None = None
    finished: str | None = None
    cpu_s: float | None = None
    peak_bytes: int | None = None
    config_sha256: str | None = None
    versions: dict[str, str] = field(default_factory=dict)
    counts: dict[str, Any] = field(default_factory=dict)
    evidence: str = "graph"


@dataclass(frozen=True)
class ModelFacts:
    """The model that made an estimate.

    Parameters
    ----------
    digest : str
        SHA-256 of its files.
    algorithm, version, bands : str
        Method, version of the program that made the model, bands joined by commas.
    code_version : str, optional
        Version of the program that made the estimate with it.
    model_id : int, optional
        Row of ``pz_model``.
    dataset : str, optional
        Id of the dataset that holds it.
    config : str
        Settings, as JSON.
    n_train : int, optional
    training_sha256 : str, optional
        Of the rows it was trained on, whatever their order; None for a model that saw no data.
    """

    digest: str
    algorithm: str
    version: str
    bands: str
    code_version: str | None = None
    model_id: int | None = None
    dataset: str | None = None
    config: str = ""
    n_train: int | None = None
    training_sha256: str | None = None


@dataclass(frozen=True)
class SignOff:
    """Somebody let a campaign go on.

    Parameters
    ----------
    step, by, when, note : str
    """

    step: str
    by: str
    when: str
    note: str = ""


@dataclass(frozen=True)
class Campaign:
    """The campaign that made the row.

    Parameters
    ----------
    name, release : str
    config_sha256 : str, optional
        Of its configuration.
    sign_offs : tuple of SignOff
        The oldest first.
    """

    name: str
    release: str
    config_sha256: str | None = None
    sign_offs: tuple[SignOff, ...] = ()


@dataclass(frozen=True)
class Lineage:
    """Where one row comes from.

    Parameters
    ----------
    object_id : int
    skymap : str
    tract : int
    table : str
        Dataset type that holds the row.
    row : dict
        Some of its columns.
    datasets : tuple of DatasetFacts
        The table of the row first, then what it was made from.
    quanta : tuple of QuantumFacts
        The last one first.
    model : ModelFacts, optional
        None where the object has no estimate.
    campaign : Campaign, optional
        None where the run belongs to none.
    notes : tuple of str
        What is not known, and why.
    """

    object_id: int
    skymap: str
    tract: int
    table: str
    row: dict[str, Any]
    datasets: tuple[DatasetFacts, ...]
    quanta: tuple[QuantumFacts, ...]
    model: ModelFacts | None = None
    campaign: Campaign | None = None
    notes: tuple[str, ...] = ()

    def dataset(self, number: str) -> DatasetFacts:
        """Facts of one dataset.

        Raises
        ------
        KeyError
            It is not in the lineage.
        """
        return {facts.id: facts for facts in self.datasets}[number]

    def as_dict(self) -> dict[str, Any]:
        """As plain values, for JSON."""
        return asdict(self)
