from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pzcenter.errors import ConfigError, EmptyTableError
from pzcenter.estimators import get_estimator, model_digest
from pzcenter.estimators.model_card import read_card
from pzcenter.estimators.model_description import describe_model
from pzcenter.pipelines import prepare_model, train_model
from pzcenter.pipelines.compare_models import compare_models
from pzcenter.pipelines.model_cards import MessageRecorder, held_out_rows
from pzcenter.pipelines.model_pages import write_model_page, write_models_page
from pzcenter.testing import synthetic_sky

BANDS = "ugrizy"


def write_table(path, sky, first_id=0):
    columns = {"objectId": np.arange(first_id, first_id + sky.z_spec.size)}
    for place, band in enumerate(BANDS):
        columns[f"flux_{band}"] = sky.photometry.flux[:, place]
        columns[f"flux_err_{band}"] = sky.photometry.flux_err[:, place]
    columns |= {"z_spec": sky.z_spec, "flags": np.zeros(sky.z_spec.size, np.uint32)}
    pq.write_table(pa.table(columns), path)
    return path


@pytest.fixture(scope="module")
def room(tmp_path_factory):
    place = tmp_path_factory.mktemp("models")
    train = write_table(place / "train.parquet", synthetic_sky(800, seed=1))
    write_table(place / "test.parquet", synthetic_sky(400, seed=2), first_id=10_000)
    train_model(train, place / "knn", "neighbours", hold_out=0.25, licence="CC0", command=["pz", "train"])
    train_model(train, place / "tz", "trainz", test=place / "test.parquet")
    return place


def test_training_leaves_a_card(room):
    card = read_card(room / "knn")
    assert card is not None
    assert card.n_with_redshift == 800 and card.n_used + card.n_held_out == 800
    assert 130 < card.n_held_out < 270
    (source,) = card.sources
    assert source.n_rows == 800 and source.role == "photometry" and len(source.sha256) == 64
    metrics = {row.metric: row for row in card.metrics}
    assert metrics["cde_loss"].n_obj == card.n_held_out and metrics["sigma_nmad"].error > 0
    assert card.licence == "CC0" and card.command == ("pz", "train")
    assert sum(card.domain.z_counts) == card.n_used
    assert "pzcenter" in describe_model(room / "knn").plain()["versions"]


def test_metrics_can_be_of_a_test_table(room):
    card = read_card(room / "tz")
    assert card.n_held_out == 0 and card.metrics[0].n_obj == 400
    assert [source.role for source in card.sources] == ["photometry", "test"]
    assert "test.parquet" in card.metrics_on


def test_training_objects_in_the_test_table_are_told(room, tmp_path):
    made = train_model(room / "train.parquet", tmp_path / "tz", "trainz", test=room / "train.parquet")
    assert made.card.metrics == ()
    assert "800 objects of the test table have ids of training objects" in made.card.notes[0]


def test_card_comes_along_to_a_run(room, tmp_path):
    target = prepare_model(room / "knn", tmp_path)
    assert model_digest(target) == model_digest(room / "knn")
    assert read_card(target) == read_card(room / "knn")


def test_held_out_objects_depend_on_their_ids_alone():
    ids = np.arange(10_000)
    chosen = held_out_rows(ids, 0.3)
    assert abs(chosen.mean() - 0.3) < 0.02
    order = np.random.default_rng(0).permutation(ids)
    np.testing.assert_array_equal(held_out_rows(ids[order], 0.3), chosen[order])
    assert not held_out_rows(ids, 0.0).any()
    with pytest.raises(ConfigError, match=r"1\.5"):
        held_out_rows(ids, 1.5)


def test_messages_are_few():
    recorder = MessageRecorder()
    for k in range(5000):
        recorder(k / 5000, f"{k} seen")
    assert len(recorder.messages) == 200
    assert recorder.messages[-1].text == "4999 seen"


def test_cards_are_compared_without_a_table(room):
    made = compare_models([room / "knn", room / "tz"])
    assert made.on is None and "not comparable" in made.notes[0]
    assert [model.label for model in made.models] == ["knn", "tz"]


def test_models_are_measured_on_the_same_objects(room, tmp_path):
    made = compare_models([room / "knn", room / "tz", room / "knn"], on=room / "test.parquet", n_bootstrap=20)
    assert [model.label for model in made.models] == ["knn", "tz", "knn (2)"]
    loss = [next(row for row in model.metrics if row.metric == "cde_loss") for model in made.models]
    assert {row.n_obj for row in loss} == {400}
    assert loss[0].value == loss[2].value < loss[1].value
    plain = made.plain()
    assert plain["models"][0]["metrics"]["sigma_nmad"]["error"] > 0
    page = write_models_page(tmp_path / "models.html", made).read_text()
    assert page.count("data:image/png") >= 3 and "<script" not in page
    card = write_model_page(tmp_path / "card.html", describe_model(room / "knn")).read_text()
    assert "CC0" in card and "http:" not in card and "https:" not in card


def test_training_objects_can_be_left_out_of_a_comparison(room):
    with pytest.raises(EmptyTableError, match="800"):
        compare_models([room / "tz"], on=room / "train.parquet", trained_on=room / "train.parquet")


def test_model_in_other_bands_fails_alone(room, tmp_path):
    sky = synthetic_sky(200, seed=4, bands=("g", "r", "i"))
    get_estimator("trainz").train(sky.photometry, sky.z_spec).save(tmp_path / "gri")
    table = pq.read_table(room / "test.parquet").drop_columns(["flux_u", "flux_err_u"])
    pq.write_table(table, tmp_path / "five.parquet")
    made = compare_models([tmp_path / "gri", room / "tz"], on=tmp_path / "five.parquet", n_bootstrap=5)
    assert made.models[0].failure == "" and made.models[0].metrics
    assert "u" in made.models[1].failure and not made.models[1].metrics


def test_no_models_are_refused():
    with pytest.raises(ConfigError, match="got 0"):
        compare_models([])
