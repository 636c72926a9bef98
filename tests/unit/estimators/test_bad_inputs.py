"""What every method that trains does with training sets, objects and models that are not as they should be."""

from __future__ import annotations

import logging
from dataclasses import replace
from importlib.util import find_spec
from typing import Any

import numpy as np
import pytest

from pzcenter.errors import BandError, ChecksumError, ModelError, PZCenterError
from pzcenter.estimators import get_estimator, storage
from pzcenter.estimators.storage import ARRAYS_FILE, MANIFEST_FILE
from pzcenter.schema import PZFlag
from pzcenter.testing import synthetic_sky
from pzcenter.testing.estimator_suite import assert_densities, assert_same

NETWORKS = {"templates": "none", "n_member": 2, "n_hidden": 8, "n_layer": 1, "max_epochs": 4, "resolution": 0.05}
METHODS: dict[str, tuple[str, dict[str, Any]]] = {
    "accurate": ("density_network", NETWORKS | {"templates": "published", "filters": "lsst"}),
    "fast": ("density_network", NETWORKS | {"speed": "fast"}),
    "neighbours": ("neighbours", {"n_tune": 100}),
    "template": ("template", {"template_set": "cwwsb4", "n_between": 0}),
}
N_TRAIN = 300
CALIBRATED = ("accurate", "fast", "neighbours", "template")
REMEMBERING = ("accurate", "fast", "neighbours")
"""A calibration of templates has a few hundred numbers: it does not know single objects again."""


def train(method, photometry, z_spec):
    name, config = METHODS[method]
    if name == "density_network" and not (find_spec("jax") and find_spec("optax")):
        pytest.skip("training needs jax and optax: pzcenter[ml]")
    return get_estimator(name).train(photometry, z_spec, config=config)


@pytest.fixture(scope="module")
def sky():
    return synthetic_sky(N_TRAIN, seed=1)


@pytest.fixture(scope="module", params=CALIBRATED)
def trained(request, sky):
    return request.param, train(request.param, sky.photometry, sky.z_spec)


def without(photometry, *bands):
    flux = photometry.flux.copy()
    flux[:, [photometry.bands.index(band) for band in bands]] = np.nan
    return replace(photometry, flux=flux)


# Training sets


@pytest.mark.parametrize("method", CALIBRATED)
def test_ten_rows_are_refused(method, sky):
    with pytest.raises(ModelError, match=r"10 of 10 training objects have a usable band; at least \d+ are needed"):
        train(method, sky.photometry.select(slice(0, 10)), sky.z_spec[:10])


@pytest.mark.parametrize("method", CALIBRATED)
def test_constant_redshift_is_refused(method, sky):
    with pytest.raises(ModelError, match=r"all 300 training redshifts are 0\.5: there is nothing to learn"):
        train(method, sky.photometry, np.full(N_TRAIN, 0.5))


@pytest.mark.parametrize("method", CALIBRATED)
def test_two_redshifts_are_enough(method, sky):
    """Poor, and still densities."""
    model = train(method, sky.photometry, np.where(np.arange(N_TRAIN) % 2, 0.5, 0.9))
    assert_densities(model.estimate(sky.photometry), sky.photometry)


@pytest.mark.parametrize("method", CALIBRATED)
def test_one_object_many_times(method, sky):
    """The same photometry with one redshift after the other: nothing to tell them by, and no exception."""
    rows = np.zeros(N_TRAIN, dtype=int)
    model = train(method, sky.photometry.select(rows), np.linspace(0.5, 1.0, N_TRAIN))
    assert_densities(model.estimate(sky.photometry), sky.photometry)


@pytest.mark.parametrize("method", CALIBRATED)
def test_column_of_nan_is_told(method, sky, caplog):
    """A band that no training object has is named, and not looked at later."""
    with caplog.at_level(logging.WARNING):
        model = train(method, without(sky.photometry, "r"), sky.z_spec)
    assert "no training object has the bands ['r']" in caplog.text
    test = synthetic_sky(40, seed=2).photometry
    pz = model.estimate(test)
    assert_densities(pz, test)
    if method != "template":  # which knows the band from its filter
        np.testing.assert_array_equal(pz.pdf, model.estimate(without(test, "r")).pdf)


@pytest.mark.parametrize("method", CALIBRATED)
def test_rows_of_nan_are_told(method, sky, caplog):
    flux = sky.photometry.flux.copy()
    flux[:7] = np.nan
    with caplog.at_level(logging.WARNING):
        model = train(method, replace(sky.photometry, flux=flux), sky.z_spec)
    assert "7 of 300 training objects have no usable band and are left out" in caplog.text
    assert model.training.n_obj == N_TRAIN - 7


@pytest.mark.parametrize("method", CALIBRATED)
def test_all_nan_is_refused(method, sky):
    with pytest.raises(ModelError, match="0 of 300 training objects"):
        train(method, without(sky.photometry, *sky.photometry.bands), sky.z_spec)


@pytest.mark.parametrize("method", CALIBRATED)
def test_unknown_redshifts_are_refused(method, sky):
    z_spec = sky.z_spec.copy()
    z_spec[[3, 8]] = np.nan
    with pytest.raises(ModelError, match=r"2 of 300 training redshifts are not finite \(first at row 3\)"):
        train(method, sky.photometry, z_spec)


def test_bands_without_filters(sky, caplog):
    """Templates cannot do without; networks can, and say so."""
    strange = replace(sky.photometry, bands=tuple("abcdef"))
    with pytest.raises(BandError, match=r"filters are set for .* the photometry has \['a', 'b'"):
        train("template", strange, sky.z_spec)
    with caplog.at_level(logging.WARNING):
        model = train("accurate", strange, sky.z_spec)
    assert "too few bands have a filter" in caplog.text
    assert_densities(model.estimate(strange), strange)


# Objects


def test_wrong_bands_are_named(trained, sky):
    _, model = trained
    with pytest.raises(BandError, match=r"\['y'\] missing"):
        model.estimate(sky.photometry.with_bands(tuple("ugriz")))
    with pytest.raises(BandError, match=r"this photometry has \['J', 'H', 'K', 'a', 'b', 'c'\]"):
        model.estimate(replace(sky.photometry, bands=("J", "H", "K", "a", "b", "c")))


def test_estimate_of_a_column_of_nan(trained):
    """A band that the target lacks is missing for all of its objects: they get densities."""
    _, model = trained
    photometry = without(synthetic_sky(40, seed=2).photometry, "u")
    pz = model.estimate(photometry)
    assert_densities(pz, photometry)
    assert not np.any(pz.flags & np.uint32(PZFlag.no_estimate))


def test_training_objects_are_told(trained, sky, caplog):
    method, model = trained
    others = synthetic_sky(20, seed=5).photometry
    with caplog.at_level(logging.WARNING):
        model.estimate(others)
    assert not caplog.records
    with caplog.at_level(logging.WARNING):
        model.estimate(sky.photometry.select(slice(0, 30)))
    assert ("30 of 30 objects are in the training set of the model" in caplog.text) == (method in REMEMBERING)


def test_training_objects_are_told_by_a_loaded_model(trained, sky, caplog, tmp_path):
    method, model = trained
    model.save(tmp_path / "model")
    with caplog.at_level(logging.WARNING):
        type(model).load(tmp_path / "model").estimate(sky.photometry.select(slice(0, 30)))
    assert ("30 of 30 objects" in caplog.text) == (method in REMEMBERING)


def test_place_in_the_table_says_nothing(trained, sky):
    """An object gets the same bits whatever stands before it, in parts of any size: no row number or id is seen."""
    _, model = trained
    order = np.random.default_rng(3).permutation(N_TRAIN)
    whole = model.estimate(sky.photometry)
    moved = model.estimate(sky.photometry.select(order))
    np.testing.assert_array_equal(moved.pdf, whole.pdf[order])
    named = model.estimate(replace(sky.photometry, object_id=order.astype(np.int64)))
    np.testing.assert_array_equal(named.pdf, whole.pdf)
    parts = [model.estimate(sky.photometry.select(slice(start, start + 77))) for start in range(0, N_TRAIN, 77)]
    np.testing.assert_array_equal(np.concatenate([part.pdf for part in parts]), whole.pdf)


@pytest.mark.parametrize("method", CALIBRATED)
def test_ids_teach_nothing(method, sky, tmp_path):
    """Models of the same objects with ids in the order of redshift, and without, have the same bytes."""
    ids = np.argsort(np.argsort(sky.z_spec)).astype(np.int64)
    train(method, replace(sky.photometry, object_id=ids), sky.z_spec).save(tmp_path / "a")
    train(method, sky.photometry, sky.z_spec).save(tmp_path / "b")
    for path in (tmp_path / "a").iterdir():
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes()


# Models


@pytest.mark.parametrize("name", [ARRAYS_FILE, MANIFEST_FILE])
@pytest.mark.parametrize("kept", [0.0, 0.5, 0.99])
def test_cut_files_are_refused(trained, tmp_path, name, kept):
    """As a full disk or a broken copy leaves them."""
    _, model = trained
    model.save(tmp_path / "model")
    path = tmp_path / "model" / name
    content = path.read_bytes()
    path.write_bytes(content[: int(kept * len(content))])
    with pytest.raises((ChecksumError, ModelError)) as caught:
        type(model).load(tmp_path / "model")
    assert name in str(caught.value) or "format" in str(caught.value)


def test_models_of_a_newer_version_are_refused(trained, tmp_path, monkeypatch):
    _, model = trained
    monkeypatch.setattr(storage, "FORMAT_VERSION", storage.FORMAT_VERSION + 1)
    model.save(tmp_path / "model")
    monkeypatch.undo()
    with pytest.raises(ModelError, match=r"model format 2; this version reads 1"):
        type(model).load(tmp_path / "model")


def test_models_of_another_method_are_refused(trained, tmp_path):
    method, model = trained
    model.save(tmp_path / "model")
    other = get_estimator("trainz" if method == "neighbours" else "neighbours")
    with pytest.raises(PZCenterError, match=f"is a model of '{model.name}'"):
        other.load(tmp_path / "model")


def test_loaded_models_give_the_same(trained, sky, tmp_path):
    _, model = trained
    model.save(tmp_path / "model")
    assert_same(type(model).load(tmp_path / "model").estimate(sky.photometry), model.estimate(sky.photometry))
