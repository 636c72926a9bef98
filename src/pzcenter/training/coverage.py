"""The coverage doctor: where in a target's colours and magnitudes a training set has nothing to say."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import numpy as np

from pzcenter.catalogs.columns import float_column, require_columns
from pzcenter.errors import ConfigError, EmptyTableError
from pzcenter.training.colour_space import bands_to_compare, check_fluxes, colour_space, flux_columns, measured_fluxes
from pzcenter.training.coverage_reach import TrainingReach
from pzcenter.training.coverage_regions import regions_to_observe
from pzcenter.training.coverage_report import CoverageReport
from pzcenter.training.coverage_tally import DISTANCE_EDGES, MAG_EDGES, TargetTally, histogram
from pzcenter.training.target_chunks import chunks_of, names_of, random_rows
from pzcenter.training.target_map import target_map

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa
    from numpy.typing import NDArray

    from pzcenter.training.colour_space import ColourSpace
    from pzcenter.training.target_chunks import Target
    from pzcenter.training.target_map import TargetMap

__all__ = ["CoverageSettings", "coverage", "effective_number"]


def coverage(
    training: pa.Table,
    target: Target,
    *,
    bands: Sequence[str] | None = None,
    mag_band: str | None = None,
    shape: tuple[int, int] | None = None,
    n_neighbour: int = 5,
    percentile: float = 99.0,
    min_bands: int = 3,
    n_sample: int = 100_000,
    n_regions: int = 10,
    z_phot: str | None = None,
    seed: int = 0,
) -> CoverageReport:
    """Compare a training set with the catalogue that it is to be used on.

    Parameters
    ----------
    training : pa.Table
        With ``flux_{band}``, ``flux_err_{band}``, nJy; ``weight`` if it has weights.
    target : pa.Table, or function that gives an iterable of tables or batches
        The same columns; ``objectId``, ``ra``, ``dec`` for examples. It is read twice, piece by piece.
    bands : sequence of str, optional
        In order of wavelength; those that both have by default.
    mag_band : str, optional
        Band of the magnitude; ``i``, or the middle one where there is no i.
    shape : tuple of int, optional
        Rows and columns of the map; at most 32 x 32, and as many cells as leave 20 training objects for each.
    n_neighbour : int
        An object is near the training set when this many training objects are near.
    percentile : float
        Near is what holds for so many per cent of the training objects themselves.
    min_bands : int
        Objects with fewer measured bands are counted and not judged.
    n_sample : int
        Target objects drawn to make the map; all are counted on it.
    n_regions : int
        Regions to name.
    z_phot : str, optional
        Column of the target's photo-z, for the description of the regions.
    seed : int
        Of all random choices; the same report for the same seed, however the target is cut into pieces.

    Returns
    -------
    CoverageReport

    Raises
    ------
    EmptyTableError
        No training or no target objects, or none with enough bands.
    BandError
        Fewer than two bands in common, or a band that nobody has.
    ColumnError
        No column of this name.
    UnitError, UsageError
        Magnitudes in place of fluxes; constant columns; repeated training objects.
    ConfigError
        A setting out of range.

    References
    ----------
    Masters et al. 2015, ApJ 813, 53: cells of a map as the measure of what redshift surveys have seen.
    """
    settings = CoverageSettings(n_neighbour, percentile, min_bands, n_sample, n_regions, z_phot, seed)
    if training.num_rows == 0:
        raise EmptyTableError("the training set has no rows")
    target_names = names_of(target)
    names = bands_to_compare(bands, training.column_names, target_names)
    columns = _columns(names, target_names, z_phot)
    check_fluxes(*measured_fluxes(training, names), names, "the training set")
    sample, _ = random_rows(target, columns, n_sample, seed=seed)
    space = colour_space(sample, names, mag_band=mag_band, min_bands=min_bands)
    known = _known(training, space, shape, settings)
    tally = TargetTally(known.net, known.cell_training, known.reach, z_phot, seed)
    for piece in chunks_of(target, columns):
        tally.add(piece)
    if tally.n_obj == tally.n_unplaced:
        raise EmptyTableError(f"no target object is measured in {space.min_bands} of the bands {', '.join(names)}")
    return _report(training, known, tally, settings)


@dataclass(frozen=True)
class CoverageSettings:
    """Settings of a comparison, as :func:`coverage` takes them."""

    n_neighbour: int
    percentile: float
    min_bands: int
    n_sample: int
    n_regions: int
    z_phot: str | None
    seed: int

    def __post_init__(self) -> None:
        if self.n_neighbour < 1 or self.n_sample < 1 or self.n_regions < 0:
            raise ConfigError(f"numbers of neighbours and of sampled objects must be positive; got {self}")
        if not 0 < self.percentile <= 100:
            raise ConfigError(f"percentile must be above 0 and at most 100; got {self.percentile}")


@dataclass(frozen=True, eq=False)
class _Known:
    """The training set on the target's map."""

    net: TargetMap
    cell_training: NDArray[np.int64]
    cell_sample: NDArray[np.int32]
    mag_training: NDArray[np.int64]
    reach: TrainingReach


def effective_number(weight: NDArray[np.float64]) -> float:
    """How many objects of equal weight say as much as these.

    Parameters
    ----------
    weight : ndarray, (n,)
        Not negative.

    Returns
    -------
    float
        Between 1 and n; 0 where all weights are zero.

    References
    ----------
    Kish 1965, Survey Sampling, section 8.2.
    """
    total = float(np.sum(weight))
    return total**2 / float(np.sum(np.square(weight))) if total > 0 else 0.0


def _known(training: pa.Table, space: ColourSpace, shape: tuple[int, int] | None, settings: CoverageSettings) -> _Known:
    mag = space.magnitudes(training)
    n_placed = int(np.count_nonzero(space.codes(mag)))
    if n_placed == 0:
        raise EmptyTableError(f"no training object is measured in {space.min_bands} of {', '.join(space.bands)}")
    net = target_map(space, n_training=n_placed, shape=shape)
    return _Known(
        net=net,
        cell_training=net.count(mag),
        cell_sample=net.cells_of(space.mag_sample),
        mag_training=histogram(mag[space.codes(mag) > 0, space.mag_index], MAG_EDGES),
        reach=TrainingReach(space, mag, settings.n_neighbour, settings.percentile, settings.seed),
    )


def _report(training: pa.Table, known: _Known, tally: TargetTally, settings: CoverageSettings) -> CoverageReport:
    space, n_target, n_training = tally.net.space, tally.n_obj - tally.n_unplaced, int(known.cell_training.sum())
    used = _used(tally.mag_target + known.mag_training)
    softening = dict(zip(space.bands, space.softening.tolist(), strict=True))
    return CoverageReport(
        bands=space.bands,
        mag_band=space.mag_band,
        shape=known.net.shape,
        n_training=training.num_rows,
        n_target=tally.n_obj,
        n_training_unplaced=training.num_rows - n_training,
        n_target_unplaced=tally.n_unplaced,
        extrapolation_fraction=float(1.0 - tally.cell_covered.sum() / n_target),
        share_in_empty_cells=float(tally.cell_target[known.cell_training == 0].sum() / n_target),
        share_beyond_limit=tally.n_beyond / n_target,
        alike_in_empty_cells=_empty_if_alike(tally.cell_target, n_training),
        alike_beyond_limit=1.0 - settings.percentile / 100.0,
        n_effective=_matched(tally.cell_target, known.cell_training),
        n_effective_of_weights=_of_weights(training),
        cell_mag=known.net.cell_mag,
        cell_target=tally.cell_target,
        cell_training=known.cell_training,
        cell_covered=tally.cell_covered,
        distance_edges=DISTANCE_EDGES,
        distance_target=tally.distance,
        distance_training=histogram(known.reach.usual_distances(space.all_bands), DISTANCE_EDGES),
        mag_edges=MAG_EDGES[used.start : used.stop + 1],
        mag_target=tally.mag_target[used],
        mag_covered=tally.mag_covered[used],
        mag_training=known.mag_training[used],
        regions=regions_to_observe(tally, known.cell_sample, n_regions=settings.n_regions),
        settings=asdict(settings) | {"min_bands": space.min_bands, "softening_njy": softening},
    )


def _columns(bands: tuple[str, ...], available: tuple[str, ...], z_phot: str | None) -> list[str]:
    """Columns of the target that are read."""
    if z_phot is not None:
        require_columns([z_phot], available, "the target")
    known = [name for name in ("objectId", "ra", "dec") if name in available]
    return [*known, *flux_columns(bands), *([z_phot] if z_phot is not None and z_phot not in known else [])]


def _used(counts: NDArray[np.int64]) -> slice:
    """Bins from the first to the last that holds something."""
    place = np.flatnonzero(counts)
    return slice(int(place[0]), int(place[-1]) + 1) if place.size else slice(0, 0)


def _empty_if_alike(cell_target: NDArray[np.int64], n_training: int) -> float:
    """Share of the target in cells that a random sample of it would leave empty: sum of p (1 - p)^n."""
    share = cell_target / cell_target.sum()
    return float(np.sum(share * (1.0 - share) ** n_training))


def _matched(cell_target: NDArray[np.int64], cell_training: NDArray[np.int64]) -> float:
    """Effective number under weights by cell, target over training."""
    there = cell_training > 0
    weight = cell_target[there] / cell_training[there]
    total = float(np.sum(weight * cell_training[there]))
    return total**2 / float(np.sum(weight**2 * cell_training[there])) if total > 0 else 0.0


def _of_weights(training: pa.Table) -> float | None:
    if "weight" not in training.column_names:
        return None
    weight = float_column(training.column("weight"))
    return effective_number(weight[np.isfinite(weight) & (weight > 0)])
