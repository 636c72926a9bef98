"""The page on challenges, as it is printed, on a smaller sky."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

from pzcenter.cli.app import app
from pzcenter.validation.challenges import check_tree, open_challenge, score

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "run-a-challenge.md"
SMALLER = ("n_obj: 60000", "n_obj: 1500")


@pytest.mark.slow
def test_page_works_as_printed(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    for kind, block in re.findall(r"```(yaml|bash|python)\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL):
        if kind == "yaml":
            (tmp_path / block.splitlines()[0].removeprefix("# ")).write_text(block.replace(*SMALLER))
        elif kind == "python":
            exec(compile(block, str(PAGE), "exec"), names)
        else:
            for line in block.splitlines():
                result = CliRunner().invoke(app, shlex.split(line)[1:])
                assert result.exit_code == 0, f"{line}\n{result.output}"
    challenge = open_challenge(tmp_path / "challenge")
    assert check_tree(challenge) == []
    assert [record.kind for record in challenge.submissions()].count("participant") == 2
    assert score(challenge).n_kept > 0
    page = (tmp_path / "challenge" / "leaderboard" / "index.html").read_text(encoding="utf-8")
    assert "Eve" in page
    assert "False" in capsys.readouterr().out, "the same files are the same submission"
