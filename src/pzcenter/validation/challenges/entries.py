"""What a participant hands in: files by scenario, from a directory, an archive or single files, and who they are."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from pzcenter.errors import ConfigError, FileFormatError, NotFoundError
from pzcenter.validation.submissions.archives import ScratchDirectory, unpack
from pzcenter.validation.submissions.challenge import ChallengeFile
from pzcenter.validation.submissions.content import content_kind
from pzcenter.validation.submissions.opening import SUBMISSION_SUFFIXES

from .records import TECHNICAL

if TYPE_CHECKING:
    import os

    from .layout import Challenge

__all__ = ["Entry", "EntryFacts", "read_entry"]

FACTS_NAME = "submission.yaml"
MAX_FACTS_BYTES = 100_000


class EntryFacts(BaseModel):
    """What a participant says of a submission."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    name: str = Field(default="", title="Name", description="Of the submission.", max_length=200)
    author: str = Field(default="", title="Author", description="Who hands in.", max_length=500)
    method: str = Field(default="", title="Method", description="Name of the method.", max_length=200)
    description: str = Field(default="", title="Description", description="What it does.", max_length=10_000)
    technical: dict[str, float] = Field(
        default_factory=dict, title="Technical numbers", description=f"Any of {', '.join(TECHNICAL)}."
    )

    @field_validator("technical")
    @classmethod
    def _is_known(cls, numbers: dict[str, float]) -> dict[str, float]:
        wrong = {name: value for name, value in numbers.items() if name not in TECHNICAL or value < 0}
        if wrong:
            raise ValueError(f"technical numbers are {', '.join(TECHNICAL)}, none negative; got {wrong}")
        return numbers


@dataclass
class Entry:
    """Files and facts, not yet looked into.

    Parameters
    ----------
    files : dict of str to Path
        By scenario.
    facts : EntryFacts
    held : list
        What must live as long as this, such as a temporary directory.
    """

    files: dict[str, Path]
    facts: EntryFacts
    held: list[Any] = field(default_factory=list)


def read_entry(challenge: Challenge, path: str | os.PathLike[str], **facts: Any) -> Entry:
    """Find the files of a submission.

    Parameters
    ----------
    challenge : Challenge
    path : path
        Directory, zip or tar with a file for each scenario, named after it or as in the DESC challenge; or one file,
        of a challenge with one scenario or named after its scenario.
    **facts
        Of :class:`EntryFacts`, in place of those in ``submission.yaml``; those that are empty do not count.

    Returns
    -------
    Entry

    Raises
    ------
    NotFoundError
        There is nothing at the path.
    FileFormatError
        A pickle, an archive that is not safe, or facts that cannot be read.
    ConfigError
        No file, two files of one scenario, a file of none, or facts that are not accepted.
    """
    place = Path(path)
    kind = content_kind(place)
    held: list[Any] = []
    root = place
    if kind in ("zip", "tar"):
        scratch = ScratchDirectory()
        unpacked = unpack(place, scratch.path)
        if unpacked.left_out:
            reasons = "; ".join(f"{name}: {reason}" for name, reason in unpacked.left_out.items())
            raise FileFormatError(f"{place} has members that are not opened: {reasons}")
        held, root, kind = [scratch], scratch.path, "directory"
    if kind != "directory":
        return Entry({_single_scenario(challenge, place): place}, _facts(None, facts))
    candidates = sorted(
        each for each in root.rglob("*") if each.name.lower().endswith(SUBMISSION_SUFFIXES) and each.is_file()
    )
    files: dict[str, Path] = {}
    for each in candidates:
        scenario = _scenario_of(challenge, each)
        if scenario is None:
            raise ConfigError(
                f"{each.relative_to(root)} is named after no scenario; there are {', '.join(_names(challenge))}"
            )
        if scenario in files:
            raise ConfigError(f"two files are of scenario {scenario!r}: {files[scenario].name} and {each.name}")
        files[scenario] = each
    if not files:
        raise ConfigError(f"{place} holds no file for any of the scenarios {', '.join(_names(challenge))}")
    described = sorted(root.rglob(FACTS_NAME))
    return Entry(files, _facts(described[0] if described else None, facts), held)


def _names(challenge: Challenge) -> tuple[str, ...]:
    return challenge.settings.scenario_names


def _single_scenario(challenge: Challenge, path: Path) -> str:
    names = _names(challenge)
    scenario = _scenario_of(challenge, path) or (names[0] if len(names) == 1 else None)
    if scenario is None:
        raise ConfigError(f"{path.name} is named after no scenario; say which it is of {', '.join(names)}")
    return scenario


def _scenario_of(challenge: Challenge, path: Path) -> str | None:
    lower = path.name.lower()
    suffix = next((each for each in SUBMISSION_SUFFIXES if lower.endswith(each)), "")
    stem = path.name[: len(path.name) - len(suffix)]
    if stem in _names(challenge):
        return stem
    try:
        entry = ChallengeFile.parse(path)
    except ConfigError:
        return None
    name = f"taskset_{entry.taskset}_{entry.simulation}_{entry.scenario}"
    return name if name in _names(challenge) and entry.label == "pz_estimate" else None


def _facts(path: Path | None, given: dict[str, Any]) -> EntryFacts:
    said: dict[str, Any] = {}
    if path is not None:
        if path.is_symlink() or path.stat().st_size > MAX_FACTS_BYTES:
            raise FileFormatError(f"{path.name} must be a file of at most {MAX_FACTS_BYTES} bytes")
        try:
            said = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            raise FileFormatError(f"{path.name} is no YAML: {error}") from error
        if not isinstance(said, dict):
            raise FileFormatError(f"{path.name} must be a mapping, such as 'author: Ada Lovelace'; got {type(said)}")
    try:
        return EntryFacts.model_validate({**said, **{name: value for name, value in given.items() if value}})
    except ValidationError as error:
        faults = [f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors()]
        raise ConfigError(f"what is said of the submission is not accepted: {'; '.join(faults)}") from error


def entry_of(files: dict[str, Path], **facts: Any) -> Entry:
    """Files by scenario as an entry.

    Raises
    ------
    NotFoundError
        A file is not there.
    ConfigError
        Facts that are not accepted.
    """
    absent = [str(path) for path in files.values() if not path.is_file()]
    if absent:
        raise NotFoundError(f"there is no file {', '.join(absent)}")
    return Entry(files, _facts(None, facts))
