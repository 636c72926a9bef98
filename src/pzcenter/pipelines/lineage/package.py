"""Where a row of a delivered package comes from, without the repository: read from what travels with the package."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pzcenter.catalogs.manifest import MANIFEST_NAME, FileRecord, Manifest
from pzcenter.catalogs.storage import file_sha256
from pzcenter.errors import FileFormatError, NotFoundError
from pzcenter.pipelines.lineage.records import (
    LINEAGE_NAME,
    PROV_NAME,
    SHOWN,
    Campaign,
    DatasetFacts,
    Lineage,
    ModelFacts,
    QuantumFacts,
    SignOff,
)
from pzcenter.pipelines.lineage.steps import type_named
from pzcenter.pipelines.repository.dataset_types import PARTITION

__all__ = ["first_object_of_package", "trace_in_package"]

TABLE, OBJECT, FILES = "pz", "object", "pz_files_"
APPROVAL = "pz:approval/"
NOT_VERSIONS = frozenset({"prov:type", "voprov:name"})


def trace_in_package(directory: str | Path, object_id: int, *, checksums: bool = True) -> Lineage:
    """Tell where the row of an object in a package comes from.

    Parameters
    ----------
    directory : path
        Package, or anything that holds a finished PZ catalogue with its provenance.
    object_id : int
    checksums : bool
        Read the file of the row to take its SHA-256.

    Returns
    -------
    Lineage
        Its quanta are all quanta of a task in a run; ``evidence`` is ``"package"``.

    Raises
    ------
    NotFoundError
        There is no PZ catalogue or no provenance here, or no row of this id.
    FileFormatError
        The provenance is damaged.
    """
    root = Path(directory)
    catalog, record, row = _row(root, object_id)
    document = _document(_only(root, PROV_NAME))
    tracts = pq.read_table(_only(root, LINEAGE_NAME))
    facts = tracts.filter(pc.equal(tracts["tract"], row["tract"])).to_pylist()
    if not facts:
        raise NotFoundError(f"{root} has no provenance of tract {row['tract']}, in which object {object_id} is")
    tract = facts[0]
    quanta = _quanta(document, tract)
    path = catalog / record.path
    delivered = DatasetFacts(
        id=record.path,
        dataset_type=f"{TABLE} file",
        data_id={"skymap": tract["skymap"], "tract": tract["tract"]},
        run="",
        uri=str(path),
        sha256=file_sha256(path) if checksums else None,
        recorded_sha256=record.sha256,
        n_bytes=record.n_bytes,
    )
    return Lineage(
        object_id=object_id,
        skymap=tract["skymap"],
        tract=tract["tract"],
        table=TABLE,
        row={name: row[name] for name in SHOWN if name in row},
        datasets=(delivered, *_datasets(document, tract, quanta)),
        quanta=quanta,
        model=_model(document, row.get("model_id")),
        campaign=_campaign(document),
    )


def _row(root: Path, object_id: int) -> tuple[Path, FileRecord, dict[str, Any]]:
    """Catalogue, file and row; only files whose range of ids has the id are opened."""
    catalogs = _catalogs(root)
    for catalog in catalogs:
        for record in Manifest.read(catalog).files:
            if record.id_min is None or record.id_max is None or not record.id_min <= object_id <= record.id_max:
                continue
            found = _rows_of(catalog / record.path, object_id)
            if found.num_rows:
                return catalog, record, found.to_pylist()[0]
    raise NotFoundError(f"no row with objectId {object_id} in {', '.join(str(catalog) for catalog in catalogs)}")


def _rows_of(path: Path, object_id: int) -> pa.Table:
    try:
        return pq.read_table(path, filters=[("objectId", "==", object_id)], partitioning=None)
    except (pa.ArrowInvalid, FileNotFoundError) as error:
        raise FileFormatError(f"{path} is missing or damaged: {error}") from error


def first_object_of_package(directory: str | Path) -> int:
    """Id of some object of a package: the smallest of its first file.

    Raises
    ------
    NotFoundError
        There is no PZ catalogue, or it has no rows.
    """
    for catalog in _catalogs(Path(directory)):
        for record in Manifest.read(catalog).files:
            if record.id_min is not None:
                return record.id_min
    raise NotFoundError(f"the PZ catalogue of {directory} has no rows")


def _catalogs(root: Path) -> list[Path]:
    catalogs = [path.parent for path in sorted(root.rglob(MANIFEST_NAME)) if _is_pz(path.parent)]
    if not catalogs:
        raise NotFoundError(f"{root} has no finished PZ catalogue: no {MANIFEST_NAME} of a table {TABLE!r}")
    return catalogs


def _is_pz(directory: Path) -> bool:
    try:
        return Manifest.read(directory).table == TABLE
    except FileFormatError:
        # Another kind of manifest, such as that of the package itself.
        return False


def _only(root: Path, name: str) -> Path:
    found = sorted(root.rglob(name))
    if not found:
        raise NotFoundError(f"{root} has no {name}: it does not say where its rows come from")
    return found[0]


def _document(path: Path) -> dict[str, Any]:
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, TypeError) as error:
        raise FileFormatError(f"{path} is damaged: {error}") from error


def _quanta(document: dict[str, Any], tract: dict[str, Any]) -> tuple[QuantumFacts, ...]:
    """Tasks that the row went through, from the last one back to the first."""
    made_by = {end["prov:entity"]: end["prov:activity"] for end in document.get("wasGeneratedBy", {}).values()}
    last = [number for entity, number in made_by.items() if _name(document, entity).startswith(FILES)]
    waiting = last or sorted(set(made_by.values()))
    found: dict[str, QuantumFacts] = {}
    while waiting:
        number = waiting.pop(0)
        activity = document["activity"][number]
        # Of a task that works on tracts, the run in which it did this one.
        if number in found or tract.get(f"run_{activity['voprov:name']}", activity["pz:run"]) != activity["pz:run"]:
            continue
        found[number] = _quantum(document, number, tract)
        waiting.extend(made_by[entity] for entity in found[number].inputs if entity in made_by)
    return tuple(found.values())


def _quantum(document: dict[str, Any], number: str, tract: dict[str, Any]) -> QuantumFacts:
    activity = document["activity"][number]
    used = [end for end in document.get("used", {}).values() if end["prov:activity"] == number]
    made = [end for end in document.get("wasGeneratedBy", {}).values() if end["prov:activity"] == number]
    outputs = tuple(end["prov:entity"] for end in made)
    per_tract = any(_is_per_tract(_name(document, entity)) for entity in outputs)
    return QuantumFacts(
        id=number,
        label=activity["voprov:name"],
        run=activity["pz:run"],
        data_id=_data_id(tract, per_tract=per_tract),
        inputs=tuple(end["prov:entity"] for end in used if end.get("prov:role") == "input"),
        outputs=outputs,
        started=activity.get("prov:startTime"),
        finished=activity.get("prov:endTime"),
        config_sha256=_config(document, used),
        versions=_versions(document, number),
        evidence="package",
    )


def _name(document: dict[str, Any], entity: str) -> str:
    return str(document["entity"].get(entity, {}).get("voprov:name", ""))


def _is_per_tract(dataset_type: str) -> bool:
    spec, _ = type_named(dataset_type)
    return spec is not None and spec.dimensions == PARTITION


def _data_id(tract: dict[str, Any], *, per_tract: bool) -> dict[str, Any]:
    return {"skymap": tract["skymap"], **({"tract": tract["tract"]} if per_tract else {})}


def _config(document: dict[str, Any], used: list[dict[str, str]]) -> str | None:
    configs = [document["entity"][end["prov:entity"]] for end in used if end.get("prov:role") == "configuration"]
    return configs[0]["pz:sha256"] if configs else None


def _versions(document: dict[str, Any], activity: str) -> dict[str, str]:
    for end in document.get("wasAssociatedWith", {}).values():
        agent = document["agent"].get(end["prov:agent"], {})
        if end["prov:activity"] == activity and agent.get("prov:type") == "prov:SoftwareAgent":
            return {key.partition(":")[2]: value for key, value in agent.items() if key not in NOT_VERSIONS}
    return {}


def _datasets(
    document: dict[str, Any], tract: dict[str, Any], quanta: tuple[QuantumFacts, ...]
) -> tuple[DatasetFacts, ...]:
    """Collections on the way; that of the object tables as the one file of the tract."""
    makers = {entity: quantum.id for quantum in quanta for entity in quantum.outputs}
    read = {entity for quantum in quanta for entity in quantum.inputs}
    datasets = []
    for entity in dict.fromkeys(entity for quantum in quanta for entity in (*quantum.outputs, *quantum.inputs)):
        name = _name(document, entity)
        # What nothing on the way to the row reads is no part of it, except for the list of files itself.
        if entity not in read and not name.startswith(FILES):
            continue
        spec, _ = type_named(name)
        datasets.append(
            DatasetFacts(
                id=entity,
                dataset_type=name,
                data_id={}
                if spec is not None and not spec.dimensions
                else _data_id(tract, per_tract=_is_per_tract(name)),
                run=document["entity"][entity].get("pz:run", ""),
                uri=tract["object_file"] if name == OBJECT else None,
                recorded_sha256=tract["object_sha256"] if name == OBJECT else None,
                made_by=makers.get(entity),
            )
        )
    return tuple(datasets)


def _model(document: dict[str, Any], model_id: int | None) -> ModelFacts | None:
    for attributes in document.get("entity", {}).values():
        if model_id is not None and attributes.get("pz:model_id") == model_id:
            return ModelFacts(
                digest=attributes["pz:sha256"],
                algorithm=attributes["voprov:name"].partition(" ")[0],
                version=attributes["pz:version"],
                bands=attributes["pz:bands"],
                code_version=attributes.get("pz:code_version"),
                model_id=model_id,
                config=attributes.get("pz:config", ""),
                n_train=attributes.get("pz:training_rows"),
                training_sha256=attributes.get("pz:training_sha256"),
            )
    return None


def _campaign(document: dict[str, Any]) -> Campaign | None:
    """Campaign and its sign-offs, where there were any."""
    approvals = {key: value for key, value in document.get("activity", {}).items() if key.startswith(APPROVAL)}
    if not approvals:
        return None
    people = {
        end["prov:activity"]: document["agent"][end["prov:agent"]]["voprov:name"]
        for end in document["wasAssociatedWith"].values()
        if end["prov:activity"] in approvals
    }
    release, _, name = next(iter(approvals))[len(APPROVAL) :].rpartition("/")[0].rpartition("/")
    sign_offs = tuple(
        SignOff(key.rpartition("/")[2], people[key], entry["prov:startTime"], entry.get("voprov:comment", ""))
        for key, entry in approvals.items()
    )
    return Campaign(name=name, release=release, sign_offs=sign_offs)
