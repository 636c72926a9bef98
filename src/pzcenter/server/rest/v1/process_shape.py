"""Processes as the JSON that the first interface's clients read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from pzcenter.server.rest.v1.shapes import products_json, time_text
from pzcenter.server.services.access import visible
from pzcenter.server.storage.processes import ProcessInput
from pzcenter.server.storage.products import Product
from pzcenter.server.storage.releases import Release

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.orm import Session

    from pzcenter.server.services.principal import Principal
    from pzcenter.server.storage.processes import Process

__all__ = ["process_json", "processes_json"]

MANY_IDS = 500


def process_json(session: Session, principal: Principal, process: Process) -> dict[str, Any]:
    """One process."""
    return processes_json(session, principal, [process])[0]


def processes_json(session: Session, principal: Principal, processes: Sequence[Process]) -> list[dict[str, Any]]:
    """Processes with those of their inputs that the asker may see; ``hidden_inputs`` says how many there are more."""
    inputs: dict[int, list[int]] = {process.id: [] for process in processes}
    for some in _parts(list(inputs)):
        rows = select(ProcessInput.process_id, ProcessInput.product_id).where(ProcessInput.process_id.in_(some))
        for process_id, product_id in session.execute(rows.order_by(ProcessInput.order)).tuples():
            inputs[process_id].append(product_id)
    seen: dict[int, dict[str, Any]] = {}
    for some in _parts(sorted({each for ids in inputs.values() for each in ids})):
        products = session.scalars(select(Product).where(Product.id.in_(some), visible(principal))).all()
        seen |= {told["id"]: told for told in products_json(session, principal, products)}
    ids = {process.release_id for process in processes if process.release_id is not None}
    found = session.scalars(select(Release).where(Release.id.in_(ids)))
    releases: dict[int | None, str] = {release.id: release.display_name or release.name for release in found}
    return [_process(principal, process, inputs[process.id], seen, releases) for process in processes]


def _parts(ids: list[int]) -> list[list[int]]:
    return [ids[start : start + MANY_IDS] for start in range(0, len(ids), MANY_IDS)]


def _process(
    principal: Principal,
    process: Process,
    inputs: list[int],
    seen: dict[int, dict[str, Any]],
    releases: dict[int | None, str],
) -> dict[str, Any]:
    known = [each for each in inputs if each in seen]
    return {
        "id": process.id,
        "release": process.release_id,
        "release_name": releases.get(process.release_id),
        "pipeline_name": process.pipeline.name,
        "pipeline_version": process.pipeline_version or process.pipeline.version,
        "owned_by": process.owner.username,
        "is_owner": process.owner_id == principal.user_id,
        "provenance_inputs": [seen[each] for each in known],
        "hidden_inputs": len(inputs) - len(known),
        "used_config": process.used_config,
        "display_name": process.display_name,
        "created_at": time_text(process.created_at),
        "started_at": time_text(process.started_at),
        "ended_at": time_text(process.ended_at),
        "orchestration_process_id": None,
        "status": str(process.state),
        "path": None,
        "comment": process.comment or process.failure,
        "pipeline": process.pipeline_id,
        "upload": process.output_id,
        "inputs": known,
    }
