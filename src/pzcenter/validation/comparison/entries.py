"""From paths to submissions that are open: names that are unique, checksums, and failures that stop nothing."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pzcenter.catalogs.provenance import describe_file
from pzcenter.errors import PZCenterError
from pzcenter.validation.submissions import open_submissions
from pzcenter.validation.submissions.project_tables import is_project_directory

from .results import Failure

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pzcenter.validation.submissions import Submission

    from .settings import SubmissionSettings

__all__ = ["Entry", "failure_of", "open_entries", "slug"]

UNEXPECTED = "unexpected"
"""Code of a failure that is no error of PZ Center's own."""


@dataclass(frozen=True, eq=False)
class Entry:
    """A submission that could be opened.

    Parameters
    ----------
    name : str
        Unique among the entries.
    settings : SubmissionSettings
    submission : Submission
    source : dict
        Path, size and checksum of what was handed in.
    """

    name: str
    settings: SubmissionSettings
    submission: Submission
    source: dict[str, Any]


def open_entries(
    wanted: Sequence[SubmissionSettings],
) -> tuple[list[Entry], list[Failure]]:
    """Open all submissions; one that cannot be opened is a failure, and the others go on.

    Parameters
    ----------
    wanted : sequence of SubmissionSettings

    Returns
    -------
    entries : list of Entry
    failures : list of Failure
    """
    entries: list[Entry] = []
    failures: list[Failure] = []
    names = _Names()
    for each in wanted:
        try:
            found, bad = _open(each)
        except Exception as error:  # noqa: BLE001 - whatever is wrong with one must not stop the others
            failures.append(failure_of(names.free(each.name or Path(each.path).name), each.path, error))
            continue
        for name, submission, source in found:
            entries.append(Entry(names.free(name), each, submission, source))
        failures += [failure_of(names.free(name), each.path, error) for name, error in bad.items()]
    return entries, failures


def failure_of(name: str, path: str, error: BaseException) -> Failure:
    """What went wrong, as data."""
    if isinstance(error, PZCenterError):
        return Failure(name, path, error.code, str(error))
    return Failure(name, path, UNEXPECTED, f"{type(error).__name__}: {error}")


def slug(name: str) -> str:
    """Name of a directory for a name of a method."""
    words = re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-.")
    return words[:80] or "method"


def _open(each: SubmissionSettings) -> tuple[list[tuple[str, Submission, dict[str, Any]]], dict[str, PZCenterError]]:
    options: dict[str, Any] = {"bad_rows": each.bad_rows}
    if each.z_grid is not None:
        options["z_grid"] = np.linspace(*each.z_grid)
    if each.format is not None:
        options["format"] = each.format
    if each.ids is not None:
        options["ids"] = each.ids
    if each.description:
        options["description"] = each.description
    opened = open_submissions(each.path, **options)
    source = _described(Path(each.path))
    single = len(opened.submissions) + len(opened.failures) == 1
    found = []
    for name, submission in opened.submissions.items():
        called = (each.name or submission.name) if single else f"{each.name}/{name}" if each.name else name
        found.append((called, submission, source if single else {**source, "member": name}))
    return found, dict(opened.failures)


def _described(path: Path) -> dict[str, Any]:
    """Checksum of a submission; of a run only its tables count, whose manifests have the checksums."""
    if not (path.is_dir() and is_project_directory(path)):
        return describe_file(path)
    parts = [describe_file(path / name) for name in ("pz", "pz_pdf") if (path / name).is_dir()]
    if not parts:
        return describe_file(path)
    digest = hashlib.sha256("".join(str(part["sha256"]) for part in parts).encode())
    whole = describe_file(path, checksum=False)
    return {
        **whole,
        "n_bytes": sum(part["n_bytes"] for part in parts),
        "sha256": digest.hexdigest(),
        "sha256_of": "pz, pz_pdf",
    }


class _Names:
    """Names that no two entries share, whatever their letters become in a name of a directory."""

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def free(self, name: str) -> str:
        """The name, or the name with a number."""
        number, found = 1, name
        while slug(found).casefold() in self._taken:
            number += 1
            found = f"{name}-{number}"
        self._taken.add(slug(found).casefold())
        return found
