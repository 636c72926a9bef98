"""What a job made becomes a product: contents first, then everything else in one transaction."""

from __future__ import annotations

import mimetypes
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pzcenter.server.services.access import reach_of
from pzcenter.server.services.audit import record
from pzcenter.server.services.jobs.control import keep_reach
from pzcenter.server.services.principal import principal_of
from pzcenter.server.services.product_files import check_quota, keep_blob
from pzcenter.server.storage.base import now
from pzcenter.server.storage.processes import Process, ProcessState
from pzcenter.server.storage.products import FileRole, Product, ProductColumn, ProductFile, ProductState

if TYPE_CHECKING:
    from pzcenter.server.services.context import Services
    from pzcenter.server.storage.store import StoredContent

__all__ = ["publish_result"]

PAGE = "report.html"


def publish_result(services: Services, process_id: int, attempt: int, workspace: Path, result: dict[str, Any]) -> None:
    """Publish the product of a process.

    Parameters
    ----------
    services : Services
    process_id : int
    attempt : int
        Nothing happens when another worker has taken the process over meanwhile.
    workspace : Path
    result : dict
        As the child wrote it.

    Raises
    ------
    QuotaError
        The owner keeps too much.
    """
    names = [(result["main"], FileRole.MAIN)]
    names += [
        (name, FileRole.DESCRIPTION if Path(name).name == PAGE else FileRole.AUXILIARY) for name in result["files"]
    ]
    contents = [(Path(name).name, role, services.store.put_file(workspace / name)) for name, role in names]
    with services.database.writing() as session:
        process = session.get_one(Process, process_id)
        if process.attempts != attempt or process.state.ended or process.output_id is None:
            return
        product = session.get_one(Product, process.output_id)
        check_quota(services, session, product.owner_id, sum(content.size for _, _, content in contents))
        for name, role, content in contents:
            product.files.append(_file(name, role, content, result["n_rows"]))
            product.files[-1].blob = keep_blob(session, content)
        product.columns = [ProductColumn(order=place, **words) for place, words in enumerate(result["columns"])]
        product.size = sum(content.size for _, _, content in contents)
        product.n_rows, product.command = result["n_rows"], result["command"]
        # Inputs may have become narrower since the job was asked for.
        keep_reach(product, reach_of(each.product for each in process.inputs))
        product.state = ProductState.PUBLISHED
        product.published_at = product.updated_at = now()
        product.revision += 1
        process.state, process.ended_at = ProcessState.SUCCESSFUL, now()
        record(session, principal_of(session, process.owner), "process.publish", ("product", product.id))


def _file(name: str, role: FileRole, content: StoredContent, n_rows: int) -> ProductFile:
    return ProductFile(
        name=name, role=int(role), media_type=mimetypes.guess_type(name)[0], extension=Path(name).suffix.lower(),
        size=content.size, n_rows=n_rows if role == FileRole.MAIN else None,
    )  # fmt: skip
