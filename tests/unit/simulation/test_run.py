"""A whole simulated sky: same bytes, complete tables, nothing half-written, and numbers that a real sky has."""

import hashlib

import numpy as np
import pyarrow.parquet as pq
import pytest
import yaml
from pydantic import ValidationError

from pzcenter.errors import ConfigError, OutputExistsError, StorageError
from pzcenter.schema import BANDS, check_table, load_mapping
from pzcenter.science.extinction import deredden, extinction_coefficients
from pzcenter.simulation import SimulationConfig, simulate
from pzcenter.simulation import run as run_module
from pzcenter.simulation import tract as tract_module
from pzcenter.simulation.tables import spec_table, truth_table

N_REAL = 60_000
SMALL = SimulationConfig(rows_per_tract=150, z_max=2.0)


def checksums(folder):
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    return simulate(tmp_path_factory.mktemp("sky") / "small", n_obj=601, seed=7, config=SMALL)


@pytest.fixture(scope="module")
def sky(tmp_path_factory):
    report = simulate(tmp_path_factory.mktemp("sky") / "real", n_obj=N_REAL, seed=1)
    objects = pq.read_table(report.object_path).to_pandas()
    truth = pq.read_table(report.truth_path).to_pandas()
    return report, objects, truth


def mag(truth, band):
    return 31.4 - 2.5 * np.log10(truth[f"flux_true_{band}"].to_numpy())


# The same bytes


def test_memory_of_a_block_does_not_change_other_tracts(small, tmp_path):
    wider = simulate(tmp_path / "wider", n_obj=602, seed=7, config=SMALL)
    name = "tract_9003.parquet"  # tracts after the first have one row as many as before, in a slightly larger sky
    before = pq.read_table(small.truth_path / name).column("z_true").to_numpy()
    after = pq.read_table(wider.truth_path / name).column("z_true").to_numpy()
    np.testing.assert_array_equal(before, after)


def test_blocks_of_a_tract_differ(tmp_path, monkeypatch):
    monkeypatch.setattr(tract_module, "BLOCK_ROWS", 100)
    report = simulate(tmp_path / "sky", n_obj=300, seed=1, config=SMALL.model_copy(update={"rows_per_tract": 300}))
    z = pq.read_table(report.truth_path).column("z_true").to_numpy()
    assert np.unique(z[np.isfinite(z)]).size == np.isfinite(z).sum()
    assert pq.ParquetFile(report.object_path / "tract_9000.parquet").num_row_groups == 3


def test_seeds_differ(small, tmp_path):
    other = simulate(tmp_path / "other", n_obj=601, seed=8, config=SMALL)
    assert checksums(other.truth_path) != checksums(small.truth_path)


# Complete tables


def test_tables_are_as_defined(small):
    check_table(pq.read_table(small.object_path), "object")
    check_table(pq.read_table(small.truth_path), truth_table())
    check_table(pq.read_table(small.spec_path), spec_table())
    check_table(pq.read_table(small.representative_path), spec_table())


def test_mappings_find_their_columns(small):
    names = pq.read_schema(small.object_path / "tract_9000.parquet").names
    for mapping_name in ("rubin_gaap", "rubin_cmodel"):
        mapping = load_mapping(mapping_name)
        for band in mapping.bands:
            assert mapping.photometry.value.format(band=band) in names
            assert mapping.photometry.error.format(band=band) in names


def test_ids_are_unique_and_join(small):
    objects, truth = pq.read_table(small.object_path), pq.read_table(small.truth_path)
    ids = objects.column("objectId").to_numpy()
    assert ids.size == np.unique(ids).size == small.n_obj == 601
    np.testing.assert_array_equal(ids, truth.column("objectId").to_numpy())
    np.testing.assert_array_equal(ids >> 46, objects.column("tract").to_numpy())
    spec = pq.read_table(small.spec_path)
    assert set(spec.column("objectId").to_pylist()) <= set(ids.tolist())


def test_report_counts(small):
    assert small.n_tract == 6  # two rows of three hold at least five
    assert len(list(small.object_path.iterdir())) == small.n_tract
    assert small.n_star == sum(pq.read_table(small.truth_path).column("is_star").to_pylist())
    assert sum(small.n_spec.values()) == pq.read_metadata(small.spec_path).num_rows
    assert small.n_representative == pq.read_metadata(small.representative_path).num_rows


def test_record_makes_the_sky_again(small, tmp_path):
    record = yaml.safe_load((small.destination / "simulation.yaml").read_text())
    config = SimulationConfig.model_validate(record["config"])
    again = simulate(tmp_path / "again", n_obj=record["n_obj"], seed=record["seed"], config=config)
    assert checksums(again.destination) == checksums(small.destination)


def test_years_replace_those_of_the_configuration(tmp_path):
    report = simulate(tmp_path / "one", n_obj=200, seed=1, config=SMALL, years=1)
    assert yaml.safe_load((report.destination / "simulation.yaml").read_text())["config"]["years"] == 1


def test_a_single_object(tmp_path):
    report = simulate(tmp_path / "one", n_obj=1, seed=1, config=SMALL)
    assert pq.read_metadata(report.object_path / "tract_9000.parquet").num_rows == 1


def test_progress_ends_at_one(tmp_path):
    seen = []
    simulate(tmp_path / "sky", n_obj=400, config=SMALL, progress=lambda fraction, _: seen.append(fraction))
    assert seen[-1] == 1
    assert seen == sorted(seen)


# Bad input


@pytest.mark.parametrize("arguments", [{"n_obj": 0}, {"n_obj": 5, "seed": -1}])
def test_numbers_out_of_range_are_refused(tmp_path, arguments):
    with pytest.raises(ConfigError, match="must be"):
        simulate(tmp_path / "sky", **arguments)


def test_years_out_of_range_are_refused(tmp_path):
    with pytest.raises(ConfigError, match="years"):
        simulate(tmp_path / "sky", n_obj=5, years=-1)


def test_unknown_setting_is_refused():
    with pytest.raises(ValidationError, match="depth"):
        SimulationConfig(depth=3)


def test_short_template_set_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="SEDs"):
        simulate(tmp_path / "sky", n_obj=5, config=SimulationConfig(templates="cwwsb4"))


def test_existing_output_is_kept(small, tmp_path):
    before = checksums(small.destination)
    with pytest.raises(OutputExistsError, match="not empty"):
        simulate(small.destination, n_obj=10, config=SMALL)
    assert checksums(small.destination) == before
    (tmp_path / "precious.txt").write_text("mine")
    with pytest.raises(OutputExistsError, match="never replaced"):
        simulate(tmp_path, n_obj=10, config=SMALL, overwrite=True)


def test_overwriting_replaces_a_sky(tmp_path):
    simulate(tmp_path / "sky", n_obj=400, config=SMALL)
    report = simulate(tmp_path / "sky", n_obj=10, config=SMALL, overwrite=True)
    assert len(list(report.object_path.iterdir())) == 1


@pytest.mark.parametrize("trouble", [KeyboardInterrupt, OSError("no space left")])
def test_nothing_half_written_is_left(tmp_path, monkeypatch, trouble):
    def fail(*_):
        raise trouble

    monkeypatch.setattr(run_module, "_record", lambda *_, **__: fail())
    with pytest.raises(KeyboardInterrupt if trouble is KeyboardInterrupt else StorageError):
        simulate(tmp_path / "sky", n_obj=10, config=SMALL)
    assert list(tmp_path.iterdir()) == []


# A sky like the real one. The figures beside it: docs/explanation/simulated-sky.md


def test_counts_are_those_of_deep_surveys(sky):
    report, _, truth = sky
    i, galaxy = mag(truth, "i"), ~truth.is_star.to_numpy()
    arcmin2 = 3600 * report.area_deg2
    # LSST Science Book (arXiv:0912.0201), eq. 3.7: 46 10^(0.31 (i-25)) per arcmin2, before masks and blends.
    for limit in (23, 24, 25):
        book = 46 * 10 ** (0.31 * (limit - 25))
        assert 0.7 < (galaxy & (i < limit)).sum() / arcmin2 / book < 1.1
    slope = np.log10((galaxy & (i < 24)).sum() / (galaxy & (i < 22)).sum()) / 2
    assert slope == pytest.approx(0.31, abs=0.04)


def test_redshifts_are_those_of_deep_surveys(sky):
    _, _, truth = sky
    z, i = truth.z_true.to_numpy(), mag(truth, "i")
    # Same book, eq. 3.8: z^2 exp(-z/z0) with z0 = 0.0417 i - 0.744, of mean 3 z0.
    for limit in (22.5, 24.0, 25.3):
        mean = 3 * (0.0417 * limit - 0.744)
        assert np.nanmean(z[i < limit]) == pytest.approx(mean, rel=0.15)
    gold = z[(i < 25.3) & np.isfinite(z)]
    assert 0.9 < gold.mean() < 1.1
    # DESC Science Requirements (arXiv:1809.01669), year 10: z^2 exp(-(z/0.11)^0.68).
    grid = np.linspace(0, 4, 401)
    cdf = np.cumsum(grid**2 * np.exp(-((grid / 0.11) ** 0.68)))
    distance = np.abs(np.interp(grid, np.sort(gold), np.linspace(0, 1, gold.size)) - cdf / cdf[-1]).max()
    assert distance < 0.08


def test_types_depend_on_magnitude(sky):
    _, _, truth = sky
    i, kind = mag(truth, "i"), truth.galaxy_class.to_numpy()
    bright, faint = (kind[(kind >= 0) & (i > low) & (i < high)] == 0 for low, high in ((18, 22.5), (24, 25.3)))
    assert 0.12 < bright.mean() < 0.35
    assert 0.03 < faint.mean() < 0.12


# Median colours of 30,674 galaxies of DESC DC2 (cosmoDC2 v1.1.4, i < 25.3) in bins of redshift: g-r, r-i, i-z, z-y.
DC2_COLOURS = {
    (0.3, 0.6): (1.14, 0.48, 0.21, 0.16),
    (0.6, 0.9): (0.80, 0.89, 0.23, 0.13),
    (0.9, 1.2): (0.40, 0.60, 0.58, 0.15),
    (1.2, 1.6): (0.07, 0.22, 0.35, 0.46),
    (1.6, 2.0): (-0.05, 0.11, 0.15, 0.16),
    (2.0, 2.5): (0.04, -0.05, 0.04, 0.11),
}


@pytest.mark.parametrize("z_bin", DC2_COLOURS)
def test_colours_lie_near_those_of_dc2(sky, z_bin):
    _, _, truth = sky
    chosen = truth[(truth.z_true >= z_bin[0]) & (truth.z_true < z_bin[1]) & (mag(truth, "i") < 25.3)]
    colours = [np.median(mag(chosen, a) - mag(chosen, b)) for a, b in ("gr", "ri", "iz", "zy")]
    difference = np.abs(np.array(colours) - DC2_COLOURS[z_bin])
    assert difference.max() < 0.20
    assert difference.max() > 0.02  # not the same sky


def test_measurements_scatter_by_their_errors(sky):
    _, objects, truth = sky
    alone = (~objects.detect_fromBlend & (mag(truth, "i") < 24)).to_numpy()
    errors = []
    for band in BANDS:
        flux, err = (objects[f"{band}_cModelFlux{end}"].to_numpy(float)[alone, None] for end in ("", "Err"))
        coefficient = extinction_coefficients((band,))
        flux, err = deredden(flux, err, objects.ebv.to_numpy(float)[alone], coefficient)
        pull = ((flux[:, 0] - truth[f"flux_true_{band}"].to_numpy(float)[alone]) / err[:, 0])[np.isfinite(flux[:, 0])]
        errors.append(pull.std())
        assert abs(pull.mean()) < 0.03
    np.testing.assert_allclose(errors, 1, atol=0.03)


def test_faint_bands_have_negative_fluxes(sky):
    _, objects, _ = sky
    assert (objects.u_gaap1p0Flux < 0).sum() > 100
    assert (
        objects.i_cModelFlux / objects.i_cModelFluxErr
    ).min() > 4.2  # detected at 5 outside the Galaxy, and dimmed by its dust


def test_missing_bands_are_flagged(sky):
    _, objects, _ = sky
    for band in BANDS:
        for flux, flag in (("gaap1p0Flux", "gaapFlux_flag"), ("cModelFlux", "cModel_flag")):
            missing = objects[f"{band}_{flux}"].isna()
            np.testing.assert_array_equal(missing, objects[f"{band}_{flag}"])
            expected = 0.115 if band in "uy" else 0.015
            assert missing.mean() == pytest.approx(expected, abs=0.01)


def test_stars_look_like_points_when_bright(sky):
    _, objects, truth = sky
    bright = mag(truth, "i") < 22.5
    extended = objects.refExtendedness.to_numpy() > 0.5
    assert extended[bright & truth.is_star].mean() < 0.03
    assert extended[bright & ~truth.is_star].mean() > 0.95


def test_spectroscopy_is_not_representative(sky):
    report, _, truth = sky
    spec = pq.read_table(report.spec_path).to_pandas()
    representative = pq.read_table(report.representative_path).to_pandas()
    z_median = np.nanmedian(truth.z_true)
    assert spec.z_spec.median() < 0.8 * z_median
    assert representative.z_spec.median() == pytest.approx(z_median, rel=0.1)
    assert set(spec.survey) == set(report.n_spec)
    assert min(report.n_spec.values()) > 5
    true = truth.set_index("objectId").z_true.loc[spec.objectId].to_numpy()
    outlier = np.abs(spec.z_spec - true) > 0.05 * (1 + true)
    assert 0.002 < outlier.mean() < 0.03
