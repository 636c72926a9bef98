"""Many catalogues of redshifts made into one: on one scale, with repeated measurements marked or taken out."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import BaseModel, ConfigDict, Field, model_validator

from pzcenter.errors import ConfigError, NotFoundError
from pzcenter.science.friends import friends_of_friends, neighbour_pairs, split_wide_groups
from pzcenter.training.redshift_source import RedshiftSource, read_source
from pzcenter.training.resolve import KEPT, LOST, STAR, STAR_FLAG, TIED, rank_of_types, resolve
from pzcenter.training.settings_files import read_settings
from pzcenter.training.surveys import load_survey

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from pzcenter.training.redshift_source import SourceReport

__all__ = ["CombineConfig", "CombineReport", "Combined", "combine", "read_combine_config"]

RADIUS_ARCSEC = 0.5
"""Two spectra of one galaxy are rarely further apart; the combined catalogue of LIneA's PZ Server uses it too."""
TIE_BREAKERS = ("z_flag", "z_type", "survey", "z_err", "n_agree")


class CombineConfig(BaseModel):
    """What is combined, and how repeated measurements are treated."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    sources: Annotated[tuple[RedshiftSource, ...], Field(min_length=1, title="catalogues, in order")]
    survey_files: Annotated[tuple[str, ...], Field(title="files of surveys of your own")] = ()
    mode: Annotated[
        Literal["concatenate", "mark", "remove"],
        Field(title="all rows as they are; repeated ones marked; or only the best of each galaxy kept"),
    ] = "mark"
    radius_arcsec: Annotated[
        float, Field(gt=0, le=60, title="positions within it are one galaxy", description="arcsec")
    ] = RADIUS_ARCSEC
    max_diameter_arcsec: Annotated[
        float | None,
        Field(
            gt=0, title="widest group; wider ones, made by chaining, are cut. Twice the radius", description="arcsec"
        ),
    ] = None
    tie_break: Annotated[
        tuple[Literal["z_flag", "z_type", "survey", "z_err", "n_agree"], ...],
        Field(title="what decides in a group, in this order"),
    ] = ("z_flag", "z_type")
    survey_priority: Annotated[tuple[str, ...], Field(title="for 'survey': the best first")] = ()
    delta_z: Annotated[float, Field(ge=0, title="redshifts that differ by no more are the same")] = 0.001
    relative_delta_z: Annotated[bool, Field(title="delta_z is in units of 1 + z")] = False
    min_flag: Annotated[Literal[0, 1, 2, 3, 4], Field(title="rows of less quality are left out before; stars stay")] = 0
    ties: Annotated[
        Literal["remove", "keep", "draw"],
        Field(title="for 'remove': rows that are equally good and disagree are left out, kept, or one is drawn"),
    ] = "remove"
    seed: Annotated[int, Field(ge=0, title="for 'draw'")] = 0

    @model_validator(mode="after")
    def _sources_have_names_of_their_own(self) -> CombineConfig:
        twice = [name for name, n in Counter(each.name for each in self.sources).items() if n > 1]
        if twice:
            raise ValueError(f"sources named twice: {', '.join(twice)}")
        if "survey" in self.tie_break and not self.survey_priority:
            raise ValueError("tie_break names 'survey' and survey_priority is empty")
        return self


@dataclass(frozen=True)
class CombineReport:
    """What became of all rows. ``n_read`` is the sum of what follows it up to ``n_kept``.

    Parameters
    ----------
    sources : list of SourceReport
    n_read : int
    n_below_flag : int
        Left out for their quality.
    n_lost, n_tied : int
        Left out as repeated, or as ties; 0 unless the mode is ``remove``.
    n_stars : int
        Left out as stars by ``remove``.
    n_kept : int
        Rows of the result.
    tie_result : dict of str to int
        Rows of each outcome, before any is left out.
    z_flag, z_type : dict of str to int
        Rows of each value; ``null`` is missing.
    n_groups : int
        Galaxies with several measurements.
    n_cut : int
        Groups that were cut for their diameter.
    n_conflict : int
        Groups in which no row wins.
    n_no_redshift, n_no_position, n_not_positive : int
        Rows without redshift, without position, and with a redshift of 0 or less.
    n_stand_in : int
        Redshifts of -1 or less, which stand for missing ones; they are made so after the groups were resolved.
    warnings : tuple of str
    """

    sources: list[SourceReport]
    n_read: int
    n_below_flag: int
    n_lost: int
    n_tied: int
    n_stars: int
    n_kept: int
    tie_result: dict[str, int]
    z_flag: dict[str, int]
    z_type: dict[str, int]
    n_groups: int
    n_cut: int
    n_conflict: int
    n_no_redshift: int
    n_no_position: int
    n_not_positive: int
    n_stand_in: int
    warnings: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self) | {"sources": [each.as_dict() for each in self.sources]}


@dataclass(frozen=True, eq=False)
class Combined:
    """A combined catalogue.

    Parameters
    ----------
    table : pa.Table
        Table ``redshift``.
    report : CombineReport
    """

    table: pa.Table
    report: CombineReport


def read_combine_config(path: str | os.PathLike[str]) -> CombineConfig:
    """Read a file of settings.

    Raises
    ------
    NotFoundError
        There is no such file.
    ConfigError
        A setting is unknown or not accepted; all of them are named.
    """
    return read_settings(path, CombineConfig, written_by="pz specz init", others={"objects": "pz training make"})


def combine(
    config: CombineConfig,
    *,
    directory: str | os.PathLike[str] = ".",
    fetch: Callable[[RedshiftSource], pa.Table] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Combined:
    """Combine catalogues of redshifts.

    Parameters
    ----------
    config : CombineConfig
    directory : path
        That relative paths begin from.
    fetch : callable, optional
        Brings the rows of a source that has no path; see :func:`pzcenter.training.sources.fetch`.
    progress : callable, optional
        Called with the number of catalogues that were read, and of all.

    Returns
    -------
    Combined

    Raises
    ------
    NotFoundError
        A file or survey is not there.
    ColumnError, ConfigError, EmptyTableError
        See :func:`pzcenter.training.redshift_source.read_source`; the source is named.
    """
    base = Path(directory)
    further = [load_survey(base / name) for name in config.survey_files]
    tables, reports = [], []
    for number, source in enumerate(config.sources):
        table, report = read_source(source, _data_of(source, base, fetch), further=further)
        tables.append(table)
        reports.append(report)
        if progress is not None:
            progress(number + 1, len(config.sources))
    return _combine_tables(pa.concat_tables(tables), reports, config)


def _data_of(source: RedshiftSource, base: Path, fetch: Callable[[RedshiftSource], pa.Table] | None) -> Path | pa.Table:
    if source.path is not None:
        path = base / source.path
        if not path.exists():
            raise NotFoundError(f"source {source.name}: {path} does not exist")
        return path
    if fetch is None:
        raise ConfigError(f"source {source.name} has no path, and nothing fetches it")
    return fetch(source)


def _combine_tables(table: pa.Table, reports: Sequence[SourceReport], config: CombineConfig) -> Combined:
    n_read = table.num_rows
    flag = _flags(table)
    if config.min_flag > 0:
        good = flag >= config.min_flag
        table, flag = table.filter(pa.array(good)), flag[good]
    group, n_cut = _groups(table, flag, config)
    z_spec = _floats(table, "z_spec")
    resolved = resolve(
        group, z_spec, flag == STAR_FLAG, _ranks(table, flag, group, config), order_of=_order_of(table),
        delta_z=config.delta_z, relative=config.relative_delta_z,
    )  # fmt: skip
    result, alone = resolved.tie_result, np.bincount(group, minlength=group.size)[group] == 1
    if config.mode != "concatenate":
        size = np.bincount(group, minlength=group.size)[group]
        number = np.unique(group, return_inverse=True)[1] if group.size else group
        table = table.append_column("group_id", pa.array(np.where(alone, -1, _dense(number, alone))))
        table = table.append_column("n_group", pa.array(size.astype(np.int32)))
        table = table.append_column("tie_result", pa.array(result))
    stand_in = z_spec <= -1.0
    if stand_in.any():
        place = table.column_names.index("z_spec")
        table = table.set_column(place, "z_spec", pa.array(np.where(stand_in, np.nan, z_spec), from_pandas=True))
    kept = np.ones(result.size, dtype=bool)
    if config.mode == "remove":
        kept = (result == KEPT) | _ties_to_keep(result, group, config)
    counted = _count(table, z_spec, reports)
    final = table.filter(pa.array(kept)) if not kept.all() else table
    report = CombineReport(
        sources=list(reports), n_read=n_read, n_below_flag=n_read - table.num_rows,
        n_lost=int((~kept & (result == LOST)).sum()), n_tied=int((~kept & (result == TIED)).sum()),
        n_stars=int((~kept & (result == STAR)).sum()), n_kept=final.num_rows,
        tie_result={str(value): int((result == value).sum()) for value in (LOST, KEPT, TIED, STAR)},
        n_groups=int(np.unique(group[~alone]).size), n_cut=n_cut, n_conflict=resolved.n_conflict, **counted,
        warnings=tuple(f"{each.name}: {words}" for each in reports for words in each.warnings),
    )  # fmt: skip
    return Combined(final.replace_schema_metadata(None), report)


def _groups(table: pa.Table, flag: NDArray[np.int64], config: CombineConfig) -> tuple[NDArray[np.int64], int]:
    """Smallest row of the group of each row; stars are alone."""
    ra, dec = _floats(table, "ra"), _floats(table, "dec")
    ra[flag == STAR_FLAG] = np.nan
    first, second, _ = neighbour_pairs(ra, dec, config.radius_arcsec)
    group = friends_of_friends(table.num_rows, first, second)
    return split_wide_groups(ra, dec, group, config.max_diameter_arcsec or 2.0 * config.radius_arcsec)


def _dense(number: NDArray[np.int64], alone: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Groups of several rows, numbered from 0 in the order of their first rows."""
    several = np.zeros(number.max(initial=-1) + 1, dtype=bool)
    several[number[~alone]] = True
    return np.asarray((np.cumsum(several) - 1)[number], dtype=np.int64)


def _ranks(
    table: pa.Table, flag: NDArray[np.int64], group: NDArray[np.int64], config: CombineConfig
) -> list[NDArray[np.float64]]:
    """What decides between the rows of a group; higher is better."""
    found: dict[str, Callable[[], NDArray[np.float64]]] = {
        "z_flag": lambda: np.where(flag < 0, np.nan, flag).astype(np.float64),
        "z_type": lambda: rank_of_types(np.asarray(pc.fill_null(table.column("z_type"), "").to_numpy(), dtype=np.str_)),
        "survey": lambda: _rank_of_surveys(table, config),
        "z_err": lambda: -_floats(table, "z_err"),
        "n_agree": lambda: _number_that_agree(_floats(table, "z_spec"), group, config),
    }
    return [found[name]() for name in config.tie_break]


def _rank_of_surveys(table: pa.Table, config: CombineConfig) -> NDArray[np.float64]:
    names = np.asarray(table.column("survey").to_numpy(), dtype=np.str_)
    rank = np.zeros(names.size)
    for place, name in enumerate(reversed(config.survey_priority), start=1):
        rank[names == name] = place
    return rank


def _number_that_agree(
    z_spec: NDArray[np.float64], group: NDArray[np.int64], config: CombineConfig
) -> NDArray[np.float64]:
    """Rows of the group in the same chain of redshifts."""
    order = np.lexsort((z_spec, group))
    z = z_spec[order]
    step = np.diff(z) / (1.0 + z[:-1] if config.relative_delta_z else 1.0)
    chain = np.cumsum(np.r_[True, ~((np.diff(group[order]) == 0) & (step <= config.delta_z))])
    size = np.empty(z.size)
    size[order] = np.bincount(chain)[chain]
    return size


def _order_of(table: pa.Table) -> Callable[[NDArray[np.int64]], NDArray[np.int64]]:
    """Order of rows that agree in everything: by their id as text, which no order of the rows changes."""

    def order(rows: NDArray[np.int64]) -> NDArray[np.int64]:
        ids = table.column("measurement_id").take(pa.array(rows))
        place = np.empty(rows.size, dtype=np.int64)
        place[pc.sort_indices(ids).to_numpy()] = np.arange(rows.size)
        return place

    return order


def _ties_to_keep(result: NDArray[np.int8], group: NDArray[np.int64], config: CombineConfig) -> NDArray[np.bool_]:
    tied: NDArray[np.bool_] = np.asarray(result == TIED)
    if config.ties == "keep":
        return tied
    chosen = np.zeros(result.size, dtype=bool)
    if config.ties == "draw":
        rows = np.flatnonzero(tied)
        rows = rows[np.argsort(np.random.default_rng(config.seed).random(rows.size))]
        chosen[rows[np.unique(group[rows], return_index=True)[1]]] = True
    return chosen


def _count(table: pa.Table, z_spec: NDArray[np.float64], reports: Sequence[SourceReport]) -> dict[str, Any]:
    def values(name: str) -> dict[str, int]:
        found = table.column(name).value_counts().to_pylist()
        words = {"null" if each["values"] is None else str(each["values"]): each["counts"] for each in found}
        return dict(sorted(words.items()))

    return {
        "z_flag": values("z_flag"),
        "z_type": values("z_type"),
        "n_no_redshift": int(np.isnan(z_spec).sum()),
        "n_not_positive": int((z_spec <= 0).sum()),
        "n_stand_in": int((z_spec <= -1).sum()),
        "n_no_position": sum(each.n_no_position for each in reports),
    }


def _flags(table: pa.Table) -> NDArray[np.int64]:
    return np.asarray(pc.fill_null(table.column("z_flag"), -1).to_numpy(), dtype=np.int64)


def _floats(table: pa.Table, name: str) -> NDArray[np.float64]:
    return np.array(pc.fill_null(table.column(name), np.nan).to_numpy(), dtype=np.float64)
