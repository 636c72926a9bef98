"""The whole comparison: what is scored, what fails, what is taken over, what is written."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from pzcenter.catalogs import read_provenance, verify_manifest
from pzcenter.errors import OutputExistsError
from pzcenter.validation.comparison import compare
from pzcenter.validation.comparison.store import read_scores
from pzcenter.validation.metric_suite import overall_rows
from pzcenter.validation.streamed_metrics import MetricChunk, score_chunks


def by_name(made):
    return {method.name: method for method in made.methods}


def test_every_submission_is_scored_or_a_failure_with_its_reason(whole):
    assert [method.name for method in whole.methods] == ["<b>good</b>", "part", "points", "trainz"]
    assert [method.is_control for method in whole.methods] == [False, False, False, True]
    bad, pickle = whole.failures
    assert (bad.name, bad.code) == ("bad", "file_format")
    assert "row 17 (object 198)" in bad.message
    assert "bad.parquet" in bad.message
    assert "pickle" in pickle.message


def test_numbers_are_those_of_the_suite(world, whole):
    chunk = MetricChunk(
        world.pdf, np.linspace(0, 3, 121), world.z_spec, object_id=world.object_id, points={"z_best": world.centre}
    )
    table = by_name(whole)["<b>good</b>"].table
    for row in overall_rows(score_chunks([chunk]), n_bootstrap=0):
        assert table.value(row.metric, point=row.point) == pytest.approx(row.value, rel=1e-6), row.metric


def test_own_point_estimate_is_that_of_the_submission(world, whole):
    part = by_name(whole)["part"]
    assert part.facts.point == "z_best: the submitted zmode"
    scores = read_scores(part.directory)
    np.testing.assert_allclose(np.sort(scores.points["z_best"]), np.sort(world.worse[::2]))


def test_from_pdf_ignores_it(world, tmp_path):
    made = compare(world.settings("part.hdf5", point="from_pdf"), tmp_path / "out", pages=False)
    (method,) = made.methods
    assert "least risk" in method.facts.point
    assert not np.array_equal(np.sort(read_scores(method.directory).points["z_best"]), np.sort(world.worse[::2]))


def test_coverage_and_common_objects(whole):
    methods = by_name(whole)
    assert methods["part"].coverage == 0.5
    assert methods["part"].facts.n_missing == 250
    assert "250 objects of the truth set are missing" in methods["part"].facts.sentences[0]
    assert whole.n_common == 250
    assert {ranking.n_obj for ranking in whole.rankings} == {250}
    assert {table.row("bias", point="z_best").n_obj for table in whole.common_tables.values()} == {250}
    assert set(whole.common_tables) == set(methods)


def test_no_common_tables_where_all_have_the_same_objects(world, tmp_path):
    made = compare(world.settings("good.parquet", "points.csv"), tmp_path / "out", pages=False)
    assert made.n_common == 500
    assert not made.common_tables


def test_few_objects_do_not_spoil_the_ranks(world, tmp_path):
    few = world.write_grid(tmp_path / "few.parquet", world.object_id[:9], world.pdf[:9])
    made = compare(world.settings("good.parquet", "points.csv", {"path": str(few)}), tmp_path / "out", pages=False)
    assert list(made.unranked) == ["few"]
    assert "1.8% of the truth set" in made.unranked["few"]
    assert made.n_common == 500


def test_ranks_need_common_objects(world, tmp_path):
    half = world.write_grid(tmp_path / "odd.parquet", world.object_id[1::2], world.pdf[1::2])
    made = compare(world.settings("part.hdf5", {"path": str(half)}), tmp_path / "out", pages=False)
    assert made.rankings == ()
    assert "only 0 objects are common" in made.unranked["part"]


def test_the_better_method_has_the_better_rank(whole):
    ranking = next(each for each in whole.rankings if each.metric == "sigma_nmad")
    assert ranking.method("<b>good</b>").rank == ranking.method("points").rank == 1
    assert "points" in ranking.method("<b>good</b>").same_as
    assert ranking.method("part").rank > 2


def test_points_only_have_no_numbers_of_densities(whole):
    points = by_name(whole)["points"]
    assert not points.has_pdf
    assert not points.table.select(point="pdf", axis="all")
    assert next(each for each in whole.rankings if each.metric == "cde_loss").method("points").rank == 4
    assert points.challenge.points["pit_ks"] == 0


def test_second_run_scores_nothing_again(world, tmp_path):
    settings = world.settings("good.parquet", "points.csv", training=str(world.training), controls=["trainz"])
    first = compare(settings, tmp_path / "out", pages=False)
    second = compare(settings, tmp_path / "out", pages=False)
    assert [method.is_resumed for method in first.methods] == [False] * 3
    assert [method.is_resumed for method in second.methods] == [True] * 3
    for one, other in zip(first.methods, second.methods, strict=True):
        assert one.table.to_json() == other.table.to_json()
        assert one.facts == other.facts
    assert not any(
        method.is_resumed for method in compare(settings, tmp_path / "out", overwrite=True, pages=False).methods
    )


def test_what_changed_is_scored_again(world, tmp_path):
    path = world.write_grid(tmp_path / "mine.parquet", world.object_id, world.pdf)
    settings = world.settings({"path": str(path)}, "good.parquet")
    compare(settings, tmp_path / "out", pages=False)
    world.write_grid(path, world.object_id, world.worse_pdf)
    again = compare(settings, tmp_path / "out", pages=False)
    assert [method.is_resumed for method in again.methods] == [False, True]
    other = compare(settings.model_copy(update={"seed": 5}), tmp_path / "out", pages=False)
    assert not any(method.is_resumed for method in other.methods)


def test_a_damaged_result_is_made_again(world, tmp_path):
    settings = world.settings("good.parquet")
    (method,) = compare(settings, tmp_path / "out", pages=False).methods
    with (method.directory / "objects.parquet").open("ab") as file:
        file.write(b"x")
    (again,) = compare(settings, tmp_path / "out", pages=False).methods
    assert not again.is_resumed
    (method.directory / "score.json").write_text("{", encoding="utf-8")
    assert not compare(settings, tmp_path / "out", pages=False).methods[0].is_resumed


def test_texts_can_change_without_scoring_again(world, tmp_path):
    path = str(world.folder / "good.parquet")
    compare(world.settings({"path": path, "author": "A"}), tmp_path / "out", pages=False)
    (method,) = compare(world.settings({"path": path, "author": "B"}), tmp_path / "out", pages=False).methods
    assert method.is_resumed
    assert method.facts.author == "B"


def test_everything_is_in_the_manifest(whole):
    manifest = verify_manifest(whole.directory)
    names = {record.path for record in manifest.files}
    assert {"comparison.html", "comparison.pdf", "comparison.yaml", "metrics.parquet", "metrics.json"} <= names
    assert {"methods/part/report.html", "methods/part/report.pdf", "methods/trainz/report.html"} <= names
    there = {str(path.relative_to(whole.directory)) for path in whole.directory.rglob("*") if path.is_file()}
    assert there == names | {"manifest.json"}


def test_every_input_has_its_checksum(world, whole):
    inputs = {Path(each["path"]).name: each["sha256"] for each in read_provenance(whole.directory)["inputs"]}
    assert set(inputs) == {
        "truth.parquet",
        "training.parquet",
        "good.parquet",
        "part.hdf5",
        "points.csv",
        "bad.parquet",
    }
    for name, sha256 in inputs.items():
        assert hashlib.sha256((world.folder / name).read_bytes()).hexdigest() == sha256


def test_metrics_as_data(whole):
    table = pq.read_table(whole.directory / "metrics.parquet").to_pandas()
    assert set(table.method) == {method.name for method in whole.methods}
    assert set(table.objects) == {"own", "common"}
    own = table[(table.method == "part") & (table.objects == "own") & (table.axis == "all")]
    assert set(own.n_obj) - {500} == {250}  # the cost is of the rows of the file
    assert {"z_spec", "mag", "n_bands", "lens_y1", "source", "selection"} & set(table.axis)
    content = json.loads((whole.directory / "metrics.json").read_text(encoding="utf-8"))
    assert content["truth"]["sources"][0]["sha256"] == whole.truth.sha256
    assert [failure["code"] for failure in content["failures"]] == ["file_format", "file_format"]
    ranks = pq.read_table(whole.directory / "ranks.parquet").to_pandas()
    assert set(ranks.metric) == set(whole.settings.rank_by)


def test_same_input_gives_the_same_bytes(world, tmp_path):
    settings = world.settings("part.hdf5", "points.csv")
    contents = []
    for name in ("one", "two"):
        root = tmp_path / name
        compare(settings, root, pages=False, command=["pz"])
        skipped = {"provenance.json", "manifest.json", "comparison.yaml"}
        contents.append({
            str(path.relative_to(root)): path.read_bytes()
            for path in root.rglob("*") if path.is_file() and path.name not in skipped
        })  # fmt: skip
    assert contents[0].keys() == contents[1].keys()
    assert [name for name in contents[0] if contents[0][name] != contents[1][name]] == []


def test_the_settings_file_makes_it_again(world, whole, tmp_path):
    from pzcenter.validation.comparison import load_comparison_settings

    settings = load_comparison_settings(whole.directory / "comparison.yaml")
    again = compare(settings, tmp_path / "again", pages=False)
    assert [method.table.to_json() for method in again.methods if not method.is_control] == [
        method.table.to_json() for method in whole.methods if not method.is_control
    ]
    assert [failure.name for failure in again.failures] == [failure.name for failure in whole.failures]


def test_nothing_but_failures_is_a_comparison_too(world, tmp_path):
    made = compare(world.settings("bad.parquet"), tmp_path / "out")
    assert made.methods == ()
    assert "row 17" in (tmp_path / "out" / "comparison.html").read_text(encoding="utf-8")
    verify_manifest(tmp_path / "out")


def test_bad_rows_can_be_counted(world, tmp_path):
    entry = {"path": str(world.folder / "bad.parquet"), "bad_rows": "count"}
    (method,) = compare(world.settings(entry), tmp_path / "out", pages=False).methods
    assert method.n_no_estimate == 1
    assert method.n_obj == 499
    assert any("row 17" in sentence for sentence in method.facts.sentences)


def test_unexpected_errors_stop_no_other(world, tmp_path, monkeypatch):
    from pzcenter.validation.comparison import method_runs

    scored = method_runs.score_submission

    def faulty(submission, *rest, **more):
        if submission.name == "points":
            raise ZeroDivisionError("by accident")
        return scored(submission, *rest, **more)

    monkeypatch.setattr(method_runs, "score_submission", faulty)
    made = compare(world.settings("points.csv", "good.parquet"), tmp_path / "out", pages=False)
    assert [method.name for method in made.methods] == ["good"]
    assert [(each.code, each.message) for each in made.failures] == [("unexpected", "ZeroDivisionError: by accident")]


def test_names_are_unique_and_controls_give_way(world, tmp_path):
    path = str(world.folder / "good.parquet")
    settings = world.settings(
        {"path": path, "name": "trainz"}, {"path": path, "name": "A/b"}, {"path": path, "name": "a b"},
        training=str(world.training), controls=["trainz"],
    )  # fmt: skip
    made = compare(settings, tmp_path / "out", pages=False)
    assert [method.name for method in made.methods] == ["trainz", "A/b", "a b-2", "trainz-control"]
    assert len({method.directory for method in made.methods}) == 4


def test_a_directory_of_submissions(world, tmp_path):
    folder = tmp_path / "handed-in"
    folder.mkdir()
    for name in ("good.parquet", "points.csv", "bad.parquet"):
        (folder / name).write_bytes((world.folder / name).read_bytes())
    made = compare(world.settings({"path": str(folder)}), tmp_path / "out", pages=False)
    assert sorted(method.name for method in made.methods) == ["good", "points"]
    assert [failure.name for failure in made.failures] == ["bad"]


def test_no_object_in_common_is_a_failure(world, tmp_path):
    path = world.write_grid(tmp_path / "other.parquet", world.object_id + 1, world.pdf)
    made = compare(world.settings("good.parquet", {"path": str(path)}), tmp_path / "out", pages=False)
    assert made.failures[0].code == "empty_table"
    assert "500 rows are of objects that are not in the truth set" in made.failures[0].message


def test_own_requirements_and_bins(world, tmp_path):
    settings = world.settings(
        "good.parquet",
        requirements=[{"metric": "sigma_nmad", "limit": 0.5, "title": "me", "z_min": 0.5}],
        lines=["dmtn049"],
        bins={"z_spec": [0.0, 1.0, 3.0], "tomographic": {"mine": [0.0, 0.5, 1.5]}},
    )
    (method,) = compare(settings, tmp_path / "out", pages=False).methods
    titles = [verdict.requirement.selection.title for verdict in method.table.verdicts]
    assert titles == ["Rubin minimum for basic science"] * 2 + ["me"]
    own = method.table.verdicts[-1]
    assert own.met
    assert own.row.n_obj == np.count_nonzero(world.z_spec > 0.5)
    edges = {(row.bin_low, row.bin_high) for row in method.table.select(metric="bias", axis="z_spec")}
    assert edges == {(0.0, 1.0), (1.0, 3.0)}
    assert method.table.select(metric="nz_mean_shift", axis="mine")


def test_stale_results_are_told_and_removed_on_request(world, tmp_path):
    compare(world.settings("good.parquet", "points.csv"), tmp_path / "out", pages=False)
    made = compare(world.settings("good.parquet"), tmp_path / "out", pages=False)
    assert any("points" in note for note in made.notes)
    verify_manifest_of = compare(world.settings("good.parquet"), tmp_path / "out", pages=False, overwrite=True)
    assert not any("points" in note for note in verify_manifest_of.notes)
    assert not (tmp_path / "out" / "methods" / "points").exists()


def test_other_directories_are_left_alone(world, tmp_path):
    (tmp_path / "precious.txt").write_text("x", encoding="utf-8")
    with pytest.raises(OutputExistsError, match="other content"):
        compare(world.settings("good.parquet"), tmp_path)
    with pytest.raises(OutputExistsError, match="is a file"):
        compare(world.settings("good.parquet"), tmp_path / "precious.txt")


def test_without_a_training_set_the_page_says_so(world, tmp_path):
    made = compare(world.settings("good.parquet"), tmp_path / "out", pages=False)
    assert made.controls == ()
    assert "no controls were run: no training set was given" in made.notes
