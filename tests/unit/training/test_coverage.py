import json

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from pzcenter.errors import (
    BandError,
    ColumnError,
    ConfigError,
    EmptyTableError,
    SchemaError,
    UnitError,
    UsageError,
)
from pzcenter.training.colour_space import colour_space
from pzcenter.training.coverage import coverage, effective_number
from pzcenter.training.coverage_tally import first_of_each, histogram
from pzcenter.training.target_chunks import random_rows

BANDS = ("g", "r", "i", "z")


def objects(n, seed, *, faint=25.0, n_bad=0):
    """Galaxies whose colours are a curve in redshift, with noise."""
    rng = np.random.default_rng(seed)
    mag, z = faint - rng.exponential(1.5, n), rng.uniform(0, 2, n)
    colour = {"g": 1.5 * np.sin(z) + 0.3, "r": 0.8 * np.cos(z), "i": 0 * z, "z": -0.5 * z}
    columns = {"objectId": np.arange(n), "ra": rng.uniform(0, 10, n), "dec": rng.uniform(-5, 5, n), "z_phot": z}
    for band in BANDS:
        flux = 10 ** (-0.4 * (mag + colour[band] - 31.4))
        err = np.hypot(20.0, 0.02 * flux)
        value = flux + err * rng.normal(size=n)
        value[:n_bad] = np.nan
        columns |= {f"flux_{band}": value, f"flux_err_{band}": err}
    return pa.table(columns)


@pytest.fixture(scope="module")
def target():
    return objects(20_000, 1)


def mag(table):
    return 31.4 - 2.5 * np.log10(np.maximum(table["flux_i"].to_numpy(), 1e-3))


def test_a_sample_of_the_target_covers_it(target):
    report = coverage(objects(5000, 2), target)
    assert report.bands == BANDS
    assert report.n_target == report.cell_target.sum() == 20_000
    assert report.extrapolation_fraction == pytest.approx(0.01, abs=0.01)
    assert report.share_beyond_limit == pytest.approx(report.alike_beyond_limit, abs=0.01)
    assert report.share_in_empty_cells < 0.001
    assert report.n_effective > 0.9 * 5000
    assert not np.any(report.mag_completeness[report.mag_target > 100] < 0.9)


def test_a_bright_training_set_does_not_cover_the_faint(target):
    training = objects(5000, 2).filter(mag(objects(5000, 2)) < 23)
    report = coverage(training, target, z_phot="z_phot")
    faint = np.mean(mag(target) > 23.4)
    assert faint < report.extrapolation_fraction < np.mean(mag(target) > 22.6)
    assert report.mag_completeness[report.mag_edges[:-1] >= 24].max() < 0.02
    assert report.mag_completeness[(report.mag_edges[1:] <= 22) & (report.mag_target > 50)].min() > 0.9
    assert report.n_effective < 0.9 * training.num_rows
    assert report.cell_covered.sum() == report.mag_covered.sum()
    assert report.mag_target.sum() == 20_000
    worst = report.regions[0]
    assert worst.magnitude["i"][0] > 22.5
    assert 0 < worst.z_phot_median < 2
    assert worst.target_share * worst.lack >= report.regions[-1].target_share * report.regions[-1].lack
    assert len(worst.examples) == 3 and set(worst.examples[0]) == {"objectId", "ra", "dec"}
    assert any("Fewer than half are covered from i" in line for line in report.summary_sentences)


def test_a_hole_in_colour_is_found(target):
    training = objects(5000, 2)
    report = coverage(training.filter(pc.less(training["z_phot"], 1.2)), target, z_phot="z_phot")
    assert 0.2 < report.extrapolation_fraction < 0.5
    assert all(region.z_phot_median > 1.1 for region in report.regions[:5])


def test_examples_are_of_the_cell_and_not_covered(target):
    report = coverage(objects(5000, 2).filter(mag(objects(5000, 2)) < 23), target, n_regions=3)
    for region in report.regions:
        for example in region.examples:
            assert mag(target)[example["objectId"]] > 22


def test_the_pieces_do_not_matter(target):
    training = objects(3000, 2)
    whole = coverage(training, target, n_sample=5000).as_dict()
    batches = coverage(training, lambda: target.to_batches(max_chunksize=777), n_sample=5000).as_dict()
    assert whole == batches


def test_missing_bands_are_compared_in_the_others(target):
    holes = np.random.default_rng(0).random(target.num_rows) < 0.3
    flux = np.where(holes, np.nan, target["flux_g"].to_numpy())
    patchy = target.set_column(target.column_names.index("flux_g"), "flux_g", pa.array(flux))
    report = coverage(objects(5000, 2), patchy)
    assert report.n_target_unplaced == 0
    assert report.extrapolation_fraction < 0.03
    strict = coverage(objects(5000, 2), patchy, min_bands=4)
    assert strict.n_target_unplaced == holes.sum() == 20_000 - strict.cell_target.sum()
    assert "too few measured bands" in strict.summary_sentences[0]


def test_objects_without_bands_are_counted(target):
    report = coverage(objects(5000, 2, n_bad=40), objects(3000, 3, n_bad=25))
    assert (report.n_training_unplaced, report.n_target_unplaced) == (40, 25)


def test_report_is_json(target):
    training = objects(500, 2).append_column("weight", pa.array(np.r_[np.ones(100), np.zeros(400)]))
    report = coverage(training, target, shape=(5, 6), n_regions=2)
    text = json.loads(json.dumps(report.as_dict(), allow_nan=False))
    assert report.n_effective_of_weights == pytest.approx(100)
    assert len(text["cell_target"]) == 30 and len(text["regions"]) <= 2
    assert text["settings"]["seed"] == 0 and text["summary"] == report.summary_sentences
    assert len(report.mag_edges) == len(report.mag_target) + 1


def test_effective_number():
    assert effective_number(np.ones(7)) == pytest.approx(7)
    assert effective_number(np.array([1.0, 0.0, 0.0])) == pytest.approx(1)
    assert effective_number(np.zeros(3)) == 0


def renamed(table, old, new):
    return table.rename_columns([name.replace(old, new) for name in table.column_names])


def with_constant(table, name="flux_g"):
    return table.set_column(table.column_names.index(name), name, pa.array(np.full(table.num_rows, 5.0)))


def as_magnitudes(table):
    flux, err = (np.full(table.num_rows, v) + np.random.default_rng(0).random(table.num_rows) for v in (22.0, 0.0))
    for name, values in (("flux_g", flux), ("flux_err_g", 0.1 * err + 0.01)):
        table = table.set_column(table.column_names.index(name), name, pa.array(values))
    return table


@pytest.mark.parametrize(
    ("error", "message", "of_training", "of_target_and_settings"),
    [
        (EmptyTableError, "training set has no rows", lambda t: t.slice(0, 0), (None, {})),
        (EmptyTableError, "target has no objects", None, (lambda t: t.slice(0, 0), {})),
        (BandError, "two bands in common", None, (lambda t: renamed(t, "flux_", "mag_"), {})),
        (BandError, r"training set has no flux and error of the bands \['K'\]", None, (None, {"bands": ("i", "K")})),
        (BandError, "band of the magnitude is 'y'", None, (None, {"mag_band": "y"})),
        (BandError, "different bands", None, (None, {"bands": ("i", "i")})),
        (UsageError, "flux_g of the target is 5 nJy in all", None, (with_constant, {})),
        (UsageError, "flux_g of the training set is 5 nJy in all", with_constant, (None, {})),
        (UnitError, "target holds magnitudes", None, (as_magnitudes, {})),
        (UnitError, "training set holds magnitudes", as_magnitudes, (None, {})),
        (UsageError, "repeated rows", lambda t: pa.concat_tables([t.slice(0, 50)] * 20), (None, {})),
        (ColumnError, "z_mode", None, (None, {"z_phot": "z_mode"})),
        (ConfigError, "percentile", None, (None, {"percentile": 0})),
        (ConfigError, "positive", None, (None, {"n_neighbour": 0})),
        (BandError, "Give fewer bands", None, (lambda t: t.slice(0, 20), {})),
        (SchemaError, "numbers", None, (lambda t: t.set_column(4, "flux_g", pa.array(["a"] * t.num_rows)), {})),
    ],
)
def test_refusals(target, error, message, of_training, of_target_and_settings):
    of_target, settings = of_target_and_settings
    training = (of_training or (lambda t: t))(objects(1000, 2))
    with pytest.raises(error, match=message):
        coverage(training, (of_target or (lambda t: t))(target), **settings)


def test_few_training_objects(target):
    report = coverage(objects(8, 2), target)
    assert report.alike_in_empty_cells < 0.2
    assert coverage(objects(4, 2), target).extrapolation_fraction == 1.0


def test_magnitudes_and_features_are_inverse(target):
    space = colour_space(target, BANDS)
    points = space.mag_sample[:100]
    assert np.allclose(space.magnitudes_of(space.features(points)), points)
    width = np.percentile(space.features(space.mag_sample), [15.865, 84.135], axis=0)
    assert np.allclose((width[1] - width[0]) / 2, 1)


def test_a_missing_band_leaves_the_colours_of_the_rest(target):
    space = colour_space(target, BANDS)
    mag = space.mag_sample[:5].copy()
    three = space.features(mag, 0b1101)
    mag[:, 1] = np.nan
    assert np.array_equal(space.features(mag, 0b1101), three)
    assert list(space.codes(mag)) == [0b1101] * 5
    mag[:, 2] = np.nan
    assert list(space.codes(mag)) == [0] * 5


def test_random_rows_are_random_and_repeatable(target):
    sample, n = random_rows(target, ["objectId"], 1000, seed=4)
    pieces, _ = random_rows(lambda: target.to_batches(max_chunksize=333), ["objectId"], 1000, seed=4)
    ids = sample["objectId"].to_numpy()
    assert n == target.num_rows and len(set(ids)) == 1000
    assert sample["objectId"].to_pylist() == pieces["objectId"].to_pylist()
    assert abs(ids.mean() / n - 0.5) < 0.05


def test_first_of_each():
    label, key = np.array([2, 1, 2, 2, 1]), np.array([0.3, 0.5, 0.1, 0.2, 0.4])
    assert list(first_of_each(label, key, 2)) == [4, 1, 2, 3]


def test_histogram_keeps_what_is_beyond():
    assert list(histogram(np.array([-1, 0.1, 0.9, 1.5, np.inf, np.nan]), np.array([0.0, 0.5, 1.0]))) == [2, 3]
