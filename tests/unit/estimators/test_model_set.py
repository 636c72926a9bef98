from __future__ import annotations

import pickle

import numpy as np
import pytest

from pzcenter.errors import BandError, ChecksumError, ConfigError, GridError, ModelError, NotFoundError
from pzcenter.errors import OutputExistsError as ExistsError
from pzcenter.estimators import ModelSet, default_model_set, get_estimator, model_digest
from pzcenter.testing import synthetic_sky


@pytest.fixture(scope="module")
def sky():
    return synthetic_sky(300, seed=11)


@pytest.fixture(scope="module")
def models(sky):
    """One trained model for each of three sets of bands, in no good order."""
    trainz = get_estimator("trainz")
    return tuple(
        trainz.train(sky.photometry.with_bands(tuple(bands)), sky.z_spec) for bands in ("gri", "ugrizy", "griz")
    )


def test_most_bands_come_first(models):
    made = ModelSet(models)
    assert made.band_sets == (tuple("ugrizy"), tuple("griz"), tuple("gri"))
    assert made.names == ("trainz-ugrizy", "trainz-griz", "trainz-gri")
    assert len(made) == 3
    assert made.method == "trainz"


@pytest.mark.parametrize(
    ("there", "index"), [("ugrizy", 0), ("yzirgu", 0), ("grizy", 1), ("griz", 1), ("ugri", 2), ("gri", 2)]
)
def test_choose_the_largest_that_does(models, there, index):
    made = ModelSet(models)
    assert made.choose(there) == (index, made.models[index])


def test_choose_names_what_is_there_and_what_is_needed(models):
    with pytest.raises(BandError, match=r"\['u', 'g'\] are there.*'u', 'g', 'r', 'i', 'z', 'y'\] or .*'g', 'r', 'i'\]"):
        ModelSet(models).choose("ug")


def test_saved_and_read_again(models, sky, tmp_path):
    made = ModelSet(models)
    made.save(tmp_path / "set")
    again = ModelSet.load(tmp_path / "set")
    assert sorted(path.name for path in (tmp_path / "set").iterdir()) == ["00_ugrizy", "01_griz", "02_gri"]
    assert again.digests == made.digests
    assert again.digest == made.digest
    assert again.digests[1] == model_digest(tmp_path / "set" / "01_griz")
    for before, after in zip(made.models, again.models, strict=True):
        np.testing.assert_array_equal(before.estimate(sky.photometry).pdf, after.estimate(sky.photometry).pdf)


def test_digest_survives_other_versions(models, tmp_path, monkeypatch):
    made = ModelSet(models)
    made.save(tmp_path / "first")
    monkeypatch.setattr("pzcenter.estimators.storage._package_versions", lambda: {"pzcenter": "99"})
    ModelSet.load(tmp_path / "first").save(tmp_path / "second")
    assert ModelSet.load(tmp_path / "second").digest == made.digest
    assert ModelSet(models[:1]).digest != ModelSet.from_directories([tmp_path / "first" / "02_gri"]).digest


def test_gathered_from_single_models(models, tmp_path):
    paths = []
    for place, model in enumerate(models):
        paths.append(tmp_path / f"model{place}")
        model.save(paths[-1])
    assert ModelSet.from_directories(paths).digest == ModelSet(models).digest
    assert ModelSet.load(paths[1]).names == ("trainz-ugrizy",)


def test_goes_to_another_process(models):
    made = ModelSet(models)
    assert pickle.loads(pickle.dumps(made)).digest == made.digest


def test_refuses_what_is_no_set(models, sky):
    with pytest.raises(ModelError, match="got 0"):
        ModelSet(())
    with pytest.raises(ModelError, match="differ in their bands"):
        ModelSet((models[0], models[0]))
    with pytest.raises(ModelError, match=r"one method; got \['template', 'trainz'\]"):
        ModelSet((models[0], *default_model_set("template", ["griz"]).models))
    narrow = get_estimator("trainz").train(
        sky.photometry.with_bands(tuple("gr")), sky.z_spec, z_grid=np.linspace(0, 4, 11)
    )
    with pytest.raises(GridError, match="11 points from 0 to 4"):
        ModelSet((models[0], narrow))


def test_refuses_strange_directories(models, tmp_path):
    with pytest.raises(NotFoundError):
        ModelSet.load(tmp_path / "absent")
    (tmp_path / "empty").mkdir()
    with pytest.raises(NotFoundError, match="empty"):
        ModelSet.load(tmp_path / "empty")
    made = ModelSet(models)
    made.save(tmp_path / "set")
    with pytest.raises(ExistsError):
        made.save(tmp_path / "set")
    (tmp_path / "set" / "run.py").write_text("")
    with pytest.raises(ModelError, match=r"run\.py"):
        ModelSet.load(tmp_path / "set")
    (tmp_path / "set" / "run.py").unlink()
    (tmp_path / "set" / "01_griz" / "arrays.safetensors").write_bytes(b"x")
    with pytest.raises((ModelError, ChecksumError)):
        ModelSet.load(tmp_path / "set")


def test_default_models(sky):
    made = default_model_set("template", ["griz", "ugrizy"], config={"n_between": 0})
    assert made.band_sets == (tuple("ugrizy"), tuple("griz"))
    assert np.isfinite(made.models[1].estimate(sky.photometry.select(slice(5))).pdf).all()
    with pytest.raises(BandError, match="'q'"):
        default_model_set("template", ["gq"])
    with pytest.raises(BandError, match="none"):
        default_model_set("template", [""])
    with pytest.raises(ModelError, match="train"):
        default_model_set("trainz", ["griz"])
    with pytest.raises(ConfigError):
        default_model_set("template", ["griz"], config={"no_such": 1})
    with pytest.raises(NotFoundError):
        default_model_set("no_such", ["griz"])


def test_default_models_are_those_of_the_method(sky):
    made = default_model_set("template", ["ugrizy"])
    plain = get_estimator("template").default()
    rows = sky.photometry.select(slice(20))
    np.testing.assert_array_equal(made.models[0].estimate(rows).pdf, plain.estimate(rows).pdf)
