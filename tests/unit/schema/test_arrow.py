import subprocess
import sys

import numpy as np
import pyarrow as pa
import pytest

from pzcenter.errors import ColumnError, NotFoundError, SchemaError
from pzcenter.schema import arrow_schema, check_table, load_table, table_names


def filled(name, n=5, *, columns=None, sizes=None):
    """A table with accepted values in every column."""
    schema = arrow_schema(name, columns=columns, sizes=sizes)
    arrays = []
    for field in schema:
        if pa.types.is_nested(field.type):
            arrays.append(pa.array([[1] * 301] * n, type=field.type))
        elif field.name == "pdf_code":
            arrays.append(pa.array([bytes(301)] * n, type=field.type))
        elif pa.types.is_timestamp(field.type):
            arrays.append(pa.array([0] * n, type=field.type))
        elif pa.types.is_string(field.type):
            arrays.append(pa.array(["text"] * n))
        else:
            arrays.append(pa.array([2 if field.name == "n_z" else 1] * n).cast(field.type))
    return pa.Table.from_arrays(arrays, schema=schema)


def with_column(table, name, values, kind=None):
    place = table.schema.get_field_index(name)
    return table.set_column(place, name, pa.array(values, type=kind or table.schema.field(name).type))


@pytest.mark.parametrize("name", table_names())
def test_what_the_schema_says_is_accepted(name):
    table = filled(name)
    check_table(table, name)
    check_table(table.to_batches()[0], name)
    check_table(table.slice(0, 0), name)
    check_table(table.select(load_table(name).required), name)


@pytest.mark.parametrize("name", table_names())
def test_metadata_come_from_the_definition(name):
    schema = arrow_schema(name)
    assert schema.metadata[b"pz.table"].decode() == name
    assert schema.metadata[b"pz.table_version"].decode() == load_table(name).version
    for field, column in zip(schema, load_table(name).columns, strict=True):
        assert field.metadata[b"description"].decode() == column.description
        assert field.metadata.get(b"unit", b"").decode() == column.unit
        assert field.metadata.get(b"ucd", b"").decode() == column.ucd
        assert field.nullable == column.nullable


def test_types_of_the_core_table():
    types = {field.name: str(field.type) for field in arrow_schema("pz")}
    assert types["objectId"] == "int64"
    assert types["ra"] == types["dec"] == "double"
    assert types["flags"] == "uint32"
    assert types["z_best"] == "float"
    assert types["template_id"] == "int16"


def test_chosen_columns_keep_the_table_order_and_other_bands_come_last():
    schema = arrow_schema("skinny", columns=["flux_J", "flags", "flux_u", "objectId"])
    assert schema.names == ["objectId", "flux_u", "flags", "flux_J"]


def test_unknown_names():
    with pytest.raises(ColumnError, match="no column 'zbest'"):
        arrow_schema("pz", columns=["zbest"])
    with pytest.raises(NotFoundError, match="no table 'pzz'"):
        arrow_schema("pzz")


def test_array_column_takes_its_size_from_the_caller():
    assert arrow_schema("pz_pdf").field("pdf_code").type == pa.binary()
    assert arrow_schema("pz_pdf", sizes={"pdf_code": 301}).field("pdf_code").type == pa.binary(301)
    check_table(filled("pz_pdf", sizes={"pdf_code": 301}), "pz_pdf")


def test_missing_values_are_accepted_where_the_table_says_so():
    table = with_column(filled("pz"), "z_best", [np.nan, None, 0.5, 0.0, 3.0])
    check_table(table, "pz")
    check_table(with_column(table, "z_best", [None] * 5), "pz")
    check_table(with_column(table, "z_best", [np.nan] * 5), "pz")


def test_negative_flux_is_data():
    check_table(with_column(filled("skinny"), "flux_u", [-99.0, -1e9, np.nan, None, 0.0]), "skinny")


@pytest.mark.parametrize(
    ("column", "values", "says"),
    [
        ("z_best", [0.1, -99.0, 0.2, 0.3, np.nan], "-99 stands for a missing value"),
        ("z_skew", [0.1, -99.0, 0.2, 0.3, np.nan], "-99 stands for a missing value"),
        ("z_mode", [0.1, 99.0, 0.2, 0.3, 0.4], "the maximum is 99; accepted are values >= 0 and <= 20"),
        ("z_median", [0.1, -0.5, 0.2, 0.3, 0.4], "the minimum is -0.5"),
        ("z_best", [0.1, np.inf, 0.2, 0.3, 0.4], "inf"),
        ("z_kurt", [0.1, np.inf, 0.2, 0.3, 0.4], "inf"),
        ("ra", [0.0, 360.0, 1.0, 1.0, 1.0], "the maximum is 360"),
        ("dec", [0.0, -91.0, 1.0, 1.0, 1.0], "the minimum is -91"),
        ("objectId", [1, 2, None, 4, 5], "1 of 5 values are missing"),
        ("flags", [1, None, None, 4, 5], "2 of 5 values are missing"),
        ("in_train_domain", [0.0, 1.0, 1.5, 0.0, 0.0], "the maximum is 1.5"),
    ],
)
def test_refuses_values(column, values, says):
    table = with_column(filled("pz"), column, values)
    with pytest.raises(SchemaError) as caught:
        check_table(table, "pz")
    assert says in str(caught.value)
    assert f"table pz, column {column}" in str(caught.value)


def test_nan_is_missing_in_a_floating_column_that_must_be_whole():
    table = with_column(filled("pz_model"), "z_min", [0.0, np.nan, 0.0, 0.0, 0.0])
    with pytest.raises(SchemaError, match="1 of 5 values are missing"):
        check_table(table, "pz_model")


def test_refuses_columns():
    table = filled("pz")
    with pytest.raises(ColumnError, match=r"missing columns.*z_best"):
        check_table(table.drop_columns(["z_best"]), "pz")
    with pytest.raises(ColumnError, match=r"unknown columns.*zbest"):
        check_table(table.append_column("zbest", table["z_best"]), "pz")
    with pytest.raises(ColumnError, match="column z_best: type double; accepted is float"):
        check_table(with_column(table, "z_best", [0.0] * 5, pa.float64()), "pz")
    with pytest.raises(ColumnError, match=r"twice.*z_best"):
        check_table(table.append_column("z_best", table["z_best"]), "pz")
    with pytest.raises(ColumnError, match="column pdf_code: type uint8"):
        check_table(with_column(filled("pz_pdf"), "pdf_code", [0] * 5, pa.uint8()), "pz_pdf")


def test_optional_columns_can_be_asked_for():
    table = filled("skinny").select(["objectId", "flux_u", "flux_err_u", "flags"])
    check_table(table, "skinny")
    with pytest.raises(ColumnError, match=r"missing columns.*'ra'"):
        check_table(table, "skinny", columns=["objectId", "ra", "dec"])


def test_importing_the_package_is_light():
    code = "import sys, pzcenter.schema; print([m for m in ('pyarrow', 'pydantic', 'astropy') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_late_names_are_all_there():
    import pzcenter.schema

    for name in pzcenter.schema.__all__:
        assert getattr(pzcenter.schema, name) is not None
    with pytest.raises(AttributeError, match="arrow_shema"):
        pzcenter.schema.arrow_shema  # noqa: B018
