"""The Validation Cooperative: challenges, files for participants, submissions, leaderboards."""

from __future__ import annotations

from datetime import datetime
from math import isfinite
from typing import Annotated, Any

from fastapi import APIRouter, Path, status
from fastapi.responses import FileResponse
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import select

from pzcenter.server.http.requests import CurrentServices, SignedIn
from pzcenter.server.rest.v2.fields import Body, LongText, Name, ShortText, Word
from pzcenter.server.services.cooperative import (
    add_challenge,
    board_of,
    challenge_checksums,
    challenge_files,
    challenge_for,
    hand_in,
    opened,
    public_file,
    set_state,
    submissions_of,
    visible_challenges,
)
from pzcenter.server.services.jobs import enqueue
from pzcenter.server.services.jobs.scoring import ask_for_scores
from pzcenter.server.storage.cooperative import Challenge, ChallengeState, Submission, SubmissionState

__all__ = ["router"]

router = APIRouter(tags=["challenges"])

ChallengeName = Annotated[str, Path(max_length=64, pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")]
Scenario = Annotated[str, Field(max_length=64)]
Technical = Annotated[dict[Annotated[str, Field(max_length=32)], float], Field(max_length=10)]


class ChallengeBody(Body):
    """A challenge whose directory lies below the server's data."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"name": "first_light", "release": None}]})

    name: Word
    release: Word | None = None


class StateBody(Body):
    """Whether participants may take part."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"state": "open"}]})

    state: ChallengeState


class SubmissionBody(Body):
    """Results to be handed in."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"method": "FlexZBoost", "products": {"representative": 17}}]}
    )

    method: Name
    products: Annotated[dict[Scenario, int], Field(min_length=1, max_length=100)]
    name: ShortText = ""
    description: LongText = ""
    technical: Technical = Field(default_factory=dict)


class ChallengeAnswer(BaseModel):
    """A challenge."""

    name: str
    title: str
    description: str
    state: ChallengeState
    release: str | None
    closes_at: datetime | None

    @classmethod
    def of(cls, row: Challenge) -> ChallengeAnswer:
        """Of a row."""
        return cls(
            name=row.name, title=row.title, description=row.description, state=row.state,
            release=None if row.release is None else row.release.name, closes_at=row.closes_at,
        )  # fmt: skip


class ChallengeDetail(ChallengeAnswer):
    """A challenge with its scenarios and files."""

    scenarios: list[str]
    rules: str
    files: dict[str, int]
    checksums: dict[str, str]


class SubmissionAnswer(BaseModel):
    """A submission."""

    uid: str
    name: str
    method: str
    author: str
    scenario: str
    state: SubmissionState
    submission_id: str | None
    refusal: str | None
    product_id: int | None
    created_at: datetime

    @classmethod
    def of(cls, row: Submission, author: str) -> SubmissionAnswer:
        """Of a row."""
        return cls(
            uid=row.uid, name=row.name, method=row.method, author=author, scenario=row.scenario, state=row.state,
            submission_id=row.sha256, refusal=row.refusal, product_id=row.product_id, created_at=row.created_at,
        )  # fmt: skip


@router.get("/challenges", operation_id="list_challenges")
def read_all(services: CurrentServices, principal: SignedIn) -> list[ChallengeAnswer]:
    """Challenges that you see, the newest first."""
    with services.database.reading() as session:
        rows = session.scalars(select(Challenge).where(visible_challenges(principal)).order_by(Challenge.id.desc()))
        return [ChallengeAnswer.of(row) for row in rows]


@router.post("/challenges", status_code=status.HTTP_201_CREATED, operation_id="add_challenge")
def add(services: CurrentServices, principal: SignedIn, body: ChallengeBody) -> ChallengeAnswer:
    """Show a challenge that was made on the server; for coordinators."""
    with services.database.writing() as session:
        return ChallengeAnswer.of(add_challenge(services, session, principal, body.name, release=body.release))


@router.get("/challenges/{name}", operation_id="get_challenge")
def read(services: CurrentServices, principal: SignedIn, name: ChallengeName) -> ChallengeDetail:
    """A challenge, with what there is to download."""
    with services.database.reading() as session:
        row = challenge_for(session, principal, name)
        settings = opened(services, row).settings
        return ChallengeDetail(
            **ChallengeAnswer.of(row).model_dump(), scenarios=list(settings.scenario_names), rules=settings.rules.text,
            files=challenge_files(services, row), checksums=challenge_checksums(services, row),
        )  # fmt: skip


@router.put("/challenges/{name}/state", operation_id="set_challenge_state")
def change(services: CurrentServices, principal: SignedIn, name: ChallengeName, body: StateBody) -> ChallengeAnswer:
    """Open a challenge, or close it; for coordinators."""
    with services.database.writing() as session:
        return ChallengeAnswer.of(set_state(session, principal, name, body.state))


@router.get("/challenges/{name}/files/{path:path}", operation_id="get_challenge_file", response_class=FileResponse)
def download(
    services: CurrentServices, principal: SignedIn, name: ChallengeName, path: Annotated[str, Path(max_length=500)]
) -> FileResponse:
    """A file for participants."""
    with services.database.reading() as session:
        found = public_file(services, challenge_for(session, principal, name), path)
    return FileResponse(found, filename=found.name, content_disposition_type="attachment")


@router.get("/challenges/{name}/submissions", operation_id="list_submissions")
def submissions(services: CurrentServices, principal: SignedIn, name: ChallengeName) -> list[SubmissionAnswer]:
    """What you handed in; for coordinators what everybody did."""
    with services.database.reading() as session:
        row = challenge_for(session, principal, name)
        return [SubmissionAnswer.of(each, each.user.username) for each in submissions_of(session, principal, row)]


@router.post("/challenges/{name}/submissions", status_code=status.HTTP_201_CREATED, operation_id="add_submission")
def submit(
    services: CurrentServices, principal: SignedIn, name: ChallengeName, body: SubmissionBody
) -> SubmissionAnswer:
    """Hand in results: main files of products of yours, by scenario. They are scored in the background."""
    made = hand_in(
        services, principal, name, body.products, method=body.method, title=body.name, description=body.description,
        technical=body.technical,
    )  # fmt: skip
    with services.database.writing() as session:
        number = ask_for_scores(session, principal, challenge_for(session, principal, name)).id
    enqueue(services, number)
    return SubmissionAnswer.of(made, principal.username)


@router.get("/challenges/{name}/leaderboard", operation_id="get_leaderboard")
def leaderboard(services: CurrentServices, principal: SignedIn, name: ChallengeName) -> list[dict[str, Any]]:
    """The leaderboard as it was last scored: a line for each scenario, metric and submission."""
    with services.database.reading() as session:
        board = board_of(services, challenge_for(session, principal, name))
    return [] if board is None else [_without_nan(line) for line in board.to_pylist()]


def _without_nan(line: dict[str, Any]) -> dict[str, Any]:
    """JSON has no NaN; what could not be measured is null."""
    return {name: None if isinstance(value, float) and not isfinite(value) else value for name, value in line.items()}
