"""Match a list of positions with an object catalogue of any size, one partition at a time.

The list is the small side: each position is spread over the HEALPix cells that its circle can touch, and the sorted
cells are looked up in each partition. Therefore no margins are needed, and only partitions of a HATS catalogue that the
list touches are read. All pairs within the radius are found first; nearest, k-nearest and one-to-one are choices among
them.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pzcenter.catalogs.match_columns import ObjectColumns, object_columns
from pzcenter.errors import EmptyTableError, UsageError
from pzcenter.science.association import (
    chance_probability,
    likelihood_ratio,
    one_to_one,
    position_error,
    propagate_positions,
)
from pzcenter.science.friends import ARCSEC, unit_vectors
from pzcenter.science.sky import MAX_ORDER, healpix29, healpix_at_order, margin_order, pixel_neighbours, pixel_range_29

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

    from pzcenter.catalogs.readers import Catalog, Partition

__all__ = ["MAX_MATCH_RADIUS_ARCSEC", "CrossmatchResult", "MatchStatistics", "ProperMotion", "crossmatch"]

MAX_MATCH_RADIUS_ARCSEC = 60.0
DENSITY_ORDER = 11
"""Cells of 1.7 arcmin, in which the density of objects is counted."""
PROBE_SHIFT_ARCSEC = 30.0
"""How far positions are moved, at least, to see how often something is there by chance."""
PROBE_SHIFT_RADII = 10.0
SIGNIFICANT = 5.0
N_CANDIDATES = 20_000_000
"""Most candidates that are looked at in one go."""
Mode = Literal["nearest", "k", "all"]


@dataclass(frozen=True, eq=False)
class ProperMotion:
    """How positions move.

    Parameters
    ----------
    pmra, pmdec : ndarray, (n_positions,)
        mas/yr, ``pmra`` with the factor cos(dec); NaN is no motion.
    years : ndarray, (n_positions,), or float
        From the epoch of the positions to that of the catalogue.
    """

    pmra: NDArray[np.float64]
    pmdec: NDArray[np.float64]
    years: NDArray[np.float64] | float


@dataclass(frozen=True)
class MatchStatistics:
    """How a match went.

    Parameters
    ----------
    n_positions, n_no_position : int
        Positions asked for, and those that are none (NaN).
    n_matched : int
        Positions with at least one object in the result.
    n_pairs, n_pairs_within : int
        Pairs of the result, and all within the radius.
    n_ambiguous : int
        Positions with several objects within the radius.
    n_shared : int
        Objects of the result that several positions have.
    n_objects_read, n_objects_no_position : int
        Objects that were looked at, and those of them without a position.
    n_partitions, n_partitions_read : int
    radius_arcsec, median_separation_arcsec : float
    offset_ra_arcsec, offset_dec_arcsec : float
        Median of object minus position.
    chance_expected : float
        Share of unrelated positions that would have an object within the radius, from the density of objects.
    chance_measured : float
        The same, by matching the positions moved by ``shift_arcsec``.
    shift_arcsec : float
    false_share : float
        Estimate of the share of wrong pairs among the nearest: mean probability that an unrelated object is as near.
    density_per_arcmin2 : float
        Median over the positions.
    share_with_counterpart : float or None
        Q0 of the likelihood ratios.
    warnings : tuple of str
    """

    n_positions: int
    n_no_position: int
    n_matched: int
    n_pairs: int
    n_pairs_within: int
    n_ambiguous: int
    n_shared: int
    n_objects_read: int
    n_objects_no_position: int
    n_partitions: int
    n_partitions_read: int
    radius_arcsec: float
    median_separation_arcsec: float
    offset_ra_arcsec: float
    offset_dec_arcsec: float
    chance_expected: float
    chance_measured: float
    shift_arcsec: float
    false_share: float
    density_per_arcmin2: float
    share_with_counterpart: float | None = None
    warnings: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


@dataclass(frozen=True, eq=False)
class CrossmatchResult:
    """Pairs of positions and objects.

    Parameters
    ----------
    pairs : pa.Table
        ``row`` (of the position), ``objectId``, ``object_ra``, ``object_dec``, ``separation_arcsec``, ``rank`` (1 is
        the best), ``n_within``, ``reliability`` where likelihood ratios were asked for, then the columns asked for;
        sorted by row and rank.
    statistics : MatchStatistics
    """

    pairs: pa.Table
    statistics: MatchStatistics


@dataclass(eq=False)
class _Found:
    """What the partitions gave so far."""

    row: list[NDArray[np.int64]] = field(default_factory=list)
    separation: list[NDArray[np.float64]] = field(default_factory=list)
    objects: list[pa.Table] = field(default_factory=list)
    probes: list[NDArray[np.int64]] = field(default_factory=list)
    cells: list[NDArray[np.int64]] = field(default_factory=list)
    counts: list[NDArray[np.int64]] = field(default_factory=list)
    background: list[NDArray[np.float64]] = field(default_factory=list)
    n_objects: int = 0
    n_bad_objects: int = 0
    n_read: int = 0


def crossmatch(
    ra: NDArray[np.float64],
    dec: NDArray[np.float64],
    catalog: Catalog,
    *,
    radius_arcsec: float = 1.0,
    mode: Mode = "nearest",
    k: int = 1,
    columns: Sequence[str] = (),
    names: ObjectColumns | None = None,
    motion: ProperMotion | None = None,
    one_to_one_only: bool = False,
    use_likelihood: bool = False,
    sigma_arcsec: float | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> CrossmatchResult:
    """Find the objects of a catalogue near to positions.

    Parameters
    ----------
    ra, dec : ndarray, (n_positions,)
        Degrees; NaN has no match.
    catalog : Catalog
        From :func:`pzcenter.catalogs.open_catalog`.
    radius_arcsec : float
        Above 0, at most 60.
    mode : str
        ``nearest``; ``k``: the ``k`` best; ``all``: all within the radius.
    k : int
    columns : sequence of str
        Further columns of the catalogue to bring along.
    names : ObjectColumns, optional
        Columns of ids, positions and magnitude; found from the catalogue's mapping by default.
    motion : ProperMotion, optional
        Of the positions, which are brought to the epoch of the catalogue first.
    one_to_one_only : bool
        Among the pairs of the mode, no object belongs to two positions and no position to two objects: as many pairs
        as possible, the cheapest in sum.
    use_likelihood : bool
        Rank by likelihood ratios of distance and magnitude in place of distance.
    sigma_arcsec : float, optional
        Error of one coordinate of the offsets; from the separations themselves by default.
    progress : callable, optional
        Called with the number of partitions that were read, and of all to be read.

    Returns
    -------
    CrossmatchResult

    Raises
    ------
    UsageError
        The radius, ``k`` or the mode is not accepted; likelihood ratios without a magnitude.
    EmptyTableError
        No position is one, or nothing of the catalogue is near any of them.
    ColumnError
        Columns of the catalogue are missing.
    """
    _check(radius_arcsec, mode, k)
    chosen = names or object_columns(catalog)
    if use_likelihood and chosen.mag is None:
        raise UsageError("likelihood ratios need the magnitude or flux of the objects: name the column")
    ra, dec = np.asarray(ra, dtype=np.float64), np.asarray(dec, dtype=np.float64)
    if motion is not None:
        ra, dec = propagate_positions(ra, dec, motion.pmra, motion.pmdec, motion.years)
    small = _Small(ra, dec, radius_arcsec)
    wanted = [each for each in catalog.partitions if small.touches(each)]
    found = _Found()
    for number, partition in enumerate(wanted):
        _match_partition(partition, small, chosen, columns, found, trusted=catalog.format == "hats")
        if progress is not None:
            progress(number + 1, len(wanted))
    if not found.n_objects or not small.overlaps(found):
        raise EmptyTableError(_no_overlap(small, catalog, found))
    pairs, share = _ranked(small, found, use_likelihood, sigma_arcsec, columns)
    kept = _choose(pairs, mode, k, one_to_one_only=one_to_one_only)
    statistics = _statistics(small, found, pairs, kept, share, len(catalog.partitions))
    return CrossmatchResult(kept, statistics)


def _check(radius_arcsec: float, mode: str, k: int) -> None:
    if not 0.0 < radius_arcsec <= MAX_MATCH_RADIUS_ARCSEC:
        raise UsageError(
            f"a match radius of {radius_arcsec} arcsec; above 0 and at most {MAX_MATCH_RADIUS_ARCSEC:g} is accepted"
        )
    if mode not in ("nearest", "k", "all"):
        raise UsageError(f"the mode {mode!r} of a match is not known; nearest, k and all are accepted")
    if k < 1:
        raise UsageError(f"k is {k}; 1 or more is accepted")


class _Small:
    """The positions, spread over the cells that their circles can touch; probes are moved copies of them."""

    def __init__(self, ra: NDArray[np.float64], dec: NDArray[np.float64], radius_arcsec: float) -> None:
        good = np.isfinite(ra) & np.isfinite(dec) & (np.abs(dec) <= 90.0)
        self.n_positions, self.ra, self.dec = ra.size, ra, dec
        self.rows = np.flatnonzero(good)
        if not self.rows.size:
            raise EmptyTableError(f"none of the {ra.size} positions is one")
        self.radius_arcsec = radius_arcsec
        self.shift_arcsec = max(PROBE_SHIFT_ARCSEC, PROBE_SHIFT_RADII * radius_arcsec)
        moved = dec[good] + np.where(dec[good] > 0, -1.0, 1.0) * self.shift_arcsec / 3600.0
        all_ra, all_dec = np.tile(ra[good], 2), np.r_[dec[good], moved]
        self.owner = np.r_[self.rows, -1 - self.rows]
        self.vectors = unit_vectors(all_ra, all_dec)
        self.order = margin_order(radius_arcsec)
        own = healpix_at_order(healpix29(np.mod(all_ra, 360.0), all_dec), self.order)
        cells = np.column_stack([own, pixel_neighbours(own, self.order)])
        point = np.repeat(np.arange(own.size), cells.shape[1])
        there = cells.ravel() >= 0
        sorted_by = np.argsort(cells.ravel()[there], kind="stable")
        self.cell = cells.ravel()[there][sorted_by]
        self.point = point[there][sorted_by]
        self.shift = 2 * (MAX_ORDER - self.order)
        self.density_cell = healpix_at_order(healpix29(np.mod(ra[good], 360.0), dec[good]), DENSITY_ORDER)

    def touches(self, partition: Partition) -> bool:
        """Whether a partition may hold objects near to a position."""
        if partition.order is None or partition.pixel is None:
            return True
        first, last = pixel_range_29(partition.pixel, partition.order)
        begin = np.searchsorted(self.cell, first >> self.shift)
        return bool(begin < self.cell.size and self.cell[begin] << self.shift < last)

    def overlaps(self, found: _Found) -> bool:
        """Whether any object was in a cell near to a position."""
        return bool(sum(each.size for each in found.row)) or bool(
            np.isin(self.density_cell, np.concatenate(found.cells)).any()
        )

    def candidates(self, pixel: NDArray[np.int64]) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
        """Points and places of the sorted order-29 pixels that share a cell."""
        begin, end = np.searchsorted(self.cell, [pixel[0] >> self.shift, (pixel[-1] >> self.shift) + 1])
        cell, point = self.cell[begin:end], self.point[begin:end]
        if pixel.size < cell.size:
            # Few objects over much of the sky: keep the cells that hold any.
            there = np.unique(pixel >> self.shift)
            first, last = np.searchsorted(cell, there), np.searchsorted(cell, there, side="right")
            number = last - first
            inside = np.repeat(first - np.r_[0, np.cumsum(number)[:-1]], number) + np.arange(number.sum())
            cell, point = cell[inside], point[inside]
        low, high = np.searchsorted(pixel, cell << self.shift), np.searchsorted(pixel, (cell + 1) << self.shift)
        number = high - low
        some = number > 0
        point, low, number = point[some], low[some], number[some]
        at_once = np.searchsorted(np.cumsum(number), np.arange(N_CANDIDATES, number.sum() + N_CANDIDATES, N_CANDIDATES))
        start = 0
        for stop in np.minimum(at_once + 1, number.size):
            part = number[start:stop]
            if part.size:
                first = np.repeat(low[start:stop] - np.r_[0, np.cumsum(part)[:-1]], part)
                yield np.repeat(point[start:stop], part), first + np.arange(part.sum())
            start = int(stop)


def _match_partition(
    partition: Partition,
    small: _Small,
    names: ObjectColumns,
    columns: Sequence[str],
    found: _Found,
    *,
    trusted: bool,
) -> None:
    table = partition.read(names.wanted(trusted=trusted))
    if not table.num_rows:
        return
    found.n_read += 1
    found.n_objects += table.num_rows
    ra, dec = names.position(table)
    good = np.flatnonzero(np.isfinite(ra) & np.isfinite(dec) & (np.abs(dec) <= 90.0))
    found.n_bad_objects += table.num_rows - good.size
    if not good.size:
        return
    ra, dec = ra[good], dec[good]
    pixel = names.pixels(table, trusted=trusted)
    pixel = healpix29(np.mod(ra, 360.0), dec) if pixel is None else pixel[good]
    if (np.diff(pixel) < 0).any():
        order = np.argsort(pixel, kind="stable")
        good, ra, dec, pixel = good[order], ra[order], dec[order], pixel[order]
    cells, counts = np.unique(healpix_at_order(pixel, DENSITY_ORDER), return_counts=True)
    found.cells.append(cells)
    found.counts.append(counts)
    mag = names.magnitude(table)
    if mag is not None:
        found.background.append(mag[good].astype(np.float32))
    limit = 2.0 * np.sin(0.5 * small.radius_arcsec / ARCSEC)
    points, places, chords = [], [], []
    vectors: NDArray[np.float64] | None = None
    for point, place in small.candidates(pixel):
        vectors = unit_vectors(ra, dec) if vectors is None else vectors
        chord = np.sqrt(np.square(small.vectors[point] - vectors[place]).sum(axis=1))
        near = chord <= limit
        points.append(point[near])
        places.append(place[near])
        chords.append(chord[near])
    if not points:
        return
    owner, place = small.owner[np.concatenate(points)], np.concatenate(places)
    found.probes.append(np.unique(-1 - owner[owner < 0]))
    real = owner >= 0
    if real.any():
        found.row.append(owner[real])
        found.separation.append(2.0 * np.arcsin(0.5 * np.concatenate(chords)[real]) * ARCSEC)
        found.objects.append(_objects(partition, table, names, columns, good[place[real]]))


def _objects(
    partition: Partition, table: pa.Table, names: ObjectColumns, columns: Sequence[str], rows: NDArray[np.int64]
) -> pa.Table:
    """Objects of pairs; further columns are read only where there is a pair."""
    taken = table.take(pa.array(rows))
    ra, dec = names.position(taken)
    mag = names.magnitude(taken)
    made = {
        "objectId": names.ids(taken),
        "object_ra": ra,
        "object_dec": dec,
        "object_mag": np.full(len(rows), np.nan) if mag is None else mag,
    }
    result = pa.table(made)
    further = [name for name in columns if name not in made]
    if further:
        there = [name for name in further if name in table.column_names]
        read = partition.read([name for name in further if name not in there]) if len(there) < len(further) else None
        for name in further:
            column = table.column(name) if name in there or read is None else read.column(name)
            result = result.append_column(name, column.take(pa.array(rows)))
    return result


def _ranked(
    small: _Small,
    found: _Found,
    use_likelihood: bool,
    sigma_arcsec: float | None,
    columns: Sequence[str],
) -> tuple[pa.Table, float | None]:
    """All pairs, each once, with their rank."""
    if not found.row:
        return _empty(columns, use_likelihood), None
    objects = pa.concat_tables(found.objects)
    row, separation = np.concatenate(found.row), np.concatenate(found.separation)
    ids = objects.column("objectId").to_numpy()
    once = _each_once(row, ids)
    objects, row, separation, ids = objects.take(pa.array(once)), row[once], separation[once], ids[once]
    better, share, extra = separation, None, {}
    if use_likelihood:
        nearest = np.lexsort((separation, row))
        first = nearest[np.r_[True, np.diff(row[nearest]) != 0]]
        made = likelihood_ratio(
            row, separation, objects.column("object_mag").to_numpy(), n_rows=small.rows.size,
            sigma_arcsec=sigma_arcsec or position_error(separation[first]), radius_arcsec=small.radius_arcsec,
            background=np.concatenate(found.background), area_arcsec2=_area_arcsec2(found),
        )  # fmt: skip
        better, share = -made.ratio, made.share_found
        extra = {"reliability": pa.array(made.reliability.astype(np.float32))}
    order = np.lexsort((ids, separation, better, row))
    begin = np.flatnonzero(np.r_[True, np.diff(row[order]) != 0])
    size = np.diff(np.r_[begin, order.size])
    table = pa.table(
        {
            "row": row[order],
            "objectId": ids[order],
            "object_ra": objects.column("object_ra").take(pa.array(order)),
            "object_dec": objects.column("object_dec").take(pa.array(order)),
            "separation_arcsec": separation[order],
            "rank": (np.arange(order.size) - np.repeat(begin, size) + 1).astype(np.int32),
            "n_within": np.repeat(size, size).astype(np.int32),
            **{name: column.take(pa.array(order)) for name, column in extra.items()},
        }
    )
    for name in columns:
        if name not in table.column_names:
            table = table.append_column(name, objects.column(name).take(pa.array(order)))
    return table, share


def _empty(columns: Sequence[str], use_likelihood: bool) -> pa.Table:
    kinds = {
        "row": pa.int64(), "objectId": pa.int64(), "object_ra": pa.float64(), "object_dec": pa.float64(),
        "separation_arcsec": pa.float64(), "rank": pa.int32(), "n_within": pa.int32(),
    }  # fmt: skip
    kinds |= {"reliability": pa.float32()} if use_likelihood else {}
    kinds |= {name: pa.float64() for name in columns if name not in kinds}
    return pa.schema(list(kinds.items())).empty_table()


def _each_once(row: NDArray[np.int64], ids: NDArray[np.int64]) -> NDArray[np.int64]:
    """First of each pair: a catalogue may hold an object in two files."""
    order = np.lexsort((ids, row))
    first = np.r_[True, (np.diff(row[order]) != 0) | (np.diff(ids[order]) != 0)]
    return np.sort(order[first])


def _choose(pairs: pa.Table, mode: Mode, k: int, *, one_to_one_only: bool) -> pa.Table:
    """Pairs of the mode; of these, where it is asked for, no object and no position twice."""
    if mode != "all":
        pairs = pairs.filter(pc.less_equal(pairs.column("rank"), 1 if mode == "nearest" else k))
    if not one_to_one_only or not pairs.num_rows:
        return pairs
    by = "reliability" if "reliability" in pairs.column_names else "separation_arcsec"
    cost = pairs.column(by).to_numpy().astype(np.float64)
    cost = 1.0 - cost if by == "reliability" else cost
    mask = one_to_one(pairs.column("row").to_numpy(), pairs.column("objectId").to_numpy(), cost)
    return pairs.filter(pa.array(mask))


def _area_arcsec2(found: _Found) -> float:
    """Area of the cells in which there are objects."""
    n_cells = np.unique(np.concatenate(found.cells)).size
    return float(n_cells * 4.0 * np.pi / (12 * 4**DENSITY_ORDER) * ARCSEC**2)


def _density(small: _Small, found: _Found) -> NDArray[np.float64]:
    """Objects per square arcsec around each position."""
    cells, which = np.unique(np.concatenate(found.cells), return_inverse=True)
    number = np.bincount(which, weights=np.concatenate(found.counts))
    area = 4.0 * np.pi / (12 * 4**DENSITY_ORDER) * ARCSEC**2
    place = np.minimum(np.searchsorted(cells, small.density_cell), cells.size - 1)
    return np.asarray(np.where(cells[place] == small.density_cell, number[place], 0.0) / area, dtype=np.float64)


def _statistics(  # noqa: PLR0917 - one caller, in this order
    small: _Small, found: _Found, pairs: pa.Table, kept: pa.Table, share: float | None, n_partitions: int
) -> MatchStatistics:
    density = _density(small, found)
    best = kept.filter(pc.equal(kept.column("rank"), pc.min(kept.column("rank")))) if kept.num_rows else kept
    row, separation = best.column("row").to_numpy(), best.column("separation_arcsec").to_numpy()
    east, north = _offsets(small, best, row)
    around = density[np.searchsorted(small.rows, row)]
    ids, times = np.unique(kept.column("objectId").to_numpy(), return_counts=True)
    within = np.unique(pairs.column("row").to_numpy(), return_counts=True)[1]
    probes = np.unique(np.concatenate(found.probes)).size if found.probes else 0
    statistics = {
        "n_positions": small.n_positions, "n_no_position": small.n_positions - small.rows.size,
        "n_matched": int(np.unique(kept.column("row").to_numpy()).size), "n_pairs": kept.num_rows,
        "n_pairs_within": pairs.num_rows, "n_ambiguous": int((within > 1).sum()), "n_shared": int((times > 1).sum()),
        "n_objects_read": found.n_objects, "n_objects_no_position": found.n_bad_objects,
        "n_partitions": n_partitions, "n_partitions_read": found.n_read,
        "radius_arcsec": small.radius_arcsec, "median_separation_arcsec": _median(separation),
        "offset_ra_arcsec": _median(east), "offset_dec_arcsec": _median(north),
        "chance_expected": float(chance_probability(np.full(density.size, small.radius_arcsec), density).mean()),
        "chance_measured": probes / small.rows.size, "shift_arcsec": small.shift_arcsec,
        "false_share": float(chance_probability(separation, around).mean()) if separation.size else 0.0,
        "density_per_arcmin2": _median(density) * 3600.0, "share_with_counterpart": share,
    }  # fmt: skip
    del ids
    return MatchStatistics(**statistics, warnings=tuple(_warnings(east, north, statistics)))


def _offsets(small: _Small, best: pa.Table, row: NDArray[np.int64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Object minus position, arcsec to the east and north."""
    delta = np.mod(best.column("object_ra").to_numpy() - small.ra[row] + 180.0, 360.0) - 180.0
    north = best.column("object_dec").to_numpy() - small.dec[row]
    return delta * np.cos(np.radians(small.dec[row])) * 3600.0, north * 3600.0


def _median(values: NDArray[np.float64]) -> float:
    return float(np.median(values)) if values.size else float("nan")


def _warnings(east: NDArray[np.float64], north: NDArray[np.float64], statistics: dict[str, Any]) -> list[str]:
    found = []
    if east.size > 30:
        for name, offset in (("right ascension", east), ("declination", north)):
            error = 1.2533 * offset.std() / np.sqrt(offset.size)
            middle = float(np.median(offset))
            if abs(middle) > SIGNIFICANT * error and abs(middle) > 0.1 * statistics["radius_arcsec"]:
                found.append(
                    f"objects lie {middle:+.3f} arcsec off in {name}: is the frame or the epoch of the positions right?"
                )
    if statistics["chance_measured"] > 0.1:
        found.append(
            f"{statistics['chance_measured']:.0%} of moved positions have an object within the radius: choose a "
            "smaller radius, or likelihood ratios"
        )
    return found


def _no_overlap(small: _Small, catalog: Catalog, found: _Found) -> str:
    ra, dec = small.ra[small.rows], small.dec[small.rows]
    words = (
        f"no object of {catalog.path} is near any of the {small.rows.size} positions (right ascension {ra.min():.3f} "
        f"to {ra.max():.3f}, declination {dec.min():.3f} to {dec.max():.3f})"
    )
    if not found.n_objects:
        return f"{words}; the catalogue does not cover them"
    swapped = healpix_at_order(
        healpix29(np.mod(dec, 360.0), np.clip(np.where(ra > 180, ra - 360, ra), -90, 90)), DENSITY_ORDER
    )
    if np.isin(swapped, np.concatenate(found.cells)).any():
        return f"{words}; with right ascension and declination swapped some would be"
    radians = healpix_at_order(
        healpix29(np.mod(np.degrees(ra), 360.0), np.clip(np.degrees(dec), -90, 90)), DENSITY_ORDER
    )
    if np.isin(radians, np.concatenate(found.cells)).any():
        return f"{words}; if they are in radians, some would be"
    return words
