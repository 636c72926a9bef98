"""The pages on estimators say what the code does."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from pzcenter.estimators import get_estimator
from pzcenter.estimators.docs import OUR_OWN, estimators_page

DOCS = Path(__file__).parents[3] / "docs"


def test_reference_is_the_generated_one():
    written = (DOCS / "reference" / "estimators.md").read_text(encoding="utf-8")
    assert written == estimators_page(), "run: python -m pzcenter.estimators.docs docs/reference/estimators.md"


@pytest.mark.parametrize("name", OUR_OWN)
def test_reference_names_every_setting(name):
    section = estimators_page().split(f"## `{name}`")[1].split("\n## ")[0]
    for setting in get_estimator(name).Config.model_fields:
        assert f"| `{setting}` |" in section


@pytest.mark.parametrize("name", OUR_OWN)
def test_choice_is_explained(name):
    assert f"`{name}`" in (DOCS / "explanation" / "choosing-an-estimator.md").read_text(encoding="utf-8")


def test_the_example_passes_the_suite(tmp_path):
    page = (DOCS / "develop" / "how-to-add-an-estimator.md").read_text(encoding="utf-8")
    code = re.findall(r"```python\n(.*?)```", page, flags=re.DOTALL)
    (tmp_path / "test_example.py").write_text("\n\n".join(code))
    command = [sys.executable, "-W", "error", "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_example.py"]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120)
    assert result.returncode == 0, result.stdout[-3000:] + result.stderr[-1000:]
    assert re.search(r"[3-9]\d passed", result.stdout)
