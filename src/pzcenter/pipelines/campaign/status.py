"""Where a campaign stands, for people and programs."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from pzcenter.pipelines.campaign.state import read_state

if TYPE_CHECKING:
    import os

    from pzcenter.pipelines.campaign.state import CampaignState, StepState

__all__ = ["CampaignStatus", "StepStatus", "campaign_status"]


@dataclass(frozen=True)
class StepStatus:
    """One step.

    Parameters
    ----------
    name, words, state : str
    n_done, n_failed, n_planned : int
        Quanta.
    n_obj : int
        Objects in those that are done.
    objects_per_s : float or None
        Over the time from the first to the last event.
    eta_s : float or None
        Time left at the rate so far, while the step is under way.
    cpu_s : float
    peak_bytes : int
    runs : list of str
    failures : list of dict
    signed : str
        Who signed, when and with what words.
    """

    name: str
    words: str
    state: str
    n_done: int
    n_failed: int
    n_planned: int
    n_obj: int
    objects_per_s: float | None
    eta_s: float | None
    cpu_s: float
    peak_bytes: int
    runs: list[str]
    failures: list[dict[str, Any]]
    signed: str


@dataclass(frozen=True)
class CampaignStatus:
    """A campaign.

    Parameters
    ----------
    name, release, repository, chain : str
    driver : dict or None
        Process that works on it now.
    steps : list of StepStatus
    stalled_minutes : float or None
        How long nothing has happened, where that is longer than the campaign allows while a driver works.
    next_action : str
        What to do now.
    """

    name: str
    release: str
    repository: str
    chain: str
    driver: dict[str, Any] | None
    steps: list[StepStatus]
    stalled_minutes: float | None
    next_action: str

    def as_dict(self) -> dict[str, Any]:
        """As plain numbers and texts, for JSON."""
        return asdict(self)


def campaign_status(directory: str | os.PathLike[str], *, now: datetime | None = None) -> CampaignStatus:
    """Look at a campaign; nothing is changed, and a driver may be at work.

    Parameters
    ----------
    directory : path
    now : datetime, optional
        In place of the clock.

    Returns
    -------
    CampaignStatus

    Raises
    ------
    NotFoundError
        The directory is no campaign.
    """
    state = read_state(directory)
    clock = now or datetime.now(UTC)
    config = state.config
    last = max((step.last_event for step in state.steps), default="")
    silent = (clock - datetime.fromisoformat(last)).total_seconds() / 60 if last else 0.0
    return CampaignStatus(
        name=config.name,
        release=config.release,
        repository=config.repository,
        chain=config.chain,
        driver=state.driver,
        steps=[_step(step) for step in state.steps],
        stalled_minutes=silent if state.driver is not None and silent > config.stall_minutes else None,
        next_action=_next_action(state),
    )


def _step(step: StepState) -> StepStatus:
    seconds = 0.0
    if step.first_event and step.last_event:
        begin, end = (datetime.fromisoformat(each) for each in (step.first_event, step.last_event))
        seconds = step.wall_s or (end - begin).total_seconds()
    left = step.n_planned - step.n_done - len(step.failures)
    under_way = bool(step.graphs) and not step.finished
    signed = ""
    if step.approved is not None:
        signed = f"{step.approved['by']}, {step.approved['time']}: {step.approved['note']}".rstrip(": ")
        if step.approved.get("accepted"):
            signed += f" ({step.approved['accepted']} failures accepted)"
    return StepStatus(
        name=step.name,
        words=step.words,
        state=step.state,
        n_done=step.n_done,
        n_failed=len(step.failures),
        n_planned=step.n_planned,
        n_obj=step.n_obj,
        objects_per_s=step.n_obj / seconds if seconds > 0 and step.n_obj else None,
        eta_s=left * seconds / step.n_done if under_way and step.n_done and seconds else None,
        cpu_s=step.cpu_s,
        peak_bytes=step.peak_bytes,
        runs=step.runs,
        failures=[asdict(failure) for failure in step.failures],
        signed=signed,
    )


def _next_action(state: CampaignState) -> str:
    if state.driver is not None:
        return "a driver is at work; wait, or 'pz produce stop'"
    step = state.current
    if step is None:
        return "all steps are done: pz deliver build"
    run = f"pz produce run {state.directory}"
    approve = f"pz produce approve {state.directory} {step.name} --by NAME --note NOTE"
    if step.finished and step.failures:
        return f"{run} tries the failed ones again; {approve} --accept-failures goes on without them"
    return approve if step.finished else run
