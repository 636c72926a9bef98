"""Flags on one scale, and the count of what no rule catches."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from pzcenter.errors import ColumnError, ConfigError, NotFoundError
from pzcenter.training.rules import NO_FLAG, homogenise
from pzcenter.training.surveys import Survey, load_survey, survey_named

MINE = Survey.model_validate(
    {
        "name": "MINE", "aliases": ["my survey"], "columns": {"z_flag": ["Q", "q"], "z_spec": "z"},
        "z_type": [{"when": "kind == 'grism'", "value": "g"}, {"when": "true", "value": "s"}],
        "quality": [{"when": "z_flag == 4", "value": 4}, {"when": "z_flag in (1, 2)", "value": 1}],
    }
)  # fmt: skip


def columns(**more):
    return {"z_flag": pa.array([4, 2, 7, None]), "kind": pa.array(["grism", "x", "x", None]), **more}


def test_the_first_rule_that_holds_wins_and_the_others_are_counted():
    made = homogenise(columns(), pa.array(["mine", "MY SURVEY", "MINE", "MINE"]), further=[MINE])
    assert made.z_flag.tolist() == [4, 1, NO_FLAG, NO_FLAG]
    assert made.z_type.tolist() == ["g", "s", "s", "s"]
    assert set(made.survey.to_pylist()) == {"MINE"}
    assert made.rule.to_pylist() == ["MINE#1", "MINE#2", "MINE#-", "MINE#-"]
    assert [count.n for count in made.report.counts] == [1, 1, 2]
    assert made.report.n_uncaught == 2
    assert set(made.report.counts[-1].examples) == {"7", "missing"}
    assert made.report.as_dict()["n_uncaught"] == 2


def test_otherwise_is_given_to_the_rest():
    mine = MINE.model_copy(update={"otherwise": 0})
    assert homogenise(columns(), pa.array(["MINE"] * 4), further=[mine]).z_flag.tolist() == [4, 1, 0, 0]


def test_several_surveys_in_one_table():
    flags = {"z_flag": pa.array([4, 3, 4, 6]), "kind": pa.array(["x"] * 4)}
    made = homogenise(flags, pa.array(["MINE", "6dfgs", "OzDES", "ozdes"]), further=[MINE])
    assert made.z_flag.tolist() == [4, 3, 4, 6]
    assert made.survey.to_pylist() == ["MINE", "6DFGS", "OZDES", "OZDES"]


def test_a_user_wins_over_what_is_shipped():
    mine = MINE.model_copy(update={"name": "VVDS", "aliases": ()})
    assert survey_named("vvds", [mine]) is mine
    assert survey_named("vvds").title


@pytest.mark.parametrize(("values", "wanted"), [([0.0, 0.5, 0.7, 0.9, 0.99, 1.0, None], [0, 1, 2, 3, 4, 4, NO_FLAG])])
def test_probabilities(values, wanted):
    flags = {"z_flag": pa.array(values), "type": pa.array(["s"] * len(values))}
    made = homogenise(flags, pa.array(["NED"] * len(values)), scale="probability")
    assert made.z_flag.tolist() == wanted


def test_the_common_scale_is_checked():
    flags = {"z_flag": pa.array(["4", "6", "0", None]), "z_type": pa.array(["S", " g", "p", None])}
    made = homogenise(flags, pa.array(["VVDS"] * 4), scale="common", types_known=True)
    assert made.z_flag.tolist() == [4, 6, 0, NO_FLAG]
    assert made.z_type.tolist() == ["s", "g", "p", ""]
    with pytest.raises(ConfigError, match="1 flags are not on the common scale, such as 5"):
        homogenise({"z_flag": pa.array([4, 5])}, pa.array(["VVDS"] * 2), scale="common")
    with pytest.raises(ConfigError, match="'x'"):
        homogenise(
            {"z_flag": pa.array([4]), "z_type": pa.array(["x"])}, pa.array(["VVDS"]), scale="common", types_known=True
        )
    with pytest.raises(ConfigError, match="probabilities"):
        homogenise({"z_flag": pa.array([1.5]), "type": pa.array(["s"])}, pa.array(["NED"]), scale="probability")
    with pytest.raises(ConfigError, match="scale"):
        homogenise({"z_flag": pa.array([1])}, pa.array(["VVDS"]), scale="ours")


def test_what_is_not_there_is_named():
    with pytest.raises(NotFoundError, match="VVDS"):
        homogenise({"z_flag": pa.array([1])}, pa.array(["VVDSS"]))
    with pytest.raises(ColumnError, match=r"DESI, rule \d.*ZCAT_PRIMARY"):
        homogenise({"z_flag": pa.array([1]), "z_err": pa.array([0.1])}, pa.array(["DESI"]))
    with pytest.raises(ColumnError, match="1 rows have no survey"):
        homogenise({"z_flag": pa.array([1])}, pa.array([None], pa.string()))


def test_no_rows():
    assert homogenise({"z_flag": pa.array([], pa.int64())}, pa.array([], pa.string())).z_flag.size == 0


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("name: X\nquality: [{when: 'z_flag ===', value: 4}]", "quality"),
        ("name: X\nquality: [{when: 'z_flag == 1', value: 5}]", "quality"),
        ("name: X\ncolumns: {redshift: z}", "redshift are no standard columns"),
        ("name: X\ncolour: red", "colour"),
        ("name: [", "YAML"),
        ("- 1", "dictionary"),
    ],
)
def test_files_of_surveys_are_checked(tmp_path, change, words):
    (tmp_path / "x.yaml").write_text(change)
    with pytest.raises(ConfigError, match=words):
        load_survey(tmp_path / "x.yaml")
    with pytest.raises(NotFoundError):
        load_survey(tmp_path / "y.yaml")


def test_every_row_has_at_most_one_rule():
    rng = np.random.default_rng(1)
    flags = pa.array(rng.integers(-2, 30, 500))
    made = homogenise({"z_flag": flags, "z_spec": pa.array(rng.random(500))}, pa.array(["VVDS"] * 500))
    assert sum(count.n for count in made.report.counts) == 500
