"""Where everything of a challenge lies: the directory of the organiser, and that of what is withheld."""

from __future__ import annotations

import json
import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow.parquet as pq

from pzcenter.errors import ConfigError, FileFormatError, NotFoundError

from .records import Refusal, SubmissionRecord, read_record
from .settings import ChallengeSettings, ScenarioSettings, read_settings

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["Challenge", "Vault", "open_challenge"]

SETTINGS_NAME = "challenge.yaml"
PUBLIC, SUBMISSIONS, SCORES, BOARD = "public", "submissions", "scores", "leaderboard"
REFUSED_NAME = "refused.jsonl"
RECORD_NAME = "submission.json"
TRAINING, VALIDATION, TEST = "training.parquet", "validation.parquet", "test.parquet"
KEY_NAME = "key.json"
TRUTH_TABLES, OBJECT_SCORES = "tables", "scores"
PRIVATE_MODE = 0o700


@dataclass(frozen=True)
class Vault:
    """The directory of what is withheld: the key of the ids, the true redshifts, and scores object by object.

    Parameters
    ----------
    directory : Path
        Readable by its owner alone.
    """

    directory: Path

    @property
    def tables(self) -> Path:
        """Directory of the truth tables, with their manifest."""
        return self.directory / TRUTH_TABLES

    def table(self, scenario: str) -> pa.Table:
        """True redshifts of a test set, in the order of its ids.

        Raises
        ------
        NotFoundError
            It is not there.
        """
        path = self.tables / f"{scenario}.parquet"
        if not path.is_file():
            raise NotFoundError(
                f"there is no truth table {path}; the challenge keeps its truth elsewhere, or it is lost"
            )
        return pq.read_table(path, partitioning=None)

    def object_scores(self, version: str, submission_id: str, scenario: str) -> Path:
        """File of the scores of single objects."""
        return self.directory / OBJECT_SCORES / version / submission_id / f"{scenario}.parquet"

    @property
    def key(self) -> bytes:
        """Key of the ids.

        Raises
        ------
        NotFoundError, FileFormatError
            It is not there, or damaged.
        """
        path = self.directory / KEY_NAME
        try:
            return bytes.fromhex(json.loads(path.read_text(encoding="utf-8"))["key"])
        except FileNotFoundError as error:
            raise NotFoundError(f"there is no key {path}: this is not the truth of a challenge") from error
        except (ValueError, KeyError, TypeError) as error:
            raise FileFormatError(f"{path} is damaged: {error}") from error

    def check_private(self) -> None:
        """Refuse a directory that others can read.

        Raises
        ------
        NotFoundError
            There is none.
        ConfigError
            Others can read it.
        """
        if not self.directory.is_dir():
            raise NotFoundError(f"there is no directory {self.directory} with the truth; only the organiser has it")
        mode = stat.S_IMODE(self.directory.stat().st_mode)
        if mode & 0o077:
            raise ConfigError(
                f"the truth in {self.directory} can be reached by others (mode {mode:o}); accepted is {PRIVATE_MODE:o}"
            )


@dataclass(frozen=True)
class Challenge:
    """A challenge that is there.

    Parameters
    ----------
    directory : Path
        Of the organiser.
    settings : ChallengeSettings
    """

    directory: Path
    settings: ChallengeSettings

    @property
    def public(self) -> Path:
        """What participants get."""
        return self.directory / PUBLIC

    @property
    def vault(self) -> Vault:
        """What is withheld."""
        assert self.settings.truth is not None
        return Vault(Path(os.path.normpath(self.directory / self.settings.truth)))

    @property
    def scores(self) -> Path:
        """Scores of all versions."""
        return self.directory / SCORES

    @property
    def board(self) -> Path:
        """The leaderboard."""
        return self.directory / BOARD

    @property
    def refused_path(self) -> Path:
        """Journal of what was refused."""
        return self.directory / REFUSED_NAME

    def scenario(self, name: str) -> ScenarioSettings:
        """Settings of one scenario.

        Raises
        ------
        NotFoundError
            There is none of this name.
        """
        for scenario in self.settings.scenarios:
            if scenario.name == name:
                return scenario
        raise NotFoundError(f"no scenario {name!r} in this challenge; it has {', '.join(self.settings.scenario_names)}")

    def training_path(self, scenario: str) -> Path:
        """Training set of a scenario."""
        return self.public / scenario / TRAINING

    def test_path(self, scenario: str) -> Path:
        """Blind test set of a scenario."""
        return self.public / scenario / TEST

    def submission_path(self, submission_id: str) -> Path:
        """Directory of a submission."""
        return self.directory / SUBMISSIONS / submission_id

    def submissions(self) -> tuple[SubmissionRecord, ...]:
        """All that were accepted, the oldest first; controls last."""
        root = self.directory / SUBMISSIONS
        found = [read_record(path) for path in sorted(root.glob(f"[!.]*/{RECORD_NAME}"))] if root.is_dir() else []
        return tuple(sorted(found, key=lambda each: (each.kind != "participant", each.submitted, each.submission_id)))

    def submission(self, submission_id: str) -> SubmissionRecord:
        """One of them, by its id or the beginning of it.

        Raises
        ------
        NotFoundError
            There is not exactly one.
        """
        found = [each for each in self.submissions() if each.submission_id.startswith(submission_id)]
        if len(found) != 1:
            raise NotFoundError(f"{len(found)} submissions have an id that begins with {submission_id!r}; 1 is wanted")
        return found[0]

    def refusals(self) -> tuple[Refusal, ...]:
        """All that were refused, the oldest first."""
        from pzcenter.catalogs import Journal

        return tuple(Refusal(**entry) for entry in Journal(self.refused_path).entries())


def open_challenge(path: str | os.PathLike[str]) -> Challenge:
    """Open a challenge.

    Parameters
    ----------
    path : path
        Directory that :func:`~pzcenter.validation.challenges.create_challenge` made.

    Returns
    -------
    Challenge

    Raises
    ------
    NotFoundError
        It is no challenge, or not complete.
    FileFormatError, ConfigError
        Its settings cannot be read.
    """
    directory = Path(path)
    if not (directory / PUBLIC / "manifest.json").is_file():
        raise NotFoundError(
            f"{directory} is no challenge: it has no {PUBLIC}/manifest.json; 'pz challenge create' makes one"
        )
    return Challenge(directory, read_settings(directory / SETTINGS_NAME))
