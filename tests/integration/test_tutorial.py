"""The tutorial, as it is printed: every command and every line of Python, one after the other."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

from pzcenter.cli.app import app

TUTORIAL = Path(__file__).parents[2] / "docs" / "tutorials" / "first-pz-table.md"


@pytest.mark.slow
def test_tutorial_works_as_printed(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    names = {}
    for language, block in re.findall(r"```(bash|python)\n(.*?)```", TUTORIAL.read_text(encoding="utf-8"), re.DOTALL):
        if language == "python":
            exec(compile(block, TUTORIAL.name, "exec"), names)
            continue
        for line in block.splitlines():
            result = CliRunner().invoke(app, shlex.split(line)[1:])
            assert result.exit_code == 0, f"{line}\n{result.output}"
    ids = [row["objectId"] for row in names["table"].slice(0, 5).to_pylist()]
    printed = capsys.readouterr().out
    assert all(str(each) in printed for each in ids)
    result = CliRunner().invoke(app, ["plot", "second", "--object-id", str(ids[0]), "--truth", "sky/truth"])
    assert result.exit_code == 0, result.output
    for made in (
        "first/report/report.html",
        "second/report/report.html",
        "figures/overview.png",
        "pdf.hdf5",
        "pz.fits",
    ):
        assert (tmp_path / made).exists()
