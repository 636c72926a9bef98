"""The reference page says what the code does, and its example runs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pzcenter.validation import METRICS, REQUIREMENTS, evaluate, make_report, save_plots
from pzcenter.validation.evaluation import MIN_BIN_OBJECTS
from pzcenter.validation.examples import EXAMPLE_KINDS
from pzcenter.validation.report import CAPTIONS
from pzcenter.validation.table import MetricRow

PAGE = (Path(__file__).parents[3] / "docs" / "reference" / "report.md").read_text(encoding="utf-8")


def test_every_name_is_explained():
    names = {*METRICS, *CAPTIONS, *MetricRow.__dataclass_fields__}
    assert sorted(name for name in names if f"`{name}`" not in PAGE) == []
    assert all(f"*{kind}*" in PAGE for kind in EXAMPLE_KINDS)
    assert f"fewer than {MIN_BIN_OBJECTS} objects" in PAGE


@pytest.mark.parametrize("requirement", REQUIREMENTS, ids=lambda r: f"{r.selection.name}-{r.metric}")
def test_every_requirement_is_listed(requirement):
    line = next(line for line in PAGE.splitlines() if line.startswith(f"| `{requirement.selection.name}`"))
    assert re.search(rf"`{requirement.metric}`(\\\|)? < {requirement.limit:g}0?\b", line)
    assert requirement.selection.words("i") in line


def test_the_example_runs(tmp_path, monkeypatch):
    code = re.search(r"```python\n(.*?)```", PAGE, re.DOTALL)[1]
    names = {}
    monkeypatch.chdir(tmp_path)
    exec(code, names)
    assert (tmp_path / "report.html").stat().st_size > 100_000
    assert (tmp_path / "plots" / "nz.png").exists()
    assert names["table"].value("sigma_nmad", point="z_best") == pytest.approx(0.03, rel=0.1)
    assert (names["evaluate"], names["make_report"], names["save_plots"]) == (evaluate, make_report, save_plots)
