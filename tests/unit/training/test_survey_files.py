"""The survey files: complete, unambiguous, and in agreement with the reference combination."""

from __future__ import annotations

import json
import re
from importlib.resources import files
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import yaml
from typer.testing import CliRunner

from pzcenter.cli.app import app
from pzcenter.errors import NotFoundError, TransientError
from pzcenter.training.build import Fetcher
from pzcenter.training.expressions import compile_expression
from pzcenter.training.redshift_source import RedshiftSource
from pzcenter.training.rules import homogenise
from pzcenter.training.sources import (
    Answer,
    as_request,
    bibtex_of,
    connector_names,
    fetch,
    sources_of,
    surveys_to_cite,
)
from pzcenter.training.sources.desi import DesiConnector
from pzcenter.training.sources.tap import TapConnector
from pzcenter.training.sources.vizier import VizierConnector
from pzcenter.training.surveys import Survey, load_survey, shipped_surveys, survey_named

CASES = json.loads((Path(__file__).parent / "data" / "survey_rules.json").read_text(encoding="utf-8"))
NAMES = sorted(shipped_surveys())
BIBCODE = re.compile(r"\d{4}[A-Za-z&.]{5}[A-Z\d.]{9}[A-Z]")


def test_there_are_many():
    assert len(NAMES) >= 40
    wanted = "SDSS BOSS eBOSS DESI 2dFGRS 2dFLenS 6dFGS GAMA WiggleZ zCOSMOS VVDS VIPERS DEEP2 DEEP3 PRIMUS OzDES C3R2"
    wanted += " VANDELS VUDS MOSDEF 3D-HST FMOS-COSMOS UDSz ACES LEGA-C MUSE HETDEX 2MRS COSMOS2020-photz JADES"
    assert {survey_named(name).name for name in wanted.split()} <= set(NAMES)


def test_no_name_stands_for_two():
    keys = [name.casefold().replace("_", "-").replace(" ", "-") for name in NAMES]
    for survey in shipped_surveys().values():
        own = {alias.casefold().replace("_", "-").replace(" ", "-") for alias in survey.aliases}
        keys += sorted(own - {survey.name.casefold().replace("_", "-")})
    assert [first for first, second in pairwise(sorted(keys)) if first == second] == []


@pytest.mark.parametrize("name", NAMES)
def test_a_file_says_all_that_is_needed(name):
    survey = shipped_surveys()[name]
    assert survey.title and survey.citation and survey.licence and survey.object_types and survey.meaning
    assert {"ra", "dec", "z_spec"} <= set(survey.columns) and survey.quality
    assert survey.bibcode is None or (len(survey.bibcode) == 19 and BIBCODE.fullmatch(survey.bibcode))
    # Without a public address, a file by hand is the only way: the file then says where, or names its paper.
    assert survey.sources or survey.site or survey.bibcode
    rules = [*survey.quality, *(survey.z_type if not isinstance(survey.z_type, str) else ())]
    assert all(compile_expression(rule.when).names or rule.when == "true" for rule in rules)
    for entry in survey.sources:
        request = as_request(entry)
        assert request.connector in connector_names()
        for text in request.options.get("derive", {}).values():
            compile_expression(text)


@pytest.mark.parametrize("name", NAMES)
def test_rules_read_standard_columns_where_there_are_such(name):
    """A raw name in a rule would bind it to one of the sources of the survey."""
    survey = shipped_surveys()[name]
    rules = [*survey.quality, *(survey.z_type if not isinstance(survey.z_type, str) else ())]
    read = set().union(*(compile_expression(rule.when).names for rule in rules))
    for standard, raw in survey.columns.items():
        assert read.isdisjoint({raw} if isinstance(raw, str) else set(raw) - {standard}) or raw == standard


def test_file_names_are_lower_case():
    folder = files("pzcenter.data") / "surveys"
    names = [each.name for each in folder.iterdir() if each.name.endswith(".yaml")]
    assert all(name == name.lower() for name in names) and len(names) == len(NAMES)
    assert load_survey(Path(str(folder)) / "vvds.yaml").name == "VVDS"


@pytest.mark.parametrize("name", sorted(CASES))
def test_flags_and_types_are_those_of_the_reference(name):
    """Every distinct case of 17,698 rows of eighteen public catalogues, with the extremes of continuous columns."""
    case = {column: pa.array(values) for column, values in CASES[name].items()}
    flag, kind = np.asarray(case.pop("expected_flag")), np.asarray(case.pop("expected_type").to_pylist())
    found = homogenise(case, pa.array([name] * len(flag)))
    np.testing.assert_array_equal(found.z_flag, flag)
    np.testing.assert_array_equal(found.z_type, kind)
    assert found.report.n_uncaught == 0


@pytest.mark.parametrize(
    ("name", "flags", "expected"),
    [
        ("DEEP2", [4, 3, 2, 1, 0, -1, -2], [4, 3, 1, 0, 0, 6, 0]),
        ("WiggleZ", [5, 4, 3, 2, 1], [4, 4, 3, 1, 0]),
        ("GAMA", [5, 4, 3, 2, 1], [4, 4, 3, 2, 1]),
        ("zCOSMOS", [4.5, 3.1, 2.5, 9.3, 14.5, 21.5, 1.1, 0.0, -9.0], [4, 3, 2, 2, 4, 1, 1, 0, 0]),
        ("VIPERS", [4.5, 3.4, 2.2, 9.1, 1.3, 14.0, 0.0], [4, 4, 3, 3, 1, 4, 0]),
        ("MUSE", [3, 2, 1, 0], [4, 3, 1, 0]),
        ("HETDEX", [0.995, 0.95, 0.8, 0.3, 0.0], [4, 3, 2, 1, 0]),
    ],
)
def test_surveys_outside_the_reference(name, flags, expected):
    n = len(flags)
    columns = {
        "z_flag": pa.array(flags),
        "z_spec": pa.array([0.5] * n),
        "source_type": pa.array(["lae"] * n),
    }
    assert homogenise(columns, pa.array([name] * n)).z_flag.tolist() == expected


def test_a_star_is_told_by_its_redshift_where_the_flag_does_not():
    columns = {"z_flag": pa.array([4.5, 4.5, 1.0]), "z_spec": pa.array([0.0001, 0.3, 0.0])}
    assert homogenise(columns, pa.array(["zCOSMOS"] * 3)).z_flag.tolist() == [6, 4, 1]


def test_citations_are_told_once():
    text = bibtex_of(["DESI", "desi_dr1", "VVDS", "NED", "SDSS"])
    assert text.count("@") == 4
    assert "@article{2013A&A...559A..14L," in text and "volume = 559,\n  pages = A14" in text
    assert "eprint = 2503.14745" in text and "journal = {Astronomy and Astrophysics}" in text
    assert "Redshifts of NED: NASA/IPAC" in text and "howpublished" in text
    assert bibtex_of([]) == ""
    with pytest.raises(NotFoundError, match="nosuch"):
        bibtex_of(["nosuch"])


def test_what_cannot_be_cited_is_named():
    own = [Survey(name="MINE, {1}", title="a survey of mine"), Survey(name="BARE")]
    known, unknown = surveys_to_cite(["VVDS", "vvds", "mine, {1}", "BARE", "nosuch"], own)
    assert [each.name for each in known] == ["VVDS", "MINE, {1}"]
    assert unknown == ["BARE", "nosuch"]
    assert "@misc{survey:MINE_1_,\n" in bibtex_of(known)


def test_own_surveys_are_fetched_from_their_sources(tmp_path):
    (tmp_path / "mine.csv").write_text("id,ra,dec,z\n1,10,1,0.5\n")
    own = Survey(name="MINE", sources=[{"connector": "file", "path": str(tmp_path / "mine.csv")}])
    assert fetch(own, tmp_path / "cache").n_rows == 1
    fetcher = Fetcher(tmp_path / "cache", own_surveys=[own])
    assert fetcher(RedshiftSource(name="mine", survey="mine")).column_names == ["id", "ra", "dec", "z"]
    with pytest.raises(NotFoundError, match="no survey 'other'"):
        fetcher(RedshiftSource(name="other", survey="other"))
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(own.model_dump(mode="json")))
    words = ["specz", "fetch", "mine", "--survey-file", str(tmp_path / "mine.yaml"), "--cache", str(tmp_path / "cache")]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output
    assert "MINE: fetched, 1 rows" in done.stdout


def test_a_survey_without_an_address_says_where_to_go(tmp_path):
    with pytest.raises(NotFoundError, match=r"MOSDEF.*by hand from https://mosdef.*connector: file"):
        fetch("mosdef", tmp_path)
    assert [request.connector for request in sources_of("DESI")[1]] == ["desi", "tap"]


def test_sources_are_tried_in_their_order(monkeypatch, tmp_path):
    def fails(self, request, visit):
        raise TransientError("data.desi.lbl.gov could not be reached")

    monkeypatch.setattr(DesiConnector, "fetch", fails)
    monkeypatch.setattr(TapConnector, "fetch", fails)
    with pytest.raises(TransientError, match=r"none of the 2 sources of DESI.*What to do: try again"):
        fetch("DESI", tmp_path)
    table = pa.table({"Z": [0.5]})
    monkeypatch.setattr(TapConnector, "fetch", lambda *_: Answer("https://datalab", table=table))
    assert fetch("DESI", tmp_path).request.connector == "tap"
    assert fetch("desi", tmp_path, offline=True).survey == "DESI"


def test_derived_columns_are_computed_from_what_is_kept(monkeypatch, tmp_path):
    table = pa.table({"cz": [14945, 29979], "e_cz": [50, 0]})
    monkeypatch.setattr(VizierConnector, "fetch", lambda *_: Answer("https://vizier", table=table))
    found = fetch("2MRS", tmp_path)
    assert found.table().column("redshift").to_pylist() == pytest.approx([0.049851, 0.099999], abs=1e-6)
    survey = survey_named("2MRS")
    assert survey.raw_name("z_spec", found.table().column_names) == "redshift"
