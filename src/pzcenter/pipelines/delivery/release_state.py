"""States of a package, who set them, and the date before which it may not leave.

A package goes draft, internal, delegates, released, retired, and never back. Each step is one JSON line in
``states.jsonl``, with the checksum of the line before it and of the list of checksums that it speaks of: a line that
was changed or taken out, or a package that was changed, shows.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from pzcenter.catalogs.manifest import Journal
from pzcenter.catalogs.provenance import PROVENANCE_NAME, read_provenance
from pzcenter.catalogs.storage import file_sha256
from pzcenter.errors import ConfigError, EmbargoError, FileFormatError, NotFoundError, SequencePointError
from pzcenter.pipelines.delivery.layout import CHECKSUMS, PROVENANCE, STATES

if TYPE_CHECKING:
    import os

__all__ = [
    "STATE_NAMES",
    "PackageState",
    "check_states",
    "current_state",
    "read_states",
    "record_state",
    "require_may_leave",
    "require_no_embargo",
    "set_state",
]

BEFORE_SIGN_OFF = ("draft", "internal")
"""States that a package may have although somebody still has to sign."""
STATE_NAMES = ("draft", "internal", "delegates", "released", "retired")
MEANINGS = dict(
    zip(
        STATE_NAMES,
        (
            "being made; nobody relies on it",
            "for those who make and validate it",
            "for named delegates with data rights",
            "for everybody whom the licence allows",
            "replaced; kept so that results can be repeated",
        ),
        strict=True,
    )
)
"""Who may see a package in each state."""


@dataclass(frozen=True)
class PackageState:
    """One entry of ``states.jsonl``.

    Parameters
    ----------
    state : str
        One of :data:`STATE_NAMES`.
    at : str
        UTC.
    by, note : str
    embargo_until : str, optional
        ISO date before which the package may not leave.
    embargoed_copy : bool
        Made or sent before that date, for a site that keeps it closed.
    checksums : str
        SHA-256 of ``manifest-sha256.txt``.
    previous : str
        SHA-256 of the line before; empty for the first.
    """

    state: str
    at: str
    by: str = ""
    note: str = ""
    embargo_until: str | None = None
    embargoed_copy: bool = False
    checksums: str = ""
    previous: str = ""

    @property
    def embargo_date(self) -> date | None:
        """Date before which the package may not leave."""
        return None if self.embargo_until is None else date.fromisoformat(self.embargo_until)


def require_no_embargo(
    embargo_until: date | None, *, embargoed_copy: bool, state: str = "", today: date | None = None, what: str
) -> None:
    """Refuse what may not be done yet.

    Parameters
    ----------
    embargo_until : date, optional
    embargoed_copy : bool
        Allow it: the receiver keeps it closed until the date.
    state : str
        ``released`` is never allowed before the date.
    today : date, optional
        UTC; now by default.
    what : str
        For the message.

    Raises
    ------
    EmbargoError
        The date is not reached.
    """
    now = today or datetime.now(UTC).date()
    if embargo_until is None or now >= embargo_until:
        return
    if state == "released":
        raise EmbargoError(f"{what} may not be released before {embargo_until}; today is {now}")
    if not embargoed_copy:
        raise EmbargoError(
            f"{what} is under embargo until {embargo_until} and today is {now}; "
            "--embargoed-copy makes a copy for a site that keeps it closed until then"
        )


def require_may_leave(package: Path, *, embargoed_copy: bool, today: date | None = None) -> PackageState:
    """Refuse to send a package out that is not meant for others, or not yet.

    Raises
    ------
    EmbargoError
        Its state is draft or internal, or its embargo lasts and ``embargoed_copy`` is not set.
    """
    found = current_state(package)
    if found.state in ("draft", "internal"):
        raise EmbargoError(f"{package} is {found.state}: {MEANINGS[found.state]}; set the state 'delegates' or later")
    require_no_embargo(found.embargo_date, embargoed_copy=embargoed_copy, today=today, what=str(package))
    return found


def read_states(package: str | os.PathLike[str]) -> list[PackageState]:
    """All states of a package, the oldest first.

    Raises
    ------
    NotFoundError
        It has none: it is not a package.
    FileFormatError
        The file is damaged.
    """
    path = Path(package) / STATES
    if not path.is_file():
        raise NotFoundError(f"{package} has no {STATES}: it is not a delivery package")
    try:
        states = [PackageState(**json.loads(line)) for line in path.read_text(encoding="utf-8").splitlines()]
        if not states or any(each.state not in STATE_NAMES for each in states):
            raise ValueError("no state, or one that is not known")
        _ = [each.embargo_date for each in states]
    except (ValueError, TypeError) as error:
        raise FileFormatError(f"{path} is damaged: {error}") from error
    return states


def current_state(package: str | os.PathLike[str]) -> PackageState:
    """State of a package now."""
    return read_states(package)[-1]


def set_state(
    package: str | os.PathLike[str],
    state: str,
    *,
    by: str,
    note: str = "",
    embargo_until: date | None = None,
    today: date | None = None,
) -> PackageState:
    """Move a package to a later state, or give it another embargo date.

    Parameters
    ----------
    package : path
    state : str
        One of :data:`STATE_NAMES`; that of now, or a later one.
    by : str
        Who decided it.
    note : str
    embargo_until : date, optional
        New date; that of now by default.
    today : date, optional

    Returns
    -------
    PackageState

    Raises
    ------
    ConfigError
        No such state, an earlier one, or nobody is named.
    EmbargoError
        ``released`` before the date.
    SequencePointError
        It was built before its campaign was signed.
    """
    now = current_state(package)
    check_state_name(state)
    if not by.strip():
        raise ConfigError("say who sets the state (--by NAME)")
    if STATE_NAMES.index(state) < STATE_NAMES.index(now.state):
        raise ConfigError(f"{package} is {now.state}, and cannot become {state}; build a new package instead")
    _require_sign_off(Path(package), state)
    until = embargo_until or now.embargo_date
    require_no_embargo(until, embargoed_copy=True, state=state, today=today, what=str(package))
    return record_state(Path(package), state, by=by, note=note, embargo_until=until, embargoed_copy=now.embargoed_copy)


def _require_sign_off(package: Path, state: str) -> None:
    """Refuse to let a package out that was built before its campaign was signed."""
    if state in BEFORE_SIGN_OFF or not (package / PROVENANCE / PROVENANCE_NAME).is_file():
        return
    campaign = read_provenance(package / PROVENANCE)["configuration"].get("campaign", {})
    if step := campaign.get("unsigned_step"):
        raise SequencePointError(
            f"{package} was built before {step} of the campaign {campaign.get('name', '')!r} was signed, and cannot "
            f"become {state}: sign it, and build the package again"
        )


def check_state_name(state: str) -> None:
    """Refuse a state that does not exist.

    Raises
    ------
    ConfigError
    """
    if state not in STATE_NAMES:
        raise ConfigError(f"no state {state!r}; the states are {', '.join(STATE_NAMES)}")


def record_state(
    package: Path, state: str, *, by: str, note: str, embargo_until: date | None, embargoed_copy: bool
) -> PackageState:
    """Append a state; the caller has checked that it is allowed."""
    path = package / STATES
    lines = path.read_bytes().splitlines() if path.is_file() else []
    entry = PackageState(
        state=state,
        at=datetime.now(UTC).isoformat(timespec="seconds"),
        by=by,
        note=note,
        embargo_until=None if embargo_until is None else embargo_until.isoformat(),
        embargoed_copy=embargoed_copy,
        checksums=file_sha256(package / CHECKSUMS),
        previous=hashlib.sha256(lines[-1]).hexdigest() if lines else "",
    )
    Journal(path).append(asdict(entry))
    return entry


def check_states(package: str | os.PathLike[str]) -> list[str]:
    """What is wrong with the record of states, in words; empty for nothing."""
    root = Path(package)
    states = read_states(root)
    lines = (root / STATES).read_bytes().splitlines()
    faults = []
    previous = ""
    for number, (state, line) in enumerate(zip(states, lines, strict=True), 1):
        if state.previous != previous:
            faults.append(f"line {number} does not follow the line before it: one of them was changed or taken out")
        previous = hashlib.sha256(line).hexdigest()
    order = [STATE_NAMES.index(each.state) for each in states]
    if order != sorted(order):
        faults.append("a state goes back")
    if (root / CHECKSUMS).is_file() and states[-1].checksums != file_sha256(root / CHECKSUMS):
        faults.append(f"{CHECKSUMS} is not the one of which the last state speaks")
    return faults
