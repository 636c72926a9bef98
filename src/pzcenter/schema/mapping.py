"""How a survey's columns become ours: a mapping file says it, no code does.

A mapping names the columns of ids, positions and photometry, the units and zero points, what stands for a missing
value or a non-detection, which columns set which flag, and which rows are cut. It only declares; the skinny table
is where it is carried out.

Names may hold ``{band}``, which stands for each of ``bands`` in turn. Conditions are a column, an operator and a
value; nothing in a mapping is ever evaluated as code.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from pzcenter.errors import BandError, ColumnError, ConfigError, FileFormatError, NotFoundError
from pzcenter.schema.flags import PZFlag

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import pyarrow as pa

__all__ = [
    "Condition",
    "EbvColumn",
    "Extinction",
    "FlagRule",
    "Mapping",
    "NonDetection",
    "PhotometryColumns",
    "detect_mapping",
    "load_mapping",
    "mapping_names",
]

PLACEHOLDER = "{band}"
# A mapping is taken for a table that has fewer of its bands only down to this number.
MIN_BANDS = 2

Operator = Literal["==", "!=", "<", "<=", ">", ">=", "is_true", "is_false", "not_null"]
_NO_VALUE = ("is_true", "is_false", "not_null")
_COMPARE = {"==": "equal", "!=": "not_equal", "<": "less", "<=": "less_equal", ">": "greater", ">=": "greater_equal"}

Name = Annotated[str, Field(min_length=1)]
BandName = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9]*$")]
FluxUnit = Literal["nJy", "uJy", "mJy", "Jy", "maggy", "nanomaggy"]
# AB zero points of the flux units that have one: m = zero_point - 2.5 log10(flux). From 3631 Jy at m = 0.
AB_ZERO_POINTS: dict[str, float] = {
    "nJy": 31.4, "uJy": 23.9, "mJy": 16.4, "Jy": 8.9, "maggy": 0.0, "nanomaggy": 22.5,
}  # fmt: skip


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Condition(_Frozen):
    """A column, an operator and a value, such as ``refExtendedness < 0.5``.

    Missing values (null, NaN) fulfil no condition.
    """

    column: Name = Field(title="Column", description="May hold {band}: then any one band is enough.")
    op: Operator = Field(title="Operator")
    value: float | int | str | bool | None = Field(None, title="Value to compare with")
    optional: bool = Field(False, title="Pass over the condition where the table lacks the column")

    @model_validator(mode="after")
    def _value_fits_operator(self) -> Self:
        if (self.value is None) != (self.op in _NO_VALUE):
            needs = "takes no value" if self.op in _NO_VALUE else "needs a value"
            raise ValueError(f"operator {self.op} {needs}")
        return self

    @property
    def is_per_band(self) -> bool:
        """Whether the column name holds ``{band}``."""
        return PLACEHOLDER in self.column

    def holds(self, values: pa.Array | pa.ChunkedArray) -> pa.BooleanArray | pa.ChunkedArray:
        """Where the condition is fulfilled.

        Parameters
        ----------
        values : pyarrow.Array or pyarrow.ChunkedArray, (n_obj,)
            The column.

        Returns
        -------
        pyarrow.BooleanArray or pyarrow.ChunkedArray, (n_obj,)
            Without nulls.

        Raises
        ------
        ColumnError
            The column's type cannot be compared with the value.
        """
        import pyarrow as pa
        import pyarrow.compute as pc

        present = pc.is_valid(values)
        if pa.types.is_floating(values.type):
            present = pc.and_(present, pc.invert(pc.fill_null(pc.is_nan(values), True)))
        if self.op == "not_null":
            return present
        try:
            if self.op in _NO_VALUE:
                held = pc.cast(values, pa.bool_())
                held = pc.invert(held) if self.op == "is_false" else held
            else:
                held = getattr(pc, _COMPARE[self.op])(values, pa.scalar(self.value))
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError, pa.ArrowTypeError) as error:
            raise ColumnError(f"condition '{self}': the column is {values.type}: {error}") from error
        return pc.and_(pc.fill_null(held, False), present)

    def __str__(self) -> str:
        return f"{self.column} {self.op}" + ("" if self.value is None else f" {self.value}")


class Cut(Condition):
    """A condition that the rows must fulfil to enter the skinny table."""

    name: Name = Field(title="Name of the cut in the counts")


class FlagRule(Condition):
    """A condition that sets a flag bit where it is fulfilled."""

    flag: Name = Field(title="Flag", description="Name of a bit of PZFlag.")
    drop_band: bool = Field(False, title="Take the band as missing where the condition is fulfilled")

    @field_validator("flag")
    @classmethod
    def _known_flag(cls, name: str) -> str:
        if name not in PZFlag.__members__:
            raise ValueError(f"no flag '{name}'; flags are {', '.join(PZFlag.__members__)}")
        return name

    @model_validator(mode="after")
    def _drop_needs_band(self) -> Self:
        if self.drop_band and not self.is_per_band:
            raise ValueError("drop_band needs a column name with {band}")
        return self

    @property
    def bit(self) -> PZFlag:
        """The flag bit."""
        return PZFlag[self.flag]


class NonDetection(_Frozen):
    """What a magnitude table writes where nothing was detected, and what to make of it.

    ``missing`` takes the band as missing. ``upper_limit`` takes the flux as zero, with the flux of a limiting
    magnitude as its error: that magnitude is ``limit_mag`` of the band or, without it, what the error column holds.
    A limiting magnitude that is not finite or outside ``accepted_limits`` leaves the band missing.
    """

    value: float = Field(title="Value of a non-detection", description="Compared exactly; NaN is always missing.")
    rule: Literal["missing", "upper_limit"] = Field(title="What to make of it")
    limit_mag: dict[str, float] | None = Field(None, title="Limiting magnitude of each band, mag (AB)")
    limit_sigma: float = Field(1.0, gt=0, title="Number of standard deviations that the limiting magnitude stands for")
    accepted_limits: tuple[float, float] = Field(
        (15.0, 35.0), title="Range of believable limiting magnitudes, mag (AB)", strict=False
    )

    @model_validator(mode="after")
    def _limit_needs_rule(self) -> Self:
        if self.rule == "missing" and self.limit_mag is not None:
            raise ValueError("limit_mag is given, but the rule is 'missing'")
        return self


class PhotometryColumns(_Frozen):
    """Names, unit and kind of the photometry columns."""

    kind: Literal["flux", "ab_mag", "asinh_mag"] = Field(title="Fluxes, AB magnitudes or asinh magnitudes")
    value: Name = Field(title="Column of the flux or magnitude, with {band}")
    error: Name = Field(title="Column of its standard deviation, with {band}")
    unit: FluxUnit = Field("nJy", title="Unit of fluxes")
    zero_point: float | None = Field(
        None, title="AB magnitude of flux 1", description="In place of the unit's own, for fluxes in counts."
    )
    ab_offset: dict[str, float] = Field({}, title="Per band: magnitudes to add to come to the AB system, mag")
    softening: dict[str, float] | None = Field(
        None, title="Per band: softening b of asinh magnitudes", description="In units of the flux of magnitude 0."
    )
    dereddened: bool = Field(False, title="Whether Galactic extinction is already taken out")
    missing_values: tuple[float, ...] = Field((), title="Values that stand for missing, besides NaN", strict=False)
    plausible_depth: tuple[float, float] | None = Field(
        None,
        title="Range of 5-sigma depths that the survey can have, mag (AB)",
        description="A table outside of it is in another unit, and refused.",
        strict=False,
    )
    nondetection: NonDetection | None = Field(None, title="Non-detections")

    @property
    def ab_zero_point(self) -> float:
        """AB magnitude of a flux of 1, for fluxes."""
        return AB_ZERO_POINTS[self.unit] if self.zero_point is None else self.zero_point

    @model_validator(mode="after")
    def _parts_fit(self) -> Self:
        if PLACEHOLDER not in self.value or PLACEHOLDER not in self.error:
            raise ValueError("'value' and 'error' must be column names that hold {band}")
        if (self.softening is not None) != (self.kind == "asinh_mag"):
            raise ValueError("softening is needed for asinh_mag, and for no other kind")
        if self.kind == "flux" and self.nondetection is not None:
            raise ValueError("a flux needs no rule for non-detections: zero or negative fluxes are data")
        if self.plausible_depth is not None and not self.plausible_depth[0] < self.plausible_depth[1]:
            raise ValueError(f"plausible_depth must increase; got {list(self.plausible_depth)}")
        if self.kind != "flux" and (self.zero_point is not None or self.unit != "nJy"):
            raise ValueError("unit and zero_point are for fluxes; for magnitudes give ab_offset")
        return self


class EbvColumn(_Frozen):
    """The column that gives Galactic E(B-V), or an extinction in proportion to it."""

    column: Name = Field(title="Column")
    divide_by: float = Field(1.0, gt=0, title="A_band/E(B-V), for a column that holds the extinction of one band")


class Extinction(_Frozen):
    """Extinction coefficients A_band/E(B-V): a set that we know by name, or numbers with their source."""

    survey: Name | None = Field(None, title="Name of a set of coefficients, such as lsst")
    coefficients: dict[str, float] | None = Field(None, title="Per band: A_band/E(B-V)")
    source: str | None = Field(None, title="Where the numbers come from")

    @model_validator(mode="after")
    def _one_of_two(self) -> Self:
        if (self.survey is None) == (self.coefficients is None):
            raise ValueError("give either 'survey' or 'coefficients'")
        if self.coefficients is not None and self.source is None:
            raise ValueError("coefficients need a 'source'")
        return self


class Mapping(_Frozen):
    """How one survey names its columns, and what they mean.

    Columns that a table lacks are errors, except those that :meth:`optional_columns` names.
    """

    name: Name = Field(title="Name")
    description: Name = Field(title="What it is for")
    reference: str = Field("", title="Where the columns are described")
    bands: tuple[BandName, ...] = Field(title="Bands, by increasing wavelength", min_length=1, strict=False)
    object_id: Name = Field(title="Column of the object id, an integer")
    ra: Name | None = Field(None, title="Column of the ICRS right ascension, deg")
    dec: Name | None = Field(None, title="Column of the ICRS declination, deg")
    tract: Name | None = Field(None, title="Column of the tract")
    filters: dict[str, Name] | Name | None = Field(
        None,
        title="Filters of the bands, for methods that need them",
        description="A name or file for each band, or a survey whose filters come with the package, such as lsst.",
    )
    photometry: PhotometryColumns = Field(title="Photometry")
    ebv: EbvColumn | None = Field(None, title="E(B-V)")
    extinction: Extinction | None = Field(None, title="Extinction coefficients", description="None: no dereddening.")
    flags: tuple[FlagRule, ...] = Field((), title="Conditions that set flags", strict=False)
    cuts: tuple[Cut, ...] = Field((), title="Conditions that rows must fulfil, in order", strict=False)
    z_spec: Name | None = Field(None, title="Column of the spectroscopic or true redshift")
    preference: int = Field(0, title="The higher is taken where several mappings fit a table equally well")

    @model_validator(mode="after")
    def _bands_fit(self) -> Self:
        if len(set(self.bands)) != len(self.bands):
            raise ValueError(f"each band may appear once; got {list(self.bands)}")
        if (self.ra is None) != (self.dec is None):
            raise ValueError("give both ra and dec, or neither")
        per_band = {
            "photometry.softening": self.photometry.softening,
            "filters": self.filters if isinstance(self.filters, dict) else None,
            "extinction.coefficients": self.extinction.coefficients if self.extinction else None,
            "photometry.nondetection.limit_mag": (
                self.photometry.nondetection.limit_mag if self.photometry.nondetection else None
            ),
        }
        for where, numbers in per_band.items():
            missing = [band for band in self.bands if numbers is not None and band not in numbers]
            if missing:
                raise ValueError(f"{where} lacks the bands {missing}")
        names = [cut.name for cut in self.cuts]
        if len(set(names)) != len(names):
            raise ValueError(f"each cut needs its own name; got {names}")
        per_band_cuts = [cut.name for cut in self.cuts if cut.is_per_band]
        if per_band_cuts:
            raise ValueError(f"cuts {per_band_cuts} hold {{band}}, which is for flags only")
        return self

    @property
    def filter_of_band(self) -> dict[str, str] | None:
        """Filter of each band, None where the mapping does not say."""
        if self.filters is None:
            return None
        if isinstance(self.filters, str):
            return {band: f"{self.filters}_{band}" for band in self.bands}
        return {band: self.filters[band] for band in self.bands}

    def value_column(self, band: str) -> str:
        """Column of the flux or magnitude in one band."""
        return self.photometry.value.replace(PLACEHOLDER, band)

    def error_column(self, band: str) -> str:
        """Column of its standard deviation."""
        return self.photometry.error.replace(PLACEHOLDER, band)

    def columns_of(self, condition: Condition) -> tuple[str, ...]:
        """Columns of a condition: one, or one for each band."""
        if not condition.is_per_band:
            return (condition.column,)
        return tuple(condition.column.replace(PLACEHOLDER, band) for band in self.bands)

    def required_columns(self) -> tuple[str, ...]:
        """Columns that a table must have for this mapping to be carried out.

        Returns
        -------
        tuple of str
            Object id, photometry of all bands, and the columns of conditions that are not optional.
        """
        names = [self.object_id]
        for band in self.bands:
            names += [self.value_column(band), self.error_column(band)]
        for condition in (*self.flags, *self.cuts):
            if not condition.optional:
                names += self.columns_of(condition)
        return tuple(dict.fromkeys(names))

    def optional_columns(self) -> tuple[str, ...]:
        """Columns that are used where they exist.

        Returns
        -------
        tuple of str
            Position, tract, E(B-V), redshift, and the columns of optional conditions.
        """
        names = [self.ra, self.dec, self.tract, self.ebv.column if self.ebv else None, self.z_spec]
        for condition in (*self.flags, *self.cuts):
            if condition.optional:
                names += self.columns_of(condition)
        required = set(self.required_columns())
        return tuple(dict.fromkeys(name for name in names if name is not None and name not in required))

    def missing_columns(self, column_names: Iterable[str]) -> tuple[str, ...]:
        """Required columns that are not among these."""
        there = set(column_names)
        return tuple(name for name in self.required_columns() if name not in there)

    def with_bands(self, bands: Sequence[str]) -> Mapping:
        """The same mapping with only these bands, in this order.

        Raises
        ------
        BandError
            A band that the mapping does not have.
        """
        unknown = [band for band in bands if band not in self.bands]
        if unknown or not bands:
            raise BandError(f"mapping {self.name} has the bands {list(self.bands)}; asked for {list(bands)}")
        return self.model_copy(update={"bands": tuple(bands)})

    def with_nondetection(self, rule: Literal["missing", "upper_limit"]) -> Mapping:
        """The same mapping with the other rule for non-detections.

        Raises
        ------
        ConfigError
            The mapping has no non-detections, because it reads fluxes.
        """
        if self.photometry.nondetection is None:
            raise ConfigError(f"mapping {self.name} has no value for non-detections")
        content = self.model_dump()
        content["photometry"]["nondetection"]["rule"] = rule
        if rule == "missing":
            content["photometry"]["nondetection"]["limit_mag"] = None
        return Mapping.model_validate(content)

    def present_in(self, column_names: Iterable[str]) -> Mapping:
        """The same mapping without the bands and optional columns that a table lacks.

        Parameters
        ----------
        column_names : iterable of str
            Of the table.

        Returns
        -------
        Mapping

        Raises
        ------
        ColumnError
            The id, a condition's column, or all but one of the bands are missing.
        """
        there = set(column_names)
        bands = [band for band in self.bands if {self.value_column(band), self.error_column(band)} <= there]
        narrowed = self.with_bands(bands) if len(bands) >= MIN_BANDS else self
        missing = narrowed.missing_columns(there)
        if missing:
            raise ColumnError(f"mapping {self.name}: missing columns {list(missing)}")

        def keep(condition: Condition) -> bool:
            return not condition.optional or set(narrowed.columns_of(condition)) <= there

        has_position = {self.ra, self.dec} <= there
        return narrowed.model_copy(
            update={
                "ra": self.ra if has_position else None,
                "dec": self.dec if has_position else None,
                "tract": self.tract if self.tract in there else None,
                "z_spec": self.z_spec if self.z_spec in there else None,
                "ebv": self.ebv if self.ebv and self.ebv.column in there else None,
                "flags": tuple(rule for rule in self.flags if keep(rule)),
                "cuts": tuple(cut for cut in self.cuts if keep(cut)),
            }
        )

    @classmethod
    def detect(cls, column_names: Iterable[str]) -> Mapping:
        """Same as :func:`detect_mapping`."""
        return detect_mapping(column_names)


def mapping_names() -> tuple[str, ...]:
    """Names of the mappings that the package ships.

    Returns
    -------
    tuple of str
        Sorted.
    """
    folder = files(__package__).joinpath("mappings")
    return tuple(sorted(entry.name.removesuffix(".yaml") for entry in folder.iterdir() if entry.name.endswith(".yaml")))


def load_mapping(name_or_path: str | Path) -> Mapping:
    """A mapping by its name, or from a user's own YAML file.

    Parameters
    ----------
    name_or_path : str or Path
        A name of :func:`mapping_names`, or a path; a string is a path when it ends in ``.yaml`` or ``.yml`` or
        holds a ``/``.

    Returns
    -------
    Mapping

    Raises
    ------
    NotFoundError
        No mapping of this name, or no such file.
    FileFormatError
        The file is not YAML.
    ConfigError
        A key is unknown or missing, or a value is not accepted; the message lists each of them.
    """
    text = str(name_or_path)
    if isinstance(name_or_path, Path) or "/" in text or text.endswith((".yaml", ".yml")):
        path = Path(name_or_path)
        try:
            content = path.read_text(encoding="utf-8-sig")
        except OSError as error:
            raise NotFoundError(f"cannot read the mapping file {path}: {error.strerror}") from error
        except UnicodeDecodeError as error:
            raise FileFormatError(f"{path}: not a text file in UTF-8") from error
        return _parse(content, str(path))
    if text not in mapping_names():
        raise NotFoundError(
            f"no mapping '{text}'; the mappings are {', '.join(mapping_names())}, or give the path of a YAML file"
        )
    return _shipped(text)


def detect_mapping(column_names: Iterable[str]) -> Mapping:
    """The shipped mapping that fits a table's columns best, narrowed to the columns that the table has.

    The most complete bands win; then the fewest optional columns missing; then the preference; then the most optional
    columns used.

    Parameters
    ----------
    column_names : iterable of str
        Of the table.

    Returns
    -------
    Mapping

    Raises
    ------
    ColumnError
        None fits; the message lists each mapping with what is missing for it.
    """
    there = set(column_names)
    fitting: list[tuple[tuple[Any, ...], Mapping]] = []
    lacking: list[tuple[int, str]] = []
    for name in mapping_names():
        mapping = _shipped(name)
        try:
            narrowed = mapping.present_in(there)
        except ColumnError:
            missing = mapping.missing_columns(there)
            shown = ", ".join(missing[:6]) + (f", … ({len(missing)} in all)" if len(missing) > 6 else "")
            lacking.append((len(missing) - len(mapping.required_columns()), f"{name} lacks {shown}"))
        else:
            n_used = sum(column in there for column in mapping.optional_columns())
            n_missing = len(mapping.optional_columns()) - n_used
            fitting.append(((-len(narrowed.bands), n_missing, -mapping.preference, -n_used, name), narrowed))
    if not fitting:
        raise ColumnError(
            f"no mapping fits the columns {_shortened(sorted(there))}. "
            f"{'; '.join(reason for _, reason in sorted(lacking))}. "
            "Write a mapping file for your own columns: see docs/how-to/describe-your-columns.md"
        )
    return min(fitting, key=lambda pair: pair[0])[1]


@cache
def _shipped(name: str) -> Mapping:
    text = files(__package__).joinpath("mappings", f"{name}.yaml").read_text(encoding="utf-8")
    return _parse(text, f"{name}.yaml")


def _parse(text: str, source: str) -> Mapping:
    try:
        content = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise FileFormatError(f"{source}: not YAML: {error}") from error
    try:
        return Mapping.model_validate(content)
    except ValidationError as error:
        faults = [f"{'.'.join(str(part) for part in e['loc']) or 'the file'}: {e['msg']}" for e in error.errors()]
        raise ConfigError(f"mapping {source}: " + "; ".join(faults)) from error


def _shortened(names: list[str], limit: int = 20) -> str:
    return ", ".join(names[:limit]) + (f", … ({len(names)} in all)" if len(names) > limit else "")
