"""The metric table in its three written forms."""

from __future__ import annotations

import json
import math

import pytest

from pzcenter.errors import NotFoundError
from pzcenter.validation import MetricRow, MetricTable
from pzcenter.validation.requirements import REQUIREMENTS
from pzcenter.validation.table import Verdict

ROWS = (
    MetricRow("bias", "z_best", "all", -0.001, 0.0004, 100),
    MetricRow("pit_ks", "pdf", "all", 0.03, math.nan, 100),
    MetricRow("bias", "z_best", "z_spec", math.nan, math.nan, 3, 0.5, 1.0),
)
TABLE = MetricTable(ROWS, (Verdict(REQUIREMENTS[3], ROWS[0], "i < 25"),))


def test_arrow_round_trip():
    arrow = TABLE.to_arrow()
    assert arrow.num_rows == 3
    assert arrow["bin_low"].to_pylist() == [None, None, 0.5]
    again = [MetricRow(**row) for row in arrow.to_pylist()]
    assert repr(again) == repr(list(ROWS))


def test_json_is_strict():
    content = json.loads(TABLE.to_json(), parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))
    assert content["metrics"][0]["value"] == -0.001
    assert content["metrics"][1]["error"] is None
    assert content["requirements"][0]["verdict"] == "met"
    assert content["requirements"][0]["limit"] == 0.003


def test_markdown():
    lines = TABLE.to_markdown().splitlines()
    assert lines[2] == "| bias | z_best | \N{MINUS SIGN}0.0010 | 0.0004 | 100 |"
    assert lines[3] == "| pit_ks | pdf | 0.0300 | \N{EN DASH} | 100 |"
    assert lines[-1].endswith("| \N{MINUS SIGN}0.0010 | 0.0004 | met |")
    assert all(line.count("|") == 6 for line in lines if line)


def test_select_and_value():
    assert TABLE.select(metric="bias", axis="z_spec") == ROWS[2:]
    assert TABLE.value("pit_ks") == 0.03
    with pytest.raises(NotFoundError, match="'z_mode'"):
        TABLE.value("bias", point="z_mode")


@pytest.mark.parametrize(
    ("value", "error", "words"),
    [
        (0.001, 0.0001, "met"),
        (-0.004, 0.0001, "not met"),
        (0.0029, 0.001, "met, within the error"),
        (-0.0031, 0.001, "not met, within the error"),
        (0.001, math.nan, "met"),
        (math.nan, math.nan, "not tested"),
    ],
)
def test_verdicts(value, error, words):
    row = MetricRow("bias", "z_best", "selection", value, error, 10)
    assert Verdict(REQUIREMENTS[3], row, "").words == words
