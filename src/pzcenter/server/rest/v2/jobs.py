"""Jobs: what the server can make, what it makes, and what came of it."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response, status
from fastapi.responses import PlainTextResponse
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import select
from sqlalchemy.orm import Session

from pzcenter.server.http.requests import CurrentServices, SignedIn
from pzcenter.server.rest.v2.answers import Page
from pzcenter.server.rest.v2.fields import MAX_ID, Body, Code, Name, Uid, Word
from pzcenter.server.rest.v2.paging import Cursor, Limit, number_of, tell_next, wanted_rows
from pzcenter.server.services.access import Action, may
from pzcenter.server.services.jobs import enqueue, process_for, process_log, request_stop, rerun, submit, visible_jobs
from pzcenter.server.services.jobs.requests import PIPELINES
from pzcenter.server.services.principal import Principal
from pzcenter.server.storage.processes import Pipeline, Process, ProcessState
from pzcenter.server.storage.releases import Release

__all__ = ["router"]

router = APIRouter(tags=["jobs"])
JobState = StrEnum("JobState", {state.name: state.value.lower() for state in ProcessState})  # type: ignore[misc]
"""Stages of a job."""
MAX_INPUTS = 50


class PipelineAnswer(BaseModel):
    """Something that the server can make."""

    name: str
    display_name: str
    version: str
    description: str
    settings: dict[str, Any] = Field(description="JSON schema of what may be said of a job.")


class JobBody(Body):
    """A job to be done."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "pipeline": "combine_redshift_dedup", "display_name": "All redshifts", "inputs": [17, 18],
                    "settings": {"param": {"combine_type": "concatenate_and_mark_duplicates"}},
                }
            ]
        }
    )  # fmt: skip

    pipeline: Code
    display_name: Name = Field(description="Of the product to come.")
    inputs: list[Annotated[int, Field(ge=1, le=MAX_ID)]] = Field(
        min_length=1, max_length=MAX_INPUTS, description="Numbers of published products."
    )
    release: Word | None = Field(default=None, description="That of the inputs otherwise.")
    private: bool = Field(
        default=False,
        description="The product is for you alone; it is anyway where an input is private, shared or under embargo.",
    )
    settings: dict[str, Any] = Field(default={}, description="See the schema of the pipeline.")


class JobAnswer(BaseModel):
    """A job."""

    uid: str
    pipeline: str
    version: str
    display_name: str
    owner: str
    state: JobState
    progress: dict[str, Any] = Field(description="stage, and where known done and all.")
    stalled: bool = Field(description="Nothing new for a quarter of an hour.")
    failure: str | None
    release: str | None
    product_id: int | None = Field(description="What it makes; null where the asker does not see it.")
    inputs: list[int] = Field(description="Products that went in, of those that the asker sees.")
    hidden_inputs: int
    settings: dict[str, Any]
    environment: dict[str, Any] = Field(description="Versions of what made the product.")
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None

    @classmethod
    def of(cls, session: Session, principal: Principal, row: Process) -> JobAnswer:
        """Of a row; products are told of to those alone who see them."""
        seen = [each.product_id for each in row.inputs if may(principal, Action.SEE, each.product)]
        output = row.output if row.output is not None and may(principal, Action.SEE, row.output) else None
        release = None if row.release_id is None else session.get_one(Release, row.release_id).name
        return cls(
            uid=row.uid, pipeline=row.pipeline.name, version=row.pipeline_version or row.pipeline.version,
            display_name=row.display_name, owner=row.owner.username, state=JobState(row.state.value.lower()),
            progress=row.progress or {}, stalled=row.stalled_at is not None, failure=row.failure, release=release,
            product_id=None if output is None else output.id, inputs=seen, hidden_inputs=len(row.inputs) - len(seen),
            settings=row.used_config, environment=row.environment, created_at=row.created_at,
            started_at=row.started_at, ended_at=row.ended_at,
        )  # fmt: skip


@router.get("/pipelines", operation_id="list_pipelines")
def pipelines(services: CurrentServices, _principal: SignedIn) -> list[PipelineAnswer]:
    """What this server can make, and what may be said of it."""
    with services.database.reading() as session:
        rows = session.scalars(select(Pipeline).where(Pipeline.name.in_(PIPELINES)).order_by(Pipeline.id)).all()
        return [
            PipelineAnswer(
                name=row.name, display_name=row.display_name, version=row.version, description=row.description,
                settings=PIPELINES[row.name].model_json_schema(),
            )
            for row in rows
        ]  # fmt: skip


@router.get("/jobs", operation_id="list_jobs")
def read(
    services: CurrentServices,
    principal: SignedIn,
    *,
    request: Request,
    response: Response,
    state: Annotated[list[JobState], Query(max_length=7, description="Any of these.")] = [],  # noqa: B006
    mine: Annotated[bool, Query(description="Only those that you asked for.")] = False,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Page[JobAnswer]:
    """Your jobs, and those whose product you see, the newest first."""
    limit = wanted_rows(services, limit)
    with services.database.reading() as session:
        wanted = select(Process).where(visible_jobs(principal), Process.id < number_of(cursor))
        if mine:
            wanted = wanted.where(Process.owner_id == principal.user_id)
        if state:
            wanted = wanted.where(Process.state.in_([ProcessState[each.name] for each in state]))
        rows = session.scalars(wanted.order_by(Process.id.desc()).limit(limit)).all()
        items = [JobAnswer.of(session, principal, row) for row in rows]
        following = tell_next(request, response, rows, limit, "id")
    return Page[JobAnswer](items=items, next_cursor=following)


@router.post("/jobs", status_code=status.HTTP_201_CREATED, operation_id="start_job")
def start(services: CurrentServices, principal: SignedIn, body: JobBody, response: Response) -> JobAnswer:
    """Ask for a job; its product is there at once, and published when the job has ended well."""
    with services.database.writing() as session:
        process = submit(
            services, session, principal, body.pipeline, body.display_name, body.settings, body.inputs, body.release,
            private=body.private,
        )  # fmt: skip
        answer, number = JobAnswer.of(session, principal, process), process.id
    enqueue(services, number)
    response.headers["Location"] = f"/api/v2/jobs/{answer.uid}"
    return answer


@router.get("/jobs/{job_uid}", operation_id="get_job")
def see(services: CurrentServices, principal: SignedIn, job_uid: Uid) -> JobAnswer:
    """A job, and how far it is."""
    with services.database.reading() as session:
        return JobAnswer.of(session, principal, process_for(session, principal, job_uid))


@router.get("/jobs/{job_uid}/log", operation_id="get_job_log", response_class=PlainTextResponse)
def log(services: CurrentServices, principal: SignedIn, job_uid: Uid) -> PlainTextResponse:
    """Last lines that a job of yours said."""
    with services.database.reading() as session:
        return PlainTextResponse(process_log(session, principal, job_uid))


@router.post("/jobs/{job_uid}/stop", operation_id="stop_job")
def stop(services: CurrentServices, principal: SignedIn, job_uid: Uid) -> JobAnswer:
    """Have a job of yours stopped; one that has ended stays as it is."""
    with services.database.writing() as session:
        return JobAnswer.of(session, principal, request_stop(session, principal, job_uid))


@router.post("/jobs/{job_uid}/rerun", status_code=status.HTTP_201_CREATED, operation_id="rerun_job")
def run_again(services: CurrentServices, principal: SignedIn, job_uid: Uid, response: Response) -> JobAnswer:
    """Ask for the same job again: same settings, same inputs, a new product."""
    with services.database.writing() as session:
        process = rerun(services, session, principal, job_uid)
        answer, number = JobAnswer.of(session, principal, process), process.id
    enqueue(services, number)
    response.headers["Location"] = f"/api/v2/jobs/{answer.uid}"
    return answer
