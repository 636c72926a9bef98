"""What a mock answers to requests about challenges; it scores nothing, and ranks by arrival."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from pzcenter.client.mock.reply import Reply
from pzcenter.client.mock.state import MockUser, new_uid, now, product_of
from pzcenter.errors import ConflictError, NotFoundError, PermissionDeniedError, UsageError

if TYPE_CHECKING:
    from pzcenter.client.mock.reply import Handler, Request

__all__ = ["CHALLENGE_ROUTES", "MockChallenge"]

NAME = r"([A-Za-z0-9][A-Za-z0-9_.-]*)"
STATES = ("draft", "open", "closed")


@dataclass
class MockChallenge:
    """A challenge; hidden until a coordinator adds it.

    Attributes
    ----------
    files : dict of str to bytes
        For participants, by path.
    board : list of dict
        Lines of the leaderboard; a submission adds one for each scenario.
    """

    name: str
    scenarios: tuple[str, ...] = ("one",)
    title: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    release: str | None = None
    state: str = "draft"
    added: bool = False
    submissions: list[dict[str, Any]] = field(default_factory=list)
    board: list[dict[str, Any]] = field(default_factory=list)


def _sees(user: MockUser, each: MockChallenge) -> bool:
    rights = each.release is None or each.release in user.releases
    return each.added and (user.curates or (each.state != "draft" and rights))


def _challenge(request: Request) -> MockChallenge:
    found = request.state.challenges.get(request.key)
    if found is None or not _sees(request.user, found):
        raise NotFoundError(f"no challenge {request.key!r}")
    return found


def _shape(each: MockChallenge) -> dict[str, Any]:
    return {
        "name": each.name, "title": each.title or each.name, "description": "", "state": each.state,
        "release": each.release, "closes_at": None,
    }  # fmt: skip


def _detail(each: MockChallenge) -> dict[str, Any]:
    return _shape(each) | {
        "scenarios": list(each.scenarios), "rules": "",
        "files": {path: len(content) for path, content in each.files.items()},
        "checksums": {path: hashlib.sha256(content).hexdigest() for path, content in each.files.items()},
    }  # fmt: skip


def _need_curator(request: Request) -> None:
    if not request.user.curates:
        raise PermissionDeniedError("this is for coordinators and admins")


def list_challenges(request: Request) -> Reply:
    """Challenges that the asker sees."""
    return Reply(body=[_shape(each) for each in request.state.challenges.values() if _sees(request.user, each)][::-1])


def read_challenge(request: Request) -> Reply:
    """A challenge."""
    return Reply(body=_detail(_challenge(request)))


def add_challenge(request: Request) -> Reply:
    """Show a challenge."""
    told = request.body(("name", "release"), needed=("name",))
    _need_curator(request)
    found = request.state.challenges.get(told["name"])
    if found is None:
        raise NotFoundError(f"no challenge in {told['name']}")
    if found.added:
        raise ConflictError(f"challenge {found.name!r} is there already")
    release = told.get("release")
    if release is not None and release not in request.state.releases:
        raise NotFoundError(f"no release {release!r}")
    found.added, found.release = True, release
    return Reply(201, _shape(found))


def set_state(request: Request) -> Reply:
    """Open or close a challenge."""
    told = request.body(("state",), needed=("state",))
    if told["state"] not in STATES:
        raise UsageError(f"state: {told['state']!r} is not accepted; there are {', '.join(STATES)}")
    _need_curator(request)
    found = _challenge(request)
    found.state = told["state"]
    return Reply(body=_shape(found))


def read_file(request: Request) -> Reply:
    """A file for participants."""
    found, path = _challenge(request), unquote(request.parts[1])
    if path not in found.files:
        raise NotFoundError(f"challenge {found.name!r} has no file {path!r} for participants")
    content = found.files[path]
    etag = f'"{hashlib.sha256(content).hexdigest()}"'
    headers = {"ETag": etag, "Accept-Ranges": "bytes", "Content-Type": "application/octet-stream"}
    ranged = re.fullmatch(r"bytes=(\d+)-", request.http.headers.get("range", ""))
    if ranged is None or request.http.headers.get("if-range", etag) != etag:
        return Reply(200, content=content, headers=headers)
    begin = int(ranged[1])
    told = {"Content-Range": f"bytes {begin}-{len(content) - 1}/{len(content)}"}
    return Reply(206, content=content[begin:], headers=headers | told)


def list_submissions(request: Request) -> Reply:
    """What the asker handed in; for coordinators what everybody did."""
    found = _challenge(request)
    mine = [each for each in found.submissions if request.user.curates or each["author"] == request.user.username]
    # Scores are there at the next look.
    told = [dict(each) for each in mine]
    for each in found.submissions:
        each["state"] = "scored"
    return Reply(body=told[::-1])


def submit(request: Request) -> Reply:
    """Hand in results."""
    told = request.body(("method", "products", "name", "description", "technical"), needed=("method", "products"))
    found = _challenge(request)
    if found.state != "open":
        raise ConflictError(f"challenge {found.name!r} is {found.state}")
    products = {name: product_of(request.state, request.user, str(key)) for name, key in told["products"].items()}
    for name, product in products.items():
        if product.owner != request.user.username:
            raise PermissionDeniedError(f"product {product.id} is not yours to hand in")
        if product.main_file is None:
            raise ConflictError(f"product {product.id} has no main file on this server")
        if name not in found.scenarios:
            raise UsageError(f"no scenario {name!r}; there are {', '.join(found.scenarios)}")
    files = [product.main_file.sha256 for product in products.values() if product.main_file is not None]
    number = hashlib.sha256("".join(files).encode()).hexdigest()
    for each in found.submissions:
        if each["submission_id"] == number:
            return Reply(201, each)
    made = {
        "uid": new_uid(), "name": told.get("name") or told["method"], "method": told["method"],
        "author": request.user.username, "scenario": ", ".join(products), "state": "received",
        "submission_id": number, "refusal": None, "product_id": next(iter(products.values())).id,
        "created_at": now().isoformat(),
    }  # fmt: skip
    found.submissions.append(made)
    line = {name: made[name] for name in ("name", "author", "method", "submission_id")}
    for name in products:
        rank = 1 + sum(each["scenario"] == name for each in found.board)
        found.board.append(
            line | {"scenario": name, "metric": "points", "kind": "participant", "value": 0.0, "error": 0.0,
                    "rank": rank, "points": 0, "possible": 1}
        )  # fmt: skip
    return Reply(201, dict(made))


def leaderboard(request: Request) -> Reply:
    """Lines of the leaderboard."""
    return Reply(body=_challenge(request).board)


CHALLENGE_ROUTES: dict[tuple[str, str], Handler] = {
    ("GET", "challenges"): list_challenges,
    ("POST", "challenges"): add_challenge,
    ("GET", f"challenges/{NAME}"): read_challenge,
    ("PUT", f"challenges/{NAME}/state"): set_state,
    ("GET", f"challenges/{NAME}/files/(.+)"): read_file,
    ("GET", f"challenges/{NAME}/submissions"): list_submissions,
    ("POST", f"challenges/{NAME}/submissions"): submit,
    ("GET", f"challenges/{NAME}/leaderboard"): leaderboard,
}
"""By method and pattern of the path below the address of the interface."""
