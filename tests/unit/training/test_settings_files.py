"""Files of settings: what is wrong with them is said with the value and what is accepted."""

from __future__ import annotations

import pytest
import yaml

from pzcenter.errors import ConfigError, NotFoundError
from pzcenter.training.combine import read_combine_config
from pzcenter.training.make_settings import read_training_config
from pzcenter.training.surveys import load_survey

NEEDED = {"redshifts": "a", "objects": "b"}


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"match": {"radius_arcsec": 0}}, r"match\.radius_arcsec: .*greater than 0, not 0"),
        ({"match": {"radius_arcsec": 3600}}, r"match\.radius_arcsec: .*less than or equal to 60, not 3600"),
        ({"match": {"radius_arcsec": float("nan")}}, r"match\.radius_arcsec: .*not nan"),
        ({"match": {"radius": 1}}, r"match\.radius: there is no such setting"),
        ({"match": {"mode": "best"}}, r"match\.mode: .*'nearest', 'k' or 'all', not 'best'"),
        ({"match": {"min_reliability": 0.5}}, r"match: min_reliability needs likelihood_ratio: true"),
        ({"match": {"likelihood_ratio": True}}, r"match: likelihood_ratio needs a column .* magnitude or the flux"),
        ({"match": {"magnitude": "m", "flux": "f"}}, r"match: name the magnitude or the flux, not both"),
        ({"match": {"k": 3}}, r"match: k is 3, and only mode: k takes several objects"),
        ({"split": {"strata": {"z_spec": 0.1}}}, r"split: strata are given, and the method is random"),
        ({"selection": {"z_min": 2, "z_max": 1}}, r"selection: z_min, z_max: 2\.0 is not below 1\.0"),
    ],
)
def test_settings_of_a_training_set(tmp_path, more, words):
    (tmp_path / "t.yaml").write_text(yaml.safe_dump(NEEDED | more))
    with pytest.raises(ConfigError, match=words):
        read_training_config(tmp_path / "t.yaml")


@pytest.mark.parametrize("radius", [0, -1, 3600, float("inf"), float("nan"), "wide"])
def test_radius_of_groups(tmp_path, radius):
    (tmp_path / "c.yaml").write_text(yaml.safe_dump({"sources": [{"name": "a"}], "radius_arcsec": radius}))
    with pytest.raises(ConfigError, match=rf"radius_arcsec: .*not {radius!r}"):
        read_combine_config(tmp_path / "c.yaml")


def test_what_is_missing_is_named(tmp_path):
    (tmp_path / "t.yaml").write_text("redshifts: a\n")
    with pytest.raises(ConfigError, match="objects: is needed and not given"):
        read_training_config(tmp_path / "t.yaml")


def test_settings_of_the_other_command(tmp_path):
    path = tmp_path / "any.yaml"
    path.write_text("sources: []\nmode: mark\n")
    with pytest.raises(ConfigError, match="settings of 'pz specz combine'; 'pz training init' writes those"):
        read_training_config(path)
    path.write_text(yaml.safe_dump(NEEDED))
    with pytest.raises(ConfigError, match="settings of 'pz training make'; 'pz specz init' writes those"):
        read_combine_config(path)


@pytest.mark.parametrize("read", [read_training_config, read_combine_config])
def test_what_is_no_file_of_settings(tmp_path, read):
    path = tmp_path / "any.yaml"
    with pytest.raises(NotFoundError, match=r"does not exist; 'pz (specz|training) init"):
        read(path)
    for text in ("", "a word", "- 1\n- 2\n"):
        path.write_text(text)
        with pytest.raises(ConfigError, match="holds no settings"):
            read(path)
    path.write_text("a: [1\n")
    with pytest.raises(ConfigError, match="is not YAML"):
        read(path)
    path.write_bytes(b"PAR1\x80\x81")
    with pytest.raises(ConfigError, match="is not text"):
        read(path)
    with pytest.raises(ConfigError, match="is a directory"):
        read(tmp_path)
    with path.open("wb") as file:
        file.truncate(20_000_000)
    with pytest.raises(ConfigError, match="20,000,000 bytes"):
        read(path)


def test_files_of_surveys(tmp_path):
    path = tmp_path / "survey.yaml"
    path.write_bytes(b"\x89HDF\xff")
    with pytest.raises(ConfigError, match="is not text"):
        load_survey(path)
    path.write_text("name: X\nquality:\n- {when: z_flag == 1, value: 5}\n")
    with pytest.raises(ConfigError, match=r"quality\.0\.value: .*not 5"):
        load_survey(path)
    path.write_text("")
    with pytest.raises(ConfigError, match="settings: "):
        load_survey(path)
