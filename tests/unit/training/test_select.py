import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from pzcenter.errors import BandError, ColumnError
from pzcenter.training.select import SelectionConfig, select


@pytest.fixture
def training():
    return pa.table(
        {
            "objectId": [1, 2, 3, 4, 5, 6],
            "z_spec": [0.1, 0.5, 1.0, 2.0, None, 0.0],
            "z_flag": pa.array([4, 3, 2, None, 4, 6], pa.int8()),
            "z_type": ["s", "g", "p", "s", "s", "s"],
            "tie_result": pa.array([1, 0, 2, 1, 1, 3], pa.int8()),
            "survey": ["VVDS", "DESI", "DESI", None, "GAMA", "SDSS"],
            "separation_arcsec": [0.1, 0.2, 0.9, float("nan"), 0.1, 0.1],
            "flags": pa.array([0, 4, 0, 2048, None, 0], pa.uint32()),
            "extendedness": [1.0, 1.0, 0.0, None, 1.0, 0.0],
            "flux_i": [1000.0, 10.0, -5.0, float("nan"), 500.0, 1e6],
            "flux_err_i": [10.0, 10.0, 10.0, 10.0, 0.0, 10.0],
        }
    )


def ids(table, **settings):
    kept, report = select(table, SelectionConfig(**({"no_stars": False, "needs_redshift": False} | settings)))
    assert report.n_in - sum(cut.n_removed for cut in report.cuts) == report.n_out == kept.num_rows
    return kept.column("objectId").to_pylist()


def test_nothing_asked_nothing_removed(training):
    assert ids(training) == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"no_stars": True}, [1, 2, 3, 4, 5]),
        ({"needs_redshift": True}, [1, 2, 3, 4, 6]),
        ({"z_min": 0.5}, [2, 3, 4]),
        ({"z_max": 0.5}, [1, 6]),
        ({"min_z_flag": 3}, [1, 2, 5, 6]),
        ({"z_types": ("s", "g")}, [1, 2, 4, 5, 6]),
        ({"no_ties": True}, [1, 2, 4, 5, 6]),
        ({"no_repeats": True}, [1, 3, 4, 5, 6]),
        ({"max_separation_arcsec": 0.2}, [1, 2, 5, 6]),
        ({"excluded_flags": ("non_detection",)}, [1, 3, 4, 6]),
        ({"excluded_flags": ("non_detection", "blended")}, [1, 3, 6]),
        ({"min_extendedness": 0.5}, [1, 2, 5]),
        ({"surveys": ("desi", "VVDS")}, [1, 2, 3]),
        ({"excluded_surveys": ("desi",)}, [1, 5, 6]),
        ({"required_bands": ("i",)}, [1, 2, 3, 6]),
        ({"min_snr": {"i": 5}}, [1, 6]),
        # 1000 nJy is 23.9 mag, 10 nJy 28.9, 1e6 nJy 16.4; a negative flux is fainter than anything.
        ({"mag_range": {"i": (20, 25)}}, [1, 5]),
        ({"mag_range": {"i": (None, 25)}}, [1, 5, 6]),
        ({"mag_range": {"i": (25, None)}}, [2, 3]),
    ],
)
def test_each_cut_keeps_the_right_rows(training, settings, expected):
    assert ids(training, **settings) == expected


def test_counts_alone_in_sequence_and_missing(training):
    _, report = select(training, SelectionConfig(z_max=0.5, min_z_flag=3, surveys=("VVDS", "VIPERS")))
    counts = {cut.name: (cut.n_alone, cut.n_removed, cut.n_missing) for cut in report.cuts}
    assert counts == {
        "needs_redshift": (1, 1, 1),
        "z_max": (4, 3, 1),
        "no_stars": (1, 1, 0),
        "min_z_flag": (2, 0, 1),
        "surveys": (5, 0, 1),
    }
    assert report.absent_surveys == ("VIPERS",)
    assert report.sentences[0] == "1 of 6 rows stay."
    assert any("VIPERS" in line for line in report.sentences)
    assert report.as_dict()["cuts"][1]["name"] == "z_max"


def test_cuts_need_their_columns(training):
    with pytest.raises(ColumnError, match="no_stars=False"):
        select(training.drop_columns(["z_flag", "tie_result"]))
    with pytest.raises(ColumnError, match="separation_arcsec"):
        select(training.drop_columns(["separation_arcsec"]), SelectionConfig(max_separation_arcsec=1))
    with pytest.raises(BandError, match=r"flux_K.*\['i'\]"):
        select(training, SelectionConfig(min_snr={"K": 5}))


@pytest.mark.parametrize(
    "settings",
    [
        {"z_min": 1, "z_max": 1},
        {"mag_range": {"i": (25, 20)}},
        {"excluded_flags": ("no_such",)},
        {"surveys": ("DESI",), "excluded_surveys": ("desi",)},
        {"z_types": ("x",)},
        {"min_snr": {"i": float("nan")}},
        {"magnitude": 3},
    ],
)
def test_settings_that_make_no_sense(settings):
    with pytest.raises(ValidationError):
        SelectionConfig(**settings)


def test_empty_table(training):
    kept, report = select(training.slice(0, 0))
    assert kept.num_rows == report.n_in == report.n_out == 0


@given(
    z_max=st.one_of(st.none(), st.floats(0.01, 3)),
    flag=st.one_of(st.none(), st.integers(0, 4)),
    snr=st.floats(-5, 50),
    seed=st.integers(0, 99),
)
def test_nothing_disappears_uncounted(z_max, flag, snr, seed):
    rng = np.random.default_rng(seed)
    table = pa.table(
        {
            "objectId": np.arange(50),
            "z_spec": np.where(rng.random(50) < 0.1, np.nan, rng.uniform(0, 3, 50)),
            "z_flag": pa.array(rng.integers(0, 7, 50), pa.int8(), mask=rng.random(50) < 0.2),
            "flux_i": rng.normal(100, 100, 50),
            "flux_err_i": rng.uniform(0, 20, 50),
        }
    )
    kept, report = select(table, SelectionConfig(z_max=z_max, min_z_flag=flag, min_snr={"i": snr}))
    assert kept.num_rows == report.n_out == report.n_in - sum(cut.n_removed for cut in report.cuts)
    assert all(cut.n_removed <= cut.n_alone and cut.n_missing <= cut.n_alone for cut in report.cuts)
