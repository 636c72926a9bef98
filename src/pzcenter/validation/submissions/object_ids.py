"""Object ids as participants write them: whole numbers, also as floats or as text; anything else is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pzcenter.errors import ColumnError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["EXACT_FLOAT", "ID_NAMES", "whole_ids"]

ID_NAMES = (
    "object_id",
    "objectId",
    "id",
    "ids",
    "ID",
    "OBJECT_ID",
    "objectid",
    "object_ids",
    "galaxy_id",
    "diaObjectId",
)
"""Names under which ids are looked for, the first found is taken."""
EXACT_FLOAT = 2**53
"""Above this, a float no longer holds every whole number: an id stored so has lost digits."""
_WHOLE_TEXT = r"^\s*[+-]?[0-9]+(\.0*)?\s*$"


def whole_ids(values: ArrayLike, where: str, *, first_row: int = 0) -> NDArray[np.int64]:
    """Object ids as int64.

    Parameters
    ----------
    values : array, (n_obj,)
        Integers; floats without a fraction, up to 2^53; or text of digits, ``123`` or ``123.0``.
    where : str
        File and column, for the message.
    first_row : int
        Row number of the first value in its file, for the message.

    Returns
    -------
    ndarray of int64, (n_obj,)

    Raises
    ------
    ColumnError
        A value is no whole number of 64 bits; the message names its row.
    """
    array = np.asarray(values)
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim != 1:
        raise ColumnError(f"{where}: object ids are one number per object; got an array of shape {array.shape}")
    if array.dtype.kind == "i":
        return array.astype(np.int64, copy=False)
    if array.dtype.kind == "u":
        return _checked(array, array <= np.uint64(np.iinfo(np.int64).max), where, first_row, "is beyond 2^63 - 1")
    if array.dtype.kind == "f":
        fine = np.isfinite(array) & (np.abs(array) <= EXACT_FLOAT) & (np.floor(array) == array)
        return _checked(array, fine, where, first_row, "is no whole number up to 2^53 (floats lose digits above it)")
    if array.dtype.kind in "SUOT":
        return _from_text(array, where, first_row)
    raise ColumnError(f"{where}: object ids must be whole numbers, or text of digits; got type {array.dtype}")


def _checked(
    array: NDArray[Any], fine: NDArray[np.bool_], where: str, first_row: int, reason: str
) -> NDArray[np.int64]:
    if not fine.all():
        row = int(np.argmin(fine))
        raise ColumnError(f"{where}: the object id {array[row]!r} in row {first_row + row} {reason}")
    return array.astype(np.int64)


def _from_text(array: NDArray[Any], where: str, first_row: int) -> NDArray[np.int64]:
    text = np.char.decode(array, "ascii", "replace") if array.dtype.kind == "S" else array
    words = pa.array([str(word.decode("ascii", "replace") if isinstance(word, bytes) else word) for word in text])
    fine = pc.match_substring_regex(words, _WHOLE_TEXT).to_numpy(zero_copy_only=False)
    if not fine.all():
        row = int(np.argmin(fine))
        raise ColumnError(
            f"{where}: the object id {words[row].as_py()!r} in row {first_row + row} is no whole number; "
            f"accepted are integers, and floats or text that stand for one"
        )
    digits = pc.replace_substring_regex(pc.utf8_trim_whitespace(words), r"^\+|\.0*$", "")
    try:
        return np.asarray(digits.cast(pa.int64()).to_numpy(zero_copy_only=False))
    except pa.ArrowInvalid as error:
        raise ColumnError(f"{where}: an object id is beyond 64 bits: {error}") from None
