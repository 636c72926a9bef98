"""The tutorial of a training set, as it is printed, on a smaller sky."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from pzcenter.catalogs import open_catalog
from pzcenter.cli.app import app
from pzcenter.training.make import TrainingConfig
from pzcenter.training.product import open_product

TUTORIAL = Path(__file__).parents[2] / "docs" / "tutorials" / "make-a-training-set.md"
SMALLER = {"60000": "30000", "rows_per_tract=60000": "rows_per_tract=30000"}


@pytest.mark.slow
def test_tutorial_of_a_training_set_works_as_printed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for block in re.findall(r"```bash\n(.*?)```", TUTORIAL.read_text(encoding="utf-8"), re.DOTALL):
        for line in block.splitlines():
            words = [SMALLER.get(word, word) for word in shlex.split(line)[1:]]
            result = CliRunner().invoke(app, words)
            assert result.exit_code == 0, f"{line}\n{result.output}"
    assert open_product(tmp_path / "training", verify=True).sha256 == open_product(tmp_path / "again").sha256
    assert open_catalog(tmp_path / "pz" / "pz").read(["objectId"]).num_rows > 20_000


def test_settings_of_the_tutorial_are_accepted():
    (block,) = re.findall(r"```yaml\n(.*?)```", TUTORIAL.read_text(encoding="utf-8"), re.DOTALL)
    config = TrainingConfig.model_validate({"redshifts": "a", "objects": "b", **yaml.safe_load(block)})
    assert config.selection.z_types == ("s",)
    assert config.subsample[0].method == "neighbour_weights"
