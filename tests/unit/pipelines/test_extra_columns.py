from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pzcenter.catalogs import open_catalog, read_provenance
from pzcenter.errors import ColumnError, DuplicateIdError, OutputExistsError, UnitError
from pzcenter.estimators import get_estimator, load_model
from pzcenter.estimators.template_physical import physical_quantities
from pzcenter.pipelines import estimate_catalog, estimate_partition, train_model
from pzcenter.pipelines.extra_columns import ClassProbabilities, ExtraColumns, read_class_probabilities
from pzcenter.schema import PZFlag
from pzcenter.testing import synthetic_sky

BANDS = "ugrizy"


def skinny_of(sky):
    n = sky.z_spec.size
    columns = {"objectId": np.arange(n)}
    for place, band in enumerate(BANDS):
        columns[f"flux_{band}"] = sky.photometry.flux[:, place]
        columns[f"flux_err_{band}"] = sky.photometry.flux_err[:, place]
    return pa.table(columns | {"z_spec": sky.z_spec, "flags": np.zeros(n, np.uint32)})


@pytest.fixture(scope="module")
def room(tmp_path_factory):
    place = tmp_path_factory.mktemp("extras")
    pq.write_table(skinny_of(synthetic_sky(300, seed=1)), place / "target.parquet")
    train_model(place / "target.parquet", place / "tz", "trainz")
    p_star = np.where(np.arange(100) % 2, 0.9, 0.1)
    pq.write_table(pa.table({"objectId": np.arange(100)[::-1], "p_star": p_star[::-1]}), place / "classes.parquet")
    return place


def core_of(run):
    return open_catalog(run / "pz").read()


def test_run_has_no_extra_columns_by_itself(room, tmp_path):
    estimate_catalog(room / "target.parquet", tmp_path / "run", model=room / "tz", report=False, workers=1)
    assert not {"p_star", "p_agn", "phys_chi2", "mag_abs_r"} & set(core_of(tmp_path / "run").column_names)


def test_class_probabilities_are_joined_by_id(room, tmp_path):
    made = estimate_catalog(
        room / "target.parquet", tmp_path / "run", model=room / "tz", report=False, workers=1,
        classes=room / "classes.parquet",
    )  # fmt: skip
    assert made.n_flagged["star_like"] == 50
    assert f"100 of {made.run.n_obj:,} objects have p_star" in made.notes[0]
    core = core_of(tmp_path / "run")
    ids, p_star = core.column("objectId").to_numpy(), core.column("p_star").to_numpy()
    np.testing.assert_allclose(p_star[ids < 100], np.where(ids[ids < 100] % 2, 0.9, 0.1), rtol=1e-6)
    assert np.isnan(p_star[ids >= 100]).all() and "p_agn" not in core.column_names
    is_star = (core.column("flags").to_numpy() & int(PZFlag.star_like)) > 0
    np.testing.assert_array_equal(is_star, (ids < 100) & (ids % 2 == 1))
    record = read_provenance(tmp_path / "run")
    assert record["counts"]["objects with p_star"] == 100
    assert any("classes" in each["path"] for each in record["inputs"])


def test_other_extra_columns_are_another_run(room, tmp_path):
    arguments = {"model": room / "tz", "report": False, "workers": 1}
    estimate_catalog(room / "target.parquet", tmp_path / "run", **arguments)
    (tmp_path / "run" / "provenance.json").unlink()
    (tmp_path / "run" / "pz" / "manifest.json").unlink()
    with pytest.raises(OutputExistsError, match="other input"):
        estimate_catalog(room / "target.parquet", tmp_path / "run", classes=room / "classes.parquet", **arguments)


@pytest.mark.parametrize("method", ["template", "trainz"])
def test_physical_columns_are_those_of_the_template_fit(room, tmp_path, method):
    model = room / "tz" if method == "trainz" else "template"
    estimate_catalog(room / "target.parquet", tmp_path / "run", model=model, report=False, workers=1, physical=True)
    core = core_of(tmp_path / "run")
    folder = "model" if method == "template" else "physical_model"
    templates = load_model(tmp_path / "run" / folder)
    sky = synthetic_sky(300, seed=1)
    direct = physical_quantities(templates, sky.photometry, core.column("z_best").to_numpy())
    np.testing.assert_array_equal(core.column("phys_template_id").to_numpy(), direct.template_id)
    np.testing.assert_allclose(core.column("phys_chi2").to_numpy(), direct.chi2, rtol=1e-6)
    for place, band in enumerate(templates.bands):
        np.testing.assert_allclose(core.column(f"mag_abs_{band}").to_numpy(), direct.mag_abs[:, place], rtol=1e-6)
    assert np.isfinite(core.column("mag_abs_r").to_numpy()).all()


def test_method_may_give_probabilities_and_a_table_is_stronger():
    sky = synthetic_sky(20, seed=2)
    skinny = skinny_of(sky)
    model = get_estimator("trainz").train(sky.photometry, sky.z_spec)

    class Classifier:
        bands, z_grid = model.bands, model.z_grid

        def estimate(self, photometry):
            n = photometry.n_obj
            return replace(
                model.estimate(photometry), p_star=np.full(n, 0.2, np.float32), p_agn=np.full(n, 0.8, np.float32)
            )

    own = estimate_partition(skinny, Classifier()).pz
    np.testing.assert_allclose(own.column("p_agn").to_numpy(), 0.8)
    assert (own.column("flags").to_numpy() & int(PZFlag.agn_like)).all()
    table = ClassProbabilities(np.arange(20), {"p_star": np.full(20, 0.7, np.float32)})
    joined = estimate_partition(skinny, Classifier(), extras=ExtraColumns(None, table)).pz
    np.testing.assert_allclose(joined.column("p_star").to_numpy(), 0.7)
    np.testing.assert_allclose(joined.column("p_agn").to_numpy(), 0.8)


@pytest.mark.parametrize(
    ("columns", "error"),
    [
        ({"objectId": [1, 2], "p_star": [0.1, 1.2]}, UnitError),
        ({"objectId": [1, 2], "p_star": [0.1, -0.1]}, UnitError),
        ({"objectId": [1, 1], "p_star": [0.1, 0.2]}, DuplicateIdError),
        ({"objectId": [1, 2], "class": [0.1, 0.2]}, ColumnError),
        ({"name": [1, 2], "p_star": [0.1, 0.2]}, ColumnError),
    ],
)
def test_bad_tables_of_classes_are_refused(tmp_path, columns, error):
    pq.write_table(pa.table(columns), tmp_path / "classes.parquet")
    with pytest.raises(error):
        read_class_probabilities(tmp_path / "classes.parquet")


def test_missing_probabilities_stay_missing(tmp_path):
    pq.write_table(pa.table({"id": [3, 1], "p_star": [0.5, np.nan], "p_agn": [0.0, 1.0]}), tmp_path / "c.parquet")
    found = read_class_probabilities(tmp_path / "c.parquet").of(np.array([1, 2, 3]))
    np.testing.assert_allclose(found["p_star"], [np.nan, np.nan, 0.5])
    np.testing.assert_allclose(found["p_agn"], [1.0, np.nan, 0.0])
