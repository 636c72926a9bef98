"""Quality cuts on a training set, each counted: how many rows it removes alone and after those before it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from pzcenter.schema import PZFlag
from pzcenter.training.select_cuts import cuts_of

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["CutCount", "SelectionConfig", "SelectionReport", "select"]

Range = tuple[float | None, float | None]


class SelectionConfig(BaseModel):
    """Which rows stay. A row whose value is missing fails the cut that asks for it, and is counted as such."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    required_bands: tuple[str, ...] = Field(
        default=(), title="Required bands", description="Bands whose flux and error must be there."
    )
    min_snr: dict[str, float] = Field(
        default_factory=dict, title="Signal to noise", description="Least flux over its error, by band."
    )
    mag_range: dict[str, Range] = Field(
        default_factory=dict,
        title="Magnitudes",
        description="Brightest and faintest AB magnitude, mag, by band; null leaves an end open. The brightest is in.",
    )
    needs_redshift: bool = Field(default=True, title="Redshift", description="Leave out rows without z_spec.")
    z_min: float | None = Field(default=None, title="Lowest redshift", description="Included; no unit.")
    z_max: float | None = Field(default=None, title="Highest redshift", description="Not included; no unit.")
    min_z_flag: int | None = Field(
        default=None, title="Quality", description="Least homogenised flag, 0 to 4; stars are another cut.", ge=0, le=4
    )
    z_types: tuple[Literal["s", "g", "p"], ...] = Field(
        default=(), title="Types", description="Accepted kinds of redshift; all when empty."
    )
    no_stars: bool = Field(default=True, title="No stars", description="Leave out z_flag 6 and tie_result 3.")
    no_ties: bool = Field(
        default=False, title="No ties", description="Leave out measurements that disagree and cannot be ranked."
    )
    no_repeats: bool = Field(
        default=False, title="No repeats", description="Leave out measurements that lost to a better one of the galaxy."
    )
    max_separation_arcsec: float | None = Field(
        default=None, title="Separation", description="Greatest distance of the object, arcsec.", gt=0
    )
    excluded_flags: tuple[str, ...] = Field(
        default=(), title="Flags", description="Names of bits of the column flags that no row may have."
    )
    extendedness_column: str = Field(
        default="extendedness", title="Extendedness", description="Column that tells galaxies from point sources."
    )
    min_extendedness: float | None = Field(
        default=None, title="Extendedness", description="Least value of that column; no unit."
    )
    surveys: tuple[str, ...] = Field(default=(), title="Surveys", description="Only these; all when empty.")
    excluded_surveys: tuple[str, ...] = Field(default=(), title="Surveys", description="None of these.")

    @field_validator("excluded_flags")
    @classmethod
    def _flags_exist(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        unknown = [name for name in names if name not in PZFlag.__members__]
        if unknown:
            raise ValueError(f"no flag is called {', '.join(unknown)}; known: {', '.join(PZFlag.__members__)}")
        return names

    @model_validator(mode="after")
    def _ranges_have_room(self) -> SelectionConfig:
        ranges = {"z_min, z_max": (self.z_min, self.z_max)} | {f"mag_range {b}": r for b, r in self.mag_range.items()}
        for name, (low, high) in ranges.items():
            if low is not None and high is not None and low >= high:
                raise ValueError(f"{name}: {low} is not below {high}, no row can pass")
        both = {name.casefold() for name in self.surveys} & {name.casefold() for name in self.excluded_surveys}
        if both:
            raise ValueError(f"surveys asked for and excluded at once: {', '.join(sorted(both))}")
        return self


@dataclass(frozen=True)
class CutCount:
    """What one cut did.

    Parameters
    ----------
    name : str
        Of the setting.
    meaning : str
        What a row must satisfy, in words.
    n_alone : int
        Rows that this cut would remove by itself.
    n_removed : int
        Rows that it removes of those that the cuts before it left.
    n_missing : int
        Of ``n_alone``, those whose value is missing.
    """

    name: str
    meaning: str
    n_alone: int
    n_removed: int
    n_missing: int


@dataclass(frozen=True)
class SelectionReport:
    """Where the rows went.

    Parameters
    ----------
    n_in, n_out : int
        Rows before and after.
    cuts : tuple of CutCount
        In the order in which they were made.
    absent_surveys : tuple of str
        Surveys that the settings name and no row has.
    """

    n_in: int
    n_out: int
    cuts: tuple[CutCount, ...]
    absent_surveys: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """Plain values, as JSON takes them.

        Returns
        -------
        dict
        """
        return asdict(self)

    @property
    def sentences(self) -> list[str]:
        """The report in words, one sentence for each cut that removed rows.

        Returns
        -------
        list of str
        """
        lines = [f"{self.n_out:,} of {self.n_in:,} rows stay."]
        for cut in self.cuts:
            missing = f", {cut.n_missing:,} of them for want of a value" if cut.n_missing else ""
            if cut.n_alone:
                lines.append(
                    f"{cut.meaning}: removes {cut.n_removed:,} rows (alone it would remove {cut.n_alone:,}{missing})."
                )
        if self.absent_surveys:
            lines.append(f"No row is of the survey {', '.join(self.absent_surveys)}.")
        return lines


def select(table: pa.Table, config: SelectionConfig | None = None) -> tuple[pa.Table, SelectionReport]:
    """Keep the rows that pass all cuts.

    Parameters
    ----------
    table : pa.Table
        A training set: ``flux_{band}``, ``flux_err_{band}`` in nJy, ``z_spec``, ``z_flag``, ...
    config : SelectionConfig, optional
        The cuts; the defaults leave out stars and rows without redshift.

    Returns
    -------
    table : pa.Table
        The rows that stay, in their order.
    report : SelectionReport
        ``n_in`` less the sum of ``n_removed`` is ``n_out``.

    Raises
    ------
    ColumnError, BandError
        A cut needs a column that is not there.
    """
    config = config or SelectionConfig()
    cuts = cuts_of(table, config)
    left = np.ones(table.num_rows, dtype=bool)
    counts = []
    for cut in cuts:
        removed = int(np.count_nonzero(left & ~cut.keep))
        alone = int(np.count_nonzero(~cut.keep))
        counts.append(CutCount(cut.name, cut.meaning, alone, removed, cut.n_missing))
        left &= cut.keep
    report = SelectionReport(
        n_in=table.num_rows,
        n_out=int(np.count_nonzero(left)),
        cuts=tuple(counts),
        absent_surveys=_absent_surveys(table, config),
    )
    return table.filter(left), report


def _absent_surveys(table: pa.Table, config: SelectionConfig) -> tuple[str, ...]:
    named = config.surveys + config.excluded_surveys
    if not named:
        return ()
    there = {text.casefold() for text in table.column("survey").unique().to_pylist() if text is not None}
    return tuple(name for name in named if name.casefold() not in there)
