"""What is kept of a submission: who handed in what and when, and what was refused."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from pzcenter.errors import FileFormatError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Refusal", "StoredFile", "SubmissionRecord", "read_record"]

TECHNICAL = ("train_s", "estimate_ms", "peak_gb", "model_mb")
"""Technical numbers that participants may state; the size of the output is measured."""


@dataclass(frozen=True)
class StoredFile:
    """One file of predictions.

    Parameters
    ----------
    scenario : str
    path : str
        Below the directory of the submission.
    sha256 : str
    n_bytes, n_rows : int
    form : str
        Form of the densities in words.
    notes : tuple of str
        What was counted while reading, such as densities that were brought to a unit integral.
    """

    scenario: str
    path: str
    sha256: str
    n_bytes: int
    n_rows: int
    form: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class SubmissionRecord:
    """A submission that was accepted.

    Parameters
    ----------
    submission_id : str
        Made of the content of the files alone.
    name, author, method, description : str
        As stated.
    kind : {"participant", "control"}
    submitted : str
        When, UTC.
    files : tuple of StoredFile
    technical : dict of str to float
        As stated: ``train_s``, ``estimate_ms``, ``peak_gb``, ``model_mb``.
    is_new : bool
        False where the same files had been handed in before.
    """

    submission_id: str
    name: str
    author: str
    method: str
    description: str
    kind: Literal["participant", "control"]
    submitted: str
    files: tuple[StoredFile, ...]
    technical: dict[str, float] = field(default_factory=dict)
    is_new: bool = True

    @property
    def scenarios(self) -> tuple[str, ...]:
        """Scenarios for which there is a file."""
        return tuple(file.scenario for file in self.files)

    def file_of(self, scenario: str) -> StoredFile | None:
        """File for a scenario; None where there is none."""
        return next((file for file in self.files if file.scenario == scenario), None)

    def to_json(self) -> str:
        """As it is stored."""
        content = {key: value for key, value in asdict(self).items() if key != "is_new"}
        return json.dumps(content, indent=1, ensure_ascii=False) + "\n"


@dataclass(frozen=True)
class Refusal:
    """A submission that was not accepted.

    Parameters
    ----------
    name, author, method : str
        As stated.
    time : str
        When, UTC.
    files : dict of str to str
        SHA-256 by scenario, as far as there were files.
    code, reason : str
        Of the error.
    """

    name: str
    author: str
    method: str
    time: str
    files: dict[str, str]
    code: str
    reason: str


def read_record(path: Path, *, is_new: bool = False) -> SubmissionRecord:
    """Read ``submission.json``.

    Raises
    ------
    FileFormatError
        It is damaged.
    """
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        files = tuple(StoredFile(**{**file, "notes": tuple(file["notes"])}) for file in content.pop("files"))
        return SubmissionRecord(**content, files=files, is_new=is_new)
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise FileFormatError(f"{path} is damaged: {error}") from error
