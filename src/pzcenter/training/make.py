"""From redshifts and an object catalogue to a training set: match, photometry, selection, split, coverage."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pzcenter.catalogs import open_catalog
from pzcenter.catalogs.crossmatch import MatchStatistics, crossmatch
from pzcenter.catalogs.match_columns import object_columns
from pzcenter.catalogs.skinny_partition import columns_needed, skinny_partition
from pzcenter.errors import ColumnError, ConfigError, EmptyTableError, NotFoundError
from pzcenter.training.coverage import coverage
from pzcenter.training.product import open_product
from pzcenter.training.select import SelectionConfig, select
from pzcenter.training.split import DEFAULT_FRACTIONS, split
from pzcenter.training.subsample import subsample

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterator

    from pzcenter.catalogs.readers import Catalog
    from pzcenter.catalogs.skinny_partition import SkinnyPartition
    from pzcenter.training.coverage_report import CoverageReport
    from pzcenter.training.select import SelectionReport
    from pzcenter.training.split import SplitReport
    from pzcenter.training.subsample import SubsampleReport

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

REDSHIFT_COLUMNS = (
    "measurement_id", "source_id", "z_spec", "z_err", "z_flag", "z_type", "survey", "group_id", "tie_result",
)  # fmt: skip


class _Settings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class MatchConfig(_Settings):
    """How redshifts and objects are matched."""

    radius_arcsec: Annotated[float, Field(gt=0, le=60, title="largest distance", description="arcsec")] = 0.75
    mode: Annotated[Literal["nearest", "k", "all"], Field(title="which objects within it")] = "nearest"
    k: Annotated[int, Field(ge=1, title="for mode k")] = 1
    one_to_one: Annotated[bool, Field(title="no object has two redshifts of different groups")] = False
    likelihood_ratio: Annotated[bool, Field(title="rank by distance and magnitude, not by distance alone")] = False
    magnitude: Annotated[str | None, Field(title="column of magnitudes, for likelihood ratios")] = None
    flux: Annotated[str | None, Field(title="column of fluxes in nJy, in place of magnitudes")] = None
    sigma_arcsec: Annotated[
        float | None, Field(gt=0, title="error of a coordinate; measured by default", description="arcsec")
    ] = None
    min_reliability: Annotated[float, Field(ge=0, le=1, title="least reliability, with likelihood ratios")] = 0.0


class SplitConfig(_Settings):
    """How the rows are split."""

    fractions: Annotated[dict[str, float], Field(title="share of each sample")] = DEFAULT_FRACTIONS
    seed: Annotated[int, Field(ge=0, title="of the draw")] = 0
    method: Annotated[Literal["random", "stratified", "blocks"], Field(title="method")] = "random"
    group: Annotated[str, Field(title="rows that stay together: galaxy, or a column")] = "galaxy"
    strata: Annotated[dict[str, float] | None, Field(title="for stratified: widths of bins")] = None
    block_order: Annotated[int, Field(ge=0, le=12, title="for blocks: HEALPix order")] = 6


class SubsampleConfig(_Settings):
    """One method that thins out or weights."""

    method: str
    seed: Annotated[int, Field(ge=0)] = 0
    settings: dict[str, Any] = {}


class CoverageConfig(_Settings):
    """How well the training sample covers its target."""

    target: Annotated[str | None, Field(title="catalogue to be estimated; the objects by default")] = None
    mapping: Annotated[str | None, Field(title="of the target's columns")] = None
    n_max: Annotated[int, Field(gt=0, title="most target objects; drawn partition by partition")] = 1_000_000
    bands: Annotated[tuple[str, ...] | None, Field(title="bands to compare; those in common by default")] = None


class TrainingConfig(_Settings):
    """A training set."""

    redshifts: Annotated[str, Field(title="product of 'pz specz combine', or a table of that form")]
    objects: Annotated[str, Field(title="object catalogue: a file, a directory or HATS")]
    mapping: Annotated[str | None, Field(title="what the columns of the objects mean; found by default")] = None
    deredden: Annotated[bool, Field(title="take Galactic extinction out")] = True
    match: MatchConfig = MatchConfig()
    selection: SelectionConfig = SelectionConfig(min_z_flag=3, no_ties=True, no_repeats=True, z_min=1e-4)
    split: SplitConfig = SplitConfig()
    subsample: tuple[SubsampleConfig, ...] = ()
    coverage: CoverageConfig | None = CoverageConfig()


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


def read_training_config(path: str | os.PathLike[str]) -> TrainingConfig:
    """Read a file of settings.

    Raises
    ------
    NotFoundError
        There is no such file.
    ConfigError
        A setting is unknown or not accepted; all of them are named.
    """
    path = Path(path)
    if not path.is_file():
        raise NotFoundError(f"{path} does not exist; 'pz training init {path}' writes one")
    try:
        return TrainingConfig.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except yaml.YAMLError as error:
        raise ConfigError(f"{path} is not YAML: {error}") from error
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, each['loc'])) or 'settings'}: {each['msg']}" for each in error.errors())
        raise ConfigError(f"{path}: {faults}") from error


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
    matched, match, photometry, n_unreliable = _match(redshifts, catalog, config, tell)
    separations = matched.column("separation_arcsec").to_numpy()
    table, selection = select(matched, config.selection)
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
        covered = coverage(train, target, bands=bands)
        tell("coverage", 1, 1)
    order = pc.sort_indices(table, sort_keys=[("objectId", "ascending"), ("measurement_id", "ascending")])
    return TrainingSet(
        table.take(order), match, photometry, selection, report, reports, covered, redshifts.num_rows, n_unreliable,
        separations,
    )  # fmt: skip


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
    result = crossmatch(
        _floats(redshifts, "ra"), _floats(redshifts, "dec"), catalog, names=names, columns=columns,
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
    return table.replace_schema_metadata(None), result.statistics, skinny.report(), n_unreliable


def _photometry(
    pairs: pa.Table, object_id: str, columns: tuple[str, ...], config: TrainingConfig, where: str
) -> SkinnyPartition:
    """Skinny rows of the matched objects, each once."""
    _, first = np.unique(pairs.column("objectId").to_numpy(), return_index=True)
    raw = pairs.take(pa.array(first))
    if object_id != "objectId" and object_id not in raw.column_names:
        raw = raw.append_column(object_id, raw.column("objectId"))
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
