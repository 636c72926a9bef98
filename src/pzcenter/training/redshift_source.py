"""One catalogue of redshifts, of any survey and format, as columns with standard names."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import BaseModel, ConfigDict, Field

from pzcenter.catalogs import open_catalog
from pzcenter.catalogs.storage import file_sha256
from pzcenter.errors import ColumnError, EmptyTableError
from pzcenter.training.expression_functions import as_number, as_text, is_text
from pzcenter.training.expressions import compile_expression
from pzcenter.training.positions import read_positions
from pzcenter.training.rules import homogenise
from pzcenter.training.surveys import STANDARD_COLUMNS, survey_named

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from pzcenter.training.rules import RuleReport
    from pzcenter.training.surveys import Survey

__all__ = ["REDSHIFT_SCHEMA", "RedshiftSource", "SourceReport", "read_source"]

GUESSES = {
    "source_id": ("source_id", "id", "ID", "objid", "name"),
    "ra": ("ra", "RA", "raj2000", "RAJ2000", "_RAJ2000", "ra_deg", "alpha", "ALPHA", "coord_ra"),
    "dec": (
        "dec",
        "DEC",
        "Dec",
        "dej2000",
        "DEJ2000",
        "_DEJ2000",
        "decj2000",
        "DECJ2000",
        "delta",
        "DELTA",
        "coord_dec",
    ),
    "z_spec": ("z_spec", "zspec", "redshift", "z", "Z", "Z_SPEC"),
    "z_err": ("z_err", "zerr", "e_z", "z_error", "redshift_err", "ZERR"),
    "z_flag": ("z_flag", "quality", "QUALITY", "flag", "q_z", "qual"),
    "survey": ("survey", "survey_name", "SURVEY_NAME"),
}
"""Names that are tried where neither the user nor the survey names a column."""
COMMON_FLAG, COMMON_TYPE = "z_flag_homogenized", "instrument_type_homogenized"
"""Columns of the existing PZ Server's combined catalogues: on the common scale already."""

REDSHIFT_SCHEMA = pa.schema(
    [
        pa.field("measurement_id", pa.string(), nullable=False),
        pa.field("source", pa.string(), nullable=False),
        pa.field("row", pa.int64(), nullable=False),
        pa.field("source_id", pa.string()),
        pa.field("ra", pa.float64()),
        pa.field("dec", pa.float64()),
        pa.field("z_spec", pa.float64()),
        pa.field("z_err", pa.float64()),
        pa.field("z_flag_raw", pa.string()),
        pa.field("z_flag", pa.int8()),
        pa.field("z_type", pa.string()),
        pa.field("survey", pa.string(), nullable=False),
        pa.field("rule", pa.string()),
    ]
)
"""One measurement, before groups are known."""


class RedshiftSource(BaseModel):
    """A catalogue of redshifts, and what its columns are."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Annotated[
        str, Field(pattern=r"^[A-Za-z0-9][\w.+-]*$", title="of the catalogue; first part of measurement_id")
    ]
    path: Annotated[str | None, Field(title="file or directory; without one the survey's own source is fetched")] = None
    fetch: Annotated[dict[str, Any] | None, Field(title="another source to fetch, as in a survey file")] = None
    survey: Annotated[str | None, Field(title="survey of all rows, where no column says it")] = None
    columns: Annotated[dict[str, str], Field(title="raw column by standard name; wins over the survey's own")] = {}
    scale: Annotated[
        Literal["auto", "survey", "common", "probability"],
        Field(title="of z_flag: native to the survey, on the common scale, or a probability"),
    ] = "auto"
    angle: Annotated[Literal["auto", "deg", "hourangle", "rad"], Field(title="unit of the positions")] = "auto"
    group: Annotated[str | None, Field(title="group of an HDF5 file")] = None


@dataclass(frozen=True)
class SourceReport:
    """What a catalogue holds.

    Parameters
    ----------
    name, path : str
    sha256 : str
        Of the file; empty for directories.
    n_rows : int
    n_no_position, n_no_redshift, n_not_positive : int
        Rows without position, without redshift, and with a redshift of 0 or less.
    n_not_a_number : int
        Redshifts that are text and no number.
    n_same_id : int
        Rows whose id an earlier row has.
    columns : dict of str to str
        Raw column by standard name, as they were used.
    surveys : dict of str to int
        Rows of each survey.
    rules : RuleReport
    warnings : tuple of str
    """

    name: str
    path: str
    sha256: str
    n_rows: int
    n_no_position: int
    n_no_redshift: int
    n_not_positive: int
    n_not_a_number: int
    n_same_id: int
    columns: dict[str, str]
    surveys: dict[str, int]
    rules: RuleReport
    warnings: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self) | {"rules": self.rules.as_dict()}


def read_source(
    source: RedshiftSource, data: Path | pa.Table, *, further: Sequence[Survey] = ()
) -> tuple[pa.Table, SourceReport]:
    """Read a catalogue and put it on the common scale.

    Parameters
    ----------
    source : RedshiftSource
    data : Path or pa.Table
        Its file, or its rows.
    further : sequence of Survey
        Surveys of the user.

    Returns
    -------
    table : pa.Table
        Columns of :data:`REDSHIFT_SCHEMA`, every row of the file.
    report : SourceReport

    Raises
    ------
    EmptyTableError
        It has no rows.
    ColumnError
        A column that is needed is not there, or most positions are none.
    NotFoundError
        A survey is not known.
    ConfigError
        Flags are not on the scale that was promised.
    """
    catalog: Any = (
        _InMemory(data, source.name) if isinstance(data, pa.Table) else open_catalog(data, group=source.group)
    )
    path = catalog.path
    surveys = _surveys_of(source, catalog, further)
    names = _columns_of(source, catalog.column_names, surveys)
    scale, types_known = _scale(source, names, catalog.column_names)
    wanted = dict.fromkeys([*names.values(), *_read_by_rules(surveys, catalog.column_names)])
    raw = catalog.read(list(wanted))
    if not raw.num_rows:
        raise EmptyTableError(f"{path} has no rows")
    survey = raw.column(names["survey"]) if "survey" in names else pa.array([source.survey] * raw.num_rows, pa.string())
    columns: dict[str, Any] = {name: raw.column(name) for name in raw.column_names}
    columns |= {name: raw.column(names[name]) for name in ("z_spec", "z_err", "z_flag", "z_type") if name in names}
    z_spec, n_text = _numbers(columns["z_spec"])
    columns["z_spec"] = pa.array(z_spec, from_pandas=True)
    if "z_err" in columns:
        columns["z_err"] = pa.array(_numbers(columns["z_err"])[0], from_pandas=True)
    made = homogenise(columns, as_text(survey), further=further, scale=scale, types_known=types_known)
    places = read_positions(raw.column(names["ra"]), raw.column(names["dec"]), unit=source.angle, where=str(path))
    ids = as_text(raw.column(names["source_id"])) if "source_id" in names else pa.nulls(raw.num_rows, pa.string())
    number = np.arange(1, raw.num_rows + 1)
    table = pa.table(
        {
            "measurement_id": pc.binary_join_element_wise(source.name, pc.cast(pa.array(number), pa.string()), ":"),
            "source": pa.repeat(source.name, raw.num_rows),
            "row": number,
            "source_id": pc.utf8_trim_whitespace(ids),
            "ra": pa.array(places.ra, from_pandas=True),
            "dec": pa.array(places.dec, from_pandas=True),
            "z_spec": columns["z_spec"],
            "z_err": columns.get("z_err", pa.nulls(raw.num_rows, pa.float64())),
            "z_flag_raw": as_text(columns["z_flag"]) if "z_flag" in columns else pa.nulls(raw.num_rows, pa.string()),
            "z_flag": pa.array(made.z_flag, mask=made.z_flag < 0),
            "z_type": pa.array(made.z_type.astype(object), mask=made.z_type == "").cast(pa.string()),
            "survey": made.survey,
            "rule": made.rule,
        },
        schema=REDSHIFT_SCHEMA,
    )
    n_same = table.num_rows - ids.null_count - pc.count_distinct(ids).as_py() if "source_id" in names else 0
    report = SourceReport(
        name=source.name, path=str(path), sha256=file_sha256(path) if path.is_file() else "", n_rows=raw.num_rows,
        n_no_position=places.n_missing + places.n_outside, n_no_redshift=int(np.isnan(z_spec).sum()),
        n_not_positive=int((z_spec <= 0).sum()), n_not_a_number=n_text, n_same_id=max(n_same, 0), columns=names,
        surveys={each["values"]: each["counts"] for each in made.survey.value_counts().to_pylist()},
        rules=made.report, warnings=(*places.warnings, *_warnings(made.report, n_text)),
    )  # fmt: skip
    return table, report


@dataclass(frozen=True, eq=False)
class _InMemory:
    """A table, read as a catalogue."""

    table: pa.Table
    name: str

    @property
    def path(self) -> Path:
        return Path(self.name)

    @property
    def column_names(self) -> list[str]:
        return list(self.table.column_names)

    def read(self, columns: Sequence[str]) -> pa.Table:
        return self.table.select(columns)


def _surveys_of(source: RedshiftSource, catalog: Any, further: Sequence[Survey]) -> list[Survey]:
    """Surveys whose rows are in a catalogue."""
    column = _first(catalog.column_names, source.columns.get("survey"), GUESSES["survey"])
    if "survey" in source.columns or (source.survey is None and column is not None):
        if column is None:
            raise ColumnError(
                f"{catalog.path} has no column {source.columns['survey']!r}; it has {catalog.column_names}"
            )
        texts = pc.unique(as_text(catalog.read([column]).column(0))).to_pylist()
        return [survey_named(text, further) for text in texts if text is not None]
    if source.survey is None:
        raise ColumnError(
            f"{catalog.path}: of which survey are its rows? Name it (survey; --survey for 'check'), or the column "
            "that says it (columns: {survey: NAME}; --column survey=NAME)"
        )
    return [survey_named(source.survey, further)]


def _columns_of(source: RedshiftSource, there: Sequence[str], surveys: Sequence[Survey]) -> dict[str, str]:
    """Raw column by standard name: the user's, the survey's, or a common name."""
    unknown = sorted(set(source.columns) - set(STANDARD_COLUMNS))
    if unknown:
        raise ColumnError(
            f"{source.name}: {', '.join(unknown)} are no standard columns; {', '.join(STANDARD_COLUMNS)} are"
        )
    found: dict[str, str] = {}
    for name in STANDARD_COLUMNS:
        given = source.columns.get(name)
        of_survey = next((raw for each in surveys if (raw := each.raw_name(name, there))), None)
        guesses = () if name == "survey" and source.survey else GUESSES.get(name, ())
        if given is not None and given not in there:
            raise ColumnError(f"{source.name} has no column {given!r} for {name}; it has {', '.join(there)}")
        chosen = given or of_survey or _first(there, None, guesses)
        if chosen is not None:
            found[name] = chosen
    missing = [name for name in ("ra", "dec", "z_spec") if name not in found]
    if missing:
        raise ColumnError(
            f"{source.name}: no column for {', '.join(missing)} among {', '.join(there)}; name them, as in columns: "
            "{ra: RAdeg}"
        )
    return found


def _first(there: Sequence[str], given: str | None, guesses: Sequence[str]) -> str | None:
    return next((name for name in ((given,) if given else guesses) if name in there), None)


def _scale(source: RedshiftSource, names: dict[str, str], there: Sequence[str]) -> tuple[str, bool]:
    """Scale of the flags, and whether the types are known."""
    if source.scale == "auto":
        scale = "common" if names.get("z_flag") == COMMON_FLAG or "measurement_id" in there else "survey"
    else:
        scale = source.scale
    if "z_type" not in names and scale == "common":
        found = next((name for name in (COMMON_TYPE, "z_type") if name in there), None)
        if found is not None:
            names["z_type"] = found
    return scale, "z_type" in names


def _read_by_rules(surveys: Sequence[Survey], there: Sequence[str]) -> list[str]:
    """Raw columns that the rules of the surveys read, as far as they are there."""
    texts = [rule.when for each in surveys for rule in each.quality]
    texts += [rule.when for each in surveys if not isinstance(each.z_type, str) for rule in each.z_type]
    read: set[str] = set().union(*(compile_expression(text).names for text in texts)) if texts else set()
    return sorted(read & set(there))


def _numbers(column: Any) -> tuple[NDArray[np.float64], int]:
    """Numbers, NaN where there are none, and how many texts were no number."""
    number = as_number(column)
    value = np.array(pc.fill_null(number, np.nan).to_numpy(zero_copy_only=False), dtype=np.float64)
    value[~np.isfinite(value)] = np.nan
    return value, int(number.null_count - column.null_count) if is_text(column) else 0


def _warnings(rules: RuleReport, n_text: int) -> list[str]:
    found = [f"{n_text} redshifts are text and no number; they count as missing"] if n_text else []
    for count in rules.counts:
        if count.rule.endswith("#-") and count.n:
            shown = f", such as {', '.join(count.examples)}" if count.examples else ""
            found.append(f"no rule of {count.survey} catches {count.n} rows{shown}")
    return found
