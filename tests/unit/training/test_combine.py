"""Catalogues combined: the golden file row for row, modes, and what is wrong with inputs."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from pydantic import ValidationError

from pzcenter.errors import ColumnError, ConfigError, EmptyTableError, NotFoundError
from pzcenter.training.combine import CombineConfig, combine, read_combine_config
from pzcenter.training.redshift_source import RedshiftSource, read_source
from pzcenter.training.samples import SAMPLES, copy_samples

DATA = Path(__file__).parent / "data"
NUMBER = {
    "2dfgrs": 1, "2dflens": 2, "2mrs": 3, "3d-hst": 4, "6dfgs": 5, "astrodeep-jwst": 6, "astrodeep": 7, "desi": 8,
    "jades": 9, "mosdef": 10, "ozdes": 11, "primus": 12, "vandels": 13, "vimos": 14, "vuds": 15, "vvds": 16,
    "candels": 17, "ned": 18,
}  # fmt: skip
"""Catalogue number in the golden file."""


@pytest.fixture(scope="module")
def samples(tmp_path_factory):
    folder = tmp_path_factory.mktemp("samples") / "samples"
    copy_samples(folder)
    return folder


def sources(samples):
    """The nineteen catalogues of the golden file; a twentieth part of it is a combined catalogue itself."""
    named = sorted(SAMPLES.items(), key=lambda each: NUMBER[each[0]])
    found = [
        RedshiftSource(name=f"CRD{NUMBER[name]:03d}", path=str(samples / f"{name}.parquet"), survey=survey)
        for name, survey in named
    ]
    combined = RedshiftSource(
        name="CRD019", path=str(DATA / "combined_sample.parquet"),
        columns={"source_id": "CRD_ID", "z_spec": "z", "z_flag": "z_flag_homogenized", "survey": "survey"},
    )  # fmt: skip
    return (*found, combined)


@pytest.fixture(scope="module")
def combined(samples):
    return combine(CombineConfig(sources=sources(samples)))


def test_the_golden_file_row_for_row(combined):
    """LIneA's pipeline on the same 19 catalogues, with the parameters of its own test."""
    golden = pq.read_table(DATA / "golden_19_catalogues.parquet").to_pandas().set_index("CRD_ID")
    ours = combined.table.to_pandas()
    ours.index = ours.measurement_id.str.replace(":", "_")
    assert len(ours) == len(golden) == 18_698
    golden = golden.loc[ours.index]
    assert (ours.tie_result == golden.tie_result).all()
    assert (ours.z_flag == golden.z_flag_homogenized).all()
    assert (ours.z_type == golden.instrument_type_homogenized).all()
    assert combined.report.tie_result == {"0": 1451, "1": 16_688, "2": 208, "3": 351}
    assert combined.report.z_flag == {"0": 1646, "1": 1793, "2": 1088, "3": 6612, "4": 7208, "6": 351}
    assert combined.report.z_type == {"g": 1152, "p": 3838, "s": 13_708}


def test_the_order_of_catalogues_changes_nothing(samples, combined):
    again = combine(CombineConfig(sources=tuple(reversed(sources(samples)))))
    one, other = (
        made.table.sort_by("measurement_id").select(["measurement_id", "tie_result", "n_group", "z_flag"])
        for made in (combined, again)
    )
    assert one == other


def test_every_row_is_accounted_for(samples):
    config = CombineConfig(sources=sources(samples), mode="remove", min_flag=3)
    made = combine(config)
    report = made.report
    assert report.n_read == 18_698
    left_out = report.n_below_flag + report.n_lost + report.n_tied + report.n_stars
    assert report.n_read == left_out + report.n_kept
    assert made.table.num_rows == report.n_kept
    assert pc.min(made.table.column("z_flag")).as_py() == 3
    assert set(made.table.column("tie_result").to_pylist()) == {1}
    groups = [number for number in made.table.column("group_id").to_pylist() if number >= 0]
    assert len(groups) == len(set(groups))


def test_ties_are_kept_or_drawn(samples):
    kept = combine(CombineConfig(sources=sources(samples), mode="remove", ties="keep"))
    assert kept.table.filter(pc.equal(kept.table.column("tie_result"), 2)).num_rows == 208
    drawn = [
        combine(CombineConfig(sources=sources(samples), mode="remove", ties="draw", seed=seed)).table
        for seed in (1, 1, 2)
    ]
    ties = [
        set(table.filter(pc.equal(table.column("tie_result"), 2)).column("measurement_id").to_pylist())
        for table in drawn
    ]
    assert len(ties[0]) == kept.report.n_conflict
    assert ties[0] == ties[1] != ties[2]


def test_concatenated_only(samples):
    made = combine(CombineConfig(sources=sources(samples)[:2], mode="concatenate"))
    assert "tie_result" not in made.table.column_names
    assert made.table.num_rows == 2000


def small(tmp_path, **columns):
    rows = {
        "id": [1, 2, 3, 4],
        "ra": [10.0, 10.0, 20.0, 30.0],
        "dec": [0.0, 0.0, 1.0, 2.0],
        "z": [0.5, 0.5, 1.0, -9.999],
        "Q": [4, 4, 3, 1],
    }
    path = tmp_path / "mine.parquet"
    pq.write_table(pa.table({key: value for key, value in (rows | columns).items() if value is not None}), path)
    return RedshiftSource(
        name="mine",
        path=str(path),
        survey="6DFGS",
        columns={"z_flag": "Q", "ra": "ra", "dec": "dec", "z_spec": "z", "source_id": "id"},
    )


@pytest.mark.parametrize(
    ("order", "winner"),
    [(("z_err",), 2), (("survey",), 1), (("n_agree", "z_err"), 3), (("z_flag",), None)],
)
def test_what_decides(tmp_path, order, winner):
    table = pa.table(
        {
            "ra": [10.0] * 4, "dec": [0.0] * 4, "z": [0.1, 0.5, 0.9, 0.9003], "e": [0.1, 0.01, 0.2, 0.3], "Q": [4] * 4,
            "who": ["OZDES", "6DFGS", "2DFGRS", "2DFGRS"],
        }
    )  # fmt: skip
    winners = {1: 1, 2: 1, 3: 2, None: None}
    pq.write_table(table, tmp_path / "x.parquet")
    source = RedshiftSource(
        name="x", path=str(tmp_path / "x.parquet"),
        columns={"survey": "who", "z_err": "e", "z_flag": "Q", "z_spec": "z", "ra": "ra", "dec": "dec"},
    )  # fmt: skip
    made = combine(CombineConfig(sources=(source,), tie_break=order, survey_priority=("6DFGS", "OZDES")))
    result = made.table.column("tie_result").to_pylist()
    if winner is None:
        assert result == [2, 2, 2, 0]
    else:
        assert result[winners[winner]] == 1
        assert result.count(1) == 1


def test_chains_of_positions_are_cut(tmp_path):
    step = 0.4 / 3600
    rows = {"ra": (10 + step * np.arange(6)).tolist(), "dec": [0.0] * 6, "z": np.linspace(0.1, 1, 6), "Q": [4] * 6}
    pq.write_table(pa.table(rows), tmp_path / "x.parquet")
    source = RedshiftSource(
        name="x",
        path=str(tmp_path / "x.parquet"),
        survey="6DFGS",
        columns={"z_flag": "Q", "ra": "ra", "dec": "dec", "z_spec": "z"},
    )
    assert combine(CombineConfig(sources=(source,))).report.n_cut == 1
    assert combine(CombineConfig(sources=(source,), max_diameter_arcsec=10.0)).report.n_cut == 0


def test_stand_ins_become_missing_and_are_counted(tmp_path):
    made = combine(CombineConfig(sources=(small(tmp_path),)))
    assert made.table.column("z_spec").to_pylist() == [0.5, 0.5, 1.0, None]
    assert (made.report.n_stand_in, made.report.n_not_positive) == (1, 1)
    assert made.report.sources[0].n_not_positive == 1


def test_what_is_odd_is_counted_and_told(tmp_path):
    source = small(
        tmp_path, z=["0.5", "0.5", "bad", None], id=[1, 1, 2, 3], Q=[4, 9, 9, None], dec=[0.0, None, 1.0, -999.0]
    )
    made = combine(CombineConfig(sources=(source,)))
    report = made.report.sources[0]
    assert (report.n_no_redshift, report.n_not_a_number, report.n_same_id, report.n_no_position) == (2, 1, 1, 2)
    assert made.table.num_rows == 4
    words = " ".join(made.report.warnings)
    assert "1 redshifts are text" in words
    assert "no rule of 6DFGS catches 3 rows, such as 9" in words
    assert made.report.z_flag == {"4": 1, "null": 3}


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"survey": None}, ColumnError, "of which survey"),
        ({"survey": "NOSUCH"}, NotFoundError, "no survey 'NOSUCH'"),
        ({"columns": {"z_spec": "zz"}}, ColumnError, "no column 'zz' for z_spec"),
        ({"columns": {"redshift": "z"}}, ColumnError, "no standard columns"),
        ({"columns": {"survey": "who"}}, ColumnError, "no column 'who'"),
        ({"path": "/nowhere.parquet"}, NotFoundError, "source mine"),
        ({"scale": "common"}, ConfigError, "not on the common scale"),
    ],
)
def test_wrong_sources_are_named(tmp_path, change, error, words):
    source = small(tmp_path, Q=[5, 5, 5, 5]).model_copy(update=change)
    with pytest.raises(error, match=words):
        combine(CombineConfig(sources=(source,)))


def test_tables_without_what_is_needed(tmp_path):
    pq.write_table(pa.table({"a": [1]}), tmp_path / "a.parquet")
    with pytest.raises(ColumnError, match="no column for ra, dec, z_spec among a"):
        read_source(RedshiftSource(name="a", survey="VVDS"), tmp_path / "a.parquet")
    empty = small(tmp_path)
    pq.write_table(pq.read_table(empty.path).slice(0, 0), tmp_path / "e.parquet")
    with pytest.raises(EmptyTableError):
        read_source(empty, tmp_path / "e.parquet")


def test_a_source_without_a_file_is_fetched(tmp_path):
    table = pq.read_table(small(tmp_path).path)
    source = small(tmp_path).model_copy(update={"path": None})
    made = combine(CombineConfig(sources=(source,)), fetch=lambda _source: table)
    assert made.table.num_rows == 4
    with pytest.raises(ConfigError, match="nothing fetches it"):
        combine(CombineConfig(sources=(source,)))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("sources: []", "sources"), ("sources: [{name: a}, {name: a}]", "named twice"),
        ("radius_arcsec: 0", "radius_arcsec"),
        ("sources: [{name: a}]\nradius_arcsec: 3600", "less than or equal to 60"), ("sources: [", "YAML"),
        ("sources: [{name: a}]\ntie_break: [survey]", "survey_priority"), ("sources: [{name: '../x'}]", "name"),
        ("sources: [{name: a}]\nmode: merge", "mode"),
    ],
)  # fmt: skip
def test_settings_are_checked(tmp_path, text, words):
    (tmp_path / "c.yaml").write_text(text)
    with pytest.raises(ConfigError, match=words):
        read_combine_config(tmp_path / "c.yaml")
    with pytest.raises(NotFoundError):
        read_combine_config(tmp_path / "d.yaml")


def test_settings_out_of_range():
    with pytest.raises(ValidationError):
        CombineConfig(sources=(RedshiftSource(name="a"),), radius_arcsec=-1)


def test_samples_are_what_their_page_says(samples):
    rows = {path.stem: pq.read_metadata(path).num_rows for path in samples.glob("*.parquet")}
    assert Counter(rows.values()) == {1000: 17, 698: 1}
    assert set(rows) == set(SAMPLES)
    assert (samples / "ORIGIN.md").is_file()
    assert len(read_combine_config(samples / "combine.yaml").sources) == 18
