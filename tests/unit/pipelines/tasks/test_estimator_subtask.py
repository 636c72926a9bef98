"""Methods as configuration."""

from __future__ import annotations

import pickle
from importlib.resources import files

import lsst.pex.config as pex_config
import pytest
from lsst.pipe.base import Pipeline
from pydantic import Field

from pzcenter.errors import ConfigError, ModelError
from pzcenter.estimators import EstimatorConfig, ModelSet, default_model_set, estimator_names, get_estimator
from pzcenter.pipelines.tasks import estimator_subtask
from pzcenter.pipelines.tasks.estimate_pz import EstimatePzConfig
from pzcenter.pipelines.tasks.estimator_subtask import (
    bands_of_text,
    estimator_registry,
    method_config,
    method_registry,
)
from pzcenter.testing import synthetic_sky


class Holder(pex_config.Config):
    estimator = estimator_registry.makeField("Method.", default="model")


@pytest.fixture
def config():
    return Holder()


def test_every_installed_method_is_a_choice():
    assert tuple(method_registry) == estimator_names()
    assert tuple(estimator_registry) == ("model", *estimator_names())


@pytest.mark.parametrize("method", estimator_names())
def test_defaults_are_those_of_the_method(method):
    made = method_registry[method].ConfigClass()
    made.validate()
    assert made.method_settings() == get_estimator(method).Config()


def test_one_line_swaps_the_method(config):
    for method in estimator_names():
        config.estimator.name = method
        config.validate()
        assert config.estimator.target.method == method


@pytest.mark.parametrize(
    ("method", "field", "value", "setting"),
    [
        ("neighbours", "n_neighbours", 40, 40),
        ("neighbours", "reach", 2, 2.0),
        ("trainz", "method", "histogram", "histogram"),
        ("template", "marginalise_amplitude", False, False),
        ("template", "prior_fallback", ["g", "r"], ("g", "r")),
        ("template", "zero_point_factor", {"u": 1.02}, {"u": 1.02}),
        ("template", "zero_point_err", "0.02", 0.02),
        ("template", "zero_point_err", "{u: 0.02}", {"u": 0.02}),
        ("template", "zero_point_err", None, None),
        ("template", "filters", "{g: lsst_g, r: lsst_r}", {"g": "lsst_g", "r": "lsst_r"}),
        ("template", "filters", "dc2", "dc2"),
        ("template", "template_err", "[[1000, 0.1], [5000, 0.02]]", ((1000, 0.1), (5000, 0.02))),
    ],
)
def test_settings_reach_the_method(config, method, field, value, setting):
    setattr(config.estimator[method], field, value)
    config.validate()
    assert getattr(config.estimator[method].method_settings(), field) == setting


@pytest.mark.parametrize(
    ("method", "field", "value"),
    [
        ("neighbours", "n_neighbours", "many"),
        ("neighbours", "n_neighbours", 1),
        ("neighbours", "width_min", -0.1),
        ("neighbours", "seed", 1.5),
        ("trainz", "method", "guess"),
        ("template", "igm", "none of these"),
        ("template", "p_min", "small"),
        ("template", "marginalise_amplitude", "yes"),
        ("template", "prior_fallback", [1, 2]),
        ("template", "zero_point_factor", {"u": -1.0}),
        ("template", "zero_point_factor", {"u": "x"}),
        ("template", "zero_point_err", "2.0"),
        ("template", "filters", "[unclosed"),
        ("template", "filters", 3),
        ("template", "prior", "nobody's"),
        ("template", "template_err", "[[1000]]"),
        ("template", "no_such_setting", 1),
    ],
)
def test_wrong_values_are_refused(config, method, field, value):
    def put():
        config.estimator.name = method
        setattr(config.estimator[method], field, value)
        config.validate()

    with pytest.raises((pex_config.FieldValidationError, ConfigError, AttributeError), match=field):
        put()


def test_unknown_methods_are_refused(config):
    with pytest.raises(pex_config.FieldValidationError):
        config.estimator.name = "no_such_method"


def test_saved_and_loaded(config, tmp_path):
    config.estimator.name = "neighbours"
    config.estimator["neighbours"].n_neighbours = 40
    config.estimator["template"].zero_point_err = "{u: 0.02}"
    config.save(str(tmp_path / "config.py"))
    again = Holder()
    again.load(str(tmp_path / "config.py"))
    assert again == config
    assert pickle.loads(pickle.dumps(config.estimator["template"])) == config.estimator["template"]


def test_a_setting_may_have_any_name_and_type(monkeypatch):
    class OddConfig(EstimatorConfig):
        """Names that a configuration has itself, and types that no field has."""

        names: int = Field(default=3, ge=1, title="Names")
        values: tuple[int, ...] = Field(default=(1, 2), title="Values")
        pair: tuple[int, str] = Field(default=(1, "a"), title="Pair")
        nothing: dict[str, int] | None = Field(default=None, title="Nothing")

    class Odd:
        Config = OddConfig

    monkeypatch.setattr(estimator_subtask, "get_estimator", lambda _name: Odd)
    made = method_config("very-odd")()
    assert type(made).__name__ == "VeryOddMethodConfig"
    assert made.method_settings() == OddConfig()
    made.names_, made.values_, made.pair, made.nothing = 4, [5], '[2, "b"]', {"a": 1}
    assert made.method_settings() == OddConfig(names=4, values=(5,), pair=(2, "b"), nothing={"a": 1})
    with pytest.raises(pex_config.FieldValidationError):
        made.names_ = 0


def test_models_of_a_choice(config):
    sets = (tuple("griz"),)
    sky = synthetic_sky(100, seed=1)
    trained = ModelSet((get_estimator("trainz").train(sky.photometry, sky.z_spec),))
    assert config.estimator.apply().models(trained, sets) is trained
    with pytest.raises(ModelError, match="there are none"):
        config.estimator.apply().models(None, sets)
    config.estimator.name = "trainz"
    assert config.estimator.apply().models(trained, sets) is trained
    config.estimator.name = "neighbours"
    with pytest.raises(ModelError, match=r"'trainz', and estimator\.name is 'neighbours'"):
        config.estimator.apply().models(trained, sets)
    config.estimator.name = "template"
    config.estimator["template"].n_between = 0
    made = config.estimator.apply().models(None, sets)
    assert made.digest == default_model_set("template", sets, config={"n_between": 0}).digest


def test_bands_of_text():
    assert bands_of_text("griz") == ("g", "r", "i", "z")
    assert bands_of_text("g, J,Ks") == ("g", "J", "Ks")
    for wrong in ("", "gg", "g,,r"):
        with pytest.raises(ConfigError, match="each once"):
            bands_of_text(wrong)


def test_estimates_are_not_written_under_the_name_of_another_method():
    config = EstimatePzConfig()
    config.estimator.name = "neighbours"
    with pytest.raises(ConfigError, match="would be called 'template'"):
        config.validate()
    for name in ("neighbours", "neighbours_wide"):
        config.connections.algo = name
        config.validate()


def test_connections_follow_the_configuration():
    config = EstimatePzConfig()
    connections = config.connections.ConnectionsClass(config=config)
    assert connections.models.name == "photoz_model_template"
    assert "ensemble" not in connections.outputs
    config.write_ensemble = True
    config.estimator.name = "template"
    connections = config.connections.ConnectionsClass(config=config)
    assert connections.ensemble.name == "photoz_ensemble_template"
    assert not connections.prerequisiteInputs


def test_one_parameter_swaps_the_method_of_the_pipeline():
    path = str(files("pzcenter.pipelines.definitions") / "pz.yaml")
    pipeline = Pipeline.fromFile(f"{path}#inform,step3,step5")
    pipeline.addConfigOverride("parameters", "algo", "neighbours")
    graph = pipeline.to_graph()
    assert graph.tasks["trainPz"].config.method == "neighbours"
    names = {*graph.tasks["estimatePz"].inputs, *graph.tasks["estimatePz"].prerequisite_inputs}
    assert "models" in names
    types = {edge.dataset_type_name for task in graph.tasks.values() for edge in task.iter_all_inputs()}
    assert {"photoz_model_neighbours", "pz_estimate_neighbours", "pz_model_neighbours"} <= types
    assert not any(name.endswith("_template") for name in types)
