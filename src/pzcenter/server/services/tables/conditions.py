"""Conditions on rows as people write them: a column, a sign, a value."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING

import numpy as np

from pzcenter.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa
    from numpy.typing import NDArray

    from pzcenter.schema import Condition

__all__ = ["check_conditions", "fulfilling", "read_condition", "read_conditions"]

CONDITION = re.compile(r"([^<>=!]{1,255}?)\s*(<=|>=|==|!=|<|>|=)\s*([^<>=!\x00]{1,255})")
MAX_LETTERS = 3000
MAX_CONDITIONS = 10


def read_condition(text: str) -> Condition:
    """A column, a sign and a value; a number where it is one.

    Parameters
    ----------
    text : str
        Such as ``z < 0.5``, ``survey == DEEP2``; one ``=`` says the same as two.

    Returns
    -------
    Condition

    Raises
    ------
    UsageError
        Something else.
    """
    from pzcenter.schema import Condition

    found = CONDITION.fullmatch(text.strip())
    if found is None or not found[3].strip():
        raise UsageError(f"{text[:60]!r} is no condition; expected COLUMN<VALUE, with one of < <= > >= == !=")
    value: float | str = found[3].strip()
    try:
        number = float(value)
    except ValueError:
        number = math.nan
    told = number if math.isfinite(number) else value
    sign = "==" if found[2] == "=" else found[2]
    return Condition(column=found[1].strip(), op=sign, value=told, optional=False)  # type: ignore[arg-type]


def read_conditions(text: str) -> list[Condition]:
    """Conditions with commas between them; none of an empty text.

    Parameters
    ----------
    text : str
        Such as ``z < 0.5, mag_i < 24``.

    Returns
    -------
    list of Condition

    Raises
    ------
    UsageError
    """
    if len(text) > MAX_LETTERS:
        raise UsageError(f"conditions of {len(text)} letters; {MAX_LETTERS} are accepted")
    return [read_condition(part) for part in text.split(",") if part.strip()]


def check_conditions(where: Sequence[Condition]) -> None:
    """Refuse more conditions than a question may have.

    Parameters
    ----------
    where : sequence of Condition

    Raises
    ------
    UsageError
    """
    if len(where) > MAX_CONDITIONS:
        raise UsageError(f"{len(where)} conditions; at most {MAX_CONDITIONS} are accepted")


def fulfilling(batch: pa.RecordBatch, where: Sequence[Condition]) -> NDArray[np.bool_]:
    """Which rows fulfil all conditions.

    Parameters
    ----------
    batch : pa.RecordBatch
        With the columns of the conditions.
    where : sequence of Condition

    Returns
    -------
    ndarray of bool, (n_rows,)
    """
    mask = np.ones(batch.num_rows, dtype=bool)
    for each in where:
        mask &= each.holds(batch.column(each.column)).to_numpy(zero_copy_only=False)
    return mask
