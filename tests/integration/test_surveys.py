"""The default model takes the filters of the survey that the columns belong to, and the bands that are there."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pzcenter.estimators import load_model
from pzcenter.pipelines import estimate_catalog
from pzcenter.pipelines.prepare import survey_settings

N_OBJ = 40


@pytest.fixture
def rng():
    return np.random.default_rng(3)


def write(path, columns):
    pq.write_table(pa.table(columns), path)
    return path


def sdss(path, rng):
    """Red galaxies of r = 17 to 19 as SDSS PhotoObj has them."""
    r = rng.uniform(17, 19, N_OBJ)
    colour = {"u": 2.6, "g": 1.0, "r": 0.0, "i": -0.4, "z": -0.7}
    columns = {"objID": np.arange(N_OBJ) + 10, "ra": rng.uniform(10, 11, N_OBJ), "dec": rng.uniform(0, 1, N_OBJ)}
    columns |= {f"modelMag_{band}": r + shift for band, shift in colour.items()}
    columns |= {f"modelMagErr_{band}": np.full(N_OBJ, 0.03) for band in colour}
    return write(path, columns | {"extinction_r": np.full(N_OBJ, 0.05), "type": np.full(N_OBJ, 3)})


def rubin(path, rng, bands="griz"):
    columns = {"objectId": np.arange(N_OBJ), "coord_ra": rng.uniform(50, 51, N_OBJ), "coord_dec": rng.random(N_OBJ)}
    for band in bands:
        columns[f"{band}_cModelFlux"] = rng.uniform(500, 3000, N_OBJ)
        columns[f"{band}_cModelFluxErr"] = np.full(N_OBJ, 20.0)
    return write(path, columns | {"ebv": np.full(N_OBJ, 0.02)})


def test_sdss_has_its_own_filters(tmp_path, rng):
    source = sdss(tmp_path / "sdss.parquet", rng)
    report = estimate_catalog(source, tmp_path / "run", workers=1, report=False)
    model = load_model(tmp_path / "run" / "model")
    assert model.config.filters == {band: f"sdss2010-{band}" for band in "ugriz"}
    z = pq.read_table(next((tmp_path / "run" / "pz" / "dataset").rglob("*.parquet")))["z_best"].to_numpy()
    assert report.run.n_obj == N_OBJ
    assert 0.05 < np.median(z) < 0.35


def test_a_table_of_four_bands_is_enough(tmp_path, rng):
    estimate_catalog(rubin(tmp_path / "four.parquet", rng), tmp_path / "run", workers=1, report=False)
    assert load_model(tmp_path / "run" / "model").bands == ("g", "r", "i", "z")


def test_a_skinny_table_remembers_its_survey(tmp_path, rng):
    estimate_catalog(sdss(tmp_path / "sdss.parquet", rng), tmp_path / "run", workers=1, report=False)
    settings = survey_settings(tmp_path / "run" / "skinny", "template", None)
    assert settings == {"filters": {band: f"sdss2010-{band}" for band in "ugriz"}}


def test_filters_that_are_given_stay(tmp_path, rng):
    source = rubin(tmp_path / "four.parquet", rng)
    assert survey_settings(source, "template", {"filters": "dc2"}) == {"filters": "dc2"}
    assert survey_settings(source, "trainz", None) is None


MINE = """
name: mine
description: Fluxes of four bands, without a word about filters.
bands: [g, r, i, z]
object_id: objectId
photometry: {kind: flux, value: "{band}_cModelFlux", error: "{band}_cModelFluxErr", unit: nJy, dereddened: true}
z_spec: z
"""


def test_a_mapping_without_filters_takes_those_of_its_bands(tmp_path, rng):
    (tmp_path / "mine.yaml").write_text(MINE)
    source = rubin(tmp_path / "four.parquet", rng)
    estimate_catalog(source, tmp_path / "run", mapping=str(tmp_path / "mine.yaml"), workers=1, report=False)
    assert load_model(tmp_path / "run" / "model").bands == ("g", "r", "i", "z")


def test_redshifts_without_any_magnitude_still_make_a_report(tmp_path, rng):
    (tmp_path / "mine.yaml").write_text(MINE)
    table = pq.read_table(rubin(tmp_path / "four.parquet", rng))
    place = table.column_names.index("i_cModelFlux")
    table = table.set_column(place, "i_cModelFlux", pa.array(np.full(N_OBJ, np.nan)))
    pq.write_table(table.append_column("z", pa.array(rng.uniform(0.1, 1, N_OBJ))), tmp_path / "no_i.parquet")
    report = estimate_catalog(
        tmp_path / "no_i.parquet", tmp_path / "run", mapping=str(tmp_path / "mine.yaml"), workers=1
    )
    assert report.metrics is not None
    assert report.paths["report"].exists()
