"""Scores of a challenge as a job: asked for by coordinators, or by whoever hands something in."""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from pzcenter.server.services.jobs.requests import SCORING
from pzcenter.server.services.principal import Scope
from pzcenter.server.storage.base import now
from pzcenter.server.storage.cooperative import Challenge, Submission, SubmissionState
from pzcenter.server.storage.processes import Pipeline, Process, ProcessState

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from pzcenter.server.services.context import Services
    from pzcenter.server.services.principal import Principal

__all__ = ["ask_for_scores", "publish_scores", "tell_submissions"]

WAITING = (ProcessState.PENDING, ProcessState.QUEUED)


def ask_for_scores(session: Session, principal: Principal, challenge: Challenge) -> Process:
    """Have all submissions of a challenge scored that are not yet; one job that waits is enough for all.

    Parameters
    ----------
    session : Session
        One that writes.
    principal : Principal
    challenge : Challenge

    Returns
    -------
    Process
        To be put into the queue.
    """
    user_id = principal.need(Scope.WRITE)
    pipeline = session.scalars(select(Pipeline).where(Pipeline.name == SCORING)).one()
    waiting = select(Process).where(Process.pipeline_id == pipeline.id, Process.state.in_(WAITING))
    for process in session.scalars(waiting):
        if process.used_config.get("challenge") == challenge.name:
            return process
    process = Process(
        pipeline=pipeline, pipeline_version=version("pzcenter"), owner_id=user_id,
        display_name=f"Scores of {challenge.name}", release_id=challenge.release_id,
        used_config={"challenge": challenge.name}, environment={"pzcenter": version("pzcenter")},
    )  # fmt: skip
    session.add(process)
    session.flush()
    return process


def publish_scores(services: Services, process_id: int, attempt: int, result: dict[str, Any]) -> None:
    """Note which submissions have scores now.

    Parameters
    ----------
    services : Services
    process_id : int
    attempt : int
    result : dict
        As the child wrote it: version of the scores, and reasons by submission for those that have none.
    """
    with services.database.writing() as session:
        process = session.get_one(Process, process_id)
        if process.attempts != attempt or process.state.ended:
            return
        name = process.used_config["challenge"]
        challenge = session.scalars(select(Challenge).where(Challenge.name == name)).one()
        begun = process.started_at or now()
        for row in session.scalars(select(Submission).where(Submission.challenge_id == challenge.id)):
            if row.state is SubmissionState.REFUSED or row.sha256 is None or row.created_at > begun:
                continue
            failure = result["failures"].get(row.sha256)
            row.state = SubmissionState.RECEIVED if failure else SubmissionState.SCORED
            row.refusal = failure
            row.scores = None if failure else {"version": result["scored"]}
        process.state, process.ended_at = ProcessState.SUCCESSFUL, now()


def tell_submissions(session: Session, process: Process) -> None:
    """Say of submissions that wait why their scores did not come; the next job for scores takes it back.

    Parameters
    ----------
    session : Session
        One that writes.
    process : Process
        A job for scores that has ended without any.
    """
    name, begun = process.used_config.get("challenge"), process.started_at or now()
    challenge = session.scalar(select(Challenge).where(Challenge.name == name))
    if challenge is None:
        return
    waiting = select(Submission).where(
        Submission.challenge_id == challenge.id, Submission.state == SubmissionState.RECEIVED,
        Submission.created_at <= begun,
    )  # fmt: skip
    for row in session.scalars(waiting):
        row.refusal = f"not scored yet: job {process.id} is {process.state} ({process.failure or 'no reason'})"
