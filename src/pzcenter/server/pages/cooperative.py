"""The Validation Cooperative: challenges, files for participants, handing in, leaderboards."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Form, Path, Request
from fastapi.responses import FileResponse, Response
from sqlalchemy import select

from pzcenter.errors import PZCenterError
from pzcenter.server.http.forms import FormSender
from pzcenter.server.http.requests import CurrentServices, SignedIn
from pzcenter.server.http.status import status_of
from pzcenter.server.pages.prose import prose
from pzcenter.server.pages.render import page
from pzcenter.server.pages.sign_in import go_on
from pzcenter.server.services.cooperative import (
    board_of,
    challenge_files,
    challenge_for,
    hand_in,
    opened,
    public_file,
    set_state,
    submissions_of,
    visible_challenges,
)
from pzcenter.server.services.jobs.queue import enqueue
from pzcenter.server.services.jobs.scoring import ask_for_scores
from pzcenter.server.storage.cooperative import Challenge, ChallengeState
from pzcenter.server.storage.products import Product, ProductState

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from pzcenter.server.services.context import Services
    from pzcenter.server.services.principal import Principal

__all__ = ["router"]

router = APIRouter(include_in_schema=False)
Name = Annotated[str, Path(max_length=64, pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")]
MOST_PRODUCTS = 200
OVERALL = "overall"
SAID_NOTHING = {"method": "", "title": "", "scenario": "", "product": ""}


@router.get("/cooperative")
def challenges(request: Request, services: CurrentServices, principal: SignedIn) -> Response:
    """All challenges that the asker sees."""
    with services.database.reading() as session:
        rows = session.scalars(select(Challenge).where(visible_challenges(principal)).order_by(Challenge.id.desc()))
        return page(request, "cooperative.html", challenges=list(rows))


@router.get("/cooperative/{name}")
def challenge(request: Request, services: CurrentServices, principal: SignedIn, name: Name) -> Response:
    """One challenge, with what there is to download, what was handed in, and the leaderboard."""
    return _page(request, services, principal, name)


@router.get("/cooperative/{name}/files/{path:path}")
def download(
    services: CurrentServices, principal: SignedIn, name: Name, path: Annotated[str, Path(max_length=500)]
) -> FileResponse:
    """A file for participants."""
    with services.database.reading() as session:
        found = public_file(services, challenge_for(session, principal, name), path)
    return FileResponse(found, filename=found.name, content_disposition_type="attachment")


@router.post("/cooperative/{name}/submissions")
def submit(
    request: Request,
    services: CurrentServices,
    principal: FormSender,
    name: Name,
    *,
    product: Annotated[int, Form(ge=1, le=2**31 - 1)],
    scenario: Annotated[str, Form(max_length=64)],
    method: Annotated[str, Form(max_length=255)],
    title: Annotated[str, Form(max_length=255)] = "",
) -> Response:
    """Hand in the main file of a product for one scenario."""
    try:
        hand_in(services, principal, name, {scenario: product}, method=method, title=title)
        with services.database.writing() as session:
            number = ask_for_scores(session, principal, challenge_for(session, principal, name)).id
    except PZCenterError as error:
        if status_of(error) in {401, 404} or status_of(error) >= 500:
            raise
        said = {"method": method, "title": title, "scenario": scenario, "product": product}
        return _page(request, services, principal, name, error=str(error), said=said, status=status_of(error))
    enqueue(services, number)
    return go_on(f"/cooperative/{name}")


@router.post("/cooperative/{name}/state")
def change(
    services: CurrentServices, principal: FormSender, name: Name, state: Annotated[ChallengeState, Form()]
) -> Response:
    """Open a challenge, or close it."""
    with services.database.writing() as session:
        set_state(session, principal, name, state)
    return go_on(f"/cooperative/{name}")


def _page(
    request: Request, services: Services, principal: Principal, name: str, *, error: str | None = None,
    said: dict[str, Any] | None = None, status: int = 200,
) -> Response:  # fmt: skip
    with services.database.reading() as session:
        row = challenge_for(session, principal, name)
        settings = opened(services, row).settings
        board = board_of(services, row)
        return page(
            request, "challenge.html", status=status, challenge=row, settings=settings,
            description=prose(row.description), files=challenge_files(services, row),
            submissions=submissions_of(session, principal, row), boards=_boards(board), curates=principal.curates,
            scenarios=[(each, each) for each in settings.scenario_names],
            products=_products(session, principal), error=error, said=SAID_NOTHING | (said or {}),
            takes=row.state is ChallengeState.OPEN, states=[(each.value, each.value) for each in ChallengeState],
        )  # fmt: skip


def _products(session: Session, principal: Principal) -> list[tuple[int, str]]:
    """The asker's own products that may be handed in."""
    wanted = select(Product.id, Product.display_name).where(
        Product.owner_id == principal.user_id,
        Product.state.in_((ProductState.REGISTERING, ProductState.PUBLISHED)),
    )
    rows = session.execute(wanted.order_by(Product.id.desc()).limit(MOST_PRODUCTS))
    return [(number, f"{number}: {name}") for number, name in rows]


def _boards(board: Any) -> list[tuple[str, str, list[dict[str, Any]]]]:
    """Lines of the leaderboard by scenario and metric, the overall ones first."""
    found: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for line in [] if board is None else board.to_pylist():
        found.setdefault((line["scenario"], line["metric"]), []).append(line)
    keys = sorted(found, key=lambda key: (key[0] != OVERALL, key))
    # Controls have no rank, and stand last.
    by_rank = {key: sorted(found[key], key=lambda line: (line["rank"] is None, line["rank"] or 0)) for key in keys}
    return [(scenario, metric, by_rank[scenario, metric]) for scenario, metric in keys]
