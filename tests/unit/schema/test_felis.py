import re

import pytest
import yaml

from pzcenter.errors import ColumnError, NotFoundError, SchemaError
from pzcenter.schema import BANDS, load_table, table_names
from pzcenter.schema.felis import Bound, read_table
from pzcenter.schema.ucd import UCD_WORDS, ucd_fault

GOOD = """
name: sky
"@id": "#sky_schema"
description: A schema.
version: "1.2.0"
tables:
- name: sky
  "@id": "#sky"
  description: A table.
  primaryKey: "#sky.id"
  columns:
  - name: id
    "@id": "#sky.id"
    datatype: long
    description: The id.
    nullable: false
    ivoa:ucd: meta.id;src;meta.main
  - name: mask
    "@id": "#sky.mask"
    datatype: long
    votable:xtype: uint32
    description: Some bits.
  - name: ra
    "@id": "#sky.ra"
    datatype: double
    description: Right ascension.
    fits:tunit: deg
    ivoa:ucd: pos.eq.ra;meta.main
  columnGroups:
  - name: optional
    "@id": "#sky.optional"
    columns: ["#sky.ra"]
  constraints:
  - name: ra_range
    "@id": "#sky.ra_range"
    "@type": Check
    description: The circle.
    expression: "ra >= 0 AND ra < 3.6e2"
"""


def changed(path, value):
    """GOOD with one entry replaced (or removed, for None)."""
    content = yaml.safe_load(GOOD)
    place = content
    for key in path[:-1]:
        place = place[key]
    if value is None:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    return yaml.safe_dump(content)


def test_reads_all_parts():
    table = read_table(GOOD, source="sky.yaml")
    assert (table.name, table.version, table.primary_key) == ("sky", "1.2.0", ("id",))
    assert table.column_names == ("id", "mask", "ra")
    assert table.required == ("id", "mask")
    ra = table.column("ra")
    assert (ra.storage, ra.unit, ra.ucd, ra.nullable, ra.optional) == (
        "float64",
        "deg",
        "pos.eq.ra;meta.main",
        True,
        True,
    )
    assert ra.bounds == (Bound(">=", 0.0), Bound("<", 360.0))
    assert table.column("mask").storage == "uint32"
    assert not table.column("id").nullable


TABLE = ("tables", 0)
ID = (*TABLE, "columns", 0)


@pytest.mark.parametrize(
    ("path", "value", "says"),
    [
        (("owner",), "me", ["unknown keys", "owner"]),
        (("version",), None, ["missing version"]),
        (("tables",), [], ["exactly one"]),
        ((*TABLE, "colour"), "red", ["table sky", "colour"]),
        ((*TABLE, "description"), " ", ["table sky", "description is empty"]),
        ((*TABLE, "columns"), [], ["at least one column"]),
        ((*TABLE, "primaryKey"), "#sky.no", ["primaryKey", "#sky.no"]),
        ((*TABLE, "primaryKey"), "#sky.ra", ["column ra", "primary key"]),
        ((*ID, "units"), "deg", ["table sky", "column id", "unknown keys", "units"]),
        ((*ID, "datatype"), "float64", ["column id", "datatype 'float64'", "double"]),
        ((*ID, "description"), "", ["column id", "description"]),
        ((*ID, "description"), None, ["column id", "missing description"]),
        ((*ID, "name"), "ra", ["twice", "ra"]),
        ((*ID, "name"), "my id", ["'my id' is not a column"]),
        ((*ID, "ivoa:ucd"), "meta.idd", ["column id", "meta.idd"]),
        ((*ID, "ivoa:ucd"), "meta.main;meta.id", ["may not come first"]),
        ((*ID, "ivoa:ucd"), "src.redshift;meta.id", ["may only come first"]),
        ((*ID, "fits:tunit"), "degrees", ["column id", "unit 'degrees'", "deg"]),
        ((*ID, "nullable"), "no", ["nullable", "'no'"]),
        ((*ID, "votable:xtype"), "uint64", ["votable:xtype 'uint64'"]),
        ((*ID, "votable:arraysize"), "many", ["arraysize 'many'"]),
        ((*TABLE, "columnGroups", 0, "name"), "extra", ["column group 'extra'"]),
        ((*TABLE, "constraints", 0, "expression"), "ra > dec", ["ra > dec"]),
        ((*TABLE, "constraints", 0, "expression"), "__import__('os') > 1", ["not of the form"]),
        ((*TABLE, "constraints", 0, "expression"), "dec > 1", ["unknown column 'dec'"]),
        ((*TABLE, "constraints", 0, "@type"), "Unique", ["Unique"]),
    ],
)
def test_refuses_with_file_table_and_column(path, value, says):
    with pytest.raises(SchemaError) as caught:
        read_table(changed(path, value), source="sky.yaml")
    for part in ["sky.yaml", *says]:
        assert part in str(caught.value)


@pytest.mark.parametrize("text", ["a: [", "just words", "!!python/object/apply:os.getcwd []"])
def test_refuses_what_is_not_a_definition(text):
    with pytest.raises(SchemaError, match=r"sky\.yaml"):
        read_table(text, source="sky.yaml")


def test_unknown_table_lists_the_known():
    with pytest.raises(NotFoundError, match="pz_pdf"):
        load_table("photoz")


def test_tables_are_read_once():
    assert load_table("pz") is load_table("pz")


def test_core_tables_are_there():
    assert set(table_names()) == {
        "object", "skinny", "pz", "pz_pdf", "pz_model", "pz_flag", "pz_provenance", "pz_quality", "pz_nz",
        "redshift", "training_set",
    }  # fmt: skip


def test_pz_has_the_columns_of_the_design_in_order():
    assert load_table("pz").column_names == (
        "objectId",
        "ra",
        "dec",
        "_healpix_29",
        "tract",
        "z_best",
        "z_mode",
        "z_mean",
        "z_median",
        "z_err68_low",
        "z_err68_high",
        "z_err95_low",
        "z_err95_high",
        "z_std",
        "z_skew",
        "z_kurt",
        "z_conf",
        "z_risk",
        "chi2",
        "template_id",
        "band_mask",
        "n_bands",
        "model_id",
        "in_train_domain",
        "p_star",
        "p_agn",
        "phys_template_id",
        "phys_chi2",
        *(f"mag_abs_{band}" for band in "ugrizy"),
        "flags",
    )


@pytest.mark.parametrize("name", ["skinny", "object"])
def test_bands_are_described_alike(name):
    table = load_table(name)
    assert table.families
    for template, like in table.families.items():
        for band in BANDS:
            column = table.column(template.replace("{band}", band))
            assert column.description == re.sub(r"\br band", f"{band} band", like.description)
            for part in ("datatype", "unit", "ucd", "nullable", "optional", "bounds"):
                assert getattr(column, part) == getattr(like, part)


def test_every_band_column_is_of_a_family():
    table = load_table("skinny")
    grown = {template.replace("{band}", band) for template in table.families for band in BANDS}
    assert {name for name in table.column_names if name.startswith("flux_")} == grown


def test_other_bands_are_described_like_the_known():
    table = load_table("skinny")
    column = table.column("flux_err_J")
    assert (column.unit, column.storage, column.optional) == ("nJy", "float32", True)
    assert "J band" in column.description
    assert "flux_J" in table
    for name in ("flux_", "flux_err", "flux_J_K", "z_J", "flux_err_", 3):
        assert name not in table
    with pytest.raises(ColumnError, match="no column 'brightness'"):
        table.column("brightness")


def test_letters_in_other_names_make_no_family():
    assert load_table("pz_quality").families == {}
    assert set(load_table("pz").families) == {"mag_abs_{band}"}


def test_ucd_words_are_those_of_the_official_list():
    from importlib.resources import files

    official = {}
    text = files("astropy.io.votable").joinpath("data", "ucd1p-words.txt").read_text()
    for line in text.splitlines():
        if "|" in line and not line.startswith("#"):
            code, word, _ = (part.strip() for part in line.split("|"))
            official[word] = code
    assert {word: official.get(word) for word in UCD_WORDS} == UCD_WORDS


def test_every_ucd_passes_astropy():
    from astropy.io.votable.ucd import check_ucd

    for name in table_names():
        for column in load_table(name).columns:
            assert check_ucd(column.ucd, check_controlled_vocabulary=True, has_colon=False), (name, column.name)


def test_every_ucd_word_is_used():
    used = {word for name in table_names() for column in load_table(name).columns for word in column.ucd.split(";")}
    assert set(UCD_WORDS) == used - {""}


def test_good_ucd_has_no_fault():
    assert ucd_fault("stat.error;phot.flux.density;em.opt") is None


def test_units_are_known_to_astropy():
    from astropy import units

    for name in table_names():
        for column in load_table(name).columns:
            units.Unit(column.unit)
