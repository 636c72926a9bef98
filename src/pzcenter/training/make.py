"""From redshifts and an object catalogue to a training set: match, photometry, selection, split, coverage."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pzcenter.catalogs import open_catalog
from pzcenter.catalogs.crossmatch import MatchStatistics, crossmatch
from pzcenter.catalogs.match_columns import object_columns
from pzcenter.catalogs.skinny_partition import columns_needed, skinny_partition
from pzcenter.errors import BandError, ColumnError, EmptyTableError
from pzcenter.training.coverage import coverage
from pzcenter.training.expression_functions import is_text
from pzcenter.training.make_settings import (
    CoverageConfig,
    MatchConfig,
    SplitConfig,
    SubsampleConfig,
    TrainingConfig,
    read_training_config,
)
from pzcenter.training.product import open_product
from pzcenter.training.select import select
from pzcenter.training.split import split
from pzcenter.training.subsample import subsample

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterator

    from pzcenter.catalogs.readers import Catalog
    from pzcenter.catalogs.skinny_partition import SkinnyPartition
    from pzcenter.training.coverage_report import CoverageReport
    from pzcenter.training.select import SelectionConfig, SelectionReport
    from pzcenter.training.split import SplitReport
    from pzcenter.training.subsample import SubsampleReport
    from pzcenter.training.target_chunks import Target

__all__ = [
    "CoverageConfig",
    "MatchConfig",
    "SplitConfig",
    "SubsampleConfig",
    "TrainingConfig",
    "TrainingSet",
    "make_training_set",
    "read_training_config",
    "target_of",
]

EXTENDEDNESS = ("extendedness", "refExtendedness", "i_extendedness", "r_extendedness")
"""Names that are tried where the settings do not name another column."""
REDSHIFT_COLUMNS = (
    "measurement_id", "source_id", "z_spec", "z_err", "z_flag", "z_type", "survey", "group_id", "tie_result",
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class TrainingSet:
    """A training set, and how it came about.

    Parameters
    ----------
    table : pa.Table
        Table ``training_set``.
    match : MatchStatistics
    photometry : dict
        Report of the conversion of the matched objects.
    selection : SelectionReport
    split : SplitReport
    subsamples : list of SubsampleReport
    coverage : CoverageReport or None
    n_redshifts : int
        Measurements that were offered.
    n_unreliable : int
        Matches below ``min_reliability``.
    separations : ndarray
        Of all matches, before the selection, arcsec.
    """

    table: pa.Table
    match: MatchStatistics
    photometry: dict[str, Any]
    selection: SelectionReport
    split: SplitReport
    subsamples: list[SubsampleReport]
    coverage: CoverageReport | None
    n_redshifts: int
    n_unreliable: int
    separations: Any = field(repr=False, default=None)

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "n_redshifts": self.n_redshifts,
            "n_rows": self.table.num_rows,
            "match": asdict(self.match) | {"n_unreliable": self.n_unreliable},
            "photometry": self.photometry,
            "selection": self.selection.as_dict(),
            "split": self.split.as_dict(),
            "subsample": [each.as_dict() for each in self.subsamples],
            "coverage": None if self.coverage is None else self.coverage.as_dict(),
        }


def make_training_set(
    config: TrainingConfig,
    *,
    directory: str | os.PathLike[str] = ".",
    progress: Callable[[str, int, int], None] | None = None,
) -> TrainingSet:
    """Make a training set.

    Parameters
    ----------
    config : TrainingConfig
    directory : path
        That relative paths begin from.
    progress : callable, optional
        Called with the stage, what is done and all.

    Returns
    -------
    TrainingSet

    Raises
    ------
    NotFoundError, ColumnError, FileFormatError
        An input is not there or not what it should be.
    EmptyTableError
        No redshift is near an object, or none is left by the selection.
    """
    base = Path(directory)
    tell = progress or (lambda _stage, _done, _all: None)
    redshifts = _redshifts(base / config.redshifts)
    catalog = open_catalog(base / config.objects)
    cuts = _cuts(catalog, config.selection)
    matched, match, photometry, n_unreliable = _match(redshifts, catalog, config, tell)
    separations = matched.column("separation_arcsec").to_numpy()
    table, selection = select(matched, cuts)
    if cuts.min_extendedness is not None:
        # It served the cut, and is no column of a training set.
        table = table.drop_columns([cuts.extendedness_column])
    if not table.num_rows:
        raise EmptyTableError("the selection leaves no row: " + " ".join(selection.sentences))
    table, report = split(
        table, config.split.fractions, seed=config.split.seed, group=config.split.group, method=config.split.method,
        strata=config.split.strata, block_order=config.split.block_order,
    )  # fmt: skip
    target = _target(base, config)
    reports = []
    for each in config.subsample:
        sample, thinned = subsample(table, each.method, target, seed=each.seed, **each.settings)
        table = sample.apply(table)
        reports.append(thinned)
    covered = None
    if config.coverage is not None:
        tell("coverage", 0, 1)
        train = table.filter(pc.equal(table.column("split"), "train")) if "train" in config.split.fractions else table
        bands = None if config.coverage.bands is None else list(config.coverage.bands)
        covered = _coverage(train, target, bands)
        tell("coverage", 1, 1)
    order = pc.sort_indices(table, sort_keys=[("objectId", "ascending"), ("measurement_id", "ascending")])
    return TrainingSet(
        table.take(order), match, photometry, selection, report, reports, covered, redshifts.num_rows, n_unreliable,
        separations,
    )  # fmt: skip


def _coverage(train: pa.Table, target: Target, bands: list[str] | None) -> CoverageReport:
    try:
        return coverage(train, target, bands=bands)
    except (BandError, EmptyTableError) as error:
        # Few objects are still a training set.
        raise type(error)(f"coverage: {error}. 'coverage: null' in the settings does without") from error


def _cuts(catalog: Catalog, selection: SelectionConfig) -> SelectionConfig:
    """Cuts with the name of the catalogue's own column of extendedness."""
    if selection.min_extendedness is None:
        return selection
    wanted = selection.extendedness_column
    names = EXTENDEDNESS if wanted == EXTENDEDNESS[0] else (wanted,)
    found = next((name for name in names if name in catalog.column_names), None)
    if found is None:
        raise ColumnError(
            f"the cut in extendedness needs a column of {catalog.path}: there is none called {' or '.join(names)}; "
            "name one (selection: extendedness_column)"
        )
    return selection.model_copy(update={"extendedness_column": found})


def _redshifts(path: Path) -> pa.Table:
    """Redshifts of a product, or of a table of the same form."""
    if path.is_dir() and (path / "manifest.json").is_file():
        product = open_product(path)
        if product.table_name != "redshift":
            raise ColumnError(f"{path} is a product of table {product.table_name!r}; 'redshift' is needed")
        table = product.table()
    else:
        table = open_catalog(path).read()
    needed = ("measurement_id", "ra", "dec", "z_spec", "z_flag", "z_type", "survey")
    missing = [name for name in needed if name not in table.column_names]
    if missing:
        raise ColumnError(
            f"{path} lacks {', '.join(missing)}: it is no table of redshifts; 'pz specz combine' makes one"
        )
    if not table.num_rows:
        raise EmptyTableError(f"{path} has no rows")
    return table


def _match(
    redshifts: pa.Table, catalog: Catalog, config: TrainingConfig, tell: Callable[[str, int, int], None]
) -> tuple[pa.Table, MatchStatistics, dict[str, Any], int]:
    """Redshifts with the skinny rows of their objects."""
    names = object_columns(catalog, mag=config.match.magnitude, flux=config.match.flux)
    columns = columns_needed(catalog.column_names, config.mapping, where=str(catalog.path))
    cuts = _cuts(catalog, config.selection)
    further = [] if cuts.min_extendedness is None else [cuts.extendedness_column]
    result = crossmatch(
        _floats(redshifts, "ra"), _floats(redshifts, "dec"), catalog, names=names,
        columns=list(dict.fromkeys([*columns, *further])),
        radius_arcsec=config.match.radius_arcsec, mode=config.match.mode, k=config.match.k,
        one_to_one_only=config.match.one_to_one, use_likelihood=config.match.likelihood_ratio,
        sigma_arcsec=config.match.sigma_arcsec, progress=lambda done, n: tell("match", done, n),
    )  # fmt: skip
    pairs, n_unreliable = result.pairs, 0
    if "reliability" in pairs.column_names:
        good = pc.greater_equal(pairs.column("reliability"), config.match.min_reliability)
        n_unreliable = pairs.num_rows - int(pc.sum(good).as_py() or 0)
        pairs = pairs.filter(good)
    if not pairs.num_rows:
        raise EmptyTableError(
            f"no redshift has an object within {config.match.radius_arcsec} arcsec in {catalog.path}; "
            f"the median density is {result.statistics.density_per_arcmin2:.2f} objects per square arcmin"
        )
    skinny = _photometry(pairs, names.object_id, columns, config, str(catalog.path))
    ids = skinny.table.column("objectId").to_numpy()
    place = np.argsort(ids)[np.searchsorted(np.sort(ids), pairs.column("objectId").to_numpy())]
    objects = skinny.table.take(pa.array(place))
    if "z_spec" in objects.column_names:
        objects = objects.drop_columns(["z_spec"])
    known = redshifts.take(pairs.column("row"))
    table = objects
    for name in REDSHIFT_COLUMNS:
        if name in known.column_names:
            table = table.append_column(name, known.column(name))
    for name in ("separation_arcsec", "n_within", "rank", "reliability"):
        if name in pairs.column_names:
            column = pairs.column(name)
            table = table.append_column(name, column.cast(pa.float32()) if name == "separation_arcsec" else column)
    for name in further:
        table = table.append_column(name, pairs.column(name))
    return table.replace_schema_metadata(None), result.statistics, skinny.report(), n_unreliable


def _photometry(
    pairs: pa.Table, object_id: str, columns: tuple[str, ...], config: TrainingConfig, where: str
) -> SkinnyPartition:
    """Skinny rows of the matched objects, each once."""
    _, first = np.unique(pairs.column("objectId").to_numpy(), return_index=True)
    raw = pairs.take(pa.array(first))
    if object_id != "objectId" and object_id not in raw.column_names:
        raw = raw.append_column(object_id, raw.column("objectId"))
    text = [name for name in columns if name != object_id and is_text(raw.column(name))]
    if text:
        raise ColumnError(
            f"{where}: {', '.join(text)} hold text, such as {raw.column(text[0])[0].as_py()!r}; numbers are needed"
        )
    return skinny_partition(raw.select(list(columns)), config.mapping, deredden=config.deredden, where=where)


def _target(base: Path, config: TrainingConfig) -> Callable[[], Iterator[pa.Table]]:
    settings = config.coverage or CoverageConfig()
    path = base / (settings.target or config.objects)
    mapping = settings.mapping if settings.target else config.mapping
    return lambda: target_of(path, mapping, n_max=settings.n_max, deredden=config.deredden)


def target_of(path: Path, mapping: str | None, *, n_max: int, deredden: bool = True) -> Iterator[pa.Table]:
    """Skinny rows of a catalogue, piece by piece, as the coverage and the subsamples read them.

    Parameters
    ----------
    path : Path
    mapping : str, optional
    n_max : int
        Where the catalogue has more rows, every n-th of them.
    deredden : bool

    Yields
    ------
    pa.Table
    """
    catalog = open_catalog(path)
    columns = columns_needed(catalog.column_names, mapping, where=str(path))
    step = max(1, -(-(catalog.n_rows or 0) // n_max))
    for batch in catalog.batches(list(columns)):
        table = pa.Table.from_batches([batch])
        if step > 1:
            table = table.take(pa.array(np.arange(0, table.num_rows, step)))
        if table.num_rows:
            yield skinny_partition(
                table, mapping, deredden=deredden, check_magnitudes=False, where=str(path)
            ).table  # fmt: skip


def _floats(table: pa.Table, name: str) -> Any:
    return np.array(pc.fill_null(table.column(name), np.nan).to_numpy(), dtype=np.float64)
