import sys
from importlib.metadata import EntryPoint
from types import SimpleNamespace
from typing import ClassVar

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pzcenter.errors import BandError, ColumnError, ConfigError, EmptyTableError, ModelError, NotFoundError, UsageError
from pzcenter.training import subsample as registry
from pzcenter.training.augmentation import NoiseAugmentationSettings, error_model
from pzcenter.training.neighbour_weights import density_ratios
from pzcenter.training.som_resampling import fill_cells
from pzcenter.training.subsample import Subsample, SubsampleSettings, get_subsampler, subsample, subsampler_names

BANDS = ("g", "r", "i", "z")


def objects(n, seed, *, slope=1.0, noise=20.0):
    rng = np.random.default_rng(seed)
    mag, z = 25.0 - slope * rng.exponential(1.5, n), rng.uniform(0, 2, n)
    colour = {"g": 1.5 * np.sin(z) + 0.3, "r": 0.8 * np.cos(z), "i": 0 * z, "z": -0.5 * z}
    columns = {"objectId": rng.permutation(10 * n)[:n], "z_spec": z, "survey": rng.choice(["DESI", "SDSS", "VVDS"], n)}
    for band in BANDS:
        flux = 10 ** (-0.4 * (mag + colour[band] - 31.4))
        err = np.hypot(noise * rng.lognormal(0, 0.1, n), 0.02 * flux)
        columns |= {
            f"flux_{band}": (flux + err * rng.normal(size=n)).astype("f4"),
            f"flux_err_{band}": err.astype("f4"),
        }
    return pa.table(columns)


@pytest.fixture(scope="module")
def training():
    return objects(4000, 1, slope=2.0)


@pytest.fixture(scope="module")
def target():
    return objects(20_000, 2)


def mag_i(table):
    return 31.4 - 2.5 * np.log10(np.maximum(table["flux_i"].to_numpy(), 1.0))


@pytest.mark.parametrize("method", subsampler_names())
def test_every_method_ignores_the_order_of_the_rows(training, target, method):
    order = np.random.default_rng(3).permutation(training.num_rows)
    straight, report = subsample(training, method, target, seed=5)
    shuffled, _ = subsample(training.take(order), method, target, seed=5)
    assert np.allclose(straight.weight[order], shuffled.weight)
    for name, values in straight.columns.items():
        assert np.allclose(values[order], shuffled.columns[name])
    done = straight.apply(training)
    assert done.num_rows == report.n_out
    assert report.n_in == 4000 and 0 < report.n_effective <= report.n_out + 1e-6
    assert report.sentences[0].startswith(f"{method} with seed 5")
    assert set(report.as_dict()["settings"]) == set(get_subsampler(method).Settings.model_fields)


@pytest.mark.parametrize("method", subsampler_names())
def test_every_method_says_what_it_is(method):
    found = get_subsampler(method)
    assert found.title.endswith(".") and isinstance(found.needs_target, bool)
    assert all(field.title and field.description for field in found.Settings.model_fields.values())


def cells_of(table, width=0.1):
    z = np.floor(table["z_spec"].to_numpy() / width + 1e-6)
    mag = np.floor((31.4 - 2.5 * np.log10(table["flux_i"].to_numpy().astype(float))) / width + 1e-6)
    return list(zip(mag, z, strict=True))


def test_cell_cap_holds_in_every_cell_and_takes_no_more_than_it_must(training):
    sample, report = subsample(training, "cell_cap", n_max=3)
    before, after = (np.unique(cells_of(t), axis=0, return_counts=True)[1] for t in (training, sample.apply(training)))
    assert after.max() == 3
    assert after.sum() == np.minimum(before, 3).sum() == report.n_out
    assert report.counts["rows_above_the_cap"] == training.num_rows - report.n_out
    assert report.counts["objects_in_the_fullest_cell_before"] == before.max()


def test_cell_cap_by_survey_leaves_the_others_alone(training):
    sample, report = subsample(training, "cell_cap", n_max=None, n_max_by_survey={"desi": 2, "2MRS": 1})
    done = sample.apply(training)
    survey = np.array(done["survey"].to_pylist())
    for name in ("SDSS", "VVDS"):
        assert np.count_nonzero(survey == name) == np.count_nonzero(np.array(training["survey"].to_pylist()) == name)
    assert np.unique(cells_of(done.filter(survey == "DESI")), axis=0, return_counts=True)[1].max() == 2
    assert report.counts["rows_of_survey_2MRS"] == 0


def test_cell_cap_by_split(training):
    split = np.where(np.arange(training.num_rows) % 2, "test", "train")
    table = training.append_column("split", pa.array(split))
    done = subsample(table, "cell_cap", n_max=5, n_max_by_split={"test": 1})[0].apply(table)
    for name, cap in (("train", 5), ("test", 1)):
        part = done.filter(np.array(done["split"].to_pylist()) == name)
        assert np.unique(cells_of(part), axis=0, return_counts=True)[1].max() == cap


def test_cell_cap_counts_what_it_cannot_place(training):
    z = training["z_spec"].to_numpy().copy()
    z[:7] = np.nan
    table = training.set_column(1, "z_spec", pa.array(z))
    sample, report = subsample(table, "cell_cap")
    assert report.counts["rows_without_magnitude_or_redshift"] >= 7 and not sample.mask[:7].any()
    with pytest.raises(ColumnError, match="split"):
        subsample(table, "cell_cap", n_max_by_split={"test": 20})
    with pytest.raises(BandError, match="flux_K"):
        subsample(table, "cell_cap", mag_band="K")


def test_som_resampling_looks_like_the_target(training, target):
    sample, report = subsample(training, "som_resampling", target)
    done = sample.apply(training)
    assert abs(np.median(mag_i(done)) - np.median(mag_i(target))) < 0.15
    assert abs(np.median(mag_i(training)) - np.median(mag_i(target))) > 0.5
    assert report.n_out == report.counts["rows_wanted"] - report.counts["rows_missing_in_cells_that_ran_dry"]
    assert "weight" not in done.column_names


def test_som_resampling_with_repeats_gives_weights(training, target):
    sample, report = subsample(training, "som_resampling", target, replace=True, n_rows=3000)
    done = sample.apply(training)
    assert sample.weight.sum() == 3000 == done["weight"].to_numpy().sum()
    assert report.counts["rows_missing_in_cells_that_ran_dry"] == 0
    mean = np.average(mag_i(done), weights=done["weight"].to_numpy())
    assert abs(mean - mag_i(target).mean()) < 0.15


@settings(deadline=None)
@given(seed=st.integers(0, 999), n=st.integers(1, 60), replace=st.booleans())
def test_filled_cells(seed, n, replace):
    rng = np.random.default_rng(seed)
    cell, wanted = rng.integers(0, 5, n).astype(np.int32), rng.integers(0, 20, 5)
    times = fill_cells(cell, rng.permutation(n).astype(np.uint64), wanted, replace=replace)
    for one in np.unique(cell):
        here = times[cell == one]
        assert here.sum() == (wanted[one] if replace else min(wanted[one], here.size))
        assert here.max() - here.min() <= 1


def test_neighbour_weights_make_the_sample_look_like_the_target(training, target):
    sample, report = subsample(training, "neighbour_weights", target)
    placed = sample.weight[sample.weight >= 0]
    assert placed.sum() == pytest.approx(4000 - report.counts["rows_without_all_bands"])
    pairs = ((mag_i(training), mag_i(target)), (training["z_spec"].to_numpy(), target["z_spec"].to_numpy()))
    for values, of_target in pairs:
        off = abs(values.mean() - of_target.mean())
        assert abs(np.average(values, weights=sample.weight) - of_target.mean()) < max(0.25 * off, 0.05)


def test_density_ratios_are_one_for_one_distribution():
    rng = np.random.default_rng(0)
    ratio = density_ratios(rng.normal(size=(3000, 2)), rng.normal(size=(30_000, 2)), 50)
    assert ratio.mean() == pytest.approx(1.0, abs=0.03)
    assert np.std(ratio) < 0.3


def test_density_ratios_follow_the_densities():
    rng = np.random.default_rng(0)
    x = rng.uniform(size=(4000, 1))
    ratio = density_ratios(x, np.sqrt(rng.uniform(size=(40_000, 1))), 50)
    inside = (x[:, 0] > 0.1) & (x[:, 0] < 0.9)
    assert np.corrcoef(ratio[inside], x[inside, 0])[0, 1] > 0.9
    assert np.mean(ratio[inside] / (2 * x[inside, 0])) == pytest.approx(1.0, abs=0.05)


def test_noise_augmentation_reaches_the_targets_errors(training):
    shallow = objects(20_000, 4, noise=80.0)
    sample, report = subsample(training, "noise_augmentation", shallow, seed=2)
    done = sample.apply(training)
    assert done.schema == training.schema
    faint, faint_target = mag_i(training) > 23, mag_i(shallow) > 23
    before, after = (t["flux_err_i"].to_numpy()[faint] for t in (training, done))
    wanted = np.median(shallow["flux_err_i"].to_numpy()[faint_target])
    assert np.median(after) == pytest.approx(wanted, rel=0.05)
    pull = (done["flux_i"].to_numpy()[faint] - training["flux_i"].to_numpy()[faint]) / np.sqrt(after**2 - before**2)
    assert np.std(pull) == pytest.approx(1.0, abs=0.06) and abs(pull.mean()) < 0.1
    other = np.asarray(done["flux_r"]) - np.asarray(training["flux_r"])
    assert abs(np.corrcoef(pull, other[faint])[0, 1]) < 0.1
    assert report.counts["i_degraded"] + report.counts["i_as_uncertain_already"] == 4000


def test_noise_cannot_be_taken_away(training):
    deep = objects(20_000, 4, noise=2.0)
    done = subsample(training, "noise_augmentation", deep)[0].apply(training)
    faint = mag_i(training) > 24
    assert np.array_equal(done["flux_i"].to_numpy()[faint], training["flux_i"].to_numpy()[faint])


def test_errors_of_few_objects():
    model = error_model(np.array([1.0, np.nan]), np.array([3.0, np.nan]), NoiseAugmentationSettings())
    assert np.allclose(model.errors(np.array([-5.0, 1e6]), np.array([0.1, 0.9])), 3.0)
    assert np.isnan(model.errors(np.array([np.nan]), np.array([0.5]))).all()


def test_a_mask_keeps_older_weights_and_weights_replace_them(training):
    table = training.append_column("weight", pa.array(np.arange(4000.0)))
    half = np.r_[np.ones(2000), np.zeros(2000)]
    assert Subsample(half).apply(table)["weight"].to_pylist() == list(range(2000))
    assert Subsample(2 * half, is_weighted=True).apply(table)["weight"].to_pylist() == [2.0] * 2000


@pytest.mark.parametrize(
    ("error", "arguments"),
    [
        (NotFoundError, ("no_such",)),
        (ConfigError, ("som_resampling",)),
        (ConfigError, ("cell_cap", None, {"n_max": 0})),
        (ConfigError, ("cell_cap", None, {"cap": 3})),
        (BandError, ("neighbour_weights", "target", {"bands": ("K", "i")})),
        (EmptyTableError, ("neighbour_weights", "target", {"n_neighbour": 4000})),
    ],
)
def test_refusals(training, target, error, arguments):
    method, given_target, how = (*arguments, None, {})[:3] if len(arguments) < 3 else arguments
    with pytest.raises(error):
        subsample(training, method, target if given_target else None, **(how or {}))


def test_empty_table(training):
    with pytest.raises(EmptyTableError):
        subsample(training.slice(0, 0), "cell_cap")


def test_no_colours_in_common(training, target):
    far = target
    for band, factor in zip(BANDS, (1e6, 1e-2, 1e4, 1.0), strict=True):
        for name in (f"flux_{band}", f"flux_err_{band}"):
            values = pa.array(far[name].to_numpy() * factor)
            far = far.set_column(far.column_names.index(name), name, values)
    with pytest.raises(UsageError, match="no target object"):
        subsample(training, "neighbour_weights", far)


class Everything:
    name: ClassVar[str] = "everything"
    title: ClassVar[str] = "All rows."
    needs_target: ClassVar[bool] = False
    Settings: ClassVar[type[SubsampleSettings]] = SubsampleSettings

    def __init__(self, settings):
        self.settings = settings

    def draw(self, table, target, *, seed):
        return Subsample(np.ones(table.num_rows))


def test_plug_ins_are_found(monkeypatch, training):
    points = [
        EntryPoint("everything", "a_plug_in:Everything", registry.ENTRY_POINT_GROUP),
        EntryPoint("cell_cap", "pzcenter.training.cell_cap:CellCap", registry.ENTRY_POINT_GROUP),
        EntryPoint("cell_caps", "pzcenter.training.cell_cap:CellCap", registry.ENTRY_POINT_GROUP),
        EntryPoint("broken", "no_such_module:Thing", registry.ENTRY_POINT_GROUP),
        EntryPoint("empty", "pzcenter.training.subsample:Subsample", registry.ENTRY_POINT_GROUP),
        EntryPoint("som_resampling", "another:Method", registry.ENTRY_POINT_GROUP),
    ]
    monkeypatch.setattr(registry, "entry_points", lambda group: points)
    monkeypatch.setitem(sys.modules, "a_plug_in", SimpleNamespace(Everything=Everything))
    assert "everything" in subsampler_names()
    assert subsample(training, "everything")[1].n_out == 4000
    assert get_subsampler("cell_cap").name == "cell_cap"
    for name, message in (
        ("broken", "no_such_module"),
        ("empty", "has no name"),
        ("cell_caps", "no class of this name"),
        ("som_resampling", "several plug-ins"),
    ):
        with pytest.raises(ModelError, match=message):
            get_subsampler(name)
