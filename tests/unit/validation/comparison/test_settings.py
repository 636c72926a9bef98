"""Settings of a comparison: from YAML, with paths seen from there, and what is not accepted."""

from __future__ import annotations

import pytest

from pzcenter.errors import ConfigError, NotFoundError
from pzcenter.validation.comparison import checked_settings, load_comparison_settings
from pzcenter.validation.comparison.writing import settings_yaml

SMALL = {"truth": "t.parquet", "submissions": ["a.hdf5"]}


def test_paths_are_seen_from_the_file(tmp_path):
    text = "truth: t.parquet\ntraining: ../train.parquet\nsubmissions:\n- one.hdf5\n- {path: two.csv, ids: ids.npy}\n"
    (tmp_path / "c.yaml").write_text(text, encoding="utf-8")
    settings = load_comparison_settings(tmp_path / "c.yaml")
    assert settings.truth == str(tmp_path / "t.parquet")
    assert settings.training == str(tmp_path / "../train.parquet")
    assert [each.path for each in settings.submissions] == [str(tmp_path / "one.hdf5"), str(tmp_path / "two.csv")]
    assert settings.submissions[1].ids == str(tmp_path / "ids.npy")


def test_round_trip(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    content = {**SMALL, "mag_max": 25.0, "rank_by": ["crps"], "bins": {"tomographic": {"a": [0.0, 1.0]}}, "lines": []}
    settings = checked_settings(content, "here")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "c.yaml").write_text(settings_yaml(settings, tmp_path / "out"), encoding="utf-8")
    again = load_comparison_settings(tmp_path / "out" / "c.yaml")
    assert (tmp_path / "t.parquet").resolve() == (tmp_path / again.truth).resolve()
    assert again.model_dump(exclude={"truth", "submissions"}) == settings.model_dump(exclude={"truth", "submissions"})


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"rank_by": ["beauty"]}, "sigma_nmad"),
        ({"lines": ["mine"]}, "dmtn049"),
        ({"colour": 1}, "Known settings: truth"),
        ({"submissions": []}, "submissions"),
        ({"submissions": [{"path": "a", "format": "docx"}]}, "parquet"),
        ({"requirements": [{"metric": "nz_mean_shift", "limit": 1}]}, "sigma_nmad"),
        ({"requirements": [{"metric": "bias", "limit": 0}]}, "greater than 0"),
        ({"min_coverage": 2}, "less than or equal to 1"),
        ({"submissions": [{"path": "a", "technical": {"train_s": -1}}]}, "train_s"),
    ],
)
def test_what_is_not_accepted_is_said(more, words):
    with pytest.raises(ConfigError, match=words):
        checked_settings({**SMALL, **more}, "here")


def test_files_that_are_none(tmp_path):
    with pytest.raises(NotFoundError, match=r"no\.yaml"):
        load_comparison_settings(tmp_path / "no.yaml")
    (tmp_path / "bad.yaml").write_text("truth: [", encoding="utf-8")
    with pytest.raises(ConfigError, match="not YAML"):
        load_comparison_settings(tmp_path / "bad.yaml")
    (tmp_path / "list.yaml").write_text("- a\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"list\.yaml"):
        load_comparison_settings(tmp_path / "list.yaml")
