"""The pages say what the code does, and the examples run."""

from __future__ import annotations

import re
from pathlib import Path

from pzcenter.validation.submissions import FORMATS, archives, challenge, faults, hdf5_columns, nz_challenge
from pzcenter.validation.submissions.grids import GRID_NAMES, LEVEL_NAMES
from pzcenter.validation.submissions.object_ids import ID_NAMES
from pzcenter.validation.submissions.plain_layout import (
    MIXTURE_NAMES,
    PDF_NAMES,
    POINT_NAMES,
    QUANTILE_NAMES,
    SAMPLE_NAMES,
)
from pzcenter.validation.submissions.qp_layout import QP_TYPES

DOCS = Path(__file__).parents[4] / "docs"
FORMATS_PAGE = (DOCS / "reference" / "submission-formats.md").read_text(encoding="utf-8")
HOW_TO = (DOCS / "how-to" / "hand-in-a-submission.md").read_text(encoding="utf-8")


def test_every_name_that_is_read_is_documented():
    names = {*FORMATS, *ID_NAMES, *GRID_NAMES, *LEVEL_NAMES, *PDF_NAMES, *QUANTILE_NAMES, *SAMPLE_NAMES, *QP_TYPES}
    names |= {part for known in MIXTURE_NAMES for part in known} | set(sum(POINT_NAMES.values(), ()))
    names |= {*challenge.SIMULATIONS, *challenge.SCENARIOS, *challenge.LABELS, *nz_challenge.BIN_NAMES[:2]}
    assert sorted(name for name in names if f"`{name}`" not in FORMATS_PAGE) == []
    for number, text in challenge.CHALLENGE_CHECKS.items():
        assert f"\n{number}. {text}\n" in FORMATS_PAGE


def test_every_limit_is_documented():
    limits = archives.ArchiveLimits()
    assert f"{limits.max_members:,} members" in FORMATS_PAGE
    assert f"{limits.max_bytes >> 30} GiB" in FORMATS_PAGE
    assert re.search(rf"{limits.max_ratio:.0f}\s+times", FORMATS_PAGE)
    assert f"above {hdf5_columns.MAX_PIECE_BYTES >> 20} MB" in FORMATS_PAGE
    for row in (
        f"| integral | {faults.INTEGRAL_EXACT:g} |",
        f"| integral | {faults.INTEGRAL_TOLERANCE:g} |",
        f"| negative values | {faults.NEGATIVE_TOLERANCE:g} of",
        f"| probability outside the grid | {faults.TRUNCATED:g} |",
        f"| probability outside the grid | {1 - faults.MIN_INSIDE:g} |",
    ):
        assert row in FORMATS_PAGE


def test_the_examples_run(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    names = {}
    for code in re.findall(r"```python\n(.*?)```", HOW_TO, re.DOTALL):
        exec(code, names)
    said = capsys.readouterr().out
    assert "mine grid 997 {'z_best': 'z_best'}" in said
    assert "99.7% of the test set 3 objects of the truth set are missing" in said
    assert "997, 998, 999" in said
    assert "(997, 101)" in said
    assert "['mine'] {} {}" in said
    assert "[1, 2, 3, 4, 5, 6, 7]" in said
    assert names["submission"].description == "Gaussians of one width"
    assert abs(names["error"][:-3].mean()) < 0.01
    assert (tmp_path / "my_method.tgz").is_file()
