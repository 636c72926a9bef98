"""The files of the data challenge: names, content, checks; what is written here is what its own readers expect."""

from __future__ import annotations

import tarfile

import h5py
import numpy as np
import pytest

from pzcenter.errors import ColumnError, ConfigError, FileFormatError, OutputExistsError, ShapeError
from pzcenter.validation.submissions import (
    ChallengeFile,
    challenge_entries,
    check_challenge_file,
    open_challenge_submission,
    open_submission,
    read_bin_assignment,
    read_nz_estimate,
    write_bin_assignment,
    write_challenge_submission,
    write_nz_estimate,
)
from pzcenter.validation.submissions.nz_challenge import bin_assignment_name, nz_estimate_name, nz_samples_name

ENTRY = ChallengeFile(1, "cardinal", "1yr")
OTHER = ChallengeFile(4, "flagship", "10yr", subtask=2)


def test_names_are_those_of_the_challenge():
    assert ENTRY.path == "pz_challenge_taskset_1_cardinal_pz_estimate_1yr.hdf5"
    assert OTHER.path == "outputs_2/pz_challenge_taskset_4_flagship_pz_estimate_10yr.hdf5"
    model = ChallengeFile(2, "cardinal", "10yr", "pz_model")
    assert model.path == "pz_challenge_taskset_2_cardinal_pz_model_10yr.pkl"
    for entry in (ENTRY, OTHER, model, ChallengeFile(3, "flagship", "1yr", "test")):
        assert ChallengeFile.parse(entry.path) == entry
        assert ChallengeFile.parse(f"someone/{entry.path}".removesuffix(".hdf5")) == entry
    for name in (
        "pz_challenge_taskset_x_cardinal_pz_estimate_1yr.hdf5",
        "mine.hdf5",
        "pz_challenge_taskset_1_a_test_1yr",
    ):
        with pytest.raises(ConfigError, match="challenge names files"):
            ChallengeFile.parse(name)


@pytest.mark.parametrize("ending", ["mine.tar", "mine.tgz", "directory"])
def test_a_submission_written_is_read_again(tmp_path, qp_file, truth, ending):
    submission = open_submission(qp_file)
    path = write_challenge_submission(tmp_path / ending, {ENTRY: submission, OTHER: submission}, name="mine")
    if ending != "directory":
        with tarfile.open(path) as archive:
            assert archive.getnames() == [f"mine/{OTHER.path}", f"mine/{ENTRY.path}"]
    entries = challenge_entries(open_challenge_submission(path))
    assert sorted(entries) == [ENTRY, OTHER]
    for again in entries.values():
        chunk = next(again.chunks())
        np.testing.assert_array_equal(chunk.object_id, truth.ids)
        np.testing.assert_array_equal(chunk.z_point, truth.mode)
        np.testing.assert_allclose(chunk.pz, truth.pdf, rtol=1e-12)


def test_the_same_submission_gives_the_same_bytes(tmp_path, qp_file):
    submission = open_submission(qp_file)
    paths = [write_challenge_submission(tmp_path / f"{n}.tgz", {ENTRY: submission}, name="mine") for n in "ab"]
    assert paths[0].read_bytes() == paths[1].read_bytes()


def test_a_file_written_passes_the_checks_of_the_challenge(tmp_path, qp_file, truth):
    qp = pytest.importorskip("qp")
    root = write_challenge_submission(tmp_path, {ENTRY: open_submission(qp_file)}, name="mine")
    path = root / ENTRY.path
    assert check_challenge_file(path, truth.ids[::-1]) == [1, 2, 3, 4, 5, 6, 7]
    # What LSSTDESC/pz_data_challenge does: qp.read, zmode and object_id in ancil, equal sets of ids.
    ensemble = qp.read(str(path))
    assert set(ensemble.ancil["object_id"]) == set(truth.ids)
    np.testing.assert_array_equal(np.squeeze(ensemble.ancil["zmode"]), truth.mode)
    np.testing.assert_allclose(ensemble.pdf(np.linspace(0, 3, 301)), truth.pdf, rtol=1e-9, atol=1e-12)


def test_the_mode_is_computed_where_there_is_none(tmp_path, truth, write_qp):
    one = np.ones((40, 1))
    data = {"weights": one, "means": truth.mean[:, None], "stds": truth.width[:, None]}
    path = write_qp(tmp_path / "m.hdf5", "mixmod", {}, data, {"object_id": truth.ids})
    root = write_challenge_submission(tmp_path, {ENTRY: open_submission(path)}, name="mine")
    chunk = next(open_submission(root / ENTRY.path).chunks())
    np.testing.assert_allclose(chunk.z_point, truth.mean, atol=0.0051)


def test_each_check_can_fail(tmp_path, truth, write_qp, z_grid, qp_file):
    path = tmp_path / "c.hdf5"
    ids, mode = truth.ids, truth.mode
    assert check_challenge_file(path, ids) == []
    path.write_bytes(qp_file.read_bytes()[:3000])
    assert check_challenge_file(path, ids) == [1]
    parts = ({"xvals": z_grid}, {"yvals": truth.pdf})
    assert check_challenge_file(write_qp(path, "interp", *parts), ids) == [1, 2, 3]
    assert check_challenge_file(write_qp(path, "interp", *parts, {"zmode": mode}), ids) == [1, 2, 3, 4, 5]
    assert check_challenge_file(write_qp(path, "interp", *parts, {"object_id": ids, "z_mode": mode}), ids) == [
        1,
        2,
        3,
        4,
        6,
        7,
    ]
    both = {"object_id": ids, "zmode": mode}
    assert check_challenge_file(write_qp(path, "interp", *parts, both), ids[1:]) == [1, 2, 3, 4, 5, 6]


def test_what_cannot_be_handed_in_is_named(tmp_path, qp_file, truth):
    submission = open_submission(qp_file)
    with pytest.raises(ConfigError, match="letters, digits and underscores"):
        write_challenge_submission(tmp_path, {ENTRY: submission}, name="../mine")
    with pytest.raises(ConfigError, match="at least one"):
        write_challenge_submission(tmp_path, {}, name="mine")
    (tmp_path / "p.csv").write_text("id,z_phot\n1,0.5\n")
    with pytest.raises(FileFormatError, match="asks for densities"):
        write_challenge_submission(tmp_path, {ENTRY: open_submission(tmp_path / "p.csv")}, name="mine")
    write_challenge_submission(tmp_path, {ENTRY: submission}, name="mine")
    with pytest.raises(OutputExistsError):
        write_challenge_submission(tmp_path, {ENTRY: submission}, name="mine")
    write_challenge_submission(tmp_path, {ENTRY: submission}, name="mine", overwrite=True)
    assert not (tmp_path / "mine" / ".tmp").exists()


# --- n(z)


def test_names_of_the_second_part_are_those_of_the_challenge():
    assert bin_assignment_name(1, "cardinal", "4yr") == "nz_challenge_taskset_1_cardinal_4yr_bhat_wfd.hdf5"
    assert nz_estimate_name(2, "flagship", "1yr") == "nz_challenge_taskset_2_flagship_1yr_nz_estimate_wfd.hdf5"
    assert nz_samples_name(3, "flagship", "1yr") == "nz_challenge_taskset_3_flagship_1yr_nz_samples_wfd.hdf5"


def test_bins_written_are_read_again_under_both_names(tmp_path):
    path = tmp_path / "bhat.hdf5"
    write_bin_assignment(path, [11, 12, 13], [0, -1, 4])
    with h5py.File(path) as file:
        np.testing.assert_array_equal(file["bhat_for_wide_data"], file["tomo_bin_index"])
    found = read_bin_assignment(path)
    np.testing.assert_array_equal(found.object_id, [11, 12, 13])
    np.testing.assert_array_equal(found.bin_index, [0, -1, 4])
    np.testing.assert_array_equal(found.counts(5), [1, 0, 0, 0, 1])
    with h5py.File(path, "r+") as file:
        del file["tomo_bin_index"]
    np.testing.assert_array_equal(read_bin_assignment(path).bin_index, [0, -1, 4])
    with h5py.File(path, "r+") as file:
        file["bhat_for_wide_data"][1] = -2
    with pytest.raises(ColumnError, match="bin in row 1 is -2"):
        read_bin_assignment(path)
    with h5py.File(path, "r+") as file:
        del file["object_id"]
    with pytest.raises(ColumnError, match="needs 'object_id'"):
        read_bin_assignment(path)
    with pytest.raises(ShapeError):
        write_bin_assignment(tmp_path / "b.hdf5", [1, 2], [0])


def test_redshift_distributions_written_are_read_again(tmp_path, truth, z_grid):
    path = tmp_path / "nz.hdf5"
    write_nz_estimate(path, truth.pdf[:5] * 7, z_grid, n_objects=np.array([5, 4, 3, 2, 1]))
    found = read_nz_estimate(path)
    np.testing.assert_allclose(found.nz, truth.pdf[:5], rtol=1e-9)
    np.testing.assert_array_equal(found.ancil["n_objects"], [5, 4, 3, 2, 1])
    index = np.repeat(np.arange(2), 3)
    write_nz_estimate(
        path, truth.pdf[:6], z_grid, bin_idx=index, i_realization=np.tile(np.arange(3), 2), overwrite=True
    )
    np.testing.assert_array_equal(read_nz_estimate(path).ancil["bin_idx"], index)
    with pytest.raises(ColumnError, match="n_objects"):
        write_nz_estimate(path, truth.pdf[:6], z_grid)
    with pytest.raises(ShapeError, match="n_objects"):
        write_nz_estimate(path, truth.pdf[:6], z_grid, n_objects=[1])


def test_an_ensemble_without_counts_is_no_estimate_of_bins(qp_file):
    with pytest.raises(FileFormatError, match="n_objects"):
        read_nz_estimate(qp_file)
