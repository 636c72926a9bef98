"""Training, validation and test samples: reproducible, of exact size, and never one galaxy in two of them.

Each group of rows gets a random number that is made of its id and the seed alone. Groups are sorted by it and cut
at the wanted sizes, so the order of the rows does not matter, and added rows move few of the others.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pyarrow as pa

from pzcenter.errors import ConfigError, EmptyTableError, UsageError
from pzcenter.training.galaxy_groups import GALAXY, galaxy_groups
from pzcenter.training.row_hash import mix
from pzcenter.training.split_units import blocks_of, strata_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

__all__ = ["DEFAULT_FRACTIONS", "DEFAULT_STRATA", "SPLIT_COLUMN", "SplitReport", "split"]

DEFAULT_FRACTIONS: dict[str, float] = {"train": 0.7, "validation": 0.1, "test": 0.2}
DEFAULT_STRATA: dict[str, float] = {"z_spec": 0.2, "mag_i": 0.5}
"""Widths of the bins in which a stratified split keeps the proportions."""
SPLIT_COLUMN = "split"

Method = Literal["random", "stratified", "blocks"]


@dataclass(frozen=True)
class SplitReport:
    """How the rows were split.

    Parameters
    ----------
    method, group : str
        As asked for.
    seed : int
        As asked for.
    fractions : dict of str to float
        As asked for.
    n_rows : dict of str to int
        Rows of each sample.
    n_groups : dict of str to int
        Galaxies of each sample.
    n_units : int
        Pieces that were drawn: galaxies, or blocks of the sky.
    n_strata : int
        Bins in which the proportions were kept; 1 without.
    largest_unit : int
        Rows of the largest piece: sizes can be wrong by half of it.
    """

    method: str
    group: str
    seed: int
    fractions: dict[str, float]
    n_rows: dict[str, int]
    n_groups: dict[str, int]
    n_units: int
    n_strata: int
    largest_unit: int

    def as_dict(self) -> dict[str, Any]:
        """Plain values, as JSON takes them.

        Returns
        -------
        dict
        """
        return asdict(self)

    @property
    def sentences(self) -> list[str]:
        """The report in words.

        Returns
        -------
        list of str
        """
        total = sum(self.n_rows.values())
        shares = ", ".join(f"{name} {n:,} rows ({n / total:.1%})" for name, n in self.n_rows.items())
        what = {"random": "galaxy by galaxy", "stratified": f"galaxy by galaxy in {self.n_strata:,} bins"}
        how = what.get(self.method, f"in {self.n_units:,} blocks of the sky")
        return [f"Split {how} with seed {self.seed}: {shares}.", "No galaxy is in two samples."]


def split(
    table: pa.Table,
    fractions: Mapping[str, float] | None = None,
    *,
    seed: int,
    group: str = GALAXY,
    method: Method = "random",
    strata: Mapping[str, float] | None = None,
    block_order: int = 6,
) -> tuple[pa.Table, SplitReport]:
    """Give each row its sample.

    Parameters
    ----------
    table : pa.Table
        A training set.
    fractions : mapping of str to float, optional
        Share of each sample, positive, sum 1; by default 0.7 train, 0.1 validation, 0.2 test.
    seed : int
        Equal seeds give equal samples.
    group : str
        What must stay together, see :func:`pzcenter.training.galaxy_groups.galaxy_groups`.
    method : str
        ``random``; ``stratified``, which keeps the proportions in bins; ``blocks``, which keeps HEALPix pixels whole,
        so that the samples share no structure.
    strata : mapping of str to float, optional
        Bin widths of a stratified split by column; ``mag_{band}`` is computed of the flux. A group is in the bin of
        the row that stands for it.
    block_order : int
        HEALPix order of the blocks, 0 to 29; 6 is 0.9 deg.

    Returns
    -------
    table : pa.Table
        All rows in their order, with the column ``split``.
    report : SplitReport

    Raises
    ------
    ConfigError
        Fractions or a method that are not accepted.
    EmptyTableError
        No rows.
    UsageError
        A sample would be empty.
    ColumnError, BandError, SchemaError, UnitError
        Columns are missing or do not serve.
    """
    shares = _checked(fractions, method)
    if table.num_rows == 0:
        raise EmptyTableError("a table without rows cannot be split")
    galaxies = galaxy_groups(table, group)
    unit, unit_key = np.arange(galaxies.key.size), galaxies.key
    if method == "blocks":
        unit, unit_key = blocks_of(table.take(galaxies.first), block_order)
    stratum = strata_of(table.take(galaxies.first), strata or DEFAULT_STRATA) if method == "stratified" else None
    size = np.bincount(unit[galaxies.label], minlength=unit_key.size)
    part = _assign(mix(unit_key, seed), size, stratum, list(shares.values()))
    sample = part[unit][galaxies.label]
    report = SplitReport(
        method=method,
        group=group,
        seed=seed,
        fractions=shares,
        n_rows=_counts(sample, shares),
        n_groups=_counts(part[unit], shares),
        n_units=int(unit_key.size),
        n_strata=1 if stratum is None else int(stratum.max()) + 1,
        largest_unit=int(size.max()),
    )
    _refuse_empty(report)
    return _with_column(table, np.array(list(shares), dtype=object)[sample]), report


def _assign(
    order: NDArray[np.uint64], size: NDArray[np.int64], stratum: NDArray[np.int64] | None, shares: list[float]
) -> NDArray[np.int64]:
    """Sample of each unit: units in random order within their stratum, cut at the wanted number of rows.

    What rounding leaves over in one stratum is made good in the next, so that the whole is exact to half a unit.
    """
    stratum = np.zeros(order.size, dtype=np.int64) if stratum is None else stratum
    sequence = np.lexsort((order, stratum))
    edges = np.searchsorted(stratum[sequence], np.arange(int(stratum.max()) + 2))
    cumulative = np.cumsum(shares)[:-1]
    part = np.empty(order.size, dtype=np.int64)
    seen, given = 0, np.zeros(cumulative.size)
    for begin, end in pairwise(edges):
        rows = np.concatenate([[0], np.cumsum(size[sequence[begin:end]])])
        seen += int(rows[-1])
        cut = np.maximum.accumulate(_nearest(rows, cumulative * seen - given))
        given += rows[cut]
        part[sequence[begin:end]] = np.searchsorted(cut, np.arange(end - begin), side="right")
    return part


def _nearest(increasing: NDArray[np.int64], wanted: NDArray[np.float64]) -> NDArray[np.int64]:
    """Index of the nearest value; the lower one of two as near."""
    right = np.clip(np.searchsorted(increasing, wanted), 1, increasing.size - 1)
    left = right - 1
    return np.where(wanted - increasing[left] <= increasing[right] - wanted, left, right)


def _checked(fractions: Mapping[str, float] | None, method: str) -> dict[str, float]:
    if method not in ("random", "stratified", "blocks"):
        raise ConfigError(f"method of the split is {method!r}; accepted: random, stratified, blocks")
    shares = dict(DEFAULT_FRACTIONS if fractions is None else fractions)
    if not shares or not all(share > 0 for share in shares.values()) or abs(sum(shares.values()) - 1) > 1e-9:
        raise ConfigError(f"fractions must be positive with sum 1; got {shares}, sum {sum(shares.values()):g}")
    return shares


def _counts(sample: NDArray[np.int64], shares: Mapping[str, float]) -> dict[str, int]:
    return {name: int(n) for name, n in zip(shares, np.bincount(sample, minlength=len(shares)), strict=True)}


def _refuse_empty(report: SplitReport) -> None:
    empty = [name for name, n in report.n_rows.items() if n == 0]
    if empty:
        raise UsageError(
            f"sample {', '.join(empty)} would be empty: {sum(report.n_rows.values())} rows come in {report.n_units} "
            f"pieces, the largest of {report.largest_unit} rows; take other fractions or smaller blocks"
        )


def _with_column(table: pa.Table, values: NDArray[Any]) -> pa.Table:
    column = pa.array(values, pa.string())
    if SPLIT_COLUMN in table.column_names:
        return table.set_column(table.column_names.index(SPLIT_COLUMN), SPLIT_COLUMN, column)
    return table.append_column(SPLIT_COLUMN, column)
