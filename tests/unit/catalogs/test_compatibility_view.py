from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from pzcenter.catalogs.compatibility_view import VIEW_COLUMNS, compatibility_view
from pzcenter.errors import ColumnError, ConfigError, EmptyTableError, SchemaError
from pzcenter.schema import arrow_schema


def core(offset=0.0, n=4):
    columns = {
        field.name: pa.array(np.arange(n) + (offset if pa.types.is_floating(field.type) else 0)).cast(
            field.type, safe=False
        )
        for field in arrow_schema("pz")
    }
    return pa.table(columns, schema=arrow_schema("pz"))


def test_columns_of_the_first_releases():
    algos = ("bpz", "dnf", "fzboost", "gpz", "knn", "tpz")
    view = compatibility_view({algo: core() for algo in algos})
    assert view.num_columns == 51
    assert view.column_names[:5] == ["objectId", "ra", "dec", "bpz_z_best", "bpz_z_mode"]
    assert view.column_names[-1] == "tpz_z_err95_high"
    assert {field.type for field in view.schema if "_z_" in field.name} == {pa.float32()}
    assert view.schema.field("ra").type == pa.float64()
    assert b"src.redshift.phot" in view.schema.field("knn_z_best").metadata[b"ucd"]


def test_values_are_those_of_each_method():
    tables = {"bpz": core(), "knn": core(0.25)}
    view = compatibility_view(tables)
    for algo, table in tables.items():
        for name in VIEW_COLUMNS:
            assert view[f"{algo}_{name}"].equals(table[name])
    assert view["objectId"].to_pylist() == [0, 1, 2, 3]


def test_missing_stays_missing():
    table = core()
    place = table.schema.get_field_index("z_best")
    table = table.set_column(place, table.schema.field("z_best"), pa.array([np.nan] * 4, pa.float32()))
    assert np.isnan(compatibility_view({"bpz": table})["bpz_z_best"].to_numpy()).all()


def test_refuses_what_does_not_fit():
    with pytest.raises(EmptyTableError):
        compatibility_view({})
    with pytest.raises(ConfigError, match="'b-p'"):
        compatibility_view({"b-p": core()})
    with pytest.raises(ColumnError, match=r"knn.*z_mode"):
        compatibility_view({"knn": core().drop_columns(["z_mode"])})
    with pytest.raises(SchemaError, match="bpz has 4 objects and knn 3"):
        compatibility_view({"bpz": core(), "knn": core(n=3)})
    with pytest.raises(SchemaError, match="first in row 0: 0 and 3"):
        compatibility_view({"bpz": core(), "knn": core().take([3, 1, 2, 0])})
