"""RAIL's parameters as settings, and back."""

from __future__ import annotations

import numpy as np
import pytest

from pzcenter.errors import BandError, ConfigError, ModelError
from pzcenter.estimators.protocol import checked_config
from pzcenter.estimators.rail.columns import order_bands
from pzcenter.estimators.rail.parameters import (
    RailMethod,
    check_required,
    config_class,
    stage_parameters,
)

COLUMNS = [f"mag_{band}_lsst" for band in "ugrizy"]


def parameter(default, kind="float", *, required=False):
    return {"type": kind, "default": default, "required": required, "message": "what it is"}


def method(**more):
    informer = {
        "zmin": parameter(0.0),
        "bands": parameter(COLUMNS, "list"),
        "mag_limits": parameter(dict.fromkeys(COLUMNS, 27.0), "dict"),
        "filter_list": parameter([f"DC2LSST_{band}" for band in "ugrizy"], "list"),
        "zp_errors": parameter([0.1] * 6, "list"),
        "ref_band": parameter("mag_i_lsst", "str"),
        "depth": parameter(8, "int"),
        "_hidden": parameter(1, "int"),
        "model_copy": parameter(1, "int"),
    }
    estimator = {"depth": parameter(9, "int"), "width": parameter(0.1), **more}
    versions = {"python": "3.11.0"}
    return RailMethod.from_answer(
        "Some", {"words": "", "informer": informer, "estimator": estimator, "versions": versions}
    )


def parameters(config=None, bands=tuple("ugrizy"), z_grid=None, mag_limits=None, of=None):
    chosen = of or method()
    grid = np.linspace(0, 3, 301) if z_grid is None else z_grid
    return stage_parameters(chosen, checked_config(config_class(chosen), config), bands, grid, mag_limits or {})


def test_settings_have_the_defaults_of_rail():
    config = config_class(method())()
    assert (config.width, config.ref_band) == (0.1, "mag_i_lsst")
    assert all(item.title and item.description for item in type(config).model_fields.values())


def test_stages_that_differ_keep_their_own_defaults():
    assert config_class(method())().depth is None
    assert "depth" not in parameters()
    assert parameters({"depth": 5})["depth"] == 5


def test_names_that_cannot_be_settings_are_left_to_rail():
    assert not {"_hidden", "model_copy", "zmin"} & set(config_class(method()).model_fields)


def test_an_unknown_name_is_answered_with_all_names():
    with pytest.raises(ConfigError, match="Do you mean width") as told:
        checked_config(config_class(method()), {"widht": 1})
    assert "width (float, 0.1)" in str(told.value)
    assert "use_bands (tuple, ())" in str(told.value)


def test_what_the_grid_says_cannot_be_set():
    with pytest.raises(ConfigError, match="zmin: set by the photometry and the redshift grid"):
        checked_config(config_class(method()), {"zmin": 0.1})


@pytest.mark.parametrize("value", ["many", [1], 0.5])
def test_a_value_of_another_type_is_refused(value):
    with pytest.raises(ConfigError, match="depth"):
        checked_config(config_class(method()), {"depth": value})


def test_the_grid_is_rails():
    found = parameters(z_grid=np.linspace(0, 6, 601))
    assert (found["zmin"], found["zmax"], found["nzbins"], found["dz"]) == (0.0, 6.0, 601, 0.01)


def test_rails_grid_is_as_fine_as_the_finest_step():
    found = parameters(z_grid=np.array([0.0, 0.1, 0.5, 3.0]))
    assert found["nzbins"] == 31


def test_columns_are_those_of_rail():
    found = parameters(bands=("g", "r", "i", "J"), mag_limits={"J": 24.0}, config={"filter_list": ["a"] * 4})
    assert found["bands"] == ["mag_g_lsst", "mag_r_lsst", "mag_i_lsst", "mag_J"]
    assert found["err_bands"][3] == "mag_err_J"
    assert found["err_dict"] == {**dict(zip(found["bands"], found["err_bands"], strict=True)), "redshift": None}


def test_lists_of_bands_lose_the_bands_that_are_not_there():
    found = parameters(bands=("g", "i", "y"))
    assert found["filter_list"] == ["DC2LSST_g", "DC2LSST_i", "DC2LSST_y"]
    assert found["zp_errors"] == [0.1] * 3
    assert found["mag_limits"] == {"mag_g_lsst": 27.0, "mag_i_lsst": 27.0, "mag_y_lsst": 27.0}


def test_limits_of_other_bands_are_those_of_the_training_sample():
    found = parameters({"filter_list": ["a", "b"]}, bands=("i", "J"), mag_limits={"J": 24.5, "i": 20.0})
    assert found["mag_limits"] == {"mag_i_lsst": 27.0, "mag_J": 24.5}
    assert found["zp_errors"] == [0.1, 0.1]


def test_filters_of_other_bands_must_be_given():
    with pytest.raises(BandError, match="filter_list for the bands \\['J'\\]"):
        parameters(bands=("i", "J"), mag_limits={"J": 24.5})


def test_the_reference_band_must_be_there():
    with pytest.raises(BandError, match="ref_band is 'mag_i_lsst'"):
        parameters(bands=("g", "r"))
    assert parameters({"ref_band": "mag_r_lsst"}, bands=("g", "r"))["ref_band"] == "mag_r_lsst"


def test_what_a_user_gives_is_passed_as_it_is():
    assert parameters({"zp_errors": [0.2, 0.3]}, bands=("g", "i"))["zp_errors"] == [0.2, 0.3]


def test_bands_are_in_rails_order():
    assert order_bands(("J", "y", "u", "i")) == ("u", "i", "y", "J")
    assert order_bands(("u", "g", "r"), ("r", "g")) == ("r", "g")
    with pytest.raises(BandError, match="'i'"):
        order_bands(("u", "g"), ("g", "i"))


def test_what_rail_has_no_default_for_must_be_given():
    needy = method(secret=parameter(None, "str", required=True))
    with pytest.raises(ModelError, match="needs values of secret"):
        check_required(needy, config_class(needy)())
    check_required(needy, config_class(needy)(secret="x"))
