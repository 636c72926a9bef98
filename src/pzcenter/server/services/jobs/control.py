"""What users do with jobs: ask for one, look at it, stop it, run it again."""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, or_, select

from pzcenter.errors import ConfigError, ConflictError, NotFoundError, PermissionDeniedError, QuotaError
from pzcenter.server.services.access import Reach, product_for, reach_of, visible
from pzcenter.server.services.audit import record
from pzcenter.server.services.jobs.requests import SCORING, read_request
from pzcenter.server.services.jobs.scoring import tell_submissions
from pzcenter.server.services.principal import Scope
from pzcenter.server.services.products import NewProduct, create_product
from pzcenter.server.storage.base import now
from pzcenter.server.storage.processes import Pipeline, Process, ProcessInput, ProcessState
from pzcenter.server.storage.products import Product, ProductLink, ProductState, ProductType, Visibility
from pzcenter.server.storage.releases import Release

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import ColumnElement
    from sqlalchemy.orm import Session

    from pzcenter.server.services.context import Services
    from pzcenter.server.services.principal import Principal

__all__ = ["keep_reach", "process_for", "process_log", "request_stop", "rerun", "submit", "visible_jobs"]

MAX_INPUTS = 50
MAX_WAITING = 20
"""Jobs of one user that have not ended."""
DISTRIBUTIONS = ("pzcenter", "numpy", "scipy", "pyarrow", "numba")


def submit(  # noqa: PLR0917 - what a job is, in the order of the interfaces
    services: Services,
    session: Session,
    principal: Principal,
    pipeline_name: str,
    display_name: str,
    config: dict[str, Any],
    input_ids: Sequence[int],
    release: str | None = None,
    *,
    private: bool = False,
) -> Process:
    """Ask for a job; its product is there at once, in state ``processing``.

    The product is seen no wider than the narrowest of its inputs: it belongs to their release, and where one of them
    is private, shared or under embargo, its owner alone sees it.

    The caller puts the number of the process into the queue once the transaction is through. A number that gets lost
    is found by the workers.

    Parameters
    ----------
    services : Services
    session : Session
        One that writes.
    principal : Principal
    pipeline_name : str
    display_name : str
        Of the product to come.
    config : dict
        See :func:`pzcenter.server.services.jobs.requests.read_request`.
    input_ids : sequence of int
        Products that go in; the asker must see each.
    release : str, optional
        That of the inputs by default.
    private : bool
        The product is for the asker alone, also where its inputs are open.

    Returns
    -------
    Process

    Raises
    ------
    NotFoundError
        No such pipeline, input or release, or none that the asker has rights to.
    ConfigError
        Settings or inputs that are not accepted.
    QuotaError
        Too many jobs of this user wait.
    """
    owner_id = principal.need(Scope.WRITE)
    request = read_request(pipeline_name, config)
    pipeline = session.scalar(select(Pipeline).where(Pipeline.name == pipeline_name))
    if pipeline is None:
        raise NotFoundError(f"no pipeline {pipeline_name!r} on this server")
    waiting = select(func.count()).where(Process.owner_id == owner_id, Process.ended_at.is_(None))
    if (session.scalar(waiting) or 0) >= MAX_WAITING:
        raise QuotaError(f"{MAX_WAITING} of your jobs have not ended; wait or stop some")
    inputs = _inputs(session, principal, pipeline, input_ids)
    kind = session.get_one(ProductType, pipeline.output_type_id)
    reach = reach_of(inputs)
    release = release or _release_of(session, reach, kind)
    product = create_product(
        services, session, principal,
        NewProduct(display_name, kind.name, release=release, origin=pipeline.display_name),
    )  # fmt: skip
    product.state = ProductState.PROCESSING
    keep_reach(product, reach, private=private)
    if product.release is not None:
        _object_catalog(services, product.release, inputs)
    elif pipeline_name == "training_set_maker" and not any(_is_catalog(each) for each in inputs):
        raise ConfigError("a training set needs a release, or a product of type object_catalog among the inputs")
    session.add_all(ProductLink(product_id=product.id, input_id=each.id) for each in inputs)
    process = Process(
        pipeline=pipeline, pipeline_version=version("pzcenter"), owner_id=owner_id, display_name=display_name,
        release_id=product.release_id, output_id=product.id, used_config=request.model_dump(mode="json"),
        inputs=[ProcessInput(product_id=each.id, order=place) for place, each in enumerate(inputs)],
        environment={name: version(name) for name in DISTRIBUTIONS},
    )  # fmt: skip
    session.add(process)
    session.flush()
    record(
        session, principal, "process.submit", ("process", process.id), pipeline=pipeline_name,
        inputs=[each.id for each in inputs], output=product.id,
    )  # fmt: skip
    return process


def _release_of(session: Session, reach: Reach, kind: ProductType) -> str | None:
    """Release of what is made of some inputs."""
    if not reach.release_ids or kind.name == "redshift_catalog":
        return None
    if len(reach.release_ids) > 1:
        names = session.scalars(select(Release.name).where(Release.id.in_(reach.release_ids)).order_by(Release.name))
        raise ConfigError(f"the inputs are of several releases ({', '.join(names)}); say which one the product is of")
    return session.get_one(Release, next(iter(reach.release_ids))).name


def keep_reach(product: Product, reach: Reach, *, private: bool = False) -> None:
    """Let a product be seen no wider than what it is made of.

    Parameters
    ----------
    product : Product
    reach : Reach
        Of its inputs.
    private : bool
        Only its owner is to see it anyway.
    """
    if private or not reach.is_open or not reach.release_ids <= {product.release_id}:
        product.visibility = Visibility.PRIVATE
    if reach.embargo_until and (product.embargo_until is None or product.embargo_until < reach.embargo_until):
        product.embargo_until = reach.embargo_until


def visible_jobs(principal: Principal) -> ColumnElement[bool]:
    """Condition on processes: one's own, and those whose product one sees."""
    if principal.administers:
        return Process.id.is_not(None)
    seen = select(Product.id).where(visible(principal))
    return or_(Process.owner_id == principal.need(Scope.READ), Process.output_id.in_(seen))


def process_for(session: Session, principal: Principal, process_id: int | str) -> Process:
    """A process, for somebody who may see it.

    Raises
    ------
    NotFoundError
    """
    principal.need(Scope.READ)
    key = Process.id == process_id if isinstance(process_id, int) else Process.uid == process_id
    process = session.scalar(select(Process).where(key, visible_jobs(principal)))
    if process is None:
        raise NotFoundError(f"no process {process_id}")
    return process


def process_log(session: Session, principal: Principal, process_id: int | str) -> str:
    """Last lines that a process said; for its owner and admins, since they may tell of inputs."""
    return _own(session, principal, process_id, Scope.READ).log


def request_stop(session: Session, principal: Principal, process_id: int | str) -> Process:
    """Have a process stopped; one that has not begun is stopped at once.

    Raises
    ------
    NotFoundError, PermissionDeniedError
    """
    process = _own(session, principal, process_id, Scope.WRITE)
    if process.state.ended:
        return process
    process.stop_requested = True
    if process.state in {ProcessState.PENDING, ProcessState.QUEUED}:
        end(session, process, ProcessState.STOPPED, "stopped before it began")
    else:
        process.state = ProcessState.STOPPING
    record(session, principal, "process.stop", ("process", process.id))
    return process


def rerun(services: Services, session: Session, principal: Principal, process_id: int | str) -> Process:
    """Ask for the same job again: same settings, same inputs, a new product."""
    old = process_for(session, principal, process_id)
    if not old.state.ended:
        raise ConflictError(f"process {old.id} is {old.state}; it can run again when it has ended")
    release = None if old.release_id is None else session.get_one(Release, old.release_id).name
    numbers = [each.product_id for each in old.inputs]
    private = old.output is not None and old.output.visibility is Visibility.PRIVATE
    return submit(
        services, session, principal, old.pipeline.name, old.display_name, old.used_config, numbers, release,
        private=private,
    )  # fmt: skip


def end(session: Session, process: Process, state: ProcessState, failure: str | None = None) -> None:
    """Note that a process has ended without a product.

    Parameters
    ----------
    session : Session
        One that writes.
    process : Process
    state : ProcessState
    failure : str, optional
    """
    process.state, process.failure, process.ended_at = state, failure, now()
    if process.pipeline.name == SCORING:
        tell_submissions(session, process)
    product = None if process.output_id is None else session.get(Product, process.output_id)
    if product is not None and product.state is ProductState.PROCESSING:
        product.state, product.failure, product.updated_at = ProductState.FAILED, failure, now()
        product.revision += 1


def _own(session: Session, principal: Principal, process_id: int | str, scope: Scope) -> Process:
    process = process_for(session, principal, process_id)
    if process.owner_id != principal.need(scope) and not principal.administers:
        raise PermissionDeniedError(f"process {process.id} is not yours")
    return process


def _inputs(session: Session, principal: Principal, pipeline: Pipeline, numbers: Sequence[int]) -> list[Product]:
    if not numbers or len(numbers) > MAX_INPUTS or len(set(numbers)) < len(numbers):
        raise ConfigError(f"{len(numbers)} inputs; 1 to {MAX_INPUTS} different ones are accepted")
    inputs = [product_for(session, principal, number) for number in numbers]
    for each in inputs:
        if each.product_type_id not in pipeline.accepted_types and not _is_catalog(each):
            raise ConfigError(f"product {each.id} is a {each.product_type.display_name}; {pipeline.name} takes none")
        if each.state is not ProductState.PUBLISHED or each.main_file is None:
            raise ConflictError(f"product {each.id} is {each.state}; only published products with a file go in")
    return inputs


def _is_catalog(product: Product) -> bool:
    return product.product_type.name == "object_catalog"


def _object_catalog(services: Services, release: Release, inputs: list[Product]) -> None:
    if release.name not in services.settings.object_catalogs and not any(_is_catalog(each) for each in inputs):
        raise ConfigError(
            f"this server has no object catalogue of release {release.name!r}; "
            "add a product of type object_catalog to the inputs"
        )
