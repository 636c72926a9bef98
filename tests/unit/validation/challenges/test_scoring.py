"""Scores come from the stored predictions alone: the same bytes each time, old versions kept, failures no stop."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pzcenter.errors import ChecksumError, ConfigError, NotFoundError
from pzcenter.pipelines.challenge_scores import score_challenge
from pzcenter.validation.challenges import open_challenge, score, scoring, scoring_version, submit
from pzcenter.validation.challenges.object_scores import read_scores

WHO = {"author": "Ada", "method": "mine"}


def files_below(root):
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


def copied(challenge, target):
    shutil.copytree(challenge.directory, target / challenge.directory.name)
    shutil.copytree(challenge.vault.directory, target / challenge.vault.directory.name)
    return open_challenge(target / challenge.directory.name)


def test_scores_have_metrics_points_and_where_they_come_from(challenge, handed_in):
    record = submit(challenge, handed_in(), **WHO, technical={"train_s": 3.0, "estimate_ms": 0.5})
    report = score(challenge, controls=False)
    assert (report.n_scored, report.n_kept, report.failures) == (2, 0, ())
    path = challenge.scores / report.version / record.submission_id / "wide.json"
    head = json.loads(path.read_text())
    assert head["prediction_sha256"] == record.file_of("wide").sha256
    assert head["metrics_version"] == report.version.split("-")[0]
    assert (head["n_obj"], head["n_test"]) == (300, 300)
    assert set(head["points"].values()) <= {0, 1, 2, 3}
    assert head["fraction"] == pytest.approx(sum(head["points"].values()) / head["possible"])
    assert {each["verdict"].split(",")[0] for each in head["requirements"]} <= {"met", "not met", "not tested"}
    rows = pq.read_table(path.with_suffix(".parquet")).to_pylist()
    overall = {
        row["metric"]: row for row in rows if row["axis"] == "all" and row["point"] in ("z_best", "pdf", "method")
    }
    assert 0.02 < overall["sigma_nmad"]["value"] < 0.08
    assert overall["sigma_nmad"]["error"] > 0
    assert overall["train_s"]["value"] == 3.0
    assert {row["axis"] for row in rows} >= {"mag", "colour_gr", "n_bands", "ebv", "z_spec"}


def test_scores_are_the_same_bytes_whatever_the_number_of_processes(challenge, handed_in, tmp_path):
    submit(challenge, handed_in(), **WHO)
    submit(challenge, handed_in("two", seed=3), **WHO)
    (tmp_path / "copy").mkdir()
    other = copied(challenge, tmp_path / "copy")
    score_challenge(challenge, workers=1, controls=False)
    score_challenge(other, workers=2, controls=False)
    first, second = files_below(challenge.scores), files_below(other.scores)
    assert len(first) == 4 * 2 + 2
    assert first == second
    assert files_below(challenge.vault.directory / "scores") == files_below(other.vault.directory / "scores")


def test_scored_again_is_compared(challenge, handed_in):
    record = submit(challenge, handed_in(), **WHO)
    version = score(challenge, controls=False).version
    before = files_below(challenge.scores)
    again = score(challenge, controls=False, again=True)
    assert (again.n_scored, again.n_compared, again.failures) == (0, 2, ())
    assert files_below(challenge.scores) == before
    assert score(challenge, controls=False).n_kept == 2
    path = challenge.scores / version / record.submission_id / "deep.parquet"
    pq.write_table(pq.read_table(path).slice(1), path)
    (failure,) = score(challenge, controls=False, again=True).failures
    assert (failure.scenario, failure.code) == ("deep", ChecksumError.code)
    assert "deep.parquet is not the same" in failure.reason


def test_later_version_of_the_metrics_is_kept_beside_the_old(challenge, handed_in, monkeypatch):
    submit(challenge, handed_in(), **WHO)
    old = score(challenge, controls=False).version
    before = files_below(challenge.scores / old)
    monkeypatch.setattr(scoring, "SUITE_VERSION", "2")
    new = score(challenge, controls=False)
    assert (new.n_scored, new.version.split("-")[0]) == (2, "2")
    assert files_below(challenge.scores / old) == before
    assert json.loads((challenge.scores / new.version / "version.json").read_text())["metrics_version"] == "2"


def test_other_bands_are_another_version_and_other_ranks_are_not(challenge):
    def with_scoring(**changes):
        changed = challenge.settings.scoring.model_copy(update=changes)
        return challenge.__class__(challenge.directory, challenge.settings.model_copy(update={"scoring": changed}))

    version = scoring_version(challenge)
    assert scoring_version(with_scoring(bands=challenge.settings.scoring.bands[:2])) != version
    assert scoring_version(with_scoring(seed=5)) != version
    assert scoring_version(with_scoring(n_rank=50, n_sigma=3.0)) == version


def test_changed_prediction_fails_and_stops_no_other(challenge, handed_in):
    bad = submit(challenge, handed_in(), **WHO)
    good = submit(challenge, handed_in("two", seed=3), **WHO)
    path = challenge.submission_path(bad.submission_id) / bad.file_of("wide").path
    path.chmod(0o644)
    with path.open("ab") as file:
        file.write(b"x")
    report = score_challenge(challenge, workers=2, controls=False)
    assert {(each.submission_id, each.code) for each in report.failures} == {(bad.submission_id, "checksum")}
    assert len(report.failures) == 2
    assert report.n_scored == 2
    assert (challenge.scores / report.version / good.submission_id / "deep.json").is_file()
    told = json.loads((challenge.scores / report.version / "failures.json").read_text())
    assert [each["code"] for each in told] == ["checksum"] * 2


def test_changed_truth_is_refused(challenge, handed_in):
    submit(challenge, handed_in(), **WHO)
    path = challenge.vault.tables / "wide.parquet"
    pq.write_table(pq.read_table(path).slice(1), path)
    with pytest.raises(ChecksumError, match=r"wide\.parquet"):
        score(challenge)


def test_truth_that_others_can_read_is_refused(challenge):
    challenge.vault.directory.chmod(0o750)
    with pytest.raises(ConfigError, match="mode 750"):
        score(challenge)


def test_point_estimates_alone_score_what_they_can(challenge, tmp_path):
    truth = challenge.vault.table("wide")
    path = tmp_path / "wide.parquet"
    pq.write_table(pa.table({"objectId": truth["object_id"], "z_best": truth["z_spec"]}), path)
    record = submit(challenge, path, **WHO)
    report = score(challenge, controls=False)
    head = json.loads((challenge.scores / report.version / record.submission_id / "wide.json").read_text())
    assert head["points"]["biweight_sigma"] == 3
    assert head["points"]["pit_ks"] == 0
    assert {"pit_ks", "pit_cvm"} <= set(head["missing"])


def test_object_scores_come_back_as_they_were_and_without_redshifts(challenge, handed_in):
    record = submit(challenge, handed_in(), **WHO)
    version = score(challenge, controls=False).version
    path = challenge.vault.object_scores(version, record.submission_id, "wide")
    table = pq.read_table(path)
    assert not [name for name in table.column_names if "spec" in name]
    truth = challenge.vault.table("wide")
    scores = read_scores(path, truth)
    assert scores.n_obj == 300
    assert np.array_equal(np.sort(scores.object_id), truth["object_id"])
    assert np.median(np.abs(scores.delta_z("z_best"))) < 0.06


def test_controls_are_trained_once_and_scored_beside(challenge):
    report = score(challenge)
    assert (report.n_scored, report.refused_controls) == (2, ())
    (control,) = challenge.submissions()
    assert (control.kind, control.method, control.author) == ("control", "trainz", "control")
    assert set(control.technical) == {"train_s", "estimate_ms", "peak_gb"}
    assert score(challenge).n_kept == 2


def test_control_that_cannot_be_made_is_told(challenge):
    scoring_settings = challenge.settings.scoring.model_copy(update={"controls": ("no_such_method",)})
    other = challenge.__class__(
        challenge.directory, challenge.settings.model_copy(update={"scoring": scoring_settings})
    )
    report = score(other)
    assert len(report.refused_controls) == 1
    assert "no_such_method" in report.refused_controls[0]
    assert other.refusals()[0].author == "control"


def test_submission_by_the_beginning_of_its_id(challenge, handed_in):
    first = submit(challenge, handed_in(), **WHO)
    submit(challenge, handed_in("two", seed=3), **WHO)
    assert score(challenge, controls=False, submissions=[first.submission_id[:10]]).n_scored == 2
    with pytest.raises(NotFoundError, match="2 submissions"):
        score(challenge, controls=False, submissions=[""])
