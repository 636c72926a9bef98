from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
import yaml

from pzcenter.errors import ChecksumError, ModelError, NotFoundError, OutputExistsError
from pzcenter.estimators import get_estimator, model_digest
from pzcenter.estimators.model_card import (
    CARD_VERSION,
    CardMetric,
    ModelCard,
    TrainingMessage,
    read_card,
    training_domain,
    write_card,
)
from pzcenter.estimators.model_description import NOT_RECORDED, describe_model
from pzcenter.estimators.model_set import ModelSet
from pzcenter.estimators.storage import ARRAYS_FILE, CARD_FILE, MANIFEST_FILE, read_files, write_files
from pzcenter.testing import synthetic_sky

SKY = synthetic_sky(400, seed=3)


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    place = tmp_path_factory.mktemp("models") / "trainz"
    get_estimator("trainz").train(SKY.photometry, SKY.z_spec).save(place)
    return place


@pytest.fixture
def model(saved, tmp_path):
    return shutil.copytree(saved, tmp_path / "model")


def card_of(directory, **fields):
    return ModelCard(digest=model_digest(directory), **fields)


def test_card_is_read_back_and_changes_no_digest(model):
    before = model_digest(model)
    card = card_of(
        model,
        command=("pz", "train"),
        domain=training_domain(SKY.photometry, SKY.z_spec, filters={"u": "lsst_u"}),
        metrics=(CardMetric(metric="bias", of="z_best", value=0.1, error=0.02, n_obj=50),),
        licence="CC-BY-4.0",
    )
    write_card(model, card)
    assert read_card(model) == card
    assert model_digest(model) == before
    get_estimator("trainz").load(model)


def test_domain_is_of_the_objects():
    domain = training_domain(SKY.photometry, SKY.z_spec)
    assert domain.z_min == SKY.z_spec.min() and sum(domain.z_counts) == SKY.z_spec.size
    i_band = next(each for each in domain.bands if each.band == "i")
    flux = SKY.photometry.flux[:, 3].astype(float)
    median = np.median(31.4 - 2.5 * np.log10(flux[flux > 0]))
    assert i_band.mag_median == pytest.approx(median, abs=1e-3)
    depth = 31.4 - 2.5 * np.log10(5 * np.median(SKY.photometry.flux_err[:, 3]))
    assert i_band.depth == pytest.approx(depth, abs=1e-3)
    assert i_band.share_measured == 1.0


def test_band_that_was_never_measured_has_no_depth():
    flux = SKY.photometry.flux.copy()
    flux[:, 0] = np.nan
    domain = training_domain(type(SKY.photometry)(flux, SKY.photometry.flux_err, SKY.photometry.bands), SKY.z_spec)
    assert domain.bands[0].depth is None and domain.bands[0].share_measured == 0.0


def test_model_without_a_card_is_described(model):
    found = describe_model(model)
    plain = found.plain()
    assert plain["method"] == "trainz" and not plain["has_card"]
    assert plain["training"]["n_obj"] == 400 and plain["training"]["command"] is None
    assert plain["metrics_on"] == NOT_RECORDED and plain["licence"] is None
    json.dumps(plain, allow_nan=False)


@pytest.mark.parametrize("method", ["template", "neighbours"])
def test_other_methods_are_described(tmp_path, method):
    estimator = get_estimator(method)
    made = estimator.train(SKY.photometry, SKY.z_spec) if estimator.needs_training else estimator.default()
    made.save(tmp_path / "model")
    plain = describe_model(tmp_path / "model").plain()
    assert plain["bands"] == list(made.bands)
    assert (plain["training"]["n_obj"] is None) == (made.training is None)
    if method == "template":
        assert plain["filters"]["u"] == "lsst_u"
    else:
        assert [row["metric"] for row in plain["metrics"]] == ["leave_one_out_cde_loss"]
        assert plain["metrics"][0]["error"] is None


def test_curves_are_found_in_the_messages(model):
    messages = tuple(
        TrainingMessage(seconds=k, done=k / 4, text=f"{k} objects seen, held-out log score {1.0 + k:.3f}")
        for k in range(4)
    )
    write_card(model, card_of(model, messages=messages))
    curves = describe_model(model).curves
    assert curves == {"held-out log score": [(k / 4, 1.0 + k) for k in range(4)]}


def test_method_that_is_not_installed_is_still_described(model):
    rewrite_manifest(model, estimator="somebody.elses")
    found = describe_model(model)
    assert not found.is_installed and "somebody.elses" in found.problem


def rewrite_manifest(model, **changes):
    from pzcenter.estimators.storage import _digest

    plain = yaml.safe_load((model / MANIFEST_FILE).read_text()) | changes
    plain["digest"] = _digest({key: value for key, value in plain.items() if key != "digest"})
    (model / MANIFEST_FILE).write_text(yaml.safe_dump(plain, sort_keys=False))


def test_card_of_another_model_is_refused(model):
    with pytest.raises(ModelError, match="the card is of the model"):
        write_card(model, ModelCard(digest="0" * 64))
    write_card(model, card_of(model))
    rewrite_manifest(model, packages={})
    with pytest.raises(ModelError, match="not of this one"):
        describe_model(model)


def test_card_is_written_once(model):
    write_card(model, card_of(model, licence="a"))
    write_card(model, card_of(model, licence="a"))
    with pytest.raises(OutputExistsError, match="once"):
        write_card(model, card_of(model, licence="b"))
    assert sorted(path.name for path in model.parent.iterdir()) == ["model"]


def test_what_is_not_a_model_is_refused(tmp_path):
    with pytest.raises(NotFoundError):
        describe_model(tmp_path / "nothing")
    with pytest.raises(NotFoundError, match=MANIFEST_FILE):
        describe_model(tmp_path)


def test_newer_versions_are_refused(model):
    content = card_of(model).model_dump(mode="json") | {"card_version": CARD_VERSION + 1, "new_field": 1}
    (model / CARD_FILE).write_text(json.dumps(content))
    with pytest.raises(ModelError, match="newer version"):
        describe_model(model)
    (model / CARD_FILE).unlink()
    rewrite_manifest(model, format_version=2)
    with pytest.raises(ModelError, match="model format 2"):
        describe_model(model)


@pytest.mark.parametrize("name", [ARRAYS_FILE, MANIFEST_FILE, CARD_FILE])
def test_truncated_files_are_refused(model, name):
    write_card(model, card_of(model))
    path = model / name
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises((ModelError, ChecksumError)):
        describe_model(model)


@pytest.mark.parametrize(
    "content", ["[]", "{}", '{"card_version": true}', '{"card_version": 1, "digest": "x"}', "\x00"]
)
def test_nonsense_is_refused(model, content):
    (model / CARD_FILE).write_text(content)
    with pytest.raises(ModelError):
        read_card(model)


def test_card_that_is_a_link_is_refused(model, tmp_path):
    elsewhere = tmp_path / "elsewhere.json"
    elsewhere.write_text(json.dumps(card_of(model).model_dump(mode="json")))
    (model / CARD_FILE).symlink_to(elsewhere)
    with pytest.raises(ModelError, match="symbolic link"):
        read_card(model)


def test_card_travels_with_the_files(model, tmp_path):
    card = card_of(model, licence="CC0")
    write_card(model, card)
    write_files(tmp_path / "copy", read_files(model))
    assert read_card(tmp_path / "copy") == card
    ModelSet.load(model).save(tmp_path / "set")
    (inside,) = (tmp_path / "set").iterdir()
    assert read_card(inside) == card
