"""The Validation Cooperative on the server: challenges, what participants hand in, the leaderboard.

A challenge is a directory that ``pz challenge create`` made below ``challenges`` in the server's data; its truth lies
in another directory and never leaves the machine. Results are handed in as products, so that they have an owner, a
checksum and a page; they are copied into the challenge, where nothing changes them.
"""

from __future__ import annotations

import hashlib
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from sqlalchemy import or_, select, true

from pzcenter.errors import ConfigError, ConflictError, NotFoundError, PermissionDeniedError, PZCenterError
from pzcenter.server.services.access import Action, product_for
from pzcenter.server.services.audit import record
from pzcenter.server.services.principal import Scope
from pzcenter.server.storage.base import now
from pzcenter.server.storage.cooperative import Challenge, ChallengeState, Submission, SubmissionState
from pzcenter.server.storage.releases import Release

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import pyarrow as pa
    from sqlalchemy import ColumnElement
    from sqlalchemy.orm import Session

    from pzcenter.server.services.context import Services
    from pzcenter.server.services.principal import Principal
    from pzcenter.server.storage.products import Product
    from pzcenter.validation import challenges

__all__ = [
    "add_challenge",
    "board_of",
    "challenge_checksums",
    "challenge_files",
    "challenge_for",
    "directory_of",
    "hand_in",
    "public_file",
    "set_state",
    "submissions_of",
    "visible_challenges",
]  # fmt: skip

FOLDER = "challenges"
MANIFEST = "manifest.json"


def directory_of(services: Services, name: str) -> Path:
    """Directory of a challenge of this name."""
    return services.settings.data_dir / FOLDER / name


def opened(services: Services, row: Challenge) -> challenges.Challenge:
    """The challenge that a row tells of.

    Raises
    ------
    NotFoundError
        Its directory is gone.
    """
    from pzcenter.validation.challenges import open_challenge

    return open_challenge(directory_of(services, row.name))


def add_challenge(
    services: Services, session: Session, principal: Principal, name: str, *, release: str | None = None
) -> Challenge:
    """Show a challenge to the coordinators, who open it to participants with :func:`set_state`.

    Parameters
    ----------
    services : Services
    session : Session
        One that writes.
    principal : Principal
        A coordinator or admin.
    name : str
        Of the directory below ``challenges`` in the server's data.
    release : str, optional
        Whose rights are needed to take part; everybody with an account otherwise.

    Returns
    -------
    Challenge

    Raises
    ------
    NotFoundError
        No such challenge or release.
    ConfigError
        A name that is no name of a directory, or a truth that others can read.
    ConflictError
        It is there already.
    """
    from pzcenter.validation.challenges import open_challenge

    user_id = principal.need_curator()
    if PurePosixPath(name).name != name or name in {"", ".", ".."}:
        raise ConfigError(f"{name!r} is no name of a challenge")
    challenge = open_challenge(directory_of(services, name))
    challenge.vault.check_private()
    if session.scalar(select(Challenge).where(Challenge.name == name)) is not None:
        raise ConflictError(f"challenge {name!r} is there already")
    found = None if release is None else session.scalar(select(Release).where(Release.name == release))
    if release is not None and found is None:
        raise NotFoundError(f"no release {release!r}")
    row = Challenge(
        name=name, title=challenge.settings.title or name, description=challenge.settings.description,
        release=found, created_by_id=user_id, closes_at=challenge.settings.rules.closes,
    )  # fmt: skip
    session.add(row)
    session.flush()
    record(session, principal, "challenge.add", ("challenge", row.id), name=name, release=release)
    return row


def visible_challenges(principal: Principal) -> ColumnElement[bool]:
    """Condition on challenges: those that somebody may see; drafts are for coordinators."""
    principal.need(Scope.READ)
    if principal.curates:
        return true()
    rights = or_(Challenge.release_id.is_(None), Challenge.release_id.in_(principal.release_ids))
    return (Challenge.state != ChallengeState.DRAFT) & rights


def challenge_for(session: Session, principal: Principal, name: str) -> Challenge:
    """A challenge, for somebody who may see it.

    Raises
    ------
    NotFoundError
    """
    row = session.scalar(select(Challenge).where(Challenge.name == name, visible_challenges(principal)))
    if row is None:
        raise NotFoundError(f"no challenge {name!r}")
    return row


def set_state(session: Session, principal: Principal, name: str, state: ChallengeState) -> Challenge:
    """Open a challenge to participants, or close it."""
    principal.need_curator()
    row = challenge_for(session, principal, name)
    row.state = state
    record(session, principal, "challenge.state", ("challenge", row.id), state=str(state))
    return row


def challenge_files(services: Services, row: Challenge) -> dict[str, int]:
    """What participants may download: path and bytes, as the manifest tells, and the manifest itself."""
    from pzcenter.catalogs import Manifest

    public = opened(services, row).public
    manifest = Manifest.read(public)
    return {each.path: each.n_bytes for each in manifest.files} | {MANIFEST: (public / MANIFEST).stat().st_size}


def challenge_checksums(services: Services, row: Challenge) -> dict[str, str]:
    """SHA-256 of what participants may download."""
    from pzcenter.catalogs import Manifest

    public = opened(services, row).public
    own = hashlib.sha256((public / MANIFEST).read_bytes()).hexdigest()
    return {each.path: each.sha256 for each in Manifest.read(public).files} | {MANIFEST: own}


def public_file(services: Services, row: Challenge, path: str) -> Path:
    """A file for participants; only those that the manifest names leave the machine.

    Raises
    ------
    NotFoundError
    """
    if path not in challenge_files(services, row):
        raise NotFoundError(f"challenge {row.name!r} has no file {path!r} for participants")
    return opened(services, row).public / path


def hand_in(
    services: Services,
    principal: Principal,
    name: str,
    products: Mapping[str, int | str],
    *,
    method: str,
    title: str = "",
    description: str = "",
    technical: Mapping[str, float] | None = None,
) -> Submission:
    """Hand in results for a challenge.

    Opens its own sessions: files are read while the database is free.

    Parameters
    ----------
    services : Services
    principal : Principal
    name : str
        Of the challenge.
    products : mapping of str to int or str
        By scenario, the product whose main file has the results; one's own.
    method : str
    title, description : str
    technical : mapping of str to float, optional
        ``train_s``, ``estimate_ms``, ``peak_gb``, ``model_mb``.

    Returns
    -------
    Submission
        A refused one is recorded, too.

    Raises
    ------
    PZCenterError
        Why it is refused.
    """
    from pzcenter.validation.challenges import submit

    user_id = principal.need(Scope.WRITE)
    with services.database.reading() as session:
        row = challenge_for(session, principal, name)
        if row.state is not ChallengeState.OPEN:
            raise ConflictError(f"challenge {name!r} is {row.state}")
        given = {scenario: product_for(session, principal, key, Action.SEE) for scenario, key in products.items()}
        for product in given.values():
            if product.owner_id != user_id:
                raise PermissionDeniedError(f"product {product.id} is not yours to hand in")
    facts: dict[str, Any] = {"name": title, "author": principal.username, "method": method}
    try:
        with _files_of(services, given) as files:
            stored = submit(opened(services, row), files, description=description, technical=technical, **facts)
    except PZCenterError as error:
        _note(services, principal, row, given, facts, refusal=str(error))
        raise
    return _note(services, principal, row, given, facts, sha256=stored.submission_id)


def submissions_of(session: Session, principal: Principal, row: Challenge) -> list[Submission]:
    """Submissions to a challenge, the newest first: one's own, and for coordinators all."""
    wanted = select(Submission).where(Submission.challenge_id == row.id).order_by(Submission.id.desc())
    if not principal.curates:
        wanted = wanted.where(Submission.user_id == principal.need(Scope.READ))
    return list(session.scalars(wanted))


def board_of(services: Services, row: Challenge) -> pa.Table | None:
    """The leaderboard as it was last scored; None before."""
    import pyarrow.parquet as pq

    path = opened(services, row).board / "leaderboard.parquet"
    return pq.read_table(path, partitioning=None) if path.is_file() else None


@contextmanager
def _files_of(services: Services, products: Mapping[str, Product]) -> Iterator[dict[str, Path]]:
    """Main files of products under their own names, since formats are told by them."""
    with TemporaryDirectory(dir=services.settings.data_dir) as folder:
        found: dict[str, Path] = {}
        for scenario, product in products.items():
            with services.database.reading() as session:
                file = session.merge(product, load=True).main_file
                if file is None or file.sha256 is None:
                    raise ConflictError(f"product {product.id} has no main file on this server")
                name, sha256 = file.name, file.sha256
            found[scenario] = Path(folder) / f"{len(found)}-{name}"
            with found[scenario].open("wb") as sink:
                for piece in services.store.read(sha256):
                    sink.write(piece)
        yield found


def _note(
    services: Services, principal: Principal, row: Challenge, products: Mapping[str, Product], facts: dict[str, Any],
    *, sha256: str | None = None, refusal: str | None = None,
) -> Submission:  # fmt: skip
    with services.database.writing() as session:
        there = select(Submission).where(Submission.challenge_id == row.id, Submission.sha256 == sha256)
        old = session.scalar(there) if sha256 is not None else None
        if old is not None:
            return old
        product = next(iter(products.values()), None)
        made = Submission(
            challenge_id=row.id, user_id=principal.need(Scope.WRITE), name=facts["name"] or facts["method"],
            method=facts["method"], scenario=", ".join(products)[:255], sha256=sha256, refusal=refusal,
            product_id=None if product is None else product.id, created_at=now(),
            state=SubmissionState.RECEIVED if refusal is None else SubmissionState.REFUSED,
        )  # fmt: skip
        session.add(made)
        session.flush()
        record(session, principal, "submission.add", ("submission", made.id), challenge=row.name, refusal=refusal)
        return made
