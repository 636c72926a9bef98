import pytest

from pzcenter.schema import PZFlag, check_table, flag_names, pz_flag_table


def test_bits_are_those_of_the_design():
    names = [
        "no_estimate",
        "few_bands",
        "non_detection",
        "bad_error",
        "outside_domain",
        "multi_modal",
        "broad_0p4",
        "broad_0p2",
        "grid_edge",
        "star_like",
        "agn_like",
        "blended",
        "masked_area",
        "not_dereddened",
        "fallback_model",
        "failed",
    ]
    assert [flag.name for flag in PZFlag] == names
    assert [int(flag) for flag in PZFlag] == [1 << place for place in range(16)]


def test_every_bit_has_a_meaning_of_its_own():
    meanings = [flag.meaning for flag in PZFlag]
    assert len(set(meanings)) == len(meanings)
    assert all(meaning.endswith(".") for meaning in meanings)


@pytest.mark.parametrize("mask", [0, 3])
def test_only_single_bits_have_a_meaning(mask):
    with pytest.raises(ValueError, match=f"got {mask}"):
        _ = PZFlag(mask).meaning


def test_names_of_a_mask():
    assert flag_names(0) == ()
    assert flag_names(PZFlag.star_like | PZFlag.no_estimate) == ("no_estimate", "star_like")
    assert flag_names(1 << 20 | 1) == ("no_estimate", "bit_20")
    assert flag_names(0xFFFF) == tuple(flag.name for flag in PZFlag)


def test_table_is_the_enum():
    table = pz_flag_table()
    check_table(table, "pz_flag")
    rows = table.to_pylist()
    assert {row["name"]: row["value"] for row in rows} == {flag.name: int(flag) for flag in PZFlag}
    assert {row["name"]: row["description"] for row in rows} == {flag.name: flag.meaning for flag in PZFlag}
    assert all(1 << row["bit"] == row["value"] for row in rows)
