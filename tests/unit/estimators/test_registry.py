from __future__ import annotations

from importlib.metadata import EntryPoint

import pytest

from pzcenter.errors import ModelError, NotFoundError
from pzcenter.estimators import estimator_names, get_estimator, load_model, registered_estimators, registry
from pzcenter.estimators.protocol import EstimatorConfig
from pzcenter.estimators.trainz import TrainZEstimator
from pzcenter.testing import synthetic_sky

GOOD = ("trainz", "pzcenter.estimators.trainz:TrainZEstimator")


class NotOne:
    name = "half"


class WrongConfig(TrainZEstimator):
    name = "wrongconfig"
    Config = dict


class Silent(TrainZEstimator):
    name = "silent"
    needs_training = "perhaps"


class Undeclared(TrainZEstimator):
    name = "undeclared"
    declaration = None


class Config(EstimatorConfig):
    """Something importable that is not an estimator."""


@pytest.fixture
def installed(monkeypatch):
    def install(*points):
        found = [EntryPoint(name, value, registry.ENTRY_POINT_GROUP) for name, value in points]
        monkeypatch.setattr(registry, "entry_points", lambda *, group: found)

    return install


def problem_of(name):
    return next(entry.problem for entry in registered_estimators() if entry.name == name)


def test_our_own_are_there():
    assert set(estimator_names()) >= {"neighbours", "template", "trainz"}
    assert get_estimator("trainz") is TrainZEstimator


def test_origin_is_told():
    origin = next(entry.origin for entry in registered_estimators() if entry.name == "trainz")
    assert origin.startswith("pzcenter.estimators.trainz:TrainZEstimator of pzcenter")


def test_unknown_name_lists_the_known():
    with pytest.raises(NotFoundError, match="trainz"):
        get_estimator("bpzz")


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("no.such.module:Thing", "ModuleNotFoundError"),
        ("pzcenter.estimators.trainz:NoSuchClass", "AttributeError"),
        ("pzcenter.estimators.trainz:redshift_density", "not a class"),
        ("pzcenter.estimators.trainz:TrainZConfig", "has no default, train"),
        ("pzcenter.estimators.trainz:TrainZEstimator", "its name is 'trainz'"),
    ],
)
def test_broken_plug_ins_are_listed(installed, value, reason):
    installed(GOOD, ("broken", value))
    assert estimator_names() == ("trainz",)
    assert reason in problem_of("broken")
    with pytest.raises(ModelError, match=reason):
        get_estimator("broken")


@pytest.mark.parametrize(
    ("cls", "reason"), [(WrongConfig, "Config"), (Silent, "needs_training"), (Undeclared, "declaration")]
)
def test_incomplete_classes_are_told(cls, reason):
    assert reason in registry._what_is_missing(cls.name, cls)


def test_two_plug_ins_of_one_name(installed):
    installed(GOOD, ("trainz", "elsewhere:TrainZEstimator"))
    assert estimator_names() == ()
    assert problem_of("trainz") == "two plug-ins use this name"


def test_one_plug_in_seen_twice(installed):
    installed(GOOD, GOOD)
    assert estimator_names() == ("trainz",)


def test_nothing_installed(installed):
    installed()
    assert estimator_names() == ()
    with pytest.raises(NotFoundError, match="none"):
        get_estimator("trainz")


def test_load_model_finds_the_method(tmp_path):
    sky = synthetic_sky(100)
    TrainZEstimator.train(sky.photometry, sky.z_spec).save(tmp_path / "model")
    assert isinstance(load_model(tmp_path / "model"), TrainZEstimator)


def test_load_model_of_a_method_that_is_not_installed(tmp_path, installed):
    sky = synthetic_sky(100)
    TrainZEstimator.train(sky.photometry, sky.z_spec).save(tmp_path / "model")
    installed()
    with pytest.raises(NotFoundError, match="trainz"):
        load_model(tmp_path / "model")
