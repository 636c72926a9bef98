"""Jobs: those of the asker, and one of them with its progress, log, stop and another run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response
from sqlalchemy import select

from pzcenter.server.http.forms import FormSender
from pzcenter.server.http.requests import CurrentServices, SignedIn
from pzcenter.server.pages.fields import Uid
from pzcenter.server.pages.render import page
from pzcenter.server.pages.sign_in import go_on
from pzcenter.server.services.access import Action, may
from pzcenter.server.services.jobs.control import process_for, process_log, request_stop, rerun, visible_jobs
from pzcenter.server.services.jobs.queue import enqueue
from pzcenter.server.storage.processes import Process

if TYPE_CHECKING:
    from pzcenter.server.services.principal import Principal

__all__ = ["router"]

router = APIRouter(include_in_schema=False)
PAGE_SIZE = 25
LAST_PAGE = 400
MOST_INPUTS = 100


@router.get("/jobs")
def jobs(
    request: Request,
    services: CurrentServices,
    principal: SignedIn,
    *,
    everybody: Annotated[str, Query(max_length=1)] = "",
    number: Annotated[int, Query(alias="page", ge=1, le=LAST_PAGE)] = 1,
) -> Response:
    """Jobs, the newest first."""
    with services.database.reading() as session:
        wanted = select(Process).where(visible_jobs(principal))
        if not everybody:
            wanted = wanted.where(Process.owner_id == principal.user_id)
        wanted = wanted.order_by(Process.id.desc()).offset((number - 1) * PAGE_SIZE).limit(PAGE_SIZE + 1)
        rows = session.scalars(wanted).all()
        running = any(not row.state.ended for row in rows[:PAGE_SIZE])
        return page(
            request, "jobs.html", jobs=rows[:PAGE_SIZE], more=len(rows) > PAGE_SIZE, number=number,
            everybody=everybody, running=running,
        )  # fmt: skip


@router.get("/jobs/{uid}")
def job(request: Request, services: CurrentServices, principal: SignedIn, uid: Uid) -> Response:
    """One job; while it is under way the page asks again every few seconds."""
    with services.database.reading() as session:
        process = process_for(session, principal, uid)
        mine = process.owner_id == principal.user_id or principal.administers
        inputs = [
            each.product if may(principal, Action.SEE, each.product) else None for each in process.inputs[:MOST_INPUTS]
        ]
        output = process.output if process.output is not None and may(principal, Action.SEE, process.output) else None
        return page(
            request, "job.html", job=process, inputs=inputs, output=output, mine=mine, progress=_progress(process),
            log=process_log(session, principal, uid) if mine else None, settings=_flat(process.used_config),
        )  # fmt: skip


@router.post("/jobs/{uid}/stop")
def stop(services: CurrentServices, principal: FormSender, uid: Uid) -> Response:
    """Have a job stopped."""
    with services.database.writing() as session:
        request_stop(session, principal, uid)
    return go_on(f"/jobs/{uid}")


@router.post("/jobs/{uid}/rerun")
def run_again(services: CurrentServices, principal: FormSender, uid: Uid) -> Response:
    """Ask for the same job again."""
    return _begin(services, principal, uid)


def _begin(services: CurrentServices, principal: Principal, uid: str) -> Response:
    with services.database.writing() as session:
        process = rerun(services, session, principal, uid)
        number, target = process.id, process.uid
    enqueue(services, number)
    return go_on(f"/jobs/{target}")


def _progress(process: Process) -> dict[str, Any]:
    """Stage, and how much of it is done where that is known."""
    told = process.progress or {}
    done, all_of_it = told.get("done"), told.get("all") or told.get("n")
    known = isinstance(done, int | float) and isinstance(all_of_it, int | float) and all_of_it > 0
    return {"stage": str(told.get("stage", "")), "done": done if known else None, "all": all_of_it if known else None}


def _flat(words: Any, before: str = "") -> list[tuple[str, str]]:
    """Settings as lines: the path of each, and its value."""
    if not isinstance(words, dict):
        return [(before, str(words))]
    return [line for name, value in words.items() for line in _flat(value, f"{before}.{name}" if before else name)]
