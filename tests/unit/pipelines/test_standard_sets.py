"""Standard sets: one test sample, training samples with declared selections, the same bytes each time."""

from __future__ import annotations

import json
import stat

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from pzcenter.catalogs import Manifest, verify_manifest
from pzcenter.errors import ConfigError, EmptyTableError, NotFoundError, OutputExistsError
from pzcenter.pipelines.standard_sets import make_standard_sets
from pzcenter.pipelines.stress_tests import read_stress_sources, run_stress_tests, write_stress_challenge
from pzcenter.simulation import simulate
from pzcenter.training.degradations import degradations_of
from pzcenter.validation.challenges import check_tree, create_challenge

SETTINGS = {
    "name": "small",
    "source": {"sky": "sky"},
    "selection": {"mag_range": {"i": [None, 25.3]}},
    "split": {"fractions": {"train": 0.5, "validation": 0.1, "test": 0.4}, "seed": 4},
    "variants": [
        {"name": "representative", "n_train": 400},
        {"name": "bright", "selection": {"mag_range": {"i": [None, 24.0]}}},
        {"name": "spectroscopic", "redshifts": "surveys"},
    ],
}


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    root = tmp_path_factory.mktemp("sets")
    simulate(root / "sky", n_obj=4000, seed=3)
    return root


def make(base, directory, **changes):
    path = base / "sets.yaml"
    path.write_text(yaml.safe_dump({**SETTINGS, **changes}))
    return make_standard_sets(path, directory)


@pytest.fixture(scope="module")
def made(base):
    return make(base, base / "made")


def sample(made, variant, name):
    return pq.read_table(made.directory / variant / f"{name}.parquet")


def test_all_variants_share_the_test_sample_and_train_on_no_object_of_it(made):
    tests = {(made.directory / name / "test.parquet").read_bytes() for name in made.report["variants"]}
    assert len(tests) == 1
    ids = {
        name: set(sample(made, "representative", name)["objectId"].to_pylist())
        for name in ("train", "validation", "test")
    }
    assert not ids["test"] & (ids["train"] | ids["validation"])
    assert not ids["train"] & ids["validation"]
    assert len(ids["train"]) == 400


def test_selections_are_kept_and_counted(made):
    mag = 31.4 - 2.5 * np.log10(np.asarray(sample(made, "bright", "train")["flux_i"]))
    assert mag.max() < 24.0
    words = made.report["variants"]
    assert words["representative"]["is_representative"]
    assert not words["bright"]["is_representative"]
    counts = words["bright"]["samples"]["train"]
    assert counts["n_in"] - sum(cut["n_removed"] for cut in counts["selection"]["cuts"]) == counts["n_out"]
    assert words["representative"]["distance_of_train_from_test"]["mag_i"] < 0.15
    assert words["bright"]["distance_of_train_from_test"]["mag_i"] > 0.3


def test_redshifts_of_surveys_choose_the_training_objects(made, base):
    train = sample(made, "spectroscopic", "train")
    surveys = pq.read_table(base / "sky" / "specz.parquet")
    assert set(train["objectId"].to_pylist()) <= set(surveys["objectId"].to_pylist())
    assert train["survey"].null_count == 0
    assert len(set(train["objectId"].to_pylist())) == train.num_rows


def test_same_settings_give_the_same_bytes(made, base):
    again = make(base, base / "again")
    assert Manifest.read(again.directory) == Manifest.read(made.directory)
    other = make(base, base / "other", split={**SETTINGS["split"], "seed": 5})
    assert Manifest.read(other.directory) != Manifest.read(made.directory)


def test_sets_are_for_their_owner_and_have_their_checksums(made):
    assert stat.S_IMODE(made.directory.stat().st_mode) == 0o700
    verify_manifest(made.directory)
    assert json.loads((made.directory / "report.json").read_text())["variants"].keys() == made.report["variants"].keys()
    assert yaml.safe_load((made.directory / "sets.yaml").read_text())["split"]["seed"] == 4


def test_simulation_can_be_made_for_it(base, tmp_path):
    source = {"simulate": {"n_obj": 1500, "seed": 2, "settings": {"years": 5, "star_fraction": 0.0}}}
    made = make(base, tmp_path / "x", source=source, variants=[{"name": "only"}])
    assert made.report["variants"]["only"]["samples"]["test"]["n_out"] > 200


def test_training_set_is_a_source(made, base, tmp_path, monkeypatch):
    """With the samples that it has, or with others."""
    from pzcenter.pipelines import standard_set_source as module

    table = pa.concat_tables(
        [sample(made, "bright", name).append_column("split", pa.array([name] * sample(made, "bright", name).num_rows))
         for name in ("train", "test")]
    )  # fmt: skip

    class Product:
        table_path = base / "sets.yaml"

        @staticmethod
        def table():
            return table

    monkeypatch.setattr(module, "open_product", lambda *_args, **_options: Product)
    kept = make(base, tmp_path / "a", source={"training_set": "x"}, keep_split=True, variants=[{"name": "v"}])
    rows = {name: each["n_out"] for name, each in kept.report["variants"]["v"]["samples"].items()}
    assert rows == {name: sample(made, "bright", name).num_rows for name in ("train", "test")}
    split = make(base, tmp_path / "b", source={"training_set": "x"}, variants=[{"name": "v"}])
    assert set(split.report["variants"]["v"]["samples"]) == {"train", "validation", "test"}


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"colour": "red"}, ConfigError, "colour"),
        ({"source": {}}, ConfigError, "one of simulate, sky, training_set"),
        ({"source": {"sky": "a", "training_set": "b"}}, ConfigError, "one of"),
        ({"source": {"sky": "nowhere"}}, NotFoundError, "no simulated sky"),
        ({"source": {"training_set": "b"}}, ConfigError, "surveys is for simulations"),
        ({"keep_split": True}, ConfigError, "keep_split"),
        ({"split": {"fractions": {"train": 0.5, "exam": 0.5}}}, ConfigError, "exam"),
        ({"variants": [{"name": "a"}, {"name": "A"}]}, ConfigError, "a name of its own"),
        ({"variants": [{"name": "a", "selection": {"z_min": 9.0}}]}, EmptyTableError, "'a'"),
        ({"source": {"simulate": {"n_obj": 500, "settings": {"years": -1}}}}, ConfigError, "years"),
    ],
)
def test_settings_that_cannot_be(base, tmp_path, changes, error, words):
    with pytest.raises(error, match=words):
        make(base, tmp_path / "x", **changes)
    assert not list(tmp_path.iterdir())


def test_sets_are_never_overwritten(made, base):
    with pytest.raises(OutputExistsError):
        make(base, made.directory)


def test_stress_tests_degrade_the_training_set_alone(made, tmp_path):
    wanted = degradations_of(mag_cuts=[("i", 24.5)], missing_z=[(0.5, 0.8)], missing_bands=["u"])
    sources = read_stress_sources(made.directory / "representative")
    path = write_stress_challenge(sources, wanted, tmp_path / "stress")
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    challenge = create_challenge(path, tmp_path / "challenge")
    assert challenge.settings.scenario_names == tuple(each.name for each in wanted)
    assert check_tree(challenge) == []
    bands = [pq.read_schema(challenge.public / "without_u" / f"{role}.parquet").names for role in ("training", "test")]
    assert ["flux_u" in names for names in bands] == [False, True]
    with pytest.raises(OutputExistsError):
        write_stress_challenge(sources, wanted, tmp_path / "stress")


def test_method_is_trained_and_scored_on_each_degraded_set(made, tmp_path):
    wanted = degradations_of(missing_z=[(0.5, 0.8)], missing_bands=["u"])
    sources = read_stress_sources(made.directory / "representative")
    results = run_stress_tests(sources, wanted, "trainz", path=tmp_path / "stress.json", n_bootstrap=10)
    assert [(each.name, each.failure) for each in results] == [(each.name, "") for each in wanted]
    assert results[0].values["crps"] == results[2].values["crps"], "trainz knows no bands"
    assert results[0].values["crps"] != results[1].values["crps"]
    assert json.loads((tmp_path / "stress.json").read_text())["method"] == "trainz"
    with pytest.raises(NotFoundError, match="no_such"):
        run_stress_tests(sources, wanted, "no_such")


def test_degradation_that_fails_stops_no_other(made):
    wanted = degradations_of(mag_cuts=[("i", 10.0)], missing_bands=["y"])
    sources = read_stress_sources(
        made.directory / "representative" / "train.parquet", made.directory / "representative" / "test.parquet"
    )
    results = run_stress_tests(sources, wanted, "trainz", n_bootstrap=10)
    assert [bool(each.failure) for each in results] == [False, True, False]
    assert "0 of 400 rows stay" in results[1].failure
