"""Methods of RAIL behind our protocol."""

from __future__ import annotations

import pickle
from dataclasses import replace

import numpy as np
import pytest
import yaml

from pzcenter.errors import (
    BandError,
    ChecksumError,
    ConfigError,
    EmptyTableError,
    ExecutorError,
    ModelError,
    NotFoundError,
    StorageError,
)
from pzcenter.estimators import get_estimator, load_model
from pzcenter.estimators.protocol import checked_config
from pzcenter.estimators.rail import rail_names, trust_model
from pzcenter.estimators.rail.trust import trust_directory
from pzcenter.estimators.storage import ARRAYS_FILE, MANIFEST_FILE, _digest, read_model, write_model
from pzcenter.schema import PZFlag
from pzcenter.testing.estimator_suite import assert_densities, assert_same
from pzcenter.testing.synthetic import synthetic_sky

TRAIN, TEST = synthetic_sky(80, seed=1), synthetic_sky(30, seed=2)


def trained(name="rail:Counts", photometry=TRAIN.photometry, **config):
    method = get_estimator(name)
    return method.train(photometry, TRAIN.z_spec, config=checked_config(method.Config, config))


def seen_by_rail(model):
    """What the informer was given."""
    return pickle.loads(model._content)


def forget_trust():
    for path in (trust_directory() / "trusted").iterdir():
        path.unlink()


def test_names_are_listed():
    assert "rail:Counts" in rail_names()


def test_an_unknown_name_is_answered_with_the_nearest():
    with pytest.raises(NotFoundError, match="Do you mean rail:Counts") as told:
        get_estimator("rail:count")
    assert "rail:Raising" in str(told.value)
    with pytest.raises(NotFoundError, match="not the name of a method"):
        get_estimator("rail:../x")


def test_gives_densities():
    model = trained()
    pz = model.estimate(TEST.photometry)
    assert_densities(pz, TEST.photometry)
    assert not pz.flags.any()
    assert model.name == "rail:Counts"
    assert model.cpu_s > 0


def test_rail_gets_its_own_columns_and_the_grid():
    seen = seen_by_rail(trained(photometry=TRAIN.photometry.with_bands(("r", "i", "g"))))
    assert list(seen["table"]) == [
        *(f"mag_{band}_lsst" for band in "gri"),
        *(f"mag_err_{band}_lsst" for band in "gri"),
        "redshift",
    ]
    assert seen["table"]["redshift"] == sorted(TRAIN.z_spec)
    given = seen["given"]
    assert (given["zmin"], given["zmax"], given["nzbins"], given["nondetect_val"]) == (0.0, 3.0, 301, 99.0)
    assert given["filter_list"] == ["DC2LSST_g", "DC2LSST_r", "DC2LSST_i"]


def test_parameters_reach_rail():
    seen = seen_by_rail(trained(width=0.05, only_informer=True, flavour="sweet", table_of_things={"depth": 4}))
    wanted = {"width": 0.05, "only_informer": True, "flavour": "sweet", "table_of_things": {"depth": 4}}
    assert {name: seen["given"][name] for name in wanted} == wanted
    narrow, wide = (trained(width=width).estimate(TEST.photometry).pdf.max() for width in (0.05, 0.5))
    assert narrow > wide


def test_a_wrong_parameter_is_answered_with_those_accepted():
    with pytest.raises(ConfigError, match="Do you mean width") as told:
        trained(widht=0.1)
    assert "n_near (int, 20)" in str(told.value)
    with pytest.raises(ConfigError, match="width"):
        trained(width="wide")


def test_bands_can_be_chosen():
    model = trained(use_bands=("g", "i"))
    assert model.bands == ("g", "i")
    with pytest.raises(BandError, match="use_bands"):
        trained(use_bands=("g", "K"))


def test_a_missing_band_is_told():
    model = trained()
    with pytest.raises(BandError, match="'u'"):
        model.estimate(TEST.photometry.with_bands(("g", "r", "i", "z", "y")))


def test_a_column_of_nan_is_a_band_of_non_detections():
    flux = TRAIN.photometry.flux.copy()
    flux[:, 0] = np.nan
    seen = seen_by_rail(trained(photometry=replace(TRAIN.photometry, flux=flux)))
    assert set(seen["table"]["mag_u_lsst"]) == {99.0}


def test_objects_that_lack_bands_can_be_flagged_instead():
    flux = TEST.photometry.flux.copy()
    flux[::3, 0] = np.nan
    pz = trained(missing_bands="flag").estimate(replace(TEST.photometry, flux=flux))
    assert_densities(pz, TEST.photometry)
    np.testing.assert_array_equal((pz.flags & PZFlag.no_estimate) != 0, np.arange(30) % 3 == 0)


def test_objects_without_photometry_never_reach_rail():
    flux = TEST.photometry.flux.copy()
    flux[1] = np.nan
    model = trained()
    pz = model.estimate(replace(TEST.photometry, flux=flux))
    assert np.isnan(pz.pdf[1]).all()
    np.testing.assert_array_equal(pz.pdf[2:], model.estimate(TEST.photometry).pdf[2:])


def test_batches_change_nothing(monkeypatch):
    model = trained()
    whole = model.estimate(TEST.photometry)
    monkeypatch.setenv("PZCENTER_RAIL_BATCH_SIZE", "7")
    assert_same(model.estimate(TEST.photometry), whole)


def test_models_take_turns_in_one_process():
    narrow, wide = trained(width=0.05), trained(width=0.5)
    before = narrow.estimate(TEST.photometry), wide.estimate(TEST.photometry)
    assert_same(narrow.estimate(TEST.photometry), before[0])
    assert_same(wide.estimate(TEST.photometry), before[1])


def test_rows_that_are_no_densities_are_flagged():
    pz = trained("rail:Holes").estimate(TEST.photometry)
    assert_densities(pz, TEST.photometry)
    np.testing.assert_array_equal((pz.flags & PZFlag.no_estimate) != 0, np.arange(30) % 4 < 2)


def test_an_uneven_grid_is_taken():
    method = get_estimator("rail:Counts")
    z_grid = np.geomspace(1, 4.5, 100) - 1
    pz = method.train(TRAIN.photometry, TRAIN.z_spec, z_grid=z_grid).estimate(TEST.photometry)
    np.testing.assert_array_equal(pz.z_grid, z_grid)
    assert_densities(pz, TEST.photometry)


def test_bad_training_sets_are_refused_before_rail_sees_them():
    method = get_estimator("rail:Counts")
    with pytest.raises(EmptyTableError):
        method.train(TRAIN.photometry.select(slice(0, 0)), TRAIN.z_spec[:0])
    with pytest.raises(ModelError, match="at least 20"):
        method.train(TRAIN.photometry.select(slice(0, 10)), TRAIN.z_spec[:10])
    with pytest.raises(ModelError, match="not finite"):
        method.train(TRAIN.photometry, np.full(80, np.nan))


def test_there_is_no_model_without_training():
    with pytest.raises(ModelError, match="train it"):
        get_estimator("rail:Counts").default()


def test_a_training_that_fails_says_why_and_trusts_nothing():
    with pytest.raises(ModelError, match="training rail:Raising by RAIL failed: ValueError"):
        trained("rail:Raising")
    assert not (trust_directory() / "trusted").exists()


def test_a_place_without_records_is_told_before_the_training(monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("PZCENTER_RAIL_TRUST_DIRECTORY", str(tmp_path / "file" / "below"))
    with pytest.raises(StorageError, match="PZCENTER_RAIL_TRUST_DIRECTORY"):
        trained("rail:Raising")


def test_a_killed_worker_is_told_and_the_next_estimate_works():
    model, dying = trained(), trained("rail:Dying")
    whole = model.estimate(TEST.photometry)
    with pytest.raises(ExecutorError, match="signal 9"):
        dying.estimate(TEST.photometry)
    assert_same(model.estimate(TEST.photometry), whole)


def test_a_long_batch_is_ended(monkeypatch):
    model = trained("rail:Sleeping")
    monkeypatch.setenv("PZCENTER_RAIL_BATCH_S", "0.5")
    with pytest.raises(ExecutorError, match="PZCENTER_RAIL_TRAIN_S and PZCENTER_RAIL_BATCH_S"):
        model.estimate(TEST.photometry)


def test_much_memory_is_refused(monkeypatch):
    monkeypatch.setenv("PZCENTER_RAIL_MEMORY_GB", "1")
    with pytest.raises(ExecutorError, match="PZCENTER_RAIL_MEMORY_GB"):
        trained("rail:Greedy")


# Models on disk


def test_a_saved_model_holds_no_file_that_can_run(tmp_path):
    model = trained()
    model.save(tmp_path / "model")
    assert sorted(path.name for path in (tmp_path / "model").iterdir()) == [ARRAYS_FILE, MANIFEST_FILE]
    loaded = load_model(tmp_path / "model")
    assert_same(loaded.estimate(TEST.photometry), model.estimate(TEST.photometry))
    assert loaded.versions["python"]


def test_a_model_of_somebody_else_is_refused_until_it_is_trusted(tmp_path):
    model = trained()
    model.save(tmp_path / "model")
    forget_trust()
    with pytest.raises(ModelError, match=f"pz model trust {tmp_path / 'model'}"):
        load_model(tmp_path / "model")
    sha256 = trust_model(tmp_path / "model")
    assert sha256 == model._sha256
    assert_densities(load_model(tmp_path / "model").estimate(TEST.photometry), TEST.photometry)


def test_a_model_that_lost_its_trust_is_not_opened(tmp_path):
    trained().save(tmp_path / "model")
    loaded = load_model(tmp_path / "model")
    forget_trust()
    with pytest.raises(ModelError, match="pz model trust"):
        loaded.estimate(TEST.photometry)


def test_a_copy_of_a_trusted_model_is_trusted(tmp_path):
    trained().save(tmp_path / "model")
    (tmp_path / "model").rename(tmp_path / "moved")
    load_model(tmp_path / "moved").save(tmp_path / "copy")
    assert load_model(tmp_path / "copy").name == "rail:Counts"


def test_a_changed_byte_is_refused(tmp_path):
    trained().save(tmp_path / "model")
    path = tmp_path / "model" / ARRAYS_FILE
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(ChecksumError):
        load_model(tmp_path / "model")


@pytest.mark.parametrize("honest", [True, False])
def test_another_pickle_under_a_new_manifest_is_refused(tmp_path, honest):
    """Whoever can write the directory can make a manifest that fits; the trust is in the pickle's own checksum."""
    trained().save(tmp_path / "model")
    stored = read_model(tmp_path / "model", estimator="rail:Counts")
    evil = b"cos\nsystem\n(S'exit 1'\ntR."
    facts = dict(stored.manifest.facts)
    if honest:
        import hashlib

        facts["pickle_sha256"] = hashlib.sha256(evil).hexdigest()
    write_model(
        tmp_path / "forged",
        estimator="rail:Counts",
        config=checked_config(get_estimator("rail:Counts").Config, stored.manifest.config),
        bands=stored.manifest.bands,
        z_grid=stored.z_grid,
        arrays={"rail_model": np.frombuffer(evil, dtype=np.uint8)},
        training=stored.training,
        facts=facts,
    )
    with pytest.raises(ModelError if honest else ChecksumError):
        load_model(tmp_path / "forged")


def test_a_trusted_pickle_is_not_opened_by_another_method(tmp_path):
    trained().save(tmp_path / "model")
    path = tmp_path / "model" / MANIFEST_FILE
    plain = yaml.safe_load(path.read_text())
    plain["estimator"] = "rail:Holes"
    plain.pop("digest")
    path.write_text(yaml.safe_dump({**plain, "digest": _digest(plain)}))
    with pytest.raises(ModelError, match="not trained here"):
        load_model(tmp_path / "model")


def test_models_that_are_data_need_no_trust(tmp_path):
    get_estimator("trainz").train(TRAIN.photometry, TRAIN.z_spec).save(tmp_path / "model")
    with pytest.raises(ModelError, match="needs no trust"):
        trust_model(tmp_path / "model")
