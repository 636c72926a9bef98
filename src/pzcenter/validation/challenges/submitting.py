"""Take in what participants hand in: look at all of it, keep it for good, or record why not.

A submission is named by what its files hold. The same files are the same submission, whoever hands them in again.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pyarrow.parquet as pq

from pzcenter.catalogs import Journal
from pzcenter.catalogs.storage import file_sha256, storage_errors, write_text_atomically
from pzcenter.errors import (
    ChecksumError,
    ConfigError,
    DuplicateIdError,
    FileFormatError,
    InternalError,
    NotFoundError,
    PZCenterError,
    UsageError,
)
from pzcenter.validation.submissions import align, open_submission
from pzcenter.validation.submissions.opening import SUBMISSION_SUFFIXES

from .entries import Entry, entry_of, read_entry
from .layout import RECORD_NAME, SUBMISSIONS
from .records import Refusal, StoredFile, SubmissionRecord, read_record

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from .layout import Challenge

__all__ = ["Outcome", "submit", "submit_many", "verify_stored"]

ID_DIGITS = 16
"""Hexadecimal digits of a submission's id."""


@dataclass(frozen=True)
class Outcome:
    """What became of one of several submissions.

    Parameters
    ----------
    path : Path
    record : SubmissionRecord, optional
    error : PZCenterError, optional
        Why there is no record.
    """

    path: Path
    record: SubmissionRecord | None = None
    error: PZCenterError | None = None


def submit(
    challenge: Challenge,
    files: str | os.PathLike[str] | Mapping[str, str | os.PathLike[str]],
    *,
    name: str = "",
    author: str = "",
    method: str = "",
    description: str = "",
    technical: Mapping[str, float] | None = None,
    kind: Literal["participant", "control"] = "participant",
    now: datetime | None = None,
) -> SubmissionRecord:
    """Hand in a submission.

    Parameters
    ----------
    challenge : Challenge
        Its truth is not needed.
    files : path, or mapping of str to path
        Directory, archive or file, as :func:`~pzcenter.validation.challenges.entries.read_entry` takes them; or files
        by scenario. A scenario may be left out; it then scores nothing.
    name, author, method, description : str
        In place of what ``submission.yaml`` says. Author and method are needed.
    technical : mapping of str to float, optional
        ``train_s``, ``estimate_ms``, ``peak_gb``, ``model_mb``.
    kind : {"participant", "control"}
    now : datetime, optional
        With time zone; the time by default.

    Returns
    -------
    SubmissionRecord
        ``is_new`` is False where the same files were there already: then nothing changes.

    Raises
    ------
    PZCenterError
        It is refused, which is recorded: ids that are missing, unknown or doubled (named), densities in error, a
        pickle, an archive that is not safe, a closed challenge, too many submissions.
    """
    moment = now or datetime.now(UTC)
    facts = {
        "name": name, "author": author, "method": method, "description": description,
        "technical": dict(technical or {}),
    }  # fmt: skip
    said: dict[str, Any] = facts
    digests: dict[str, str] = {}
    try:
        if isinstance(files, str | os.PathLike):
            entry = read_entry(challenge, files, **facts)
        else:
            entry = entry_of({scenario: Path(path) for scenario, path in files.items()}, **facts)
        said = entry.facts.model_dump()
        return _accepted(challenge, entry, digests, kind=kind, moment=moment)
    except PZCenterError as error:
        _record_refusal(challenge, said, digests, error, moment)
        raise


def submit_many(
    challenge: Challenge, paths: Iterable[str | os.PathLike[str]], *, scenario: str | None = None, **facts: Any
) -> list[Outcome]:
    """Hand in several submissions; one that is refused does not stop the others.

    Parameters
    ----------
    challenge : Challenge
    paths : iterable of path
        One submission each.
    scenario : str, optional
        That which a single file is for, where its name does not say.
    **facts
        Of :func:`submit`, for all of them.

    Returns
    -------
    list of Outcome
        In the order of the paths.
    """
    outcomes = []
    for path in paths:
        try:
            files = path if scenario is None else {scenario: path}
            outcomes.append(Outcome(Path(path), record=submit(challenge, files, **facts)))
        except PZCenterError as error:
            outcomes.append(Outcome(Path(path), error=error))
        except Exception as error:  # noqa: BLE001 - a file that upsets a reader must not stop the others
            outcomes.append(Outcome(Path(path), error=InternalError(f"{type(error).__name__}: {error}")))
    return outcomes


def verify_stored(challenge: Challenge, record: SubmissionRecord) -> None:
    """Compare the stored files of a submission with their checksums.

    Raises
    ------
    ChecksumError
        A file is missing or changed.
    """
    for file in record.files:
        path = challenge.submission_path(record.submission_id) / file.path
        if not path.is_file():
            raise ChecksumError(f"submission {record.submission_id}: {file.path} is missing")
        found = file_sha256(path)
        if found != file.sha256:
            raise ChecksumError(
                f"submission {record.submission_id}: {file.path} has SHA-256 {found[:12]}..., not {file.sha256[:12]}..."
            )


def _accepted(
    challenge: Challenge, entry: Entry, digests: dict[str, str], *, kind: Any, moment: datetime
) -> SubmissionRecord:
    _check_entry(challenge, entry, kind=kind, moment=moment)
    root = challenge.directory / SUBMISSIONS
    with storage_errors(root):
        root.mkdir(exist_ok=True)
        scratch = Path(tempfile.mkdtemp(prefix=".unfinished-", dir=root))
    try:
        stored = {}
        for scenario in sorted(entry.files):
            stored[scenario] = _copied(entry.files[scenario], scratch, scenario)
            digests[scenario] = file_sha256(stored[scenario])
        submission_id = _id_of(digests)
        there = challenge.submission_path(submission_id) / RECORD_NAME
        if there.is_file():
            return read_record(there)
        _check_number(challenge, entry.facts.author, kind)
        files = tuple(
            _checked(challenge, scenario, path, digests[scenario], root=scratch) for scenario, path in stored.items()
        )
        record = SubmissionRecord(
            submission_id=submission_id,
            name=entry.facts.name or entry.facts.method,
            author=entry.facts.author,
            method=entry.facts.method,
            description=entry.facts.description,
            kind=kind,
            submitted=moment.astimezone(UTC).isoformat(timespec="seconds"),
            files=files,
            technical=dict(entry.facts.technical),
        )
        write_text_atomically(scratch / RECORD_NAME, record.to_json())
        _seal(scratch)
        return record if _moved(scratch, there.parent) else read_record(there)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _check_entry(challenge: Challenge, entry: Entry, *, kind: str, moment: datetime) -> None:
    rules, facts = challenge.settings.rules, entry.facts
    if kind == "participant":
        if rules.opens is not None and moment < rules.opens:
            raise ConfigError(f"the challenge opens at {rules.opens.isoformat()}; it is {moment.isoformat()}")
        if rules.closes is not None and moment > rules.closes:
            raise ConfigError(f"the challenge closed at {rules.closes.isoformat()}; it is {moment.isoformat()}")
    missing = [name for name in ("author", "method") if not getattr(facts, name).strip()]
    if missing:
        raise ConfigError(f"a submission names its {' and '.join(missing)}, in submission.yaml or as an option")
    if not entry.files:
        raise ConfigError("a submission has a file for one scenario at least; got none")
    for scenario, path in entry.files.items():
        challenge.scenario(scenario)
        size = path.stat().st_size / 1e6
        if size > rules.max_mb:
            raise FileFormatError(f"{path.name} has {size:.0f} MB; accepted are {rules.max_mb:g}")


def _check_number(challenge: Challenge, author: str, kind: str) -> None:
    most = challenge.settings.rules.max_per_author
    if most is None or kind != "participant":
        return
    there = [
        each
        for each in challenge.submissions()
        if each.kind == kind and each.author.strip().casefold() == author.strip().casefold()
    ]
    if len(there) >= most:
        raise ConfigError(f"{author} has handed in {len(there)} submissions; accepted are {most}")


def _copied(path: Path, scratch: Path, scenario: str) -> Path:
    """Copy first and look then: what is looked at is what is kept. The participant's name of the file is not."""
    if path.is_symlink():
        raise FileFormatError(f"{path.name} is a link; accepted are files")
    lower = path.name.lower()
    suffix = next((each for each in SUBMISSION_SUFFIXES if lower.endswith(each)), "")
    target = scratch / "predictions" / f"{scenario}{suffix}"
    with storage_errors(target):
        target.parent.mkdir(exist_ok=True)
        shutil.copyfile(path, target)
    return target


def _id_of(digests: Mapping[str, str]) -> str:
    lines = "".join(f"{digest}  {scenario}\n" for scenario, digest in sorted(digests.items()))
    return hashlib.sha256(lines.encode()).hexdigest()[:ID_DIGITS]


def _checked(challenge: Challenge, scenario: str, path: Path, sha256: str, *, root: Path) -> StoredFile:
    """Look into a file; what is wrong with it is said without the directories of this machine."""
    try:
        return _read_whole(challenge, scenario, path, sha256, name=path.relative_to(root).as_posix())
    except UsageError as error:
        raise type(error)(str(error).replace(f"{path.parent}{os.sep}", "")) from error


def _read_whole(challenge: Challenge, scenario: str, path: Path, sha256: str, *, name: str) -> StoredFile:
    """Read all of a file, and hold its ids against those of the test set."""
    submission = open_submission(path, name=scenario)
    test_ids = np.asarray(pq.read_table(challenge.test_path(scenario), columns=["objectId"], partitioning=None)[0])
    alignment = align(submission, test_ids)
    if not alignment.is_complete:
        error = DuplicateIdError if alignment.n_duplicate else NotFoundError if alignment.n_missing else ConfigError
        raise error(
            f"{scenario}: the ids are not those of the test set, each once: {'; '.join(alignment.sentences())}. "
            "An object without estimate is a row of NaN"
        )
    if not submission.has_pdf and submission.z_point_name is None:
        raise FileFormatError(f"{scenario}: there are neither densities nor point estimates")
    for _ in submission.chunks():
        pass
    _check_share(challenge, scenario, submission.tally.n_no_estimate, submission.n_rows)
    notes = tuple(submission.tally.sentences())
    size = path.stat().st_size
    return StoredFile(scenario, name, sha256, size, submission.n_rows, submission.form_name, notes)


def _check_share(challenge: Challenge, scenario: str, n_without: int, n_rows: int) -> None:
    """Leaving out what is hard must not pay."""
    least = challenge.settings.rules.min_estimates
    share = 1.0 - n_without / n_rows
    if share < least or n_without == n_rows:
        raise FileFormatError(
            f"{scenario}: {n_without} of {n_rows} objects have no estimate, {share:.2%} have one; "
            f"at least {least:.2%} must, and at least one"
        )


def _seal(directory: Path) -> None:
    """Nobody writes into it any more."""
    shutil.rmtree(directory / ".tmp", ignore_errors=True)
    for path in directory.rglob("*"):
        if path.is_file():
            path.chmod(0o444)
    directory.chmod(0o755)


def _moved(scratch: Path, target: Path) -> bool:
    """Give the directory its name; False where another one of the same content came first."""
    try:
        with storage_errors(target):
            scratch.rename(target)
    except OSError:
        if (target / RECORD_NAME).is_file():
            return False
        raise
    return True


def _record_refusal(
    challenge: Challenge, said: Mapping[str, Any], digests: dict[str, str], error: PZCenterError, moment: datetime
) -> None:
    refusal = Refusal(
        name=str(said.get("name", "")),
        author=str(said.get("author", "")),
        method=str(said.get("method", "")),
        time=moment.astimezone(UTC).isoformat(timespec="seconds"),
        files=digests,
        code=error.code,
        reason=str(error),
    )
    Journal(challenge.refused_path).append(asdict(refusal))
