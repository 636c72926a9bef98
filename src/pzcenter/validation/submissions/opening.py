"""Open what a participant hands in, whatever it is."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from pzcenter.catalogs import open_catalog
from pzcenter.errors import ColumnError, ConfigError, FileFormatError, NotFoundError, PZCenterError, ShapeError
from pzcenter.estimators.protocol import default_z_grid

from .archives import ScratchDirectory, unpack
from .columns import TableColumns
from .content import content_kind
from .grids import check_redshifts
from .object_ids import ID_NAMES, whole_ids
from .plain_fits import fits_columns
from .plain_hdf5 import plain_hdf5_columns
from .plain_layout import point_columns, recognise
from .project_tables import is_project_directory, package_texts, project_columns
from .qp_layout import is_qp, read_qp
from .submission import Submission

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Mapping

    from numpy.typing import ArrayLike, NDArray

    from .columns import Columns
    from .forms import Form

    BadRows = Literal["error", "count"]

__all__ = ["FORMATS", "OpenedSubmissions", "open_submission", "open_submissions"]

MAX_WIDTH = 100_000
"""Values of one column per object: a density has hundreds of points, some have thousands."""
MAX_ROWS = 1_000_000_000
"""No truth set has as many; a file may state more rows than it holds."""
SUBMISSION_SUFFIXES = (".hdf5", ".h5", ".parquet", ".parq", ".pq", ".fits", ".fit", ".csv", ".csv.gz")


def open_submission(
    path: str | os.PathLike[str],
    *,
    format: str | None = None,  # noqa: A002 - the word of the field
    z_grid: ArrayLike | None = None,
    ids: ArrayLike | str | os.PathLike[str] | None = None,
    name: str | None = None,
    description: str | None = None,
    bad_rows: BadRows = "error",
) -> Submission:
    """Open one submission from its headers; rows are read by :meth:`Submission.chunks`.

    Parameters
    ----------
    path : path
        File or directory, or an archive that holds one submission.
    format : str, optional
        One of :data:`FORMATS`; found from the content when not given.
    z_grid : ndarray, (n_z,), optional
        Grid on which densities come; by default their own, or 301 points from 0 to 3 for those without one.
        Densities of a file that states no grid are taken to be on this one, where the lengths agree.
    ids : ndarray, (n_rows,), or path, optional
        Ids in the order of the rows, for files without: the ids themselves, or a table or ``.npy`` file that has them.
    name : str, optional
        By default the name of the file.
    description : str, optional
        Of the method; by default what the file says.
    bad_rows : {"error", "count"}
        What a density that is in error does: stop the reading, or count as without estimate.

    Returns
    -------
    Submission

    Raises
    ------
    NotFoundError
        There is nothing at the path.
    FileFormatError
        A pickle, a damaged file, a kind that no reader knows, an archive that is not safe.
    ColumnError
        No ids, or no densities or point estimates, under a known name.
    GridError, ShapeError
        No redshift grid, or one that does not fit; arrays that are transposed.
    """
    path = Path(path)
    if format is not None and format not in FORMATS:
        raise ConfigError(f"no submission format {format!r}; accepted are {list(FORMATS)}")
    kind = content_kind(path)
    if kind in ("zip", "tar"):
        return _from_archive(
            path, format=format, z_grid=z_grid, ids=ids, name=name, description=description, bad_rows=bad_rows
        )
    grid = None if z_grid is None else check_redshifts(z_grid, "z_grid")
    columns, form = FORMATS[format or _format_of(path, kind)](path, grid)
    _check_size(columns)
    said_name, said = package_texts(path) if path.is_dir() else (None, "")
    if form is not None and grid is None:
        grid = form.z_grid
    return Submission(
        name=name or said_name or _stem(path),
        description=description if description is not None else said or _described(columns.metadata),
        columns=columns,
        form=form,
        z_grid=default_z_grid() if grid is None else grid,
        points=point_columns(columns.widths),
        bad_rows=bad_rows,
        **_ids(columns, ids),
    )


@dataclass
class OpenedSubmissions:
    """Submissions of a directory or an archive, by name, beside those that could not be opened.

    Parameters
    ----------
    submissions : dict of str to Submission
    failures : dict of str to PZCenterError
    left_out : dict of str to str
        Members of an archive that were not unpacked, with the reason.
    """

    submissions: dict[str, Submission] = field(default_factory=dict)
    failures: dict[str, PZCenterError] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)


def open_submissions(path: str | os.PathLike[str], **options: Any) -> OpenedSubmissions:
    """Open all submissions of a directory or an archive; one that cannot be opened does not stop the others.

    Parameters
    ----------
    path : path
        Directory, archive, or a single submission.
    **options
        Of :func:`open_submission`.

    Returns
    -------
    OpenedSubmissions

    Raises
    ------
    FileFormatError
        An archive that is not safe, or holds no file that could be a submission.
    NotFoundError
        There is nothing at the path, or nothing in it.
    """
    path = Path(path)
    kind = content_kind(path)
    opened = OpenedSubmissions()
    if kind in ("zip", "tar"):
        held, found, opened.left_out = _unpacked(path)
    else:
        held, found = None, _in_directory(path) if kind == "directory" else [path]
    root = held.path if held is not None else path
    for place in found:
        name = _stem(place) if place == path else str(place.relative_to(root).with_name(_stem(place)))
        try:
            submission = open_submission(place, **{"name": name, **options})
        except PZCenterError as error:
            opened.failures[name] = error
        else:
            submission.held.append(held)
            opened.submissions[name] = submission
    return opened


def _from_archive(path: Path, *, name: str | None, **options: Any) -> Submission:
    held, found, left_out = _unpacked(path)
    if len(found) > 1:
        names = [str(place.relative_to(held.path)) for place in found[:10]]
        raise FileFormatError(
            f"{path} holds {len(found)} files that could be submissions, {names}; open them with open_submissions"
        )
    submission = open_submission(found[0], name=name or _stem(found[0]), **options)
    submission.held += [held, left_out]
    return submission


def _unpacked(path: Path) -> tuple[ScratchDirectory, list[Path], dict[str, str]]:
    held = ScratchDirectory()
    unpacked = unpack(path, held.path)
    found = _in_directory(held.path) if unpacked.files else []
    if not found:
        reasons = [f"{member}: {reason}" for member, reason in unpacked.left_out.items()]
        raise FileFormatError(f"{path} holds no file that could be a submission; left out were {reasons[:10]}")
    return held, found, unpacked.left_out


def _in_directory(path: Path) -> list[Path]:
    """Submissions in a directory: the directory itself where it is one, else what is in it, sorted."""
    if _is_one(path):
        return [path]
    found: list[Path] = []
    for place in sorted(path.iterdir()):
        if place.is_symlink():
            continue
        if place.is_dir():
            found += _in_directory(place)
        elif place.name.lower().endswith(SUBMISSION_SUFFIXES):
            found.append(place)
    return found


def _is_one(path: Path) -> bool:
    """Whether a directory is one submission: of this project, HATS, or of Parquet files only."""
    if is_project_directory(path) or any(
        (path / name).is_file() for name in ("hats.properties", "properties", "manifest.json")
    ):
        return True
    names = [place.name for place in path.iterdir() if not place.name.startswith((".", "_"))]
    return bool(names) and all(name.startswith("part-") and name.endswith(".parquet") for name in names)


def _format_of(path: Path, kind: str) -> str:
    if kind == "directory":
        if is_project_directory(path):
            return "run"
        if not _is_one(path):
            raise FileFormatError(f"{path} is a directory of several files; open what is in it with open_submissions")
        return "parquet"
    if kind == "hdf5":
        return "qp" if is_qp(path) else "hdf5"
    return {"text": "csv"}.get(kind, kind)


def _qp(path: Path, z_grid: NDArray[np.float64] | None) -> tuple[Columns, Form | None]:
    del z_grid
    return read_qp(path)


def _run(path: Path, z_grid: NDArray[np.float64] | None) -> tuple[Columns, Form | None]:
    return recognise(project_columns(path), z_grid=z_grid)


def _hdf5(path: Path, z_grid: NDArray[np.float64] | None) -> tuple[Columns, Form | None]:
    return recognise(plain_hdf5_columns(path), z_grid=z_grid)


def _fits(path: Path, z_grid: NDArray[np.float64] | None) -> tuple[Columns, Form | None]:
    return recognise(fits_columns(path), z_grid=z_grid)


def _table(path: Path, z_grid: NDArray[np.float64] | None) -> tuple[Columns, Form | None]:
    return recognise(TableColumns(open_catalog(path)), z_grid=z_grid)


FORMATS: dict[str, Callable[[Path, NDArray[np.float64] | None], tuple[Columns, Form | None]]] = {
    "csv": _table,
    "fits": _fits,
    "hdf5": _hdf5,
    "parquet": _table,
    "qp": _qp,
    "run": _run,
}
"""Formats of a submission, with the function that opens each: the path and the wanted grid to columns and form."""


def _ids(columns: Columns, ids: ArrayLike | str | os.PathLike[str] | None) -> dict[str, Any]:
    """Where the ids of the rows come from, as arguments of Submission."""
    if ids is None:
        column = next((name for name in ID_NAMES if name in columns.widths), None)
        if column is None:
            raise ColumnError(
                f"{columns.path} has no object ids; accepted are columns {ID_NAMES}, or ids= with the ids in the order "
                f"of its {columns.n_rows} rows"
            )
        return {"id_column": column}
    is_path = isinstance(ids, str) or hasattr(ids, "__fspath__")
    values = _ids_of_file(Path(ids)) if is_path else whole_ids(ids, "ids")  # type: ignore[arg-type]
    if values.size != columns.n_rows:
        raise ShapeError(
            f"{columns.path} has {columns.n_rows} rows, ids= gives {values.size}; there must be one per row"
        )
    return {"id_column": None, "ids": values}


def _ids_of_file(path: Path) -> NDArray[np.int64]:
    if not path.is_file():
        raise NotFoundError(f"there is no file of ids {path}")
    if path.suffix == ".npy":
        try:
            return whole_ids(np.load(path, allow_pickle=False), str(path))
        except (ValueError, EOFError, OSError) as error:
            raise FileFormatError(f"{path} cannot be read as an array of ids: {error}") from error
    content_kind(path)
    columns = TableColumns(open_catalog(path))
    column = next((name for name in ID_NAMES if name in columns.widths), None)
    if column is None:
        raise ColumnError(f"{path} has no column of ids; accepted are {ID_NAMES}, it has {list(columns.widths)[:20]}")
    found = [whole_ids(rows[column], str(path)) for rows in columns.batches([column], 1 << 20)]
    return np.concatenate(found)


def _check_size(columns: Columns) -> None:
    if columns.n_rows > MAX_ROWS:
        raise ShapeError(f"{columns.path} states {columns.n_rows} rows; accepted are {MAX_ROWS}")
    for name, width in columns.widths.items():
        if width is not None and width > MAX_WIDTH:
            raise ShapeError(f"{columns.path}: {name!r} has {width} values per object; accepted are {MAX_WIDTH}")


def _described(metadata: Mapping[str, Any]) -> str:
    folded = {key.casefold(): value for key, value in metadata.items()}
    found = (folded.get(name) for name in ("description", "descript", "method"))
    return next((str(text) for text in found if isinstance(text, str) and text), "")


def _stem(path: Path) -> str:
    name = path.name.lower()
    suffix = next((suffix for suffix in SUBMISSION_SUFFIXES if name.endswith(suffix)), "")
    return path.name[: len(path.name) - len(suffix)] or path.name
