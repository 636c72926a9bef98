from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from pzcenter.cli.app import app
from pzcenter.estimators import get_estimator
from pzcenter.testing import synthetic_sky


@pytest.fixture
def model(tmp_path):
    sky = synthetic_sky(100, seed=1)
    get_estimator("trainz").train(sky.photometry, sky.z_spec).save(tmp_path / "tz")
    return tmp_path / "tz"


def test_card_is_shown(model, tmp_path):
    result = CliRunner().invoke(app, ["model", "show", str(model), "--html", str(tmp_path / "card.html")])
    assert result.exit_code == 0, result.output
    assert "trainz" in result.stdout and "not recorded" in result.stdout
    assert "not recorded" in (tmp_path / "card.html").read_text()


def test_card_as_json(model):
    result = CliRunner().invoke(app, ["model", "show", str(model), "--json"])
    assert json.loads(result.stdout)["training"]["n_obj"] == 100


def test_models_are_compared(model):
    result = CliRunner().invoke(app, ["model", "compare", str(model), str(model), "--json"])
    assert [each["label"] for each in json.loads(result.stdout)["models"]] == ["tz", "tz (2)"]


def test_what_is_no_model_is_refused(tmp_path):
    result = CliRunner().invoke(app, ["model", "show", str(tmp_path)])
    assert result.exit_code != 0
