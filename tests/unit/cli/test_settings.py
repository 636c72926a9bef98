"""Settings, grids and dust maps from what was typed."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from pzcenter.cli.settings import dust_map, method_settings, redshift_grid, simulation_config
from pzcenter.errors import ConfigError, MissingDependencyError, NotFoundError


def test_nothing_given_is_none():
    assert method_settings(None, None) is None
    assert method_settings(None, []) is None
    assert redshift_grid(None, None) is None
    assert simulation_config(None) is None
    assert dust_map(None) is None


def test_values_are_yaml_and_dots_go_down():
    pairs = ["n_between=2", "igm=none", "p_min=1e-3", "flag=true", "filters.u=lsst_u", "filters.g=lsst_g", "empty="]
    assert method_settings(None, pairs) == {
        "n_between": 2, "igm": "none", "p_min": "1e-3", "flag": True, "empty": None,
        "filters": {"u": "lsst_u", "g": "lsst_g"},
    }  # fmt: skip


def test_line_wins_over_file(tmp_path):
    file = tmp_path / "settings.yaml"
    file.write_text("\ufeffn_between: 1\nigm: none\n", encoding="utf-8")
    assert method_settings(str(file), ["n_between=3"]) == {"n_between": 3, "igm": "none"}


@pytest.mark.parametrize("pair", ["n_between", "=3", "a=[1", "a.b=2"])
def test_bad_pairs(pair):
    with pytest.raises(ConfigError, match="--set"):
        method_settings(None, ["a=1", pair])


@pytest.mark.parametrize(("text", "words"), [("- 1\n", "list"), ("a: [", "not YAML"), ("", "NoneType")])
def test_bad_files(tmp_path, text, words):
    file = tmp_path / "settings.yaml"
    file.write_text(text)
    with pytest.raises(ConfigError, match=words):
        method_settings(str(file), None)


def test_no_such_file(tmp_path):
    with pytest.raises(NotFoundError, match=r"none\.yaml"):
        method_settings(str(tmp_path / "none.yaml"), None)


def test_grids():
    np.testing.assert_array_equal(redshift_grid(6.0, None), np.linspace(0, 6, 601))
    np.testing.assert_array_equal(redshift_grid(None, 31), np.linspace(0, 3, 31))
    np.testing.assert_array_equal(redshift_grid(1.5, 16), np.linspace(0, 1.5, 16))


def test_simulation_settings_are_checked():
    assert simulation_config({"star_fraction": 0}).star_fraction == 0
    with pytest.raises(ConfigError, match=r"star_fraction.*got 3.*Known settings: years"):
        simulation_config({"star_fraction": 3})


def test_dust_map_that_does_not_exist():
    with pytest.raises(ConfigError, match="sfd, csfd, planck"):
        dust_map("dark")


def test_dust_map_without_its_package(monkeypatch):
    monkeypatch.setitem(sys.modules, "dustmaps.sfd", None)
    with pytest.raises(MissingDependencyError, match=r"pzcenter\[dust\]"):
        dust_map("sfd")
