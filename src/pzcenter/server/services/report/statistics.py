"""Numbers on columns, batch by batch: exact counts and ranges, medians and histograms of a sample of rows."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["SENTINELS", "ColumnTally", "RowSample", "as_numbers", "plain_number"]

SENTINELS = (-99.0, 99.0, -999.0, 999.0, -9999.0, 9999.0, -99.9, 99.99, -9.99, -1e30, 1e30, 1e20, -1e20)
"""Numbers that stand for nothing in many catalogues."""
SAMPLE_VALUES, MIN_SAMPLE, MAX_SAMPLE = 4_000_000, 500, 20_000
N_BINS = 40
TAIL = 0.5
"""Percent on either side that histograms leave to their edges."""
MAX_TEXT = 60
N_TEXTS = 10


def plain_number(value: Any) -> float | int | None:
    """A number as JSON can hold it."""
    if value is None:
        return None
    number = value.item() if hasattr(value, "item") else value
    if isinstance(number, int):
        return number
    return float(f"{number:.8g}") if math.isfinite(number) else None


def as_numbers(column: pa.Array) -> NDArray[np.float64]:
    """Values of a column of numbers, NaN where there is none."""
    return np.asarray(pc.cast(column, pa.float64(), safe=False).to_numpy(zero_copy_only=False), dtype=np.float64)


class ColumnTally:
    """What one column holds.

    Parameters
    ----------
    field : pa.Field
    """

    def __init__(self, field: pa.Field) -> None:
        self.field = field
        self.is_number = (
            pa.types.is_floating(field.type) or pa.types.is_integer(field.type) or pa.types.is_decimal(field.type)
        )
        self.n = self.n_null = self.n_nan = self.n_inf = self.n_negative = 0
        self.low: Any = None
        self.high: Any = None
        self.total = 0.0

    def add(self, column: pa.Array) -> None:
        """Look at more values."""
        self.n += len(column)
        self.n_null += column.null_count
        if not self.is_number or column.null_count == len(column):
            return
        if pa.types.is_integer(self.field.type):
            found = pc.min_max(column)
            self._widen(found["min"].as_py(), found["max"].as_py())
            self.n_negative += int(pc.sum(pc.less(column, 0)).as_py() or 0)
            self.total += float(pc.sum(pc.cast(column, pa.float64(), safe=False)).as_py() or 0.0)
            return
        values = as_numbers(column.drop_null())
        finite = values[np.isfinite(values)]
        n_nan = int(np.isnan(values).sum())
        self.n_nan += n_nan
        self.n_inf += values.size - finite.size - n_nan
        if finite.size:
            self._widen(float(finite.min()), float(finite.max()))
            self.n_negative += int((finite < 0).sum())
            self.total += float(finite.sum())

    def _widen(self, low: Any, high: Any) -> None:
        self.low = low if self.low is None else min(self.low, low)
        self.high = high if self.high is None else max(self.high, high)

    @property
    def n_missing(self) -> int:
        """Null or NaN."""
        return self.n_null + self.n_nan

    @property
    def n_values(self) -> int:
        """Numbers, or texts, that are there."""
        return self.n - self.n_missing - self.n_inf

    def as_json(self, sample: pa.Array | None) -> dict[str, Any]:
        """For the report.

        Parameters
        ----------
        sample : pa.Array or None
            Values of the sampled rows.
        """
        words = {key.decode(): value.decode("utf-8", "replace") for key, value in (self.field.metadata or {}).items()}
        told: dict[str, Any] = {
            "name": self.field.name, "datatype": str(self.field.type)[:255], "unit": words.get("unit"), "n": self.n,
            "n_null": self.n_null, "n_nan": self.n_nan, "n_inf": self.n_inf,
        }  # fmt: skip
        if self.is_number:
            told |= self._numbers(sample)
        elif sample is not None:
            told |= _texts(sample)
        return told

    def _numbers(self, sample: pa.Array | None) -> dict[str, Any]:
        mean = self.total / self.n_values if self.n_values else None
        told: dict[str, Any] = {
            "min": plain_number(self.low), "max": plain_number(self.high), "mean": plain_number(mean),
            "constant": self.n_values > 1 and self.low == self.high and not self.n_missing,
        }  # fmt: skip
        if sample is None:
            return told
        values = as_numbers(sample)
        values = values[np.isfinite(values)]
        if not values.size:
            return told
        sentinels = {f"{each:g}": int((values == each).sum()) for each in SENTINELS}
        told["sentinels"] = {key: n for key, n in sentinels.items() if n}
        real = values[~np.isin(values, SENTINELS)] if told["sentinels"] else values
        told["median"] = plain_number(np.median(real)) if real.size else None
        told["histogram"] = _histogram(real)
        return told


def _histogram(values: NDArray[np.float64]) -> dict[str, Any] | None:
    """Counts between edges; what lies beyond the edges is in the first and last count."""
    if not values.size:
        return None
    low, high = np.percentile(values, [TAIL, 100 - TAIL])
    if not high > low:
        low, high = float(values.min()), float(values.max())
    if not high > low or not math.isfinite(high - low):
        return {
            "edges": [plain_number(low), plain_number(high)],
            "counts": [int(values.size)],
            "n_sampled": values.size,
        }
    edges = np.linspace(low, high, N_BINS + 1)
    counts, _ = np.histogram(np.clip(values, low, high), edges)
    return {
        "edges": [plain_number(edge) for edge in edges], "counts": counts.tolist(), "n_sampled": int(values.size),
    }  # fmt: skip


def _texts(sample: pa.Array) -> dict[str, Any]:
    if not (
        pa.types.is_string(sample.type) or pa.types.is_large_string(sample.type) or pa.types.is_boolean(sample.type)
    ):
        return {}
    counts = pc.value_counts(sample.drop_null()).to_pylist()
    counts.sort(key=lambda each: (-each["counts"], str(each["values"])))
    shown = [[str(each["values"])[:MAX_TEXT].replace("\x00", ""), each["counts"]] for each in counts[:N_TEXTS]]
    return {"values": shown, "n_different": len(counts), "constant": len(counts) == 1 and sample.null_count == 0}


class RowSample:
    """Rows chosen at random, each with the same chance, while they pass by.

    Parameters
    ----------
    schema : pa.Schema
        Nested columns are left out; texts are cut.
    seed : int
    """

    def __init__(self, schema: pa.Schema, seed: int = 0) -> None:
        self.columns = [field.name for field in schema if not _is_large(field.type)]
        self.size = int(np.clip(SAMPLE_VALUES // max(len(self.columns), 1), MIN_SAMPLE, MAX_SAMPLE))
        self._rng = np.random.default_rng(seed)
        self._kept: list[pa.RecordBatch] = []
        self._keys = np.empty(0)
        self._limit = 1.0

    def add(self, batch: pa.RecordBatch) -> None:
        """Look at more rows."""
        keys = self._rng.random(batch.num_rows)
        chosen = np.flatnonzero(keys < self._limit)
        if not chosen.size:
            return
        rows = batch.select(self.columns).take(pa.array(chosen))
        self._kept.append(pa.RecordBatch.from_arrays([_cut(column) for column in rows.columns], names=self.columns))
        self._keys = np.concatenate([self._keys, keys[chosen]])
        if self._keys.size > 2 * self.size:
            self._shrink()

    def _shrink(self) -> None:
        best = np.sort(np.argpartition(self._keys, self.size - 1)[: self.size])
        table = pa.Table.from_batches(self._kept).take(pa.array(best))
        self._kept = table.combine_chunks().to_batches()
        self._keys = self._keys[best]
        self._limit = float(self._keys.max())

    def table(self) -> pa.Table | None:
        """The chosen rows, in the order in which they passed; None before there are any."""
        if self._keys.size > self.size:
            self._shrink()
        return pa.Table.from_batches(self._kept).combine_chunks() if self._kept else None


def _is_large(kind: pa.DataType) -> bool:
    return bool(pa.types.is_nested(kind) or pa.types.is_binary(kind) or pa.types.is_large_binary(kind))


def _cut(column: pa.Array) -> pa.Array:
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        return pc.utf8_slice_codeunits(column, 0, MAX_TEXT)
    return column
