"""Ids that are there more than once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["IdTally"]

MAX_NUMBERS, MAX_TEXTS = 5_000_000, 500_000
N_EXAMPLES = 5


class IdTally:
    """Ids as they pass by; after some millions no more are taken in.

    Parameters
    ----------
    column : str
    """

    def __init__(self, column: str) -> None:
        self.column = column
        self._numbers: list[NDArray[np.int64]] = []
        self._texts: list[pa.Array] = []
        self._n = 0
        self._complete = True

    def add(self, ids: pa.Array) -> None:
        """Look at more ids."""
        ids = ids.drop_null()
        whole = pa.types.is_integer(ids.type)
        if self._n + len(ids) > (MAX_NUMBERS if whole else MAX_TEXTS):
            self._complete = False
            return
        self._n += len(ids)
        if whole:
            self._numbers.append(np.asarray(pc.cast(ids, pa.int64(), safe=False).to_numpy(), dtype=np.int64))
        else:
            self._texts.append(pc.cast(ids, pa.large_string()))

    def as_json(self) -> dict[str, Any]:
        """For the report."""
        examples: list[str] = []
        n_repeated = 0
        if self._numbers:
            values, counts = np.unique(np.concatenate(self._numbers), return_counts=True)
            n_repeated = int((counts[counts > 1] - 1).sum())
            examples = [str(value) for value in values[counts > 1][:N_EXAMPLES].tolist()]
        elif self._texts:
            found = pc.value_counts(pa.chunked_array(self._texts))
            repeated = found.filter(pc.greater(found.field("counts"), 1))
            n_repeated = int(pc.sum(repeated.field("counts")).as_py() or 0) - len(repeated)
            examples = [str(each)[:60] for each in repeated.field("values").slice(0, N_EXAMPLES).to_pylist()]
        return {
            "column": self.column, "n_looked_at": self._n, "n_repeated": n_repeated, "examples": examples,
            "complete": self._complete,
        }  # fmt: skip
