"""What is handed in is looked at, kept for good or refused with a reason; one that is refused stops no other."""

from __future__ import annotations

import io
import pickle
import stat
import tarfile
import zipfile
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pzcenter.errors import (
    ChecksumError,
    ConfigError,
    DuplicateIdError,
    FileFormatError,
    GridError,
    NotFoundError,
    PZCenterError,
    ShapeError,
)
from pzcenter.validation.challenges import open_challenge, submit, submit_many
from pzcenter.validation.challenges.submitting import verify_stored

WHO = {"author": "Ada", "method": "mine"}


def truth_of(challenge, scenario="wide"):
    truth = challenge.vault.table(scenario)
    return np.asarray(truth["object_id"]), np.asarray(truth["z_spec"])


def test_submission_is_stored_with_what_is_known_of_it(challenge, handed_in):
    moment = datetime(2026, 5, 1, 12, tzinfo=UTC)
    record = submit(challenge, handed_in(), **WHO, technical={"train_s": 3.5}, now=moment)
    assert (record.author, record.method, record.name, record.submitted) == (
        "Ada", "mine", "mine", "2026-05-01T12:00:00+00:00",
    )  # fmt: skip
    assert record.technical == {"train_s": 3.5}
    assert record.scenarios == ("deep", "wide")
    assert {file.n_rows for file in record.files} == {300}
    assert open_challenge(challenge.directory).submissions() == (record.__class__(**{**vars(record), "is_new": False}),)
    verify_stored(challenge, record)


def test_stored_files_are_read_only_and_changes_are_seen(challenge, handed_in):
    record = submit(challenge, handed_in(), **WHO)
    path = challenge.submission_path(record.submission_id) / record.files[0].path
    assert stat.S_IMODE(path.stat().st_mode) == 0o444
    path.chmod(0o644)
    with path.open("ab") as file:
        file.write(b"x")
    with pytest.raises(ChecksumError, match=r"deep\.hdf5"):
        verify_stored(challenge, record)


def test_same_files_are_the_same_submission(challenge, handed_in):
    first = submit(challenge, handed_in(), **WHO)
    second = submit(challenge, handed_in("two"), author="Eve", method="other")
    assert (first.is_new, second.is_new) == (True, False)
    assert (second.submission_id, second.author) == (first.submission_id, "Ada")
    assert submit(challenge, handed_in("three", seed=5), **WHO).submission_id != first.submission_id
    assert len(challenge.submissions()) == 2


def test_truth_is_not_needed(challenge, handed_in, tmp_path):
    path = handed_in()
    challenge.vault.directory.rename(tmp_path / "elsewhere")
    assert submit(challenge, path, **WHO).is_new


def test_rows_may_come_in_any_order_and_a_scenario_may_be_left_out(challenge, handed_in):
    order = np.random.default_rng(3).permutation(300)
    assert submit(challenge, handed_in(scenarios=("deep",), order=order), **WHO).scenarios == ("deep",)


@pytest.mark.parametrize(
    ("order", "error", "words"),
    [
        (np.arange(297), NotFoundError, "3 objects of the truth set are missing .*: 298, 299, 300"),
        (np.r_[np.arange(300), 5], DuplicateIdError, "1 objects stand more than once .*: 6"),
        (
            np.r_[np.arange(299), 298],
            DuplicateIdError,
            "1 objects .* missing .*300; 1 objects stand more than once .*299",
        ),
    ],
)
def test_ids_that_are_wrong_are_named(challenge, handed_in, order, error, words):
    with pytest.raises(error, match=words):
        submit(challenge, handed_in(scenarios=("wide",), order=order), **WHO)
    (refusal,) = challenge.refusals()
    assert refusal.code == error.code
    assert refusal.author == "Ada"
    assert set(refusal.files) == {"wide"}
    assert challenge.submissions() == ()


def test_unknown_ids_are_named(challenge, predictions, tmp_path):
    ids, z = truth_of(challenge)
    path = predictions(tmp_path / "wide.hdf5", np.r_[ids, 9001], np.r_[z, 1.0])
    with pytest.raises(ConfigError, match=r"not in the truth set .*: 9001"):
        submit(challenge, path, **WHO)


def spoilt(row, value):
    def change(pdf):
        pdf[row] = value
        return pdf

    return change


@pytest.mark.parametrize(
    ("pdf", "error", "words"),
    [
        (lambda pdf: 2 * pdf, FileFormatError, r"row 0 \(object 1\) does not integrate to 1"),
        (spoilt(7, -1.0), FileFormatError, r"row 7 \(object 8\) .*negative"),
        (spoilt((7, 3), np.nan), FileFormatError, r"row 7 \(object 8\) .*NaN"),
        (spoilt(slice(None, 200), np.nan), FileFormatError, r"200 of 300 objects have no estimate, 33.33% have one"),
        (spoilt(slice(None), np.nan), FileFormatError, "300 of 300 objects have no estimate"),
    ],
)
def test_densities_in_error_are_named(challenge, handed_in, pdf, error, words):
    with pytest.raises(error, match=words):
        submit(challenge, handed_in(scenarios=("wide",), pdf=pdf), **WHO)
    assert challenge.refusals()[0].reason.startswith("wide")


def test_transposed_densities_and_short_grids_are_named(challenge, tmp_path):
    ids, z = truth_of(challenge)
    grid = np.linspace(0, 3, 300)
    pdf = np.exp(-0.5 * ((grid - z[:, None]) / 0.1) ** 2)
    pdf /= np.trapezoid(pdf, grid, axis=1)[:, None]
    import h5py

    def write(name, grid, values):
        path = tmp_path / name / "wide.hdf5"
        path.parent.mkdir()
        with h5py.File(path, "w") as file:
            file["meta/pdf_name"], file["meta/pdf_version"] = np.array([b"interp"]), np.array([0])
            file["meta/xvals"], file["data/yvals"], file["ancil/object_id"] = grid[None], values, ids
        return path

    with pytest.raises(ShapeError, match="transposed"):
        submit(challenge, write("transposed", grid, pdf.T.copy()), **WHO)
    short = grid < 0.5
    with pytest.raises((GridError, FileFormatError), match="row"):
        submit(challenge, write("short", grid[short], pdf[:, short]), **WHO)


def test_ids_as_text_or_float_are_taken(challenge, tmp_path):
    ids, z = truth_of(challenge)
    for name, column in (("text", [str(each) for each in ids]), ("float", ids.astype(float))):
        path = tmp_path / name / "wide.parquet"
        path.parent.mkdir()
        pq.write_table(pa.table({"object_id": column, "z_best": z}), path)
        assert submit(challenge, path, **WHO).files[0].form == "point estimates only"


def test_pickles_are_refused_by_content_and_in_archives(challenge, handed_in, tmp_path):
    (tmp_path / "wide.hdf5").write_bytes(pickle.dumps({"a": 1}))
    with pytest.raises(FileFormatError, match="pickle"):
        submit(challenge, tmp_path / "wide.hdf5", **WHO)
    directory = handed_in()
    (directory / "model.pkl").write_bytes(pickle.dumps({"a": 1}))
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        for path in directory.iterdir():
            archive.write(path, path.name)
    with pytest.raises(FileFormatError, match=r"model\.pkl"):
        submit(challenge, tmp_path / "x.zip", **WHO)


@pytest.mark.parametrize("name", ["../wide.hdf5", "/wide.hdf5", "a/../../wide.hdf5"])
def test_archive_that_leads_out_is_refused(challenge, handed_in, tmp_path, name):
    content = (handed_in() / "wide.hdf5").read_bytes()
    with tarfile.open(tmp_path / "x.tar", "w") as archive:
        info = tarfile.TarInfo(name)
        info.size = len(content)
        archive.addfile(info, io.BytesIO(content))
    with pytest.raises(FileFormatError, match=r"x\.tar"):
        submit(challenge, tmp_path / "x.tar", **WHO)
    assert not (tmp_path.parent / "wide.hdf5").exists()


def test_link_is_refused(challenge, handed_in, tmp_path):
    directory = handed_in()
    (tmp_path / "linked").mkdir()
    (tmp_path / "linked" / "wide.hdf5").symlink_to(directory / "wide.hdf5")
    with pytest.raises(FileFormatError, match="link"):
        submit(challenge, tmp_path / "linked", **WHO)


def test_archive_with_facts(challenge, handed_in, tmp_path):
    directory = handed_in()
    (directory / "submission.yaml").write_text(
        "name: first try\nauthor: Ada Lovelace\nmethod: engine\ntechnical: {estimate_ms: 0.5}\n"
    )
    with tarfile.open(tmp_path / "ada.tgz", "w:gz") as archive:
        archive.add(directory, "ada")
    record = submit(challenge, tmp_path / "ada.tgz", author="A. Lovelace")
    assert (record.name, record.author, record.method) == ("first try", "A. Lovelace", "engine")
    assert record.technical == {"estimate_ms": 0.5}


@pytest.mark.parametrize(
    ("facts", "error", "words"),
    [
        ("colour: red", ConfigError, "colour"),
        ("technical: {speed: 3}", ConfigError, "speed"),
        ("technical: {train_s: -3}", ConfigError, "negative"),
        ("- a", FileFormatError, "mapping"),
        ("a: [", FileFormatError, "YAML"),
    ],
)
def test_facts_that_are_not_accepted(challenge, handed_in, facts, error, words):
    directory = handed_in()
    (directory / "submission.yaml").write_text(facts)
    with pytest.raises(error, match=words):
        submit(challenge, directory, **WHO)


def test_author_and_method_are_needed(challenge, handed_in):
    with pytest.raises(ConfigError, match="author and method"):
        submit(challenge, handed_in())


def test_files_of_no_or_of_two_scenarios(challenge, handed_in, tmp_path):
    directory = handed_in()
    (directory / "wide.csv").write_text("object_id,z_best\n1,1\n")
    with pytest.raises(ConfigError, match="two files are of scenario 'wide'"):
        submit(challenge, directory, **WHO)
    (directory / "wide.csv").rename(directory / "narrow.csv")
    with pytest.raises(ConfigError, match=r"narrow\.csv is named after no scenario"):
        submit(challenge, directory, **WHO)
    (tmp_path / "empty").mkdir()
    with pytest.raises(ConfigError, match="no file for any"):
        submit(challenge, tmp_path / "empty", **WHO)
    with pytest.raises(NotFoundError, match="no scenario 'narrow'"):
        submit(challenge, {"narrow": directory / "narrow.csv"}, **WHO)
    with pytest.raises(NotFoundError):
        submit(challenge, tmp_path / "nothing", **WHO)
    assert len(challenge.refusals()) == 5


def test_refused_submission_stops_no_other(challenge, handed_in, tmp_path):
    (tmp_path / "wide.hdf5").write_bytes(b"not a file of this kind")
    paths = [tmp_path / "wide.hdf5", handed_in("a"), tmp_path / "nothing", handed_in("b", seed=2)]
    outcomes = submit_many(challenge, paths, **WHO)
    assert [outcome.record is not None for outcome in outcomes] == [False, True, False, True]
    assert all(isinstance(outcome.error, PZCenterError) for outcome in outcomes if outcome.record is None)
    assert (len(challenge.submissions()), len(challenge.refusals())) == (2, 2)
    assert not list((challenge.directory / "submissions").glob(".unfinished*"))


def with_rules(challenge, **rules):
    settings = challenge.settings
    changed = settings.rules.model_copy(update=rules)
    return challenge.__class__(challenge.directory, settings.model_copy(update={"rules": changed}))


def test_dates_are_kept(challenge, handed_in):
    dated = with_rules(challenge, opens=datetime(2026, 4, 1, tzinfo=UTC), closes=datetime(2026, 5, 1, tzinfo=UTC))
    with pytest.raises(ConfigError, match="opens at 2026-04-01"):
        submit(dated, handed_in(), **WHO, now=datetime(2026, 3, 31, tzinfo=UTC))
    with pytest.raises(ConfigError, match="closed at 2026-05-01"):
        submit(dated, handed_in(), **WHO, now=datetime(2026, 5, 2, tzinfo=UTC))
    assert submit(dated, handed_in(), **WHO, now=datetime(2026, 4, 2, tzinfo=UTC)).is_new


def test_number_of_submissions_and_size_are_limited(challenge, handed_in):
    limited = with_rules(challenge, max_per_author=1)
    submit(limited, handed_in(), **WHO)
    with pytest.raises(ConfigError, match="1 submissions; accepted are 1"):
        submit(limited, handed_in("two", seed=4), author=" ada ", method="x")
    assert not submit(limited, handed_in(), **WHO).is_new
    with pytest.raises(FileFormatError, match=r"accepted are 0\.001"):
        submit(with_rules(challenge, max_mb=0.001), handed_in("three", seed=5), **WHO)


def test_names_of_the_desc_challenge_are_understood(sources, tmp_path, predictions):
    import yaml

    from pzcenter.validation.challenges import create_challenge

    settings = yaml.safe_load((sources / "challenge.yaml").read_text())
    settings["scenarios"][0]["name"] = "taskset_1_cardinal_1yr"
    (sources / "challenge.yaml").write_text(yaml.safe_dump(settings))
    made = create_challenge(sources / "challenge.yaml", tmp_path / "desc")
    ids, z = truth_of(made, "taskset_1_cardinal_1yr")
    predictions(tmp_path / "entry" / "pz_challenge_taskset_1_cardinal_pz_estimate_1yr.hdf5", ids, z)
    assert submit(made, tmp_path / "entry", **WHO).scenarios == ("taskset_1_cardinal_1yr",)
