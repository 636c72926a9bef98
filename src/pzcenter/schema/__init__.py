"""What data look like: table definitions, flags, array containers, and how surveys name their columns.

Importing this package is light; PyArrow and pydantic are imported when a function that needs them is first asked
for.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from pzcenter.schema.containers import PZ, Photometry
from pzcenter.schema.felis import BANDS, Column, Table, load_table, table_names
from pzcenter.schema.flags import PZFlag, flag_names, pz_flag_table

if TYPE_CHECKING:
    from pzcenter.schema.arrow import arrow_schema, check_table
    from pzcenter.schema.mapping import Condition, Mapping, detect_mapping, load_mapping, mapping_names

__all__ = [
    "BANDS",
    "PZ",
    "Column",
    "Condition",
    "Mapping",
    "PZFlag",
    "Photometry",
    "Table",
    "arrow_schema",
    "check_table",
    "detect_mapping",
    "flag_names",
    "load_mapping",
    "load_table",
    "mapping_names",
    "pz_flag_table",
    "table_names",
]

_LATE = {
    "arrow_schema": "arrow",
    "check_table": "arrow",
    "Condition": "mapping",
    "Mapping": "mapping",
    "detect_mapping": "mapping",
    "load_mapping": "mapping",
    "mapping_names": "mapping",
}


def __getattr__(name: str) -> Any:
    if name not in _LATE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_LATE[name]}"), name)
