"""Packed densities in a table: the column of codes, and the grid and encoding in the schema's metadata.

The codes of an object are one value of a fixed number of bytes. A list of 8-bit integers would say the same, but
Parquet has no 8-bit integer: it stores each in four bytes, which makes a file five times slower to write and twenty
times slower to read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from pzcenter.errors import GridError, SchemaError

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["ENCODING", "code_column", "codes_of", "grid_metadata", "grid_of"]

ENCODING = "u8sqrt"
"""Of the densities, see :mod:`pzcenter.science.packing`."""

_ENCODING, _Z_MIN, _Z_MAX, _N_Z = "pz.encoding", "pz.z_min", "pz.z_max", "pz.n_z"
_GRID_TOLERANCE = 1e-6
"""Of the grid's extent, by which a grid may differ from a uniform one."""


def code_column(code: NDArray[np.uint8]) -> pa.Array:
    """Codes as a column.

    Parameters
    ----------
    code : ndarray of uint8, (n_obj, n_byte)

    Returns
    -------
    pa.FixedSizeBinaryArray
        Shares the memory of ``code`` where that is contiguous.
    """
    data = np.ascontiguousarray(code)
    return pa.FixedSizeBinaryArray.from_buffers(pa.binary(data.shape[1]), data.shape[0], [None, pa.py_buffer(data)])


def codes_of(column: pa.Array | pa.ChunkedArray) -> NDArray[np.uint8]:
    """Codes (n_obj, n_byte) of a column that :func:`code_column` made.

    Raises
    ------
    SchemaError
        The column is of another type, or has nulls.
    """
    if isinstance(column, pa.ChunkedArray):
        column = column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()
    if not pa.types.is_fixed_size_binary(column.type) or column.null_count:
        raise SchemaError(
            f"packed densities are a column of fixed_size_binary without nulls; got {column.type} "
            f"with {column.null_count} nulls"
        )
    width = column.type.byte_width
    if len(column) == 0:
        return np.empty((0, width), dtype=np.uint8)
    start = column.offset * width
    return np.frombuffer(column.buffers()[1], dtype=np.uint8, count=len(column) * width, offset=start).reshape(
        -1, width
    )


def grid_metadata(z_grid: NDArray[np.float64]) -> dict[str, str]:
    """What the schema of a table of packed densities says of them.

    Raises
    ------
    GridError
        The grid is not uniform.
    """
    uniform = np.linspace(z_grid[0], z_grid[-1], z_grid.size)
    if not np.allclose(z_grid, uniform, rtol=0, atol=_GRID_TOLERANCE * (z_grid[-1] - z_grid[0])):
        steps = np.diff(z_grid)
        raise GridError(
            f"packed densities need a uniform grid; the steps go from {steps.min():.4g} to {steps.max():.4g}"
        )
    return {
        _ENCODING: ENCODING,
        _Z_MIN: repr(float(z_grid[0])),
        _Z_MAX: repr(float(z_grid[-1])),
        _N_Z: str(z_grid.size),
    }


def grid_of(schema: pa.Schema) -> NDArray[np.float64]:
    """Redshift grid of a table of packed densities, (n_z,).

    Raises
    ------
    SchemaError
        The metadata have no grid, or another encoding.
    """
    metadata = {key.decode(): value.decode() for key, value in (schema.metadata or {}).items()}
    try:
        low, high, n_z = float(metadata[_Z_MIN]), float(metadata[_Z_MAX]), int(metadata[_N_Z])
        encoding = metadata[_ENCODING]
    except (KeyError, ValueError) as error:
        raise SchemaError(
            f"the table's metadata have no redshift grid ({_ENCODING}, {_Z_MIN}, {_Z_MAX}, {_N_Z}): {error}"
        ) from None
    if encoding != ENCODING:
        raise SchemaError(f"the densities are encoded as {encoding!r}; {ENCODING!r} can be read")
    return np.linspace(low, high, n_z)
