import pyarrow as pa
import pytest
import yaml

from pzcenter.errors import BandError, ColumnError, ConfigError, FileFormatError, NotFoundError
from pzcenter.schema import Condition, Mapping, PZFlag, detect_mapping, load_mapping, load_table, mapping_names
from pzcenter.schema.mapping import AB_ZERO_POINTS

MINE = {
    "name": "mine",
    "description": "A test.",
    "bands": ["g", "r", "J"],
    "object_id": "ID",
    "photometry": {"kind": "flux", "value": "F_{band}", "error": "E_{band}", "unit": "uJy"},
    "flags": [
        {"flag": "bad_error", "column": "bad_{band}", "op": "is_true", "drop_band": True},
        {"flag": "star_like", "column": "class", "op": ">", "value": 0.5, "optional": True},
    ],
    "cuts": [{"name": "bright", "column": "F_r", "op": ">", "value": 1.0}],
}


def changed(**parts):
    return {**MINE, **parts}


@pytest.fixture
def write(tmp_path):
    def to_file(content):
        path = tmp_path / "mine.yaml"
        path.write_text(content if isinstance(content, str) else yaml.safe_dump(content))
        return path

    return to_file


def test_shipped_mappings_load():
    assert set(mapping_names()) == {"rubin_gaap", "rubin_cmodel", "dc2_cmodel", "rail", "sdss", "skinny"}
    for name in mapping_names():
        mapping = load_mapping(name)
        assert mapping.name == name
        assert not set(mapping.required_columns()) & set(mapping.optional_columns())


@pytest.mark.parametrize("name", ["rubin_gaap", "rubin_cmodel"])
def test_rubin_mappings_name_columns_of_the_object_table(name):
    mapping = load_mapping(name)
    for column in (*mapping.required_columns(), *mapping.optional_columns()):
        assert column in load_table("object")


def test_skinny_mapping_names_columns_of_the_skinny_table():
    mapping = load_mapping("skinny")
    for column in (*mapping.required_columns(), *mapping.optional_columns()):
        assert column in load_table("skinny")


def test_own_mapping(write):
    mapping = load_mapping(write(MINE))
    assert mapping.value_column("J") == "F_J"
    assert mapping.error_column("J") == "E_J"
    assert mapping.required_columns() == ("ID", "F_g", "E_g", "F_r", "E_r", "F_J", "E_J", "bad_g", "bad_r", "bad_J")
    assert mapping.optional_columns() == ("class",)
    assert mapping.flags[0].bit is PZFlag.bad_error
    assert mapping.columns_of(mapping.flags[0]) == ("bad_g", "bad_r", "bad_J")
    assert mapping.photometry.ab_zero_point == 23.9
    assert mapping.missing_columns(["ID", "F_g", "E_g", "F_r", "E_r", "F_J", "bad_g", "bad_r", "bad_J"]) == ("E_J",)


def test_a_file_with_a_byte_order_mark_is_read(tmp_path):
    path = tmp_path / "bom.yml"
    path.write_text(yaml.safe_dump(MINE), encoding="utf-8-sig")
    assert load_mapping(str(path)).name == "mine"


MAGNITUDES = {"kind": "ab_mag", "value": "m_{band}", "error": "e_{band}"}


@pytest.mark.parametrize(
    ("parts", "says"),
    [
        ({"colour": 1}, ["colour", "Extra inputs"]),
        ({"name": None}, ["name", "string"]),
        ({"bands": []}, ["bands"]),
        ({"bands": ["g", "g"]}, ["may appear once"]),
        ({"bands": ["g r"]}, ["bands.0"]),
        ({"ra": "RA"}, ["both ra and dec"]),
        ({"photometry": {**MINE["photometry"], "unit": "erg"}}, ["photometry.unit", "nJy"]),
        ({"photometry": {**MINE["photometry"], "value": "F"}}, ["{band}"]),
        ({"photometry": {**MINE["photometry"], "kind": "luptitude"}}, ["photometry.kind", "asinh_mag"]),
        ({"photometry": {**MINE["photometry"], "nondetection": {"value": 99.0, "rule": "missing"}}}, ["are data"]),
        ({"photometry": {**MAGNITUDES, "unit": "uJy"}}, ["ab_offset"]),
        ({"photometry": {**MAGNITUDES, "kind": "asinh_mag"}}, ["softening"]),
        ({"photometry": {**MAGNITUDES, "kind": "asinh_mag", "softening": {"g": 1e-10}}}, ["softening", "'r', 'J'"]),
        ({"photometry": {**MAGNITUDES, "nondetection": {"value": 99.0, "rule": "guess"}}}, ["rule", "upper_limit"]),
        (
            {
                "photometry": {
                    **MAGNITUDES,
                    "nondetection": {"value": 99.0, "rule": "upper_limit", "limit_mag": {"g": 27.0}},
                }
            },
            ["limit_mag", "'r', 'J'"],
        ),
        (
            {
                "photometry": {
                    **MAGNITUDES,
                    "nondetection": {"value": 99.0, "rule": "missing", "limit_mag": {"g": 27.0}},
                }
            },
            ["'missing'"],
        ),
        ({"extinction": {"coefficients": {"g": 3.0, "r": 2.0, "J": 0.7}}}, ["source"]),
        ({"extinction": {"coefficients": {"g": 3.0}, "source": "me"}}, ["'r', 'J'"]),
        ({"extinction": {}}, ["either"]),
        ({"ebv": {"column": "A_r", "divide_by": 0.0}}, ["ebv.divide_by"]),
        ({"flags": [{"flag": "ugly", "column": "c", "op": "is_true"}]}, ["flags.0.flag", "ugly", "star_like"]),
        ({"flags": [{"flag": "failed", "column": "c", "op": "is_true", "value": 1}]}, ["takes no value"]),
        ({"flags": [{"flag": "failed", "column": "c", "op": "=="}]}, ["needs a value"]),
        ({"flags": [{"flag": "failed", "column": "c", "op": "like", "value": 1}]}, ["flags.0.op"]),
        ({"flags": [{"flag": "failed", "column": "c", "op": "is_true", "drop_band": True}]}, ["drop_band"]),
        ({"cuts": [{"name": "a", "column": "c_{band}", "op": "is_true"}]}, ["flags only"]),
        (
            {"cuts": [{"name": "a", "column": "c", "op": "is_true"}, {"name": "a", "column": "d", "op": "is_true"}]},
            ["own name"],
        ),
    ],
)
def test_refuses_a_bad_mapping(write, parts, says):
    with pytest.raises(ConfigError) as caught:
        load_mapping(write(changed(**parts)))
    for part in ["mine.yaml", *says]:
        assert part in str(caught.value)


def test_refuses_what_is_not_a_mapping(write, tmp_path):
    with pytest.raises(FileFormatError, match="not YAML"):
        load_mapping(write("a: ["))
    with pytest.raises(FileFormatError, match="not YAML"):
        load_mapping(write("!!python/object/apply:os.getcwd []"))
    with pytest.raises(ConfigError, match="the file"):
        load_mapping(write("words"))
    binary = tmp_path / "binary.yaml"
    binary.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(FileFormatError, match="UTF-8"):
        load_mapping(binary)
    with pytest.raises(NotFoundError, match=r"no_such\.yaml"):
        load_mapping(tmp_path / "no_such.yaml")
    with pytest.raises(NotFoundError, match=r"no mapping 'euclid'.*rubin_gaap"):
        load_mapping("euclid")


@pytest.mark.parametrize(
    ("op", "value", "values", "held"),
    [
        ("<", 0.5, [0.0, 1.0, None, float("nan")], [True, False, False, False]),
        ("<=", 1, [0.0, 1.0, None, float("nan")], [True, True, False, False]),
        (">", 0, [0, 1, None, 2], [False, True, False, True]),
        (">=", 1.0, [0, 1, None, 2], [False, True, False, True]),
        ("==", 6, [6, 3, None], [True, False, False]),
        ("==", "STAR", ["STAR", "GALAXY", None], [True, False, False]),
        ("!=", 6.0, [6.0, 3.0, None, float("nan")], [False, True, False, False]),
        ("is_true", None, [True, False, None], [True, False, False]),
        ("is_true", None, [1, 0, None], [True, False, False]),
        ("is_false", None, [True, False, None], [False, True, False]),
        ("not_null", None, [1.0, None, float("nan")], [True, False, False]),
        ("not_null", None, ["a", None], [True, False]),
    ],
)
def test_conditions(op, value, values, held):
    condition = Condition(column="c", op=op, value=value)
    assert condition.holds(pa.array(values)).to_pylist() == held
    assert condition.holds(pa.chunked_array([values])).to_pylist() == held


@pytest.mark.parametrize("condition", [("<", 0.5), ("is_true", None)])
def test_a_condition_on_the_wrong_type_says_so(condition):
    op, value = condition
    with pytest.raises(ColumnError, match=r"condition 'c .*: the column is string"):
        Condition(column="c", op=op, value=value).holds(pa.array(["STAR"]))


def test_bands_can_be_chosen():
    mapping = load_mapping("rubin_gaap").with_bands(["i", "r"])
    assert mapping.bands == ("i", "r")
    assert mapping.required_columns() == (
        "objectId", "i_gaap1p0Flux", "i_gaap1p0FluxErr", "r_gaap1p0Flux", "r_gaap1p0FluxErr"
    )  # fmt: skip
    with pytest.raises(BandError, match="asked for"):
        mapping.with_bands(["K"])
    with pytest.raises(BandError, match="asked for"):
        mapping.with_bands([])


def test_nondetection_rule_can_be_chosen():
    rail = load_mapping("rail")
    assert rail.photometry.nondetection.rule == "upper_limit"
    assert rail.with_nondetection("missing").photometry.nondetection.rule == "missing"
    assert rail.with_nondetection("missing").with_nondetection("upper_limit") == rail
    with pytest.raises(ConfigError, match="non-detections"):
        load_mapping("rubin_gaap").with_nondetection("missing")


def test_a_table_with_fewer_bands_is_read_with_those_it_has():
    columns = ["id", *(f"mag_{e}{b}_lsst" for b in "griz" for e in ("", "err_"))]
    mapping = load_mapping("rail").present_in(columns)
    assert mapping.bands == ("g", "r", "i", "z")
    assert (mapping.ra, mapping.dec, mapping.z_spec) == (None, None, None)
    assert not mapping.missing_columns(columns)


def test_one_band_is_not_photometry():
    with pytest.raises(ColumnError, match=r"mapping rail: missing columns.*mag_g_lsst"):
        load_mapping("rail").present_in(["id", "mag_r_lsst", "mag_err_r_lsst"])


def rubin_columns(flux, *others):
    return ["objectId", "coord_ra", "coord_dec", *(f"{b}_{flux}{e}" for b in "ugrizy" for e in ("", "Err")), *others]


@pytest.mark.parametrize(
    ("columns", "name"),
    [
        (load_table("object").column_names, "rubin_gaap"),
        (rubin_columns("gaap1p0Flux", "ebv"), "rubin_gaap"),
        (rubin_columns("cModelFlux", "ebv"), "rubin_cmodel"),
        (rubin_columns("cModelFlux", "detect_isPrimary"), "dc2_cmodel"),
        (load_table("skinny").column_names, "skinny"),
        (["id", "redshift", *(f"mag_{e}{b}_lsst" for b in "ugrizy" for e in ("", "err_"))], "rail"),
        (["objID", "ra", "dec", *(f"modelMag{e}_{b}" for b in "ugriz" for e in ("", "Err"))], "sdss"),
    ],
)
def test_detection(columns, name):
    mapping = Mapping.detect(columns)
    assert mapping.name == name
    assert set(mapping.required_columns()) | set(mapping.optional_columns()) <= set(columns)


def test_detection_says_what_is_missing():
    with pytest.raises(ColumnError) as caught:
        detect_mapping(["id", "mag_u_lsst", "mag_err_u_lsst", "B", "V"])
    text = str(caught.value)
    assert "no mapping fits the columns B, V, id" in text
    assert "rail lacks mag_g_lsst" in text
    assert text.index("rail lacks") < text.index("sdss lacks")
    for name in mapping_names():
        assert f"{name} lacks" in text
    assert "docs/how-to/describe-your-columns.md" in text


def test_zero_points_are_those_of_science():
    from pzcenter.science.photometry import AB_ZERO_POINT_NJY

    assert AB_ZERO_POINTS["nJy"] == AB_ZERO_POINT_NJY
    for unit, per_njy in {"uJy": 1e3, "mJy": 1e6, "Jy": 1e9, "nanomaggy": 3630.78, "maggy": 3630.78e9}.items():
        import math

        assert AB_ZERO_POINTS[unit] == pytest.approx(AB_ZERO_POINT_NJY - 2.5 * math.log10(per_njy), abs=1e-5)


def test_extinction_sets_are_known_to_science():
    from pzcenter.science.extinction import extinction_coefficients

    for name in mapping_names():
        mapping = load_mapping(name)
        if mapping.extinction is not None:
            assert len(extinction_coefficients(mapping.bands, mapping.extinction.survey)) == len(mapping.bands)
