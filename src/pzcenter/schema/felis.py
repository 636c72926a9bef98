"""Read table definitions: one Felis-dialect YAML file per table, into frozen dataclasses.

Felis is the language in which Rubin describes its tables, so our files load in Rubin's own tools too. This reader
takes the part of the language that we use and is strict: anything it does not know is an error that names file,
table and column.

Three things that Felis leaves open are said here:

* Felis has no unsigned integers. A column is declared with the next wider signed type, and ``votable:xtype`` names
  the unsigned type that is stored, such as ``uint32``.
* The column group ``optional`` lists columns that a file may lack; all others must be there.
* Columns that are repeated for each of ``u g r i z y`` form a family, ``flux_{band}``. Where any of a family is
  known, so are other bands: ``flux_J`` is described like ``flux_r``.

References
----------
Felis, the Rubin Data Management schema description language, https://felis.lsst.io
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from functools import cache, cached_property
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import yaml

from pzcenter.errors import ColumnError, NotFoundError, SchemaError
from pzcenter.schema.ucd import ucd_fault

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["BANDS", "Bound", "Column", "Table", "load_table", "read_table", "table_names"]

BANDS = ("u", "g", "r", "i", "z", "y")

# Felis data type to the type that is stored (an Arrow type name).
DATATYPES = {
    "boolean": "bool",
    "byte": "uint8",
    "short": "int16",
    "int": "int32",
    "long": "int64",
    "float": "float32",
    "double": "float64",
    "text": "string",
    "binary": "binary",
    "timestamp": "timestamp",
}
# What votable:xtype may say, and the Felis type it must stand beside.
XTYPES = {"uint16": "int", "uint32": "long"}
UNITS = ("Angstrom", "arcsec", "byte", "deg", "mag", "nJy", "s")
OPTIONAL_GROUP = "optional"

_SCHEMA_KEYS = {"name", "@id", "description", "version", "tables"}
_TABLE_KEYS = {"name", "@id", "description", "primaryKey", "columns", "columnGroups", "constraints", "tap:table_index"}
_COLUMN_KEYS = {
    "name", "@id", "description", "datatype", "nullable", "ivoa:ucd", "fits:tunit", "votable:arraysize",
    "votable:xtype", "tap:column_index", "tap:principal",
}  # fmt: skip
_GROUP_KEYS = {"name", "@id", "description", "columns"}
_CHECK_KEYS = {"name", "@id", "@type", "description", "expression"}

_NAME = re.compile(r"_?[A-Za-z][A-Za-z0-9_]*")
_BOUND = re.compile(r"\s*(\w+)\s*(<=|>=|<|>)\s*(-?[0-9.]+(?:[eE][-+]?[0-9]+)?)\s*")


@dataclass(frozen=True)
class Bound:
    """One side of the range that a column's values must keep; missing values always pass.

    Parameters
    ----------
    op : str
        One of ``<``, ``<=``, ``>``, ``>=``.
    value : float
        In the column's unit.
    """

    op: str
    value: float

    def __str__(self) -> str:
        return f"{self.op} {self.value:g}"


@dataclass(frozen=True)
class Column:
    """One column of a table.

    Parameters
    ----------
    name : str
    datatype : str
        Felis data type, such as ``long`` or ``float``.
    description : str
    storage : str
        Arrow type name of one value, such as ``int64``, ``float32``, ``uint32``, ``string``.
    nullable : bool
        Whether values may be missing: null, or NaN in floating-point columns.
    optional : bool
        Whether a file may lack the column.
    unit : str
        Empty for numbers without one.
    ucd : str
        What the column means, in IVOA words; may be empty.
    arraysize : str
        Number of values in each row: empty for one, a number, or ``*`` for "the same for the whole file".
    principal : bool
        Whether the column is among the first that a user should see.
    bounds : tuple of Bound
    """

    name: str
    datatype: str
    description: str
    storage: str
    nullable: bool = True
    optional: bool = False
    unit: str = ""
    ucd: str = ""
    arraysize: str = ""
    principal: bool = False
    bounds: tuple[Bound, ...] = ()


@dataclass(frozen=True)
class Table:
    """One table: its columns in order, and what each may hold.

    Parameters
    ----------
    name : str
    description : str
    version : str
        Of this definition; a changed column is a new version.
    columns : tuple of Column
    primary_key : tuple of str
        Columns that together name a row; empty for none.
    """

    name: str
    description: str
    version: str
    columns: tuple[Column, ...]
    primary_key: tuple[str, ...] = ()
    _by_name: dict[str, Column] = field(init=False, repr=False, compare=False, hash=False, default_factory=dict)

    def __post_init__(self) -> None:
        self._by_name.update({column.name: column for column in self.columns})

    @property
    def column_names(self) -> tuple[str, ...]:
        """Names of all columns, in order."""
        return tuple(column.name for column in self.columns)

    @property
    def required(self) -> tuple[str, ...]:
        """Names of the columns that every file must have."""
        return tuple(column.name for column in self.columns if not column.optional)

    @cached_property
    def families(self) -> dict[str, Column]:
        """Band families: name template with ``{band}``, and the column of the r band as its description."""
        found: dict[str, Column] = {}
        for column in self.columns:
            parts = column.name.split("_")
            for place in [i for i, part in enumerate(parts) if part == "r"]:
                template = "_".join([*parts[:place], "{band}", *parts[place + 1 :]])
                if all(template.format(band=band) in self._by_name for band in BANDS):
                    found[template] = column
        return found

    def column(self, name: str) -> Column:
        """The column of this name, also of a band that is not written in the file.

        Raises
        ------
        ColumnError
            No such column.
        """
        known = self._by_name.get(name) or self._of_other_band(name)
        if known is None:
            raise ColumnError(f"table {self.name} has no column '{name}'; its columns are {_listed(self.column_names)}")
        return known

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and (name in self._by_name or self._of_other_band(name) is not None)

    def _of_other_band(self, name: str) -> Column | None:
        for template, like in self.families.items():
            before, after = template.split("{band}")
            band = (
                name[len(before) : len(name) - len(after)] if name.startswith(before) and name.endswith(after) else ""
            )
            if re.fullmatch(r"(?!err$)[A-Za-z][A-Za-z0-9]*", band):
                description = re.sub(r"\br band\b", f"{band} band", like.description)
                return replace(like, name=name, description=description, optional=True)
        return None


def table_names() -> tuple[str, ...]:
    """Names of the tables that the package defines.

    Returns
    -------
    tuple of str
        Sorted.
    """
    folder = files(__package__).joinpath("tables")
    return tuple(sorted(entry.name.removesuffix(".yaml") for entry in folder.iterdir() if entry.name.endswith(".yaml")))


@cache
def load_table(name: str) -> Table:
    """The definition of one of the package's tables.

    Parameters
    ----------
    name : str
        Such as ``pz``; see :func:`table_names`.

    Returns
    -------
    Table

    Raises
    ------
    NotFoundError
        No table of this name.
    SchemaError
        The file breaks the rules of the language.
    """
    if name not in table_names():
        raise NotFoundError(f"no table '{name}'; the tables are {', '.join(table_names())}")
    text = files(__package__).joinpath("tables", f"{name}.yaml").read_text(encoding="utf-8")
    return read_table(text, source=f"{name}.yaml")


def read_table(text: str, *, source: str) -> Table:
    """A table definition from the text of a Felis file that holds one table.

    Parameters
    ----------
    text : str
        YAML.
    source : str
        What to call it in messages.

    Returns
    -------
    Table

    Raises
    ------
    SchemaError
        Unknown keys, data types, units or UCD words; a column that is doubled or has no description.
    """
    try:
        # The C loader takes a third of the time, but not every build of PyYAML has it.
        schema = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506 (both are safe)
    except yaml.YAMLError as error:
        raise SchemaError(f"{source}: not YAML: {error}") from error
    _check_keys(schema, _SCHEMA_KEYS, {"name", "@id", "description", "version", "tables"}, source)
    tables = schema["tables"]
    if not isinstance(tables, list) or len(tables) != 1:
        raise SchemaError(f"{source}: 'tables' must hold exactly one table")
    return _read_table(tables[0], str(schema["version"]), source)


def _read_table(raw: Any, version: str, source: str) -> Table:
    where = f"{source}: table {_name_of(raw)}"
    _check_keys(raw, _TABLE_KEYS, {"name", "@id", "description", "columns"}, where)
    _check_text(raw, where)
    if not isinstance(raw["columns"], list) or not raw["columns"]:
        raise SchemaError(f"{where}: 'columns' must be a list of at least one column")
    columns = [_read_column(column, where) for column in raw["columns"]]
    names = [column.name for column in columns]
    doubled = sorted({name for name in names if names.count(name) > 1})
    if doubled:
        raise SchemaError(f"{where}: columns appear twice: {', '.join(doubled)}")
    ids = {column["@id"]: column["name"] for column in raw["columns"]}

    optional = _read_optional(raw.get("columnGroups", []), ids, where)
    bounds = _read_bounds(raw.get("constraints", []), names, where)
    key = raw.get("primaryKey", [])
    primary_key = tuple(_look_up(ref, ids, f"{where}: primaryKey") for ref in ([key] if isinstance(key, str) else key))
    columns = [replace(c, optional=c.name in optional, bounds=tuple(bounds.get(c.name, ()))) for c in columns]
    for column in columns:
        if column.name in primary_key and (column.nullable or column.optional):
            raise SchemaError(f"{where}, column {column.name}: a primary key can be neither nullable nor optional")
    return Table(raw["name"], raw["description"].strip(), version, tuple(columns), primary_key)


def _read_column(raw: Any, where: str) -> Column:
    where = f"{where}, column {_name_of(raw)}"
    _check_keys(raw, _COLUMN_KEYS, {"name", "@id", "datatype", "description"}, where)
    _check_text(raw, where)
    datatype = raw["datatype"]
    if datatype not in DATATYPES:
        raise SchemaError(f"{where}: unknown datatype '{datatype}'; known are {', '.join(DATATYPES)}")
    storage = DATATYPES[datatype]
    xtype = raw.get("votable:xtype")
    if xtype is not None:
        if XTYPES.get(xtype) != datatype:
            accepted = ", ".join(f"{x} with {d}" for x, d in XTYPES.items())
            raise SchemaError(f"{where}: votable:xtype '{xtype}' with datatype '{datatype}'; accepted are {accepted}")
        storage = xtype
    unit = raw.get("fits:tunit", "")
    if unit and unit not in UNITS:
        raise SchemaError(f"{where}: unknown unit '{unit}'; known are {', '.join(UNITS)}")
    ucd = raw.get("ivoa:ucd", "")
    fault = ucd_fault(ucd) if ucd else None
    if fault:
        raise SchemaError(f"{where}: ivoa:ucd '{ucd}': {fault}")
    arraysize = str(raw.get("votable:arraysize", ""))
    if storage == "string":
        arraysize = ""
    elif arraysize not in ("", "*") and not arraysize.isdigit():
        raise SchemaError(f"{where}: votable:arraysize '{arraysize}' must be a number or *")
    nullable = raw.get("nullable", True)
    if not isinstance(nullable, bool):
        raise SchemaError(f"{where}: nullable must be true or false, not {nullable!r}")
    return Column(
        name=raw["name"],
        datatype=datatype,
        description=" ".join(raw["description"].split()),
        storage=storage,
        nullable=nullable,
        unit=unit,
        ucd=ucd,
        arraysize=arraysize,
        principal=bool(raw.get("tap:principal", 0)),
    )


def _read_optional(groups: list[Any], ids: Mapping[str, str], where: str) -> set[str]:
    optional: set[str] = set()
    for group in groups:
        _check_keys(group, _GROUP_KEYS, {"name", "@id", "columns"}, f"{where}: columnGroups")
        if group["name"] != OPTIONAL_GROUP:
            raise SchemaError(f"{where}: column group '{group['name']}'; the only one we know is '{OPTIONAL_GROUP}'")
        optional.update(_look_up(ref, ids, f"{where}: group {OPTIONAL_GROUP}") for ref in group["columns"])
    return optional


def _read_bounds(constraints: list[Any], names: list[str], where: str) -> dict[str, list[Bound]]:
    bounds: dict[str, list[Bound]] = {}
    for raw in constraints:
        _check_keys(raw, _CHECK_KEYS, _CHECK_KEYS, f"{where}: constraints")
        here = f"{where}: constraint {raw['name']}"
        if raw["@type"] != "Check":
            raise SchemaError(f"{here}: type '{raw['@type']}'; the only one we know is Check")
        for part in raw["expression"].split(" AND "):
            match = _BOUND.fullmatch(part)
            if match is None:
                raise SchemaError(f"{here}: '{part}' is not of the form: column (<, <=, >, >=) number")
            name, op, value = match.groups()
            if name not in names:
                raise SchemaError(f"{here}: unknown column '{name}'")
            bounds.setdefault(name, []).append(Bound(op, float(value)))
    return bounds


def _name_of(raw: Any) -> str:
    return str(raw.get("name", "without name") if isinstance(raw, dict) else raw)


def _look_up(ref: str, ids: Mapping[str, str], where: str) -> str:
    if ref not in ids:
        raise SchemaError(f"{where}: no column has the @id '{ref}'")
    return ids[ref]


def _check_keys(raw: Any, known: set[str], needed: set[str], where: str) -> None:
    if not isinstance(raw, dict):
        raise SchemaError(f"{where}: must be a mapping of keys to values, not {type(raw).__name__}")
    unknown = sorted(set(raw) - known, key=str)
    if unknown:
        raise SchemaError(f"{where}: unknown keys {unknown}; known are {_listed(sorted(known))}")
    missing = sorted(needed - set(raw))
    if missing:
        raise SchemaError(f"{where}: missing {', '.join(missing)}")


def _check_text(raw: dict[str, Any], where: str) -> None:
    if not isinstance(raw["name"], str) or not _NAME.fullmatch(raw["name"]):
        raise SchemaError(f"{where}: '{raw['name']}' is not a column or table name")
    if not isinstance(raw["description"], str) or not raw["description"].strip():
        raise SchemaError(f"{where}: the description is empty")


def _listed(names: Iterable[str], limit: int = 30) -> str:
    shown = list(names)
    return ", ".join(shown[:limit]) + (f", … ({len(shown)} in all)" if len(shown) > limit else "")
