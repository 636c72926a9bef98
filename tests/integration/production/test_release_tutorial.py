"""The tutorial of a release, as it is printed, on a smaller sky."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

from pzcenter.catalogs import open_catalog
from pzcenter.cli.app import app

TUTORIAL = Path(__file__).parents[3] / "docs" / "tutorials" / "produce-a-release.md"
SMALLER = {"60000": "3000", "rows_per_tract=10000": "rows_per_tract=500"}


@pytest.mark.slow
def test_tutorial_of_a_release_works_as_printed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = {}
    for language, block in re.findall(r"```(bash|python)\n(.*?)```", TUTORIAL.read_text(encoding="utf-8"), re.DOTALL):
        if language == "python":
            exec(
                compile(block.replace('open("report.html", "w").write', "report.append"), TUTORIAL.name, "exec"), names
            )
            continue
        for line in block.splitlines():
            words = [SMALLER.get(word, word) for word in shlex.split(line)[1:]]
            result = CliRunner().invoke(app, words)
            assert result.exit_code == 0, f"{line}\n{result.output}"
        names.setdefault("report", [])
    bands = dict(zip(names["plan"]["tract"].to_pylist(), names["plan"]["bands"].to_pylist(), strict=True))
    assert set(bands.values()) == {"u,g,r,i,z,y", "g,r,i,z"}
    assert "<html" in names["report"][0]
    rows = open_catalog(tmp_path / "package" / "catalog" / "pz").read(["objectId", "model_id"])
    objects = open_catalog(tmp_path / "sky" / "object").read(["objectId"])
    assert sorted(rows["objectId"].to_pylist()) == sorted(objects["objectId"].to_pylist())
    assert set(rows["model_id"].to_pylist()) == {0, 1}
