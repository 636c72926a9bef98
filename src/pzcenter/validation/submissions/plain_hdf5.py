"""Plain HDF5 files: data sets at the root or in groups, of which some have a row for each object."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from pzcenter.errors import FileFormatError, ShapeError

from .grids import GRID_NAMES, LEVEL_NAMES
from .hdf5_columns import Hdf5Columns, open_hdf5, safe_datasets, small_values
from .object_ids import ID_NAMES
from .plain_layout import is_row_name, point_columns

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["plain_hdf5_columns"]


def plain_hdf5_columns(path: Path) -> Hdf5Columns:
    """Columns of a plain HDF5 file.

    Parameters
    ----------
    path : Path

    Returns
    -------
    Hdf5Columns
        Data sets as long as the ids (or as the densities, or as the points, where there are no ids) are columns, the
        small others and the attributes of the root are metadata.

    Raises
    ------
    FileFormatError
        Two data sets of one name, no data sets, or what :func:`.hdf5_columns.safe_datasets` refuses.
    ShapeError
        Densities that are transposed.
    """
    with open_hdf5(path) as file:
        datasets = safe_datasets(file, path)
        places = _by_name(datasets, path)
        shapes = {name: datasets[place].shape for name, place in places.items()}
        n_rows = _number_of_rows(shapes, path)
        common = {*GRID_NAMES, *LEVEL_NAMES}
        is_column = {
            name: len(shape) in (1, 2) and shape[0] == n_rows and not (len(shape) == 1 and name.casefold() in common)
            for name, shape in shapes.items()
        }
        columns = {name: places[name] for name, wanted in is_column.items() if wanted}
        _refuse_other_lengths(shapes, columns, n_rows, path)
        metadata: dict[str, Any] = {key: _text(value) for key, value in file.attrs.items()}
        for name, place in places.items():
            if name not in columns and datasets[place].ndim <= 1 + (name.casefold() in common):
                metadata[name] = small_values(datasets[place], path)
    return Hdf5Columns(path, columns, metadata=metadata, n_rows=n_rows)


def _by_name(datasets: dict[str, Any], path: Path) -> dict[str, str]:
    if not datasets:
        raise FileFormatError(f"{path} has no data sets")
    places: dict[str, str] = {}
    for place in sorted(datasets, key=lambda p: (p.count("/"), p)):
        name = place.rsplit("/", 1)[-1]
        if name in places:
            raise FileFormatError(f"{path} has two data sets of the name {name!r}: {places[name]!r} and {place!r}")
        places[name] = place
    return places


def _number_of_rows(shapes: dict[str, tuple[int, ...]], path: Path) -> int:
    for name in ID_NAMES:
        if shapes.get(name):
            return shapes[name][0]
    for name, shape in shapes.items():
        if is_row_name(name) and len(shape) == 2:
            return shape[0]
    points = Counter(shapes[name][0] for name in point_columns(shapes).values() if shapes[name])
    if not points:
        raise FileFormatError(f"{path} has no data sets under known names; it has {sorted(shapes)[:20]}")
    return points.most_common(1)[0][0]


def _refuse_other_lengths(shapes: dict[str, tuple[int, ...]], columns: dict[str, str], n_rows: int, path: Path) -> None:
    for name, shape in shapes.items():
        if name in columns or not is_row_name(name) or len(shape) != 2:
            continue
        if shape[1] == n_rows:
            raise ShapeError(
                f"{path}: {name!r} is transposed: its shape is {shape}, for {n_rows} objects it must be "
                f"({n_rows}, {shape[0]})"
            )
        raise ShapeError(f"{path}: {name!r} has {shape[0]} rows for {n_rows} objects")


def _text(value: Any) -> Any:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value
