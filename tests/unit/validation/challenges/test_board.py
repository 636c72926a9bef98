"""The leaderboard: ranks that know their errors, no medal without a lead, controls beside, one page by itself."""

from __future__ import annotations

import json
import math
import re

import numpy as np
import pyarrow.parquet as pq
import pytest

from pzcenter.errors import EmptyTableError
from pzcenter.validation.challenges import leaderboard, score, submit, write_leaderboard
from pzcenter.validation.challenges.board import BOARD_SCHEMA
from pzcenter.validation.challenges.board_lines import _points_range
from pzcenter.validation.challenges.settings import BandSettings


@pytest.fixture
def scored(challenge, handed_in):
    """Two methods as good as each other, a bad one, one that left out a scenario, and a control."""
    entries = {
        "good": handed_in("good", seed=1, width=0.03),
        "twin": handed_in("twin", seed=2, width=0.03),
        "bad": handed_in("bad", seed=3, width=0.15),
        "half": handed_in("half", scenarios=("wide",), seed=4, width=0.03),
    }
    for name, path in entries.items():
        submit(challenge, path, author="Ada <b>", method=name)
    score(challenge)
    return challenge


def rows_of(table, **wanted):
    return [row for row in table.to_pylist() if all(row[name] == value for name, value in wanted.items())]


def by_name(rows):
    return {row["name"]: row for row in rows}


def test_every_scenario_and_metric_has_its_table(scored):
    table = leaderboard(scored)
    assert table.schema == BOARD_SCHEMA
    assert list(dict.fromkeys(table["scenario"].to_pylist())) == ["overall", "wide", "deep"]
    metrics = list(dict.fromkeys(row["metric"] for row in rows_of(table, scenario="wide")))
    assert metrics == ["score", *scored.settings.scoring.metrics]
    assert {row["metric"] for row in rows_of(table, scenario="overall")} == {"score"}


def test_no_medal_inside_the_error(scored):
    rows = by_name(rows_of(leaderboard(scored), scenario="deep", metric="crps"))
    assert rows["good"]["rank"] == rows["twin"]["rank"] == 1
    assert rows["good"]["same_as"] == [rows["twin"]["submission_id"]]
    assert rows["good"]["medal"] is rows["twin"]["medal"] is None
    assert (rows["bad"]["rank"], rows["bad"]["medal"]) == (3, 3)
    assert rows["good"]["rank_low"] <= 1 <= rows["good"]["rank_high"] <= 2


def test_controls_have_no_rank_and_who_beats_them_is_told(scored):
    rows = by_name(rows_of(leaderboard(scored), scenario="deep", metric="crps"))
    assert rows["trainz"]["kind"] == "control"
    assert rows["trainz"]["rank"] is rows["trainz"]["medal"] is None
    assert rows["good"]["beats"] == ["trainz"]
    pit = by_name(rows_of(leaderboard(scored), scenario="deep", metric="pit_ks"))
    assert pit["bad"]["beats"] == []


def test_scenario_that_was_left_out_gives_no_points(scored):
    table = leaderboard(scored)
    half = by_name(rows_of(table, scenario="overall"))["half"]
    good = by_name(rows_of(table, scenario="overall"))["good"]
    assert half["possible"] == good["possible"]
    assert half["points"] < good["points"]
    assert half["coverage"] == pytest.approx(0.5)
    absent = by_name(rows_of(table, scenario="deep", metric="score"))["half"]
    assert math.isnan(absent["value"])
    assert (absent["points"], absent["rank"]) == (0, None)


def test_ranks_of_scores_come_from_their_ranges(scored):
    rows = by_name(rows_of(leaderboard(scored), scenario="overall"))
    assert rows["good"]["low"] <= rows["good"]["value"] <= rows["good"]["high"]
    assert rows["good"]["rank"] == rows["twin"]["rank"]
    assert rows["bad"]["rank"] == 1 + sum(rows[name]["low"] > rows["bad"]["high"] for name in ("good", "twin", "half"))


@pytest.mark.parametrize(
    ("value", "margin", "expected"),
    [
        (0.005, 0.001, (3, 3)),
        (0.012, 0.004, (2, 3)),
        (-0.3, 0.4, (0, 3)),
        (0.06, math.nan, (0, 0)),
        (math.nan, 0.1, (0, 0)),
    ],
)
def test_points_within_the_errors(value, margin, expected):
    band = BandSettings(metric="biweight_bias", limits=(0.01, 0.025, 0.05), symmetric=True).band
    assert _points_range(band, value, margin) == expected


def test_bands_that_are_not_symmetric_have_no_lower_end():
    band = BandSettings(metric="pit_ad_ksamp", limits=(1000.0,)).band
    assert [band.score(value) for value in (-1.3, 5.0, 1000.0, 1000.1)] == [1, 1, 1, 0]


def test_data_and_page_say_the_same_and_have_the_same_bytes(scored, tmp_path):
    paths = write_leaderboard(scored)
    again = write_leaderboard(scored, tmp_path / "again")
    assert {name: path.read_bytes() for name, path in paths.items()} == {
        name: path.read_bytes() for name, path in again.items()
    }
    table = pq.read_table(paths["parquet"])
    assert table.schema == BOARD_SCHEMA
    lines = json.loads(paths["json"].read_text())["lines"]
    assert [line["rank"] for line in lines] == table["rank"].to_pylist()
    assert [line["value"] for line in lines] == [
        None if math.isnan(value) else value for value in table["value"].to_pylist()
    ]


def test_page_needs_nothing_else_and_escapes_what_participants_say(scored):
    page = write_leaderboard(scored)["page"].read_text()
    assert not re.search(r"""(?:src|href)=["'](?!data:|#)""", page)
    assert "Ada &lt;b&gt;" in page
    assert "Ada <b>" not in page
    for words in ("All scenarios", "wide", "deep", "trainz", "share the first rank", "metrics version 1"):
        assert words in page
    assert page.count('class="board"') == 3


def test_page_tells_what_was_refused(scored, tmp_path):
    (tmp_path / "wide.csv").write_text("object_id,z_best\n1,1\n")
    with pytest.raises(LookupError):
        submit(scored, tmp_path / "wide.csv", author="Eve", method="lazy")
    assert "299 objects of the truth set are missing" in write_leaderboard(scored)["page"].read_text()


def test_earlier_scores_have_their_leaderboard(scored, monkeypatch):
    from pzcenter.validation.challenges import scoring, scoring_version

    old = scoring_version(scored)
    monkeypatch.setattr(scoring, "SUITE_VERSION", "2")
    with pytest.raises(EmptyTableError, match="nothing is scored"):
        leaderboard(scored)
    assert np.isfinite(by_name(rows_of(leaderboard(scored, version=old), scenario="overall"))["good"]["value"])


def test_nothing_scored(challenge):
    with pytest.raises(EmptyTableError, match="pz challenge score"):
        leaderboard(challenge)
