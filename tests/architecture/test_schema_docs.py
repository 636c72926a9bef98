"""The reference pages are those that the definitions give, and a definition reaches everything made from it."""

from pathlib import Path

import pyarrow as pa
import pytest

from pzcenter.errors import ColumnError, SchemaError
from pzcenter.schema import arrow_schema, check_table, load_table, table_names
from pzcenter.schema.docs import all_pages, table_page, write_pages
from pzcenter.schema.felis import read_table

ROOT = Path(__file__).parents[2]
PAGES = ROOT / "docs" / "reference" / "tables"
REMEDY = "run: python -m pzcenter.schema.docs docs/reference/tables"


def test_no_page_is_missing_or_left_over():
    assert {path.name for path in PAGES.iterdir()} == set(all_pages()), REMEDY


@pytest.mark.parametrize("name", sorted(all_pages()))
def test_committed_page_is_the_generated_one(name):
    assert (PAGES / name).read_text(encoding="utf-8") == all_pages()[name], REMEDY


def test_pages_can_be_written(tmp_path):
    assert {path.name for path in write_pages(tmp_path / "new")} == set(all_pages())


@pytest.mark.parametrize("name", table_names())
def test_page_names_every_column_unit_and_ucd(name):
    page = table_page(load_table(name))
    for column in load_table(name).columns:
        row = next(line for line in page.splitlines() if line.startswith(f"| `{column.name}` |"))
        assert column.unit in row
        assert column.ucd in row
        assert column.description.replace("|", "\\|") in row


def test_one_change_in_the_yaml_reaches_page_schema_and_check():
    source = ROOT / "src" / "pzcenter" / "schema" / "tables" / "pz.yaml"
    text = source.read_text(encoding="utf-8")
    new = """  - name: mass
    "@id": "#pz.mass"
    datatype: double
    description: "Stellar mass, a test."
    nullable: false
    fits:tunit: mag
    ivoa:ucd: stat.value
  constraints:
  - name: pz_mass_range
    "@id": "#pz.pz_mass_range"
    "@type": Check
    description: "A test."
    expression: "mass < 13"
"""
    # Columns end where the column groups begin.
    before, after = text.split("  columnGroups:\n")
    column, constraint = new.split("  constraints:\n")
    table = read_table(f"{before}{column}  columnGroups:\n{after}{constraint}", source="pz.yaml")

    assert "| `mass` | float64 | mag | `stat.value` | never | < 13 | Stellar mass, a test. |" in table_page(table)
    field = arrow_schema(table).field("mass")
    assert (field.type, field.nullable) == (pa.float64(), False)
    assert field.metadata == {b"description": b"Stellar mass, a test.", b"unit": b"mag", b"ucd": b"stat.value"}

    rows = {f.name: pa.array([1], type=pa.int64()).cast(f.type) for f in arrow_schema("pz")}
    check_table(pa.table(rows), "pz")
    with pytest.raises(ColumnError, match=r"missing columns \['mass'\]"):
        check_table(pa.table(rows), table)
    check_table(pa.table({**rows, "mass": [12.0]}), table)
    with pytest.raises(SchemaError, match="column mass: the maximum is 14; accepted are values < 13"):
        check_table(pa.table({**rows, "mass": [14.0]}), table)
    with pytest.raises(SchemaError, match="column mass: 1 of 1 values are missing"):
        check_table(pa.table({**rows, "mass": pa.array([None], type=pa.float64())}), table)


def test_the_how_to_pages_name_what_exists():
    describe = (ROOT / "docs" / "how-to" / "describe-your-columns.md").read_text(encoding="utf-8")
    for word in ("object_id", "ab_mag", "asinh_mag", "nondetection", "drop_band", "is_true", "divide_by", "ab_offset"):
        assert word in describe
    add = (ROOT / "docs" / "develop" / "how-to-add-a-column.md").read_text(encoding="utf-8")
    assert "python -m pzcenter.schema.docs docs/reference/tables" in add


def test_the_example_mapping_of_the_how_to_is_accepted(tmp_path):
    from pzcenter.schema import load_mapping

    describe = (ROOT / "docs" / "how-to" / "describe-your-columns.md").read_text(encoding="utf-8")
    examples = [block.split("```")[0] for block in describe.split("```yaml\n")[1:]]
    whole = [example for example in examples if example.startswith("name:")]
    assert whole
    for number, example in enumerate(whole):
        path = tmp_path / f"example{number}.yaml"
        path.write_text(example, encoding="utf-8")
        load_mapping(path)
