"""What a mock answers to requests about jobs; it makes empty products, one stage at each look."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pzcenter.client.mock import shapes
from pzcenter.client.mock.reply import Reply
from pzcenter.client.mock.state import MockProduct, new_uid, now, product_of, sees
from pzcenter.errors import ConfigError, ConflictError, NotFoundError, PermissionDeniedError

if TYPE_CHECKING:
    from pzcenter.client.mock.reply import Handler, Request

__all__ = ["JOB_ROUTES", "MockJob"]

UID = "([2-9a-z]{12})"
MADE_OF = {
    "combine_redshift_dedup": ("Combine redshifts", "redshift_catalog"),
    "training_set_maker": ("Training set maker", "training_set"),
}
NEXT = {"pending": "running", "running": "successful"}
ENDED = {"successful", "stopped", "failed"}


@dataclass
class MockJob:
    """A job; every look brings it one stage further."""

    told: dict[str, Any]
    inputs: list[MockProduct]
    product: MockProduct
    uid: str = field(default_factory=new_uid)
    state: str = "pending"
    log: str = ""


def list_pipelines(request: Request) -> Reply:  # noqa: ARG001 - all handlers are alike
    """What can be made."""
    body = [
        {"name": name, "display_name": title, "version": "1", "description": "", "settings": {"type": "object"}}
        for name, (title, _) in MADE_OF.items()
    ]
    return Reply(body=body)


def start(request: Request) -> Reply:
    """Ask for a job."""
    wanted = ("pipeline", "display_name", "inputs", "release", "settings", "private")
    told = request.body(wanted, needed=wanted[:3])
    if told["pipeline"] not in MADE_OF:
        raise ConfigError(f"no pipeline {told['pipeline']!r}; there are {', '.join(MADE_OF)}")
    return Reply(201, _shape(request, _begin(request, told)))


def _begin(request: Request, told: dict[str, Any]) -> MockJob:
    inputs = [product_of(request.state, request.user, str(key)) for key in told["inputs"]]
    if not inputs:
        raise ConfigError("0 inputs; 1 to 50 different ones are accepted")
    for each in inputs:
        if each.state != "published" or each.main_file is None:
            raise ConflictError(f"product {each.id} is {each.state}; only published products with a file go in")
    words = shapes.WORDS | {"display_name": told["display_name"], "product_type": MADE_OF[told["pipeline"]][1]}
    narrow = told.get("private") or any(each.words["visibility"] != "release" for each in inputs)
    words |= {"release": told.get("release"), "tags": [], "visibility": "private" if narrow else "release"}
    product = MockProduct(next(request.state.numbers), request.user.username, words, state="processing")
    product.inputs = [(each.id, "input") for each in inputs]
    request.state.products[product.id] = product
    job = MockJob(told, inputs, product)
    request.state.jobs[job.uid] = job
    return job


def list_jobs(request: Request) -> Reply:
    """Jobs that the asker sees, in one page."""
    query = request.http.url.params
    states, mine = query.get_list("state"), query.get("mine") == "true"
    found = [
        _shape(request, each)
        for each in reversed(request.state.jobs.values())
        if sees(request.user, each.product)
        and (not states or each.state in states)
        and (not mine or each.product.owner == request.user.username)
    ]
    return Reply(body={"items": found[: int(query.get("limit", 50))], "next_cursor": None, "total": None})


def read(request: Request) -> Reply:
    """A job, one stage further than at the last look."""
    job = _job(request)
    told = _shape(request, job)
    if job.state in NEXT:
        _go_on(job, NEXT[job.state])
    return Reply(body=told)


def _go_on(job: MockJob, state: str) -> None:
    job.state = state
    job.log += f"{now():%H:%M:%S} {state}\n"
    if state == "successful":
        job.product.state, job.product.published_at = "published", now()
        job.product.touch()


def read_log(request: Request) -> Reply:
    """What a job said."""
    return Reply(content=_own(request).log.encode(), headers={"Content-Type": "text/plain; charset=utf-8"})


def stop(request: Request) -> Reply:
    """Have a job stopped."""
    job = _own(request)
    if job.state not in ENDED:
        job.state, job.product.state = "stopped", "failed"
    return Reply(body=_shape(request, job))


def run_again(request: Request) -> Reply:
    """Ask for the same again."""
    job = _job(request)
    if job.state not in ENDED:
        raise ConflictError(f"process {job.uid} is {job.state}; it can run again when it has ended")
    return Reply(201, _shape(request, _begin(request, job.told)))


def _job(request: Request) -> MockJob:
    job = request.state.jobs.get(request.key)
    if job is None or not sees(request.user, job.product):
        raise NotFoundError(f"no process {request.key}")
    return job


def _own(request: Request) -> MockJob:
    job = _job(request)
    if request.user.username != job.product.owner and request.user.role != "admin":
        raise PermissionDeniedError(f"process {job.uid} is not yours")
    return job


def _shape(request: Request, job: MockJob) -> dict[str, Any]:
    seen = [each.id for each in job.inputs if sees(request.user, each)]
    ended = job.product.updated_at.isoformat() if job.state in ENDED else None
    return {
        "uid": job.uid, "pipeline": job.told["pipeline"], "version": "1", "display_name": job.told["display_name"],
        "owner": job.product.owner, "state": job.state, "progress": {}, "stalled": False,
        "failure": "stopped before it began" if job.state == "stopped" else None, "release": job.told.get("release"),
        "product_id": job.product.id, "inputs": seen, "hidden_inputs": len(job.inputs) - len(seen),
        "settings": job.told.get("settings", {}), "environment": {},
        "created_at": job.product.created_at.isoformat(), "started_at": None, "ended_at": ended,
    }  # fmt: skip


JOB_ROUTES: dict[tuple[str, str], Handler] = {
    ("GET", "pipelines"): list_pipelines,
    ("GET", "jobs"): list_jobs,
    ("POST", "jobs"): start,
    ("GET", f"jobs/{UID}"): read,
    ("GET", f"jobs/{UID}/log"): read_log,
    ("POST", f"jobs/{UID}/stop"): stop,
    ("POST", f"jobs/{UID}/rerun"): run_again,
}
