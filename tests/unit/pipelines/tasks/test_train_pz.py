"""Models are trained as datasets, one for each set of bands."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from lsst.daf.butler import Butler
from lsst.pipe.base import PipelineGraph
from lsst.pipe.base.simple_pipeline_executor import SimplePipelineExecutor

from pzcenter.catalogs import photometry_of
from pzcenter.errors import BandError, ColumnError, ConfigError, EmptyTableError
from pzcenter.estimators import get_estimator
from pzcenter.pipelines.repository.create import create_repository
from pzcenter.pipelines.tasks.train_pz import TrainPzTask
from pzcenter.testing import synthetic_sky

N_OBJ = 600


@pytest.fixture(scope="module")
def training_set():
    sky = synthetic_sky(N_OBJ, seed=5)
    photometry = sky.photometry
    columns = {"objectId": np.arange(N_OBJ)}
    for index, band in enumerate(photometry.bands):
        columns[f"flux_{band}"] = photometry.flux[:, index].astype(np.float32)
        columns[f"flux_err_{band}"] = photometry.flux_err[:, index].astype(np.float32)
    z_spec = sky.z_spec.astype(float).copy()
    z_spec[:50] = np.nan
    return pa.table({**columns, "z_spec": z_spec})


def task_for(algo, **values):
    config = TrainPzTask.ConfigClass()
    config.connections.algo = algo
    config.update(**values)
    config.validate()
    return TrainPzTask(config=config)


def test_one_model_for_each_set_of_bands(training_set):
    task = task_for("neighbours")
    models = task.run(training_set).models
    assert models.method == "neighbours"
    assert [model.bands for model in models.models] == [tuple("ugrizy"), tuple("griz")]
    assert task.metadata["n_train"] == N_OBJ - 50


def test_same_model_as_by_the_method_itself(training_set):
    models = task_for("neighbours", band_sets=["griz"]).run(training_set).models
    known = training_set.slice(50)
    photometry = photometry_of(known, tuple("griz"))
    direct = get_estimator("neighbours").train(photometry, known["z_spec"].to_numpy())
    rows = photometry.select(slice(0, 20))
    assert np.array_equal(models.models[0].estimate(rows).pdf, direct.estimate(rows).pdf)


def test_settings_of_the_method_are_used(training_set):
    config = TrainPzTask.ConfigClass()
    config.connections.algo = "close"
    config.estimator.name = "neighbours"
    config.estimator["neighbours"].n_neighbours = 7
    config.band_sets = ["griz"]
    models = TrainPzTask(config=config).run(training_set).models
    assert models.models[0].config.n_neighbours == 7


def test_the_name_of_another_method_is_refused():
    with pytest.raises(ConfigError, match=r"'trainz'.*called 'neighbours', which is another method"):
        task_for("neighbours", estimator="trainz")


def test_bad_training_sets_are_refused(training_set):
    task = task_for("trainz")
    with pytest.raises(ColumnError, match="no column z_spec"):
        task.run(training_set.drop_columns(["z_spec"]))
    with pytest.raises(EmptyTableError, match="none of the 50 objects"):
        task.run(training_set.slice(0, 50))
    with pytest.raises(BandError, match=r"ugrizy needs the bands \['y'\]"):
        task.run(training_set.drop_columns(["flux_y"]))


def test_models_are_stored_and_read_again(training_set, tmp_path):
    root = str(tmp_path / "repo")
    create_repository(root, algorithms=("trainz",))
    Butler.from_config(root, run="input").put(training_set, "pz_training_set")
    config = TrainPzTask.ConfigClass()
    config.connections.algo = "trainz"
    graph = PipelineGraph()
    graph.add_task("trainPz", TrainPzTask, config)
    butler = Butler.from_config(root, collections=["input"], run="models")
    SimplePipelineExecutor.from_pipeline_graph(graph, butler=butler).run(
        register_dataset_types=True, save_versions=False
    )
    stored = Butler.from_config(root, collections=["models"]).get("photoz_model_trainz")
    assert stored.digest == TrainPzTask(config=config).run(training_set).models.digest
    assert butler.get("trainPz_metadata", collections=["models"])["trainPz"]["n_train"] == N_OBJ - 50
