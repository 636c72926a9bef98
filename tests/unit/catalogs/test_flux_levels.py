"""Fluxes in another unit than the declared one are refused, and no survey's own fluxes are."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pzcenter.catalogs import make_skinny
from pzcenter.catalogs.flux_levels import MIN_JUDGED, PLAUSIBLE_MAG, flux_level, require_plausible_fluxes
from pzcenter.catalogs.ingest_qa import ingest_qa
from pzcenter.catalogs.skinny_partition import skinny_partition
from pzcenter.errors import ConfigError, UnitError
from pzcenter.schema import load_mapping
from pzcenter.schema.mapping import Mapping
from pzcenter.science.photometry import mag_to_flux

N_OBJ = 400
LSST_DEPTH = {"u": 26.1, "g": 27.4, "r": 27.5, "i": 26.8, "z": 26.1, "y": 24.9}
"""Ten years, Ivezic et al. 2019, table 1."""
VISIT_DEPTH = {"u": 23.9, "g": 25.0, "r": 24.7, "i": 24.0, "z": 23.3, "y": 22.1}


def objects(depth, *, unit=1.0, mag=None, n_obj=N_OBJ):
    """Rubin columns in nJy times ``unit``; magnitudes uniform over 5 mag down to a magnitude below the depth."""
    rng = np.random.default_rng(8)
    columns = {
        "objectId": np.arange(n_obj),
        "coord_ra": rng.uniform(10, 11, n_obj),
        "coord_dec": rng.uniform(-1, 0, n_obj),
    }
    for band, limit in depth.items():
        drawn = rng.uniform(limit - 4, limit + 1, n_obj) if mag is None else rng.uniform(mag - 1, mag + 1, n_obj)
        sky_err = mag_to_flux(limit) / 5
        flux = mag_to_flux(drawn) + sky_err * rng.standard_normal(n_obj)
        columns[f"{band}_gaap1p0Flux"] = flux * unit
        columns[f"{band}_gaap1p0FluxErr"] = np.hypot(sky_err, 0.005 * mag_to_flux(drawn)) * unit
    columns["ebv"] = np.full(n_obj, 0.02)
    return pa.table(columns)


def mapping_in(unit):
    """The mapping of Rubin's objects, with another declared unit."""
    content = load_mapping("rubin_gaap").model_dump()
    content["photometry"]["unit"] = unit
    return Mapping.model_validate(content)


@pytest.mark.parametrize("depth", [LSST_DEPTH, VISIT_DEPTH], ids=["ten years", "one visit"])
@pytest.mark.parametrize("declared", ["nJy", "uJy", "mJy", "Jy"])
def test_only_the_right_unit_is_accepted(depth, declared):
    table, mapping = objects(depth), mapping_in(declared)
    if declared == "nJy":
        assert skinny_partition(table, mapping).n_out == N_OBJ
        return
    with pytest.raises(UnitError, match=rf"tract 7: the median magnitude in \w is .*a flux in {declared}, as the map"):
        skinny_partition(table, mapping, where="tract 7")


@pytest.mark.parametrize("depth", [LSST_DEPTH, VISIT_DEPTH], ids=["ten years", "one visit"])
@pytest.mark.parametrize("unit", [1e-3, 1e-6, 1e-9], ids=["uJy", "mJy", "Jy"])
def test_numbers_in_another_unit_are_refused(depth, unit):
    with pytest.raises(UnitError, match="is plausible"):
        skinny_partition(objects(depth, unit=unit))


def test_message_names_the_band_the_median_and_the_range():
    low, high = PLAUSIBLE_MAG
    with pytest.raises(UnitError, match=rf"in u is 4[5-9]\.\d \(\d+ .*; {low:g} to {high:g} is plausible"):
        skinny_partition(objects(LSST_DEPTH, unit=1e-9))
    with pytest.raises(UnitError, match=r"in u is 16\.\d .*5 times the median error is magnitude 18\.\d; 20 to 30\.5"):
        skinny_partition(objects(LSST_DEPTH), mapping_in("uJy"))


def test_bright_galaxies_of_a_deep_survey_are_accepted():
    # A median of 17 with the noise of ten years; the same median by a wrong unit is refused above.
    assert skinny_partition(objects(LSST_DEPTH, mag=17)).n_out == N_OBJ


def test_a_handful_of_objects_is_not_judged():
    assert skinny_partition(objects(LSST_DEPTH, unit=1e-9, n_obj=MIN_JUDGED - 1)).n_out == MIN_JUDGED - 1


def test_the_check_can_be_left_out():
    assert skinny_partition(objects(LSST_DEPTH, unit=1e-9), check_magnitudes=False).n_out == N_OBJ


def test_a_mapping_without_depths_is_judged_by_the_median_alone():
    content = mapping_in("uJy").model_dump()
    content["photometry"]["plausible_depth"] = None
    table = objects(LSST_DEPTH)
    assert skinny_partition(table, Mapping.model_validate(content)).n_out == N_OBJ
    content["photometry"]["unit"] = "Jy"
    with pytest.raises(UnitError, match=r"in u is 1\.\d"):
        skinny_partition(table, Mapping.model_validate(content))


def test_make_skinny_refuses_it_too_and_leaves_nothing_behind(tmp_path):
    pq.write_table(objects(LSST_DEPTH, unit=1e-9), tmp_path / "objects.parquet")
    with pytest.raises(UnitError, match=r"objects\.parquet: the median magnitude in u"):
        make_skinny(tmp_path / "objects.parquet", tmp_path / "skinny")
    assert not (tmp_path / "skinny").exists()


def test_ingest_qa_tells_it_before_the_skinny_table(tmp_path):
    found = ingest_qa(objects(LSST_DEPTH), mapping_in("Jy"))
    with pytest.raises(UnitError, match="tract 3: the median"):
        found.require_usable("tract 3")
    found.require_usable("tract 3", magnitudes=False)


def test_level_of_a_known_band():
    flux = np.array([100.0, 200.0, 400.0, 1.0, np.nan, 50.0])
    flux_err = np.array([10.0, 10.0, 10.0, 10.0, 10.0, 0.0])
    level = flux_level(flux, flux_err)
    assert (level.n_measured, level.n_detected) == (4, 3)
    assert level.median_mag == pytest.approx(31.4 - 2.5 * np.log10(200))
    assert level.depth == pytest.approx(31.4 - 2.5 * np.log10(50))


def test_level_of_an_empty_band_is_nan():
    level = flux_level(np.full(3, np.nan), np.full(3, np.nan))
    assert (level.n_measured, level.n_detected) == (0, 0)
    assert np.isnan([level.median_mag, level.depth]).all()
    require_plausible_fluxes({"u": level}, load_mapping("rubin_gaap"), "a tract")


def test_depths_of_a_mapping_must_increase():
    content = load_mapping("rubin_gaap").model_dump()
    content["photometry"]["plausible_depth"] = (30.0, 20.0)
    with pytest.raises((ConfigError, ValueError), match="plausible_depth must increase"):
        Mapping.model_validate(content)
