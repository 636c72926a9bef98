"""The directory in which a job runs: its inputs as files, and what is to be done with them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import yaml

from pzcenter.errors import ConflictError
from pzcenter.server.services.access import product_for
from pzcenter.server.services.cooperative import directory_of
from pzcenter.server.services.jobs.requests import SCORING, TrainingRequest, read_request
from pzcenter.server.services.principal import principal_of

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from pzcenter.server.services.context import Services
    from pzcenter.server.storage.processes import Process
    from pzcenter.server.storage.products import Product
    from pzcenter.server.storage.store import Store

__all__ = ["make_workspace", "workspace_of"]

STANDARD = {
    "ID": "source_id", "RA": "ra", "Dec": "dec", "z": "z_spec", "z_err": "z_err", "z_flag": "z_flag",
    "survey": "survey",
}  # fmt: skip
"""Names in our tables of the standard names that columns are associated with."""


def workspace_of(services: Services, uid: str) -> Path:
    """Directory of a job."""
    return services.settings.data_dir / "jobs" / uid


def make_workspace(services: Services, session: Session, process: Process) -> Path:
    """Make the directory of a job anew, with its inputs and ``spec.json``.

    The owner's rights are looked at again: what was visible when the job was asked for may no longer be.

    Parameters
    ----------
    services : Services
    session : Session
        One that reads.
    process : Process

    Returns
    -------
    Path

    Raises
    ------
    NotFoundError
        The owner may no longer see an input.
    ConflictError
        An input has no file.
    """
    path = workspace_of(services, process.uid)
    shutil.rmtree(path, ignore_errors=True)
    (path / "inputs").mkdir(parents=True)
    if process.pipeline.name == SCORING:
        scoring = {"pipeline": SCORING, "challenge": str(directory_of(services, process.used_config["challenge"]))}
        (path / "spec.json").write_text(json.dumps(scoring | _limits(services)))
        return path
    principal = principal_of(session, process.owner)
    request = read_request(process.pipeline.name, process.used_config)
    sources, surveys, objects = [], [], None
    for place, each in enumerate(process.inputs):
        product = product_for(session, principal, each.product_id)
        file = _lay_out(services.store, product, path / "inputs" / str(place))
        if product.product_type.name == "object_catalog":
            objects = file
        else:
            sources.append(_source(product, file))
            if "survey" in sources[-1]:
                surveys.append(_survey(path, product))
    if objects is None and process.output is not None and process.output.release is not None:
        objects = services.settings.object_catalogs.get(process.output.release.name)
    spec: dict[str, Any] = {
        **_limits(services),
        "pipeline": process.pipeline.name,
        "output_format": request.output_format,
        "combine": {"sources": sources, "survey_files": surveys},
    }
    if isinstance(request, TrainingRequest):
        spec |= {"training": request.param.settings(), "objects": None if objects is None else str(objects)}
    else:
        spec["combine"] |= request.param.settings()
        if request.rules is not None:
            (path / "rules.yaml").write_text(json.dumps(request.rules))
            surveys.append(str(path / "rules.yaml"))
    (path / "spec.json").write_text(json.dumps(spec))
    return path


def _limits(services: Services) -> dict[str, Any]:
    settings = services.settings
    return {"memory_bytes": settings.job_memory_bytes, "cpu_seconds": int(settings.job_hours * 3600)}


def _source(product: Product, file: Path) -> dict[str, Any]:
    named = {STANDARD[column.alias]: column.name for column in product.columns if column.alias in STANDARD}
    source: dict[str, Any] = {"name": f"product{product.id}", "path": str(file), "columns": named}
    if "survey" not in named:
        source["survey"] = source["name"]
        if "z_flag" in named:
            source["scale"] = "common"
    return source


def _survey(workspace: Path, product: Product) -> str:
    """Survey file of a product whose rows are all of one survey that nobody has described."""
    path = workspace / f"product{product.id}.yaml"
    words = {"name": f"product{product.id}", "title": product.display_name, "quality": []}
    path.write_text(yaml.safe_dump(words))
    return str(path)


def _lay_out(store: Store, product: Product, folder: Path) -> Path:
    """The main file of a product below a folder; contents of the store are linked, not copied."""
    file = product.main_file
    if file is None or file.reference is not None:
        raise ConflictError(f"product {product.id} has no main file on this server")
    folder.mkdir()
    target = folder / PurePosixPath(file.name).name
    if not file.is_directory:
        _bring(store, file, target)
        return target
    for part in file.parts:
        place = target / part.path
        place.parent.mkdir(parents=True, exist_ok=True)
        _bring(store, part, place)
    return target


def _bring(store: Store, file: Any, target: Path) -> None:
    local = store.local_path(file.sha256)
    if local is not None:
        target.symlink_to(local)
        return
    with target.open("wb") as sink:
        for piece in store.read(file.sha256):
            sink.write(piece)
