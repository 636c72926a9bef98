"""Tables of a simulated sky: objects as Rubin would publish them, their truth, and redshifts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from pzcenter.schema import arrow_schema

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

__all__ = ["object_schema", "spec_schema", "table_of", "truth_schema"]


def _field(name: str, kind: pa.DataType, description: str, *, unit: str = "", ucd: str = "") -> pa.Field:
    metadata = {"description": description, **({"unit": unit} if unit else {}), **({"ucd": ucd} if ucd else {})}
    return pa.field(name, kind, metadata=metadata)


def object_schema() -> pa.Schema:
    """Describe the object table, Rubin's names."""
    return arrow_schema("object")


def truth_schema(bands: tuple[str, ...]) -> pa.Schema:
    """Describe the table of what the objects are.

    Parameters
    ----------
    bands : tuple of str

    Returns
    -------
    pyarrow.Schema
    """
    real = pa.float32()
    columns = [
        _field("objectId", pa.int64(), "Id of the object.", ucd="meta.id;meta.main"),
        _field("z_true", pa.float64(), "Redshift; NaN for a star.", ucd="src.redshift"),
        _field("is_star", pa.bool_(), "Whether it is a star of the Milky Way."),
        _field("galaxy_class", pa.int8(), "0 quiescent, 1 star-forming, -1 star."),
        _field(
            "template_position", real, "Place along the sequence of templates, from 0; of a star, r-i on the locus."
        ),
        _field("internal_ebv", real, "E(B-V) of dust in the galaxy, Calzetti law; NaN for a star.", unit="mag"),
        _field("abs_mag_b", real, "Rest-frame B magnitude, AB, dust included; NaN for a star.", unit="mag"),
        _field("half_light_radius", real, "Before seeing; 0 for a star.", unit="arcsec"),
    ]
    columns += [
        _field(f"flux_true_{band}", real, f"Total flux in {band}, no noise, no Galactic extinction.", unit="nJy")
        for band in bands
    ]
    return pa.schema(columns, metadata={"pz.table": "truth"})


def spec_schema() -> pa.Schema:
    """Describe the tables of spectroscopic redshifts."""
    columns = [
        _field("objectId", pa.int64(), "Id of the object that was observed.", ucd="meta.id"),
        _field("ra", pa.float64(), "ICRS right ascension of the survey.", unit="deg", ucd="pos.eq.ra;meta.main"),
        _field("dec", pa.float64(), "ICRS declination of the survey.", unit="deg", ucd="pos.eq.dec;meta.main"),
        _field("z_spec", pa.float64(), "Spectroscopic redshift.", ucd="src.redshift"),
        _field("z_spec_err", pa.float32(), "Standard deviation of z_spec.", ucd="stat.error;src.redshift"),
        _field("survey", pa.string(), "Survey that observed it.", ucd="meta.bib"),
        _field("quality", pa.int8(), "4 secure, 3 probable.", ucd="meta.code.qual"),
    ]
    return pa.schema(columns, metadata={"pz.table": "specz"})


def table_of(columns: Mapping[str, NDArray[Any] | pa.Array], schema: pa.Schema) -> pa.Table:
    """Arrow table of arrays, each cast to the type of its column.

    Parameters
    ----------
    columns : mapping of str to ndarray, (n_obj,)
        One for each column of the schema.
    schema : pyarrow.Schema

    Returns
    -------
    pyarrow.Table
    """
    arrays = []
    for field in schema:
        values = columns[field.name]
        if isinstance(values, np.ndarray) and values.dtype.kind in "fiub":
            values = pa.array(values.astype(field.type.to_pandas_dtype(), copy=False), type=field.type)
        arrays.append(values)
    return pa.Table.from_arrays(arrays, schema=schema)
