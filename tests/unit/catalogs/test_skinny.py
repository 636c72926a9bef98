"""The skinny table: every row is accounted for, every flux is in nJy, and a killed run ends in the same bytes."""

import errno
import os

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pzcenter.catalogs import make_skinny, open_catalog, photometry_of, read_provenance, verify_manifest
from pzcenter.catalogs import skinny as skinny_module
from pzcenter.catalogs.conversion import parse_cut
from pzcenter.catalogs.photometry import bands_of
from pzcenter.catalogs.runs import Run, sky_order, write_run
from pzcenter.catalogs.storage import HashingFile
from pzcenter.catalogs.tiling import SkyCounts, choose_pixels
from pzcenter.catalogs.unique_ids import require_unique_ids
from pzcenter.errors import (
    BandError,
    ColumnError,
    ConfigError,
    DuplicateIdError,
    EmptyTableError,
    OutputExistsError,
    SchemaError,
    StorageError,
    UnitError,
)
from pzcenter.schema import PZFlag, check_table, load_mapping
from pzcenter.schema.mapping import Mapping
from pzcenter.science.extinction import extinction_coefficients
from pzcenter.science.photometry import flux_err_to_mag_err, flux_to_asinh_mag, flux_to_mag
from pzcenter.science.sky import healpix29, healpix_at_order

BANDS = "ugrizy"
N_ROWS = 5_000


def rubin_table(n_rows: int = N_ROWS, seed: int = 3) -> pa.Table:
    rng = np.random.default_rng(seed)
    columns = {
        "objectId": rng.permutation(n_rows) + 10_000,
        "coord_ra": rng.uniform(350, 370, n_rows) % 360,
        "coord_dec": rng.uniform(-40, -30, n_rows),
        "tract": rng.integers(0, 9, n_rows),
    }
    for band in BANDS:
        flux = rng.lognormal(6, 2, n_rows).astype(np.float32)
        error = (0.02 * flux + rng.uniform(5, 20, n_rows)).astype(np.float32)
        columns[f"{band}_cModelFlux"] = flux + error * rng.normal(size=n_rows).astype(np.float32)
        columns[f"{band}_cModelFluxErr"] = error
        columns[f"{band}_cModel_flag"] = rng.random(n_rows) < 0.01
    columns["ebv"] = rng.uniform(0, 0.2, n_rows).astype(np.float32)
    columns["refExtendedness"] = (rng.random(n_rows) < 0.9).astype(np.float64)
    columns["detect_isPrimary"] = rng.random(n_rows) < 0.8
    return pa.table(columns)


@pytest.fixture
def source(tmp_path):
    pq.write_table(rubin_table(), tmp_path / "object.parquet")
    return tmp_path / "object.parquet"


def replaced(source, **columns):
    """The source with some columns given anew."""
    table = pq.read_table(source)
    for name, values in columns.items():
        table = table.set_column(table.column_names.index(name), name, pa.array(values))
    pq.write_table(table, source)
    return source


def changed(source, name: str, rows, value):
    """The source with some values of a column replaced."""
    values = pq.read_table(source)[name].to_numpy().copy()
    values[rows] = value
    return replaced(source, **{name: values})


class TestRows:
    def test_counts_add_up(self, source, tmp_path):
        changed(source, "coord_ra", slice(0, 7), np.nan)
        report = make_skinny(source, tmp_path / "skinny")
        primary = pq.read_table(source)["detect_isPrimary"].to_numpy()
        assert report.n_in == N_ROWS
        assert report.n_cut == {"no_position": 7, "primary": int(np.count_nonzero(~primary[7:]))}
        assert report.n_out == report.n_in - sum(report.n_cut.values())
        assert report.mapping == "rubin_cmodel"
        skinny = open_catalog(tmp_path / "skinny").read()
        expected = np.sort(pq.read_table(source)["objectId"].to_numpy()[7:][primary[7:]])
        np.testing.assert_array_equal(np.sort(skinny["objectId"].to_numpy()), expected)

    def test_values_against_the_equations(self, source, tmp_path):
        make_skinny(source, tmp_path / "skinny")
        before = {row: index for index, row in enumerate(pq.read_table(source)["objectId"].to_pylist())}
        table, skinny = pq.read_table(source), open_catalog(tmp_path / "skinny").read()
        check_table(skinny, "skinny")
        rows = [before[i] for i in skinny["objectId"].to_pylist()]
        ebv = table["ebv"].to_numpy()[rows].astype(np.float64)
        for band, coefficient in zip(BANDS, extinction_coefficients(BANDS), strict=True):
            dropped = table[f"{band}_cModel_flag"].to_numpy(zero_copy_only=False)[rows]
            for ours, theirs in (("flux", "cModelFlux"), ("flux_err", "cModelFluxErr")):
                expected = table[f"{band}_{theirs}"].to_numpy()[rows] * 10 ** (0.4 * coefficient * ebv)
                expected[dropped] = np.nan
                np.testing.assert_allclose(skinny[f"{ours}_{band}"].to_numpy(), expected, rtol=1e-6)
        np.testing.assert_array_equal(skinny["ebv"].to_numpy(), table["ebv"].to_numpy()[rows])
        np.testing.assert_array_equal(skinny["ra"].to_numpy(), table["coord_ra"].to_numpy()[rows])
        assert skinny.schema.field("flux_u").type == pa.float32()
        assert skinny.schema.metadata[b"pz.dereddened"] == b"true"
        flags = skinny["flags"].to_numpy()
        star = table["refExtendedness"].to_numpy()[rows] < 0.5
        np.testing.assert_array_equal((flags & PZFlag.star_like) != 0, star)

    def test_order_and_partitions(self, source, tmp_path):
        report = make_skinny(source, tmp_path / "skinny", rows_per_partition=500)
        catalog = open_catalog(tmp_path / "skinny")
        assert catalog.format == "hats"
        assert report.n_partitions == len(catalog.partitions) > 5
        for partition in catalog.partitions:
            table = partition.read()
            assert 0 < table.num_rows <= 500
            pixel = table["_healpix_29"].to_numpy()
            assert np.all(np.diff(pixel) >= 0)
            assert set(healpix_at_order(pixel, partition.order)) == {partition.pixel}
            np.testing.assert_array_equal(pixel, healpix29(table["ra"].to_numpy(), table["dec"].to_numpy()))

    def test_without_positions_keeps_the_order(self, source, tmp_path):
        table = pq.read_table(source).drop_columns(["coord_ra", "coord_dec"])
        pq.write_table(table, source)
        report = make_skinny(source, tmp_path / "skinny", cuts=[], rows_per_partition=700)
        catalog = open_catalog(tmp_path / "skinny")
        assert [partition.name for partition in catalog.partitions] == [f"part-{i:05d}" for i in range(8)]
        assert catalog.read(["objectId"])["objectId"].to_pylist() == table["objectId"].to_pylist()
        assert any("no positions" in note for note in report.notes)

    def test_other_cuts(self, source, tmp_path):
        report = make_skinny(source, tmp_path / "skinny", cuts=["refExtendedness >= 0.5", "detect_isPrimary == true"])
        assert list(report.n_cut) == ["no_position", "refExtendedness >= 0.5", "detect_isPrimary == true"]
        flags = open_catalog(tmp_path / "skinny").read(["flags"])["flags"].to_numpy()
        assert not np.any(flags & PZFlag.star_like)
        with pytest.raises(ColumnError, match="refExtended"):
            make_skinny(source, tmp_path / "other", cuts=["refExtended > 0"])

    def test_all_rows_cut(self, source, tmp_path):
        with pytest.raises(EmptyTableError, match="none of 5000 rows is left"):
            make_skinny(source, tmp_path / "skinny", cuts=["ebv > 9"])
        assert not (tmp_path / "skinny").exists()

    def test_chosen_and_absent_bands(self, source, tmp_path):
        make_skinny(source, tmp_path / "gri", bands="gri")
        assert bands_of(open_catalog(tmp_path / "gri").schema) == ("g", "r", "i")
        pq.write_table(pq.read_table(source).drop_columns("y_cModelFlux"), source)
        report = make_skinny(source, tmp_path / "skinny")
        assert report.bands == ("u", "g", "r", "i", "z")
        assert any("bands y" in note for note in report.notes)
        with pytest.raises(ColumnError, match="y_cModelFlux"):
            make_skinny(source, tmp_path / "other", "rubin_cmodel", bands="iy")
        with pytest.raises(BandError):
            make_skinny(source, tmp_path / "other", "rubin_cmodel", bands="iJ")

    def test_row_numbers(self, source, tmp_path):
        table = pq.read_table(source).drop_columns(["objectId", "coord_ra", "coord_dec"])
        pq.write_table(table, source)
        with pytest.raises(ColumnError, match="objectId"):
            make_skinny(source, tmp_path / "skinny", "rubin_cmodel")
        report = make_skinny(source, tmp_path / "skinny", "rubin_cmodel", row_numbers=True)
        ids = open_catalog(tmp_path / "skinny").read(["objectId"])["objectId"].to_numpy()
        np.testing.assert_array_equal(ids, np.flatnonzero(table["detect_isPrimary"].to_numpy(zero_copy_only=False)))
        assert any("row numbers" in note for note in report.notes)

    def test_ids_must_be_whole_numbers(self, source, tmp_path):
        replaced(source, objectId=[f"J{i}" for i in range(N_ROWS)])
        with pytest.raises(SchemaError, match="objectId"):
            make_skinny(source, tmp_path / "skinny")
        assert not (tmp_path / "skinny").exists()

    def test_tract_may_be_missing(self, source, tmp_path):
        replaced(source, tract=pa.array([None if i % 2 else i for i in range(N_ROWS)], pa.int32()))
        make_skinny(source, tmp_path / "skinny", cuts=[])
        tract = open_catalog(tmp_path / "skinny").read(["tract"])["tract"]
        assert tract.type == pa.int32()
        assert tract.null_count == N_ROWS // 2


class TestBadPhotometry:
    def flags_of(self, source, tmp_path, object_id):
        make_skinny(source, tmp_path / "skinny", cuts=[], overwrite=True)
        table = open_catalog(tmp_path / "skinny").read()
        row = table["objectId"].to_pylist().index(object_id)
        return table.slice(row, 1).to_pylist()[0]

    @pytest.mark.parametrize("error", [0.0, -1.0, np.inf, np.nan])
    def test_bad_error_drops_the_band(self, source, tmp_path, error):
        changed(source, "g_cModelFluxErr", 11, error)
        changed(source, "g_cModel_flag", 11, False)
        row = self.flags_of(source, tmp_path, pq.read_table(source)["objectId"][11].as_py())
        assert np.isnan(row["flux_g"])
        assert np.isnan(row["flux_err_g"])
        assert row["flags"] & PZFlag.bad_error

    def test_missing_flux_is_no_error(self, source, tmp_path):
        for band in BANDS:
            changed(source, f"{band}_cModelFlux", 11, np.nan)
            changed(source, f"{band}_cModel_flag", 11, False)
        row = self.flags_of(source, tmp_path, pq.read_table(source)["objectId"][11].as_py())
        assert all(np.isnan(row[f"flux_{band}"]) for band in BANDS)
        assert not row["flags"] & PZFlag.bad_error

    def test_negative_flux_is_data(self, source, tmp_path):
        changed(source, "u_cModelFlux", 11, -3.0)
        changed(source, "u_cModel_flag", 11, False)
        row = self.flags_of(source, tmp_path, pq.read_table(source)["objectId"][11].as_py())
        assert row["flux_u"] < 0
        assert row["flags"] & PZFlag.non_detection

    @pytest.mark.parametrize("ebv", [np.nan, -0.1])
    def test_unknown_extinction(self, source, tmp_path, ebv):
        changed(source, "ebv", 11, ebv)
        changed(source, "r_cModel_flag", 11, False)
        row = self.flags_of(source, tmp_path, pq.read_table(source)["objectId"][11].as_py())
        assert row["flux_r"] == pytest.approx(pq.read_table(source)["r_cModelFlux"][11].as_py(), rel=1e-6)
        assert row["flags"] & PZFlag.not_dereddened

    def test_dereddening_switched_off(self, source, tmp_path):
        make_skinny(source, tmp_path / "skinny", deredden=False)
        table = open_catalog(tmp_path / "skinny").read()
        assert np.all(table["flags"].to_numpy() & PZFlag.not_dereddened)
        assert not photometry_of(table).dereddened

    def test_dust_map(self, source, tmp_path):
        class Map:
            def query(self, positions):
                return np.full(positions.shape, 0.1)

        pq.write_table(pq.read_table(source).drop_columns("ebv"), source)
        make_skinny(source, tmp_path / "skinny", ebv_map=Map())
        table = open_catalog(tmp_path / "skinny").read()
        np.testing.assert_allclose(table["ebv"].to_numpy(), 0.1, rtol=1e-6)
        assert not np.any(table["flags"].to_numpy() & PZFlag.not_dereddened)

    def test_magnitudes_declared_as_fluxes(self, source, tmp_path):
        rng = np.random.default_rng(5)
        for band in BANDS:
            replaced(source, **{f"{band}_cModelFlux": rng.uniform(18, 27, N_ROWS),
                                f"{band}_cModelFluxErr": rng.uniform(0.01, 0.3, N_ROWS)})  # fmt: skip
        with pytest.raises(UnitError, match="hold magnitudes: their median is 22"):
            make_skinny(source, tmp_path / "skinny")
        assert not (tmp_path / "skinny").exists()


class TestMagnitudes:
    def write(self, tmp_path, mag, mag_err, **more):
        columns = {"id": np.arange(len(mag)), "redshift": np.full(len(mag), 0.5)}
        for band in BANDS:
            columns[f"mag_{band}_lsst"], columns[f"mag_err_{band}_lsst"] = mag, mag_err
        pq.write_table(pa.table({**columns, **more}), tmp_path / "rail.parquet")
        return tmp_path / "rail.parquet"

    def test_equations_limits_and_missing(self, tmp_path):
        mag, mag_err = np.array([21.4, 99.0, np.nan, 99.0]), np.array([0.1, 26.4, 0.1, 99.0])
        make_skinny(self.write(tmp_path, mag, mag_err), tmp_path / "skinny", bands="gr")
        table = open_catalog(tmp_path / "skinny").read()
        np.testing.assert_allclose(table["flux_g"].to_numpy(), [1e4, 0.0, np.nan, np.nan], rtol=1e-6)
        expected = [1e3 / 1.0857362, 100.0, np.nan, np.nan]
        np.testing.assert_allclose(table["flux_err_g"].to_numpy(), expected, rtol=1e-6)
        assert [flags & PZFlag.non_detection != 0 for flags in table["flags"].to_pylist()] == [
            False,
            True,
            False,
            False,
        ]
        assert table["z_spec"].to_pylist() == [0.5] * 4
        assert photometry_of(table).dereddened

    def test_rule_missing(self, tmp_path):
        source = self.write(tmp_path, np.array([21.4, 99.0]), np.array([0.1, 26.4]))
        make_skinny(source, tmp_path / "skinny", load_mapping("rail").with_nondetection("missing"))
        assert np.isnan(open_catalog(tmp_path / "skinny").read()["flux_g"].to_pylist()[1])

    def test_fluxes_declared_as_magnitudes(self, tmp_path):
        with pytest.raises(UnitError, match="declared as magnitudes"):
            make_skinny(self.write(tmp_path, np.linspace(20, 9_000, 50), np.ones(50)), tmp_path / "skinny")

    def test_impossible_redshifts_are_missing(self, tmp_path):
        source = self.write(tmp_path, np.full(5, 22.0), np.full(5, 0.1))
        replaced(source, redshift=[0.5, -99.0, np.nan, -1.0, 99.0])
        make_skinny(source, tmp_path / "skinny")
        z_spec = open_catalog(tmp_path / "skinny").read()["z_spec"].to_numpy()
        np.testing.assert_array_equal(np.isfinite(z_spec), [True, False, False, False, False])

    def test_asinh_magnitudes(self, tmp_path):
        flux = np.array([1e5, 200.0, -50.0])
        mapping = load_mapping("sdss").with_bands("gr")
        b = mapping.photometry.softening
        columns = {"objID": [1, 2, 3], "mode": [1, 1, 1], "type": [3, 6, 3], "extinction_r": [0.0, 0.0, 0.0]}
        for band in "gr":
            softening = b[band] * 10 ** (0.4 * 31.4)
            columns[f"modelMag_{band}"] = flux_to_asinh_mag(flux, softening)
            columns[f"modelMagErr_{band}"] = np.full(3, 0.1)
        pq.write_table(pa.table(columns), tmp_path / "sdss.parquet")
        make_skinny(tmp_path / "sdss.parquet", tmp_path / "skinny", mapping)
        table = open_catalog(tmp_path / "skinny").read()
        np.testing.assert_allclose(table["flux_g"].to_numpy(), flux, rtol=1e-5)
        assert table["flags"].to_pylist()[1] & PZFlag.star_like

    def test_ab_offset_and_unit(self, tmp_path):
        mapping = Mapping.model_validate({
            "name": "own", "description": "own", "bands": ["g", "r"], "object_id": "id",
            "photometry": {"kind": "flux", "value": "f_{band}", "error": "e_{band}", "unit": "uJy",
                           "ab_offset": {"g": 0.1}, "dereddened": True, "missing_values": [-99.0]},
        })  # fmt: skip
        columns = {"id": [1, 2], "f_g": [1.0, -99.0], "e_g": [0.1, 0.1], "f_r": [1.0, 1.0], "e_r": [0.1, -99.0]}
        pq.write_table(pa.table(columns), tmp_path / "own.parquet")
        make_skinny(tmp_path / "own.parquet", tmp_path / "skinny", mapping)
        table = open_catalog(tmp_path / "skinny").read()
        np.testing.assert_allclose(table["flux_g"].to_numpy(), [1e3 * 10**-0.04, np.nan], rtol=1e-6)
        np.testing.assert_allclose(table["flux_r"].to_numpy(), [1e3, np.nan], rtol=1e-6)

    def test_own_skinny_table_is_a_fixed_point(self, source, tmp_path):
        make_skinny(source, tmp_path / "one")
        make_skinny(tmp_path / "one", tmp_path / "two")
        one, two = (open_catalog(tmp_path / name).read() for name in ("one", "two"))
        for name in ["objectId", *(f"flux_{band}" for band in BANDS)]:
            np.testing.assert_array_equal(one[name].to_numpy(), two[name].to_numpy())


class TestDuplicates:
    @pytest.mark.parametrize("rows_per_run", [400, 10**6])
    def test_named(self, source, tmp_path, monkeypatch, rows_per_run):
        monkeypatch.setattr(skinny_module, "ROWS_PER_RUN", rows_per_run)
        monkeypatch.setattr(skinny_module, "BATCH_SIZE", 200)
        replaced(source, objectId=[*range(N_ROWS - 2), 17, 4_000])
        with pytest.raises(
            DuplicateIdError, match="2 object ids appear more than once after the cuts, such as 17, 4000"
        ):
            make_skinny(source, tmp_path / "skinny", cuts=[])
        assert not (tmp_path / "skinny").exists()

    def test_cut_duplicates_do_no_harm(self, source, tmp_path):
        replaced(source, objectId=[0, 0, *range(1, N_ROWS - 1)], detect_isPrimary=[False] + [True] * (N_ROWS - 1))
        assert make_skinny(source, tmp_path / "skinny").n_out == N_ROWS - 1

    @pytest.mark.parametrize("at_once", [64, 1_000, 10**6])
    def test_ranges_against_sets(self, tmp_path, monkeypatch, at_once):
        monkeypatch.setattr("pzcenter.catalogs.unique_ids.IDS_AT_ONCE", at_once)
        rng = np.random.default_rng(6)
        ids = rng.permutation(100_000)[:5_000] - 50_000
        ids[[10, 4_000]] = ids[[4_990, 20]]
        runs = [write_run(tmp_path / f"{i}", {"objectId": part}) for i, part in enumerate(np.array_split(ids, 7))]
        expected = sorted(v for v, n in zip(*np.unique(ids, return_counts=True), strict=True) if n > 1)
        with pytest.raises(DuplicateIdError, match=", ".join(map(str, expected))):
            require_unique_ids(runs, "t")
        unique = [
            write_run(tmp_path / f"u{i}", {"objectId": p}) for i, p in enumerate(np.array_split(np.arange(900), 3))
        ]
        require_unique_ids(unique, "t")
        require_unique_ids([], "t")


class TestRestart:
    @pytest.fixture(autouse=True)
    def small_steps(self, monkeypatch):
        monkeypatch.setattr(skinny_module, "ROWS_PER_RUN", 600)
        monkeypatch.setattr(skinny_module, "BATCH_SIZE", 300)

    @pytest.mark.parametrize("stop_after", [0.05, 0.3, 0.69, 0.75, 0.95])
    def test_killed_run_ends_in_the_same_bytes(self, source, tmp_path, stop_after):
        whole = make_skinny(source, tmp_path / "whole", rows_per_partition=400)

        def kill(fraction, _text):
            if fraction >= stop_after:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            make_skinny(source, tmp_path / "killed", rows_per_partition=400, progress=kill)
        assert not (tmp_path / "killed" / "manifest.json").exists()
        with pytest.raises(OutputExistsError, match="begun: ask to resume"):
            make_skinny(source, tmp_path / "killed", rows_per_partition=400)
        with pytest.raises(OutputExistsError, match="from another source, mapping or setting"):
            make_skinny(source, tmp_path / "killed", rows_per_partition=500, resume=True)
        seen = []
        report = make_skinny(
            source, tmp_path / "killed", rows_per_partition=400, resume=True, progress=lambda f, _t: seen.append(f)
        )
        assert seen[-1] == 1.0
        assert (report.n_in, report.n_out, report.n_cut, report.n_flagged) == (
            whole.n_in, whole.n_out, whole.n_cut, whole.n_flagged,
        )  # fmt: skip
        files = [record.sha256 for record in verify_manifest(tmp_path / "killed").files if record.n_rows]
        assert files == [record.sha256 for record in verify_manifest(tmp_path / "whole").files if record.n_rows]
        assert not (tmp_path / "killed" / ".tmp").exists()

    def test_size_of_steps_does_not_change_the_bytes(self, source, tmp_path, monkeypatch):
        make_skinny(source, tmp_path / "small" / "skinny")
        monkeypatch.setattr(skinny_module, "ROWS_PER_RUN", 10**6)
        make_skinny(source, tmp_path / "large" / "skinny")
        small, large = (tmp_path / size / "skinny" / "manifest.json" for size in ("small", "large"))
        assert small.read_bytes() == large.read_bytes()

    def test_complete_table(self, source, tmp_path):
        report = make_skinny(source, tmp_path / "skinny")
        with pytest.raises(OutputExistsError, match="a complete skinny table"):
            make_skinny(source, tmp_path / "skinny")
        assert make_skinny(source, tmp_path / "skinny", resume=True) == report
        assert make_skinny(source, tmp_path / "skinny", overwrite=True) == report
        with pytest.raises(OutputExistsError, match="another source"):
            make_skinny(source, tmp_path / "skinny", bands="gri", resume=True)

    def test_never_removes_what_is_not_ours(self, source, tmp_path):
        (tmp_path / "mine").mkdir()
        (tmp_path / "mine" / "thesis.tex").write_text("...")
        for options in ({}, {"overwrite": True}, {"resume": True}):
            with pytest.raises(OutputExistsError, match="other content"):
                make_skinny(source, tmp_path / "mine", **options)
        with pytest.raises(OutputExistsError, match="is a file"):
            make_skinny(source, source)
        assert (tmp_path / "mine" / "thesis.tex").read_text() == "..."

    @pytest.mark.parametrize("n_writes", [0, 3, 60, 150])
    def test_no_space_leaves_nothing(self, source, tmp_path, monkeypatch, n_writes):
        write, left = HashingFile.write, iter(range(n_writes))

        def until_full(self, data):
            if next(left, None) is None:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return write(self, data)

        monkeypatch.setattr(HashingFile, "write", until_full)
        with pytest.raises(StorageError, match="no space left on the device"):
            make_skinny(source, tmp_path / "skinny")
        assert not (tmp_path / "skinny").exists()


class TestRecord:
    def test_provenance(self, source, tmp_path):
        make_skinny(source, tmp_path / "skinny", command=["pz", "catalog", "skinny", "/home/somebody/object.parquet"])
        record = read_provenance(tmp_path / "skinny")
        assert record["task"] == "catalog skinny"
        assert record["command"][-1] == "~/object.parquet"
        assert len(record["inputs"][0]["sha256"]) == 64
        assert record["counts"]["n_in"] == N_ROWS
        assert record["configuration"]["mapping"]["name"] == "rubin_cmodel"
        verify_manifest(tmp_path / "skinny")

    def test_photometry_of(self, source, tmp_path):
        make_skinny(source, tmp_path / "skinny")
        table = open_catalog(tmp_path / "skinny").read()
        photometry = photometry_of(table)
        assert photometry.bands == tuple(BANDS)
        assert photometry.flux.dtype == np.float32
        assert photometry.flux.flags.c_contiguous
        np.testing.assert_array_equal(photometry.flux[:, 2], table["flux_r"].to_numpy())
        np.testing.assert_array_equal(photometry.object_id, table["objectId"].to_numpy())
        np.testing.assert_array_equal(photometry.flags, table["flags"].to_numpy())
        batch = table.to_batches()[0]
        np.testing.assert_array_equal(photometry_of(batch, "ir").flux[:, 1], batch["flux_r"].to_numpy())
        with pytest.raises(BandError, match="J"):
            photometry_of(table, ["J"])


class TestCutText:
    @pytest.mark.parametrize(
        ("text", "op", "value"),
        [("a<1", "<", 1), ("a >= 0.5", ">=", 0.5), ("a==true", "is_true", None), ("a != true", "is_false", None)],
    )
    def test_parsed(self, text, op, value):
        cut = parse_cut(text)
        assert (cut.column, cut.op, cut.value) == ("a", op, value)

    @pytest.mark.parametrize("text", ["a", "a < b", "a < 1 or b > 2", "a = 1", "a < true", "__import__('os') == 1 2"])
    def test_refused(self, text):
        with pytest.raises(ConfigError, match="cut "):
            parse_cut(text)


class TestSky:
    def test_pixels_hold_all_and_no_more_than_asked(self):
        rng = np.random.default_rng(7)
        pixel = np.concatenate(
            [
                healpix29(rng.uniform(0, 360, 20_000), np.degrees(np.arcsin(rng.uniform(-1, 1, 20_000)))),
                healpix29(rng.normal(50, 0.2, 20_000), rng.normal(-20, 0.2, 20_000)),
            ]
        )
        sky = SkyCounts()
        for part in np.array_split(pixel, 5):
            sky.add(part)
        chosen = choose_pixels(sky, 1_000)
        assert max(n_obj for _, _, n_obj in chosen) <= 1_000
        assert sum(n_obj for _, _, n_obj in chosen) == pixel.size
        for order, number, n_obj in chosen:
            assert np.count_nonzero(healpix_at_order(pixel, order) == number) == n_obj
            parent = np.count_nonzero(healpix_at_order(pixel, order - 1) == number // 4) if order else 1_001
            assert parent > 1_000

    def test_one_crowded_point_is_one_partition(self):
        sky = SkyCounts()
        sky.add(np.full(5_000, healpix29([10.0], [10.0])[0]))
        assert [n_obj for _, _, n_obj in choose_pixels(sky, 100)] == [5_000]

    def test_order_is_total(self):
        columns = {"_healpix_29": np.array([3, 1, 3, 2, 3]), "objectId": np.array([9, 1, 7, 1, 8])}
        assert columns["objectId"][sky_order(columns)].tolist() == [1, 1, 7, 8, 9]
        assert sky_order({"_healpix_29": np.array([1, 2]), "objectId": np.array([2, 1])}) is None

    def test_run_comes_back(self, tmp_path):
        columns = {
            "_healpix_29": np.array([5, 2, 9]),
            "objectId": np.array([1, 2, 3]),
            "x": np.array([1.0, 2, 3], "f4"),
        }
        run = write_run(tmp_path / "r", columns)
        assert {name: values.tolist() for name, values in run.rows(0, 2).items()} == {
            "_healpix_29": [2, 5], "objectId": [2, 1], "x": [2.0, 1.0],
        }  # fmt: skip
        assert Run(run.path, run.n_rows, run.layout).bounds([3, 9, 10]).tolist() == [1, 2, 3]


def test_mag_helpers_agree():
    assert flux_to_mag(1e4) == pytest.approx(21.4)
    assert flux_err_to_mag_err(1e4, 1e3) == pytest.approx(0.10857362)
