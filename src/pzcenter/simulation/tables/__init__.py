"""Tables that only a simulated sky has, defined in the same dialect as all others, and the making of Arrow tables."""

from __future__ import annotations

from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from pzcenter.schema import arrow_schema
from pzcenter.schema.felis import read_table

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from pzcenter.schema import Table

__all__ = ["object_schema", "spec_schema", "spec_table", "table_of", "truth_schema", "truth_table"]

OBJECT_COLUMNS = (
    "objectId",
    "coord_ra",
    "coord_dec",
    "tract",
    "patch",
    "ebv",
    "refBand",
    "refExtendedness",
    "detect_isPrimary",
    "detect_isIsolated",
    "detect_fromBlend",
    "deblend_failed",
)

OBJECT_BAND_COLUMNS = (
    "{band}_gaap1p0Flux",
    "{band}_gaap1p0FluxErr",
    "{band}_cModelFlux",
    "{band}_cModelFluxErr",
    "{band}_gaapFlux_flag",
    "{band}_cModel_flag",
    "{band}_pixelFlags_saturatedCenter",
    "{band}_pixelFlags_interpolatedCenter",
    "{band}_blendedness",
)


def object_schema(bands: tuple[str, ...]) -> pa.Schema:
    """Describe the object table, Rubin's names, in these bands."""
    per_band = [name.format(band=band) for name in OBJECT_BAND_COLUMNS for band in bands]
    return arrow_schema("object", columns=[*OBJECT_COLUMNS, *per_band])


def truth_table() -> Table:
    """Definition of the table of what the objects are."""
    return _own_table("truth")


def spec_table() -> Table:
    """Definition of the tables of spectroscopic redshifts."""
    return _own_table("specz")


def truth_schema() -> pa.Schema:
    """Describe the table of what the objects are."""
    return arrow_schema(truth_table())


def spec_schema() -> pa.Schema:
    """Describe the tables of spectroscopic redshifts."""
    return arrow_schema(spec_table())


@cache
def _own_table(name: str) -> Table:
    text = (resources.files(__name__) / f"{name}.yaml").read_text(encoding="utf-8")
    return read_table(text, source=f"{name}.yaml")


def table_of(columns: Mapping[str, NDArray[Any] | pa.Array], schema: pa.Schema) -> pa.Table:
    """Arrow table of arrays, each cast to the type of its column.

    Parameters
    ----------
    columns : mapping of str to ndarray, (n_obj,)
        At least the columns of the schema.
    schema : pyarrow.Schema

    Returns
    -------
    pyarrow.Table
        NaN stays NaN.
    """
    arrays = []
    for field in schema:
        values = columns[field.name]
        if isinstance(values, np.ndarray):
            values = pa.array(values.astype(field.type.to_pandas_dtype(), copy=False), type=field.type)
        arrays.append(values)
    return pa.Table.from_arrays(arrays, schema=schema)
