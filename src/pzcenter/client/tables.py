"""Files of products as tables; what reads them is imported when it is needed."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from pzcenter.errors import FileFormatError, MissingDependencyError

if TYPE_CHECKING:
    from pathlib import Path

    from astropy.table import Table

__all__ = ["FORMATS", "read_table"]

FORMATS = {
    ".csv": "ascii.csv", ".fits": "fits", ".fit": "fits", ".parquet": "parquet", ".pq": "parquet",
    ".ecsv": "ascii.ecsv", ".vot": "votable", ".xml": "votable", ".votable": "votable",
    ".hdf5": "hdf5", ".h5": "hdf5", ".hdf": "hdf5", ".hf5": "hdf5",
}  # fmt: skip
"""What astropy calls the format of each ending."""


def read_table(path: Path) -> Table:
    """Read a table.

    Parameters
    ----------
    path : Path
        CSV, ECSV, FITS, HDF5, Parquet or VOTable, by its ending.

    Returns
    -------
    astropy.table.Table

    Raises
    ------
    FileFormatError
        The ending is not known, or the file is not what it says.
    MissingDependencyError
        A package that reads this format is not installed.
    """
    kind = FORMATS.get(path.suffix.lower())
    if kind is None:
        raise FileFormatError(f"{path.name} is no table that can be opened here; accepted are {', '.join(FORMATS)}")
    try:
        if kind in OWN:
            return OWN[kind](path)
        from astropy.table import Table

        return Table.read(path, format=kind)
    except ImportError as error:
        raise MissingDependencyError(f"{path.name}: {error}; install astropy, and h5py or pyarrow for it") from error
    except FileFormatError:
        raise
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise FileFormatError(f"{path.name} cannot be read as {kind}: {error}") from error


def _hdf5(path: Path) -> Table:
    """The table of an HDF5 file: one dataset of records, or a group whose datasets are columns."""
    import h5py
    from astropy.table import Table

    with h5py.File(path, "r") as file:
        group: Any = file
        # Tables of several programs lie one or two levels down.
        while len(group) == 1 and isinstance(inner := next(iter(group.values())), h5py.Group):
            group = inner
        members = {str(name): each for name, each in group.items() if isinstance(each, h5py.Dataset) and each.shape}
        if not members:
            raise FileFormatError(
                f"{path.name} has no datasets in {group.name}; there are {', '.join(group) or 'none'}"
            )
        records = [each for each in members.values() if each.dtype.names]
        if len(records) == 1:
            return Table(records[0][:])
        lengths = {each.shape[0] for each in members.values()}
        if len(lengths) != 1:
            raise FileFormatError(f"{path.name}: datasets of {sorted(lengths)} rows in {group.name} are no table")
        return Table({name: each[:] for name, each in members.items()})


def _parquet(path: Path) -> Table:
    """A Parquet file; missing values are masked, so that whole numbers stay whole."""
    from astropy.table import Table

    # By name: the client as a whole does without it.
    read = import_module("pyarrow.parquet").read_table(path)
    return Table([_column(name, read[name]) for name in read.column_names])


def _column(name: str, values: Any) -> Any:
    """One column of Arrow as one of astropy."""
    from astropy.table import Column, MaskedColumn

    types = import_module("pyarrow.types")
    kind, missing = values.type, values.is_null().to_numpy()
    if types.is_nested(kind) or types.is_binary(kind) or types.is_large_binary(kind):
        whole = types.is_fixed_size_list(kind) and not values.null_count
        cells = values.to_pylist()
        return Column(cells, name) if whole else Column(cells, name, dtype=object)
    if types.is_string(kind) or types.is_large_string(kind):
        data: Any = ["" if value is None else value for value in values.to_pylist()]
    elif types.is_floating(kind):
        data = values.to_numpy()
        missing = missing & False
    else:
        data = values.fill_null(_nothing(kind, types)).to_numpy() if values.null_count else values.to_numpy()
    return MaskedColumn(data, name, mask=missing) if missing.any() else Column(data, name)


def _nothing(kind: Any, types: Any) -> Any:
    """A value that stands below a mask."""
    if types.is_boolean(kind):
        return False
    arrow = import_module("pyarrow")
    return arrow.scalar(0, arrow.int64()).cast(kind)


OWN = {"hdf5": _hdf5, "parquet": _parquet}
"""Formats that are read here: astropy's readers are narrower."""
