"""Files of the DESC photo-z data challenge (2026), part p(z): their names, their content, their checks.

A submission is a tar archive of one directory with a file for each task set, simulation and scenario. Each is a qp
ensemble with ``object_id`` and ``zmode`` in ``ancil``. Source: the repository LSSTDESC/pz_data_challenge.
"""

from __future__ import annotations

import gzip
import re
import tarfile
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, cast

import numpy as np

from pzcenter.errors import ColumnError, ConfigError, FileFormatError, PZCenterError
from pzcenter.science import pz

from .hdf5_columns import open_hdf5
from .object_ids import whole_ids
from .opening import open_submission, open_submissions
from .qp_writing import new_file, write_interp

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator, Mapping

    from numpy.typing import ArrayLike, NDArray

    from .opening import OpenedSubmissions
    from .submission import Submission

__all__ = [
    "CHALLENGE_CHECKS",
    "SCENARIOS",
    "SIMULATIONS",
    "ChallengeFile",
    "challenge_entries",
    "check_challenge_file",
    "open_challenge_submission",
    "write_challenge_submission",
]

SIMULATIONS = ("cardinal", "flagship")
SCENARIOS = ("1yr", "10yr")
LABELS = ("pz_estimate", "pz_model", "training", "test")
_NAME = re.compile(
    r"(?P<challenge>[a-z]+_challenge)_taskset_(?P<taskset>\d+)_(?P<simulation>[a-z]+)_(?P<label>[a-z_]+)_"
    r"(?P<scenario>\d+yr)(?P<suffix>\.[a-z0-9]+)?"
)
_SUBTASK_DIRECTORIES = {2: "outputs_2", 3: "outputs_3"}
_TAR_SUFFIXES = (".tar", ".tar.gz", ".tgz")

CHALLENGE_CHECKS = {
    1: "the file exists",
    2: "it is a qp ensemble",
    3: "it can have an ancil table",
    4: "it has one",
    5: "ancil has zmode",
    6: "ancil has object_id",
    7: "the ids are those of the test file",
}
"""Checks of the challenge by their number; a submission is accepted when the last one passes."""


@dataclass(frozen=True, order=True)
class ChallengeFile:
    """One file of the challenge.

    Parameters
    ----------
    taskset : int
        From 1.
    simulation : str
        One of :data:`SIMULATIONS`.
    scenario : str
        One of :data:`SCENARIOS`.
    label : str
        ``pz_estimate``, ``pz_model``, ``training`` or ``test``.
    subtask : int
        1: estimates handed in; 2: made by the organisers with the model handed in; 3: with training.
    challenge : str
    """

    taskset: int
    simulation: str
    scenario: str
    label: str = "pz_estimate"
    subtask: int = 1
    challenge: str = "pz_challenge"

    @property
    def key(self) -> str:
        """Name without ending."""
        return f"{self.challenge}_taskset_{self.taskset}_{self.simulation}_{self.label}_{self.scenario}"

    @property
    def path(self) -> str:
        """Path below the directory of the submission."""
        directory = _SUBTASK_DIRECTORIES.get(self.subtask)
        name = f"{self.key}{'.pkl' if self.label == 'pz_model' else '.hdf5'}"
        return f"{directory}/{name}" if directory else name

    @classmethod
    def parse(cls, path: str | os.PathLike[str]) -> ChallengeFile:
        """Read a file name.

        Raises
        ------
        ConfigError
            It does not follow the convention.
        """
        place = Path(path)
        match = _NAME.fullmatch(place.name)
        if match is None or match["simulation"] not in SIMULATIONS or match["scenario"] not in SCENARIOS:
            raise ConfigError(
                f"{place.name!r} is not named as the challenge names files: pz_challenge_taskset_N_SIMULATION_LABEL_"
                f"SCENARIO.hdf5 with simulations {SIMULATIONS}, scenarios {SCENARIOS}, labels {LABELS}"
            )
        subtask = next((n for n, name in _SUBTASK_DIRECTORIES.items() if place.parent.name == name), 1)
        return cls(
            int(match["taskset"]),
            match["simulation"],
            match["scenario"],
            match["label"],
            subtask=subtask,
            challenge=match["challenge"],
        )


def open_challenge_submission(path: str | os.PathLike[str], **options: Any) -> OpenedSubmissions:
    """Open all estimates of a submission to the challenge: a directory, or its tar archive.

    Parameters
    ----------
    path : path
    **options
        Of :func:`.open_submission`.

    Returns
    -------
    OpenedSubmissions
        By path without ending; :func:`challenge_entries` tells which file of the challenge each is. Models
        (``.pkl``) are left out and named.
    """
    return open_submissions(path, **options)


def challenge_entries(opened: OpenedSubmissions) -> dict[ChallengeFile, Submission]:
    """Submissions by the file of the challenge that they are.

    Raises
    ------
    ConfigError
        A name does not follow the convention, or two are the same file.
    """
    found: dict[ChallengeFile, Submission] = {}
    for name, submission in opened.submissions.items():
        entry = ChallengeFile.parse(name)
        if entry in found:
            raise ConfigError(f"{name!r} and {found[entry].name!r} are both {entry.path!r}")
        found[entry] = submission
    return found


def check_challenge_file(path: str | os.PathLike[str], test_ids: ArrayLike) -> list[int]:
    """Numbers of the challenge's checks that a file passes, see :data:`CHALLENGE_CHECKS`.

    Parameters
    ----------
    path : path
    test_ids : ndarray, (n_test,)
        Of the test file.

    Returns
    -------
    list of int
        As the challenge counts them: it compares sets of ids, so that doubled ids pass.
    """
    path = Path(path)
    if not path.is_file():
        return []
    try:
        submission = open_submission(path, format="qp", ids=None)
    except ColumnError:
        submission = None
    except PZCenterError:
        return [1]
    with open_hdf5(path) as file:
        names = set(file["ancil"]) if "ancil" in file else set()
    passed = [1, 2, 3, *([4] if names else []), *([5] if "zmode" in names else [])]
    if "object_id" in names and submission is not None:
        passed.append(6)
        if np.array_equal(np.unique(submission.object_ids()), np.unique(whole_ids(test_ids, "test ids"))):
            passed.append(7)
    return passed


def write_challenge_submission(
    destination: str | os.PathLike[str],
    estimates: Mapping[ChallengeFile, Submission],
    *,
    name: str,
    overwrite: bool = False,
) -> Path:
    """Write estimates as a submission to the challenge.

    Parameters
    ----------
    destination : path
        ``*.tar``, ``*.tar.gz`` or ``*.tgz``: an archive of the directory ``name``; else the directory in which the
        directory ``name`` is made.
    estimates : mapping of ChallengeFile to Submission
        With densities; ``zmode`` is their ``z_mode``, or else the grid point of the highest density.
    name : str
        Of the submission: letters, digits, underscores.
    overwrite : bool
        Whether files that are there are replaced.

    Returns
    -------
    Path
        The archive, or the directory ``name``.

    Raises
    ------
    ConfigError
        The name is not accepted, or there are no estimates.
    FileFormatError
        A submission without densities.
    OutputExistsError
        A file is there, and is not to be replaced.
    """
    if not re.fullmatch(r"[A-Za-z0-9_]+", name):
        raise ConfigError(f"a submission is named with letters, digits and underscores; got {name!r}")
    if not estimates:
        raise ConfigError("a submission has at least one estimate; got none")
    destination = Path(destination)
    if not destination.name.endswith(_TAR_SUFFIXES):
        _write_files(destination / name, estimates, overwrite=overwrite)
        return destination / name
    destination.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=destination.parent) as held:
        files = _write_files(Path(held) / name, estimates, overwrite=True)
        with new_file(destination, overwrite=overwrite) as unfinished, _tar(unfinished, destination) as archive:
            for file in sorted(files):
                _add(archive, file, f"{name}/{file.relative_to(Path(held) / name)}")
    return destination


def _write_files(root: Path, estimates: Mapping[ChallengeFile, Submission], *, overwrite: bool) -> list[Path]:
    files = []
    for entry, submission in estimates.items():
        if not submission.has_pdf:
            raise FileFormatError(f"{submission.name}: the challenge asks for densities; this has point estimates only")
        path = root / entry.path
        path.parent.mkdir(parents=True, exist_ok=True)
        write_interp(path, submission.z_grid, _pieces(submission), n_rows=submission.n_rows, overwrite=overwrite)
        files.append(path)
    return files


def _pieces(submission: Submission) -> Iterator[tuple[NDArray[np.floating[Any]], dict[str, NDArray[Any]]]]:
    for chunk in submission.chunks():
        assert chunk.pz is not None
        mode = chunk.extra.get("z_mode")
        if mode is None:
            mode = pz.mode(chunk.pz, submission.z_grid).astype(np.float64)
        yield chunk.pz, {"object_id": chunk.object_id, "zmode": mode}


@contextmanager
def _tar(path: Path, named: Path) -> Iterator[tarfile.TarFile]:
    """A tar archive, compressed where its name says so, without time stamps: the same content gives the same bytes."""
    if named.name.endswith(".tar"):
        with tarfile.open(path, "w") as archive:
            yield archive
        return
    with (
        path.open("wb") as sink,
        gzip.GzipFile("", "wb", fileobj=sink, mtime=0) as packed,
        tarfile.open(fileobj=cast("IO[bytes]", packed), mode="w") as archive,
    ):
        yield archive


def _add(archive: tarfile.TarFile, file: Path, name: str) -> None:
    info = tarfile.TarInfo(name)
    info.size, info.mode = file.stat().st_size, 0o644
    with file.open("rb") as content:
        archive.addfile(info, content)
