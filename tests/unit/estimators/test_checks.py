from __future__ import annotations

import numpy as np
import pytest

from pzcenter.errors import BandError, GridError, ModelError
from pzcenter.estimators.checks import check_photometry, check_training, check_z_grid
from pzcenter.estimators.protocol import Declaration, checked_config, default_z_grid
from pzcenter.estimators.trainz import TrainZConfig
from pzcenter.schema import Photometry, PZFlag
from pzcenter.testing import synthetic_sky

DECLARATION = Declaration()
BANDS = ("u", "g", "r", "i")


def photometry(flux, flux_err, **kwargs):
    return Photometry(flux=np.array(flux, float), flux_err=np.array(flux_err, float), bands=BANDS, **kwargs)


def has(flags, bit):
    return (flags & np.uint32(bit)) != 0


def test_cells_are_usable_or_nan():
    checked = check_photometry(
        photometry([[1, 2, np.nan, -4], [np.inf, 1, 1, 1]], [[1, 0, 1, 1], [1, np.inf, -1, np.nan]]), BANDS, DECLARATION
    )
    np.testing.assert_array_equal(checked.flux, np.float32([[1, np.nan, np.nan, -4], [np.nan] * 4]))
    np.testing.assert_array_equal(np.isnan(checked.flux), np.isnan(checked.flux_err))
    np.testing.assert_array_equal(checked.n_used, [2, 0])


def test_flags_say_why():
    flux = [[1, 1, 1, 1], [1, 1, 1, np.nan], [1, 1, 1, 1], [np.nan] * 4]
    flux_err = [[1, 1, 1, 1], [1, 1, 1, 1], [1, 1, 1, 0], [1] * 4]
    flags = check_photometry(photometry(flux, flux_err), BANDS, DECLARATION).flags
    np.testing.assert_array_equal(has(flags, PZFlag.no_estimate), [False, False, False, True])
    np.testing.assert_array_equal(has(flags, PZFlag.few_bands), [False, True, True, True])
    np.testing.assert_array_equal(has(flags, PZFlag.bad_error), [False, False, True, False])


def test_extinction_matters_to_those_who_need_it():
    data = photometry([[1] * 4], [[1] * 4], dereddened=False)
    assert has(check_photometry(data, BANDS, Declaration(needs_dereddened=True)).flags, PZFlag.not_dereddened).all()
    assert not has(
        check_photometry(data, BANDS, Declaration(needs_dereddened=False)).flags, PZFlag.not_dereddened
    ).any()


def test_missing_bands_are_named():
    with pytest.raises(BandError, match=r"\['y'\] missing"):
        check_photometry(photometry([[1] * 4], [[1] * 4]), ("g", "y"), DECLARATION)


def test_too_large_for_float32_is_missing():
    checked = check_photometry(photometry([[1e200, 1, 1, 1]], [[1, 1e200, 1, 1]]), BANDS, DECLARATION)
    np.testing.assert_array_equal(checked.n_used, [2])


def test_input_flags_stay_untouched():
    data = photometry([[np.nan] * 4], [[1] * 4])
    check_photometry(data, BANDS, DECLARATION)
    np.testing.assert_array_equal(data.flags, [0])


def test_training_order_is_forgotten():
    sky = synthetic_sky(100, seed=1)
    order = np.random.default_rng(0).permutation(100)
    one = check_training(sky.photometry, sky.z_spec, None, DECLARATION)
    two = check_training(sky.photometry.select(order), sky.z_spec[order], None, DECLARATION)
    np.testing.assert_array_equal(one.flux, two.flux)
    np.testing.assert_array_equal(one.z_spec, two.z_spec)
    assert one.facts == two.facts


def test_training_checksum_sees_each_number():
    sky = synthetic_sky(100, seed=1)
    z = sky.z_spec.copy()
    z[7] = np.nextafter(z[7], 2)
    one = check_training(sky.photometry, sky.z_spec, None, DECLARATION)
    assert one.facts.sha256 != check_training(sky.photometry, z, None, DECLARATION).facts.sha256


def test_training_objects_without_photometry_are_left_out():
    sky = synthetic_sky(100, seed=1)
    flux = sky.photometry.flux.copy()
    flux[:10] = np.nan
    data = Photometry(flux=flux, flux_err=sky.photometry.flux_err, bands=sky.photometry.bands)
    assert check_training(data, sky.z_spec, None, DECLARATION).facts.n_obj == 90
    with pytest.raises(ModelError, match="90 of 100"):
        check_training(data, sky.z_spec, None, Declaration(n_train_min=95))


def test_grid_that_does_not_cover_gives_the_numbers():
    sky = synthetic_sky(100, seed=1)
    with pytest.raises(GridError, match=r"covers 0 to 1, .* of 100 objects"):
        check_training(sky.photometry, sky.z_spec, np.linspace(0, 1, 11), DECLARATION)


@pytest.mark.parametrize("grid", [[0.0], [[0.0, 1.0]], [0.0, 0.0, 1.0], [1.0, 0.0], [0.0, np.nan], [-0.1, 1.0], []])
def test_grids_that_are_not(grid):
    with pytest.raises(GridError):
        check_z_grid(np.array(grid))


def test_checked_grid_is_a_copy():
    grid = default_z_grid()
    checked = check_z_grid(grid)
    grid[0] = 5
    assert checked[0] == 0
    assert not checked.flags.writeable


@pytest.mark.parametrize(
    "config", [{"method": "guess"}, {"bandwidth": -1}, {"unknown": 1}, {"bandwidth": float("nan")}]
)
def test_settings_that_are_refused(config):
    with pytest.raises(ValueError, match="Known settings: method, bandwidth"):
        checked_config(TrainZConfig, config)


def test_settings_that_are_taken():
    assert checked_config(TrainZConfig, None) == TrainZConfig()
    assert checked_config(TrainZConfig, {"bandwidth": 0.1}).bandwidth == 0.1
