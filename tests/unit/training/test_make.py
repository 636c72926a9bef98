"""Training sets as products: made, opened, exported, made again with the same bytes."""

from __future__ import annotations

import json

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
import yaml
from typer.testing import CliRunner

from pzcenter.catalogs import open_catalog
from pzcenter.cli.app import app
from pzcenter.errors import (
    BandError,
    ChecksumError,
    ColumnError,
    ConfigError,
    EmptyTableError,
    NotFoundError,
    OutputExistsError,
)
from pzcenter.simulation import simulate
from pzcenter.simulation.config import SimulationConfig
from pzcenter.simulation.placed import place_objects
from pzcenter.training.build import build_redshifts, build_training_set
from pzcenter.training.combine import read_combine_config
from pzcenter.training.make import TrainingConfig, make_training_set, read_training_config
from pzcenter.training.product import export_product, open_product
from pzcenter.training.samples import copy_samples

FIELDS = ("vimos", "vuds", "vandels", "candels", "ned")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Redshifts of one field, a simulated sky, and objects where the redshifts are."""
    root = tmp_path_factory.mktemp("training")
    config = yaml.safe_load(copy_samples(root / "samples").read_text())
    config["sources"] = [each for each in config["sources"] if each["name"] in FIELDS]
    (root / "combine.yaml").write_text(yaml.safe_dump(config))
    product, _ = build_redshifts(root / "combine.yaml", root / "redshifts")
    simulate(root / "sky", n_obj=20_000, config=SimulationConfig(rows_per_tract=20_000))
    table = product.table()
    kept = table.filter(pc.equal(table.column("tie_result"), 1))
    ra, dec, z = (np.array(pc.fill_null(kept.column(name), np.nan)) for name in ("ra", "dec", "z_spec"))
    pq.write_table(place_objects(root / "sky", ra, dec, z), root / "objects.parquet")
    return root


def settings(folder, **more):
    return TrainingConfig(redshifts=str(folder / "redshifts"), objects=str(folder / "objects.parquet"), **more)


@pytest.fixture(scope="module")
def made(folder):
    return make_training_set(settings(folder))


def test_the_product_of_redshifts(folder):
    product = open_product(folder / "redshifts", verify=True)
    assert product.table_name == "redshift"
    assert product.n_rows == 4698
    report = product.report
    assert report["n_read"] == 4698
    assert {each["name"] for each in report["sources"]} == set(FIELDS)
    assert all(len(each["sha256"]) == 64 for each in report["sources"])
    text = (folder / "redshifts" / "citations.bib").read_text()
    assert "VUDS" in text
    schema = pq.read_schema(product.table_path)
    assert schema.field("ra").metadata[b"unit"] == b"deg"
    assert not list(folder.glob(".*unfinished"))
    page = (folder / "redshifts" / "report.html").read_text()
    assert "VUDS#1" in page
    assert 'src="http' not in page


def test_made_again_the_table_has_the_same_bytes(folder, tmp_path):
    again, _ = build_redshifts(folder / "redshifts" / "config.yaml", tmp_path / "again", with_page=False)
    assert again.sha256 == open_product(folder / "redshifts").sha256
    (tmp_path / "t.yaml").write_text(yaml.safe_dump(settings(folder).model_dump(mode="json")))
    first, _ = build_training_set(tmp_path / "t.yaml", tmp_path / "first", with_page=False)
    second, _ = build_training_set(tmp_path / "first" / "config.yaml", tmp_path / "second", with_page=False)
    assert first.sha256 == second.sha256
    assert first.report["redshifts"]["n_read"] == 4698
    assert sum(first.report["separations"]["counts"]) == first.report["match"]["n_pairs"]


def test_every_row_has_its_redshift_and_photometry(made, folder):
    table = made.table
    objects = open_catalog(folder / "objects.parquet").read(["objectId", "coord_ra", "coord_dec", "i_gaap1p0Flux"])
    at = {number: row for row, number in enumerate(objects.column("objectId").to_pylist())}
    rows = [at[number] for number in table.column("objectId").to_pylist()]
    np.testing.assert_array_equal(table.column("ra"), objects.column("coord_ra").take(pa.array(rows)))
    flux = objects.column("i_gaap1p0Flux").take(pa.array(rows)).to_numpy()
    good = np.isfinite(flux) & np.isfinite(table.column("flux_i").to_numpy())
    # Extinction was taken out: objects only become brighter.
    assert (np.abs(table.column("flux_i").to_numpy()[good]) >= np.abs(flux[good]) * 0.999).all()
    known = open_product(folder / "redshifts").table(["measurement_id", "z_spec", "survey"]).to_pandas()
    known = known.set_index("measurement_id").loc[table.column("measurement_id").to_pylist()]
    np.testing.assert_array_equal(known.z_spec, table.column("z_spec"))
    assert known.survey.tolist() == table.column("survey").to_pylist()


def test_all_are_counted(made):
    assert made.n_redshifts == 4698
    assert made.selection.n_in == made.match.n_pairs
    assert made.selection.n_out == made.table.num_rows == sum(made.split.n_rows.values())
    assert made.match.n_matched <= made.match.n_positions == 4698
    assert made.match.median_separation_arcsec == pytest.approx(0.118, abs=0.02)
    assert json.loads(json.dumps(made.as_dict(), default=str))["split"]["n_rows"] == made.split.n_rows


def test_no_galaxy_is_in_two_samples(made):
    frame = made.table.to_pandas()
    assert frame.groupby("objectId").split.nunique().max() == 1
    several = frame[frame.group_id >= 0]
    assert several.groupby("group_id").split.nunique().max() == 1


def test_subsamples_and_other_matches(folder):
    made = make_training_set(
        settings(
            folder,
            match={
                "mode": "all",
                "radius_arcsec": 2.0,
                "likelihood_ratio": True,
                "flux": "i_cModelFlux",
                "min_reliability": 0.5,
            },
            subsample=[
                {"method": "cell_cap", "settings": {"mag_band": "i", "n_max": 3}},
                {"method": "neighbour_weights"},
            ],
            coverage=None,
        )
    )
    assert made.coverage is None
    assert pc.min(made.table.column("reliability")).as_py() >= 0.5
    assert len(made.subsamples) == 2
    assert "weight" in made.table.column_names
    assert made.n_unreliable > 0


def test_one_to_one(folder):
    made = make_training_set(settings(folder, match={"one_to_one": True}, selection={"no_stars": False}, coverage=None))
    ids = made.table.column("objectId").to_pylist()
    assert len(ids) == len(set(ids))


def test_a_cut_in_extendedness_reads_the_column_of_the_objects(folder, made):
    cut = make_training_set(settings(folder, selection={"min_extendedness": 0.5}, coverage=None))
    (count,) = (each for each in cut.selection.cuts if each.name == "min_extendedness")
    assert count.meaning == "refExtendedness >= 0.5"
    assert count.n_alone > 0
    assert cut.table.column_names == made.table.column_names
    objects = open_catalog(folder / "objects.parquet").read(["objectId", "refExtendedness"]).to_pandas()
    extended = set(objects.objectId[objects.refExtendedness >= 0.5])
    assert set(cut.table.column("objectId").to_pylist()) <= extended
    more = {"min_extendedness": 0.5, "extendedness_column": "galaxyness"}
    with pytest.raises(ColumnError, match="there is none called galaxyness"):
        make_training_set(settings(folder, selection=more, coverage=None))


def test_a_selection_that_leaves_nothing_says_why(folder):
    with pytest.raises(EmptyTableError, match=r"leaves no row.*z_spec >= 20"):
        make_training_set(settings(folder, selection={"z_min": 20.0}, coverage=None))


def test_objects_elsewhere(folder, tmp_path):
    table = pq.read_table(folder / "objects.parquet")
    far = table.set_column(table.column_names.index("coord_dec"), "coord_dec", pa.array(np.full(table.num_rows, 60.0)))
    pq.write_table(far, tmp_path / "far.parquet")
    with pytest.raises(EmptyTableError, match="near any of the"):
        make_training_set(TrainingConfig(redshifts=str(folder / "redshifts"), objects=str(tmp_path / "far.parquet")))


def test_text_in_place_of_fluxes(folder, tmp_path):
    table = pq.read_table(folder / "objects.parquet")
    texts = table.column("g_gaap1p0Flux").cast(pa.string())
    table = table.set_column(table.column_names.index("g_gaap1p0Flux"), "g_gaap1p0Flux", texts)
    pq.write_table(table, tmp_path / "text.parquet")
    with pytest.raises(ColumnError, match=r"g_gaap1p0Flux hold text, such as '.*'; numbers are needed"):
        make_training_set(TrainingConfig(redshifts=str(folder / "redshifts"), objects=str(tmp_path / "text.parquet")))


def test_few_objects_are_a_training_set_without_coverage(folder, tmp_path, made):
    few = pa.array(made.table.column("objectId").to_pylist()[:40])
    table = pq.read_table(folder / "objects.parquet")
    pq.write_table(table.filter(pc.is_in(table.column("objectId"), few)), tmp_path / "few.parquet")
    config = {"redshifts": str(folder / "redshifts"), "objects": str(tmp_path / "few.parquet")}
    with pytest.raises(BandError, match=r"^coverage: .*'coverage: null' in the settings does without"):
        make_training_set(TrainingConfig(**config))
    assert make_training_set(TrainingConfig(**config, coverage=None)).table.num_rows == 40


def test_what_is_no_redshift_table(folder, tmp_path):
    with pytest.raises(ColumnError, match="specz combine"):
        make_training_set(
            TrainingConfig(redshifts=str(folder / "objects.parquet"), objects=str(folder / "objects.parquet"))
        )
    with pytest.raises(NotFoundError):
        make_training_set(TrainingConfig(redshifts=str(tmp_path / "no"), objects=str(folder / "objects.parquet")))
    (tmp_path / "bad.yaml").write_text("redshifts: a\nobjects: b\ncolour: red\n")
    with pytest.raises(ConfigError, match="colour"):
        read_training_config(tmp_path / "bad.yaml")


def test_products_are_whole_or_not_there(folder, tmp_path, monkeypatch):
    config = folder / "combine.yaml"
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("do not touch")
    with pytest.raises(OutputExistsError, match="something else"):
        build_redshifts(config, tmp_path / "mine", overwrite=True, with_page=False)
    build_redshifts(config, tmp_path / "made", with_page=False)
    with pytest.raises(OutputExistsError, match="--overwrite"):
        build_redshifts(config, tmp_path / "made", with_page=False)
    before = open_product(tmp_path / "made").sha256

    def fail(*_words, **_more):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("pzcenter.training.product.Manifest.write", fail)
        with pytest.raises(OSError, match="No space"):
            build_redshifts(config, tmp_path / "made", with_page=False, overwrite=True)
    assert open_product(tmp_path / "made", verify=True).sha256 == before
    assert not list(tmp_path.glob(".*"))
    build_redshifts(config, tmp_path / "made", with_page=False, overwrite=True, changes={"mode": "remove"})
    assert open_product(tmp_path / "made").report["n_lost"] > 0
    (tmp_path / "made" / "README.md").write_text("changed")
    with pytest.raises(ChecksumError, match=r"README\.md"):
        open_product(tmp_path / "made", verify=True)


@pytest.mark.parametrize("name", ["t.parquet", "t.fits", "t.csv", "t.vot"])
def test_exports(folder, tmp_path, name):
    (tmp_path / "t.yaml").write_text(yaml.safe_dump(settings(folder, coverage=None).model_dump(mode="json")))
    product, made = build_training_set(tmp_path / "t.yaml", tmp_path / "set", with_page=False)
    report = export_product(tmp_path / "set", tmp_path / name, split="test")
    assert report.n_rows == made.split.n_rows["test"]
    if name.endswith(".vot"):
        from astropy.table import Table

        found = Table.read(tmp_path / name, format="votable")
        assert len(found) == report.n_rows
        assert str(found["ra"].unit) == "deg"
        np.testing.assert_allclose(
            np.sort(found["z_spec"]), np.sort(product.table().filter(pc.field("split") == "test").column("z_spec"))
        )
    else:
        assert open_catalog(tmp_path / name).read(["objectId"]).num_rows == report.n_rows
    with pytest.raises(NotFoundError, match="no sample 'dev'"):
        export_product(tmp_path / "set", tmp_path / f"x{name}", split="dev")
    with pytest.raises(ColumnError, match="not split"):
        export_product(folder / "redshifts", tmp_path / f"x{name}", split="test")


def test_placed_objects_are_where_the_redshifts_are(folder):
    objects = pq.read_table(folder / "objects.parquet", columns=["objectId", "coord_ra"])
    original = pq.read_table(folder / "sky" / "object" / "tract_9000.parquet", columns=["objectId", "coord_ra"])
    assert objects.column("objectId") == original.column("objectId")
    moved = (objects.column("coord_ra").to_numpy() != original.column("coord_ra").to_numpy()).sum()
    product = open_product(folder / "redshifts").table()
    kept = product.filter(pc.and_(pc.equal(product.column("tie_result"), 1), pc.greater(product.column("z_spec"), 0)))
    assert moved == kept.num_rows
    with pytest.raises(EmptyTableError, match="as many galaxies"):
        place_objects(folder / "sky", np.zeros(10**6), np.zeros(10**6), np.ones(10**6))
    with pytest.raises(NotFoundError, match="no simulated sky"):
        place_objects(folder, np.zeros(1), np.zeros(1), np.ones(1))


def pz(*words):
    return CliRunner().invoke(app, [str(word) for word in words])


def test_files_of_one_name_get_names_of_their_own(folder, tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "x.csv").write_text("id,ra,dec,z,flag\n1,10,1,0.5,4\n")
    done = pz("specz", "init", tmp_path / "c.yaml", f"{tmp_path}/a/x.csv=VVDS", f"{tmp_path}/b/x.csv=VVDS")
    assert done.exit_code == 0, done.output
    assert [each.name for each in read_combine_config(tmp_path / "c.yaml").sources] == ["x", "x-2"]


def test_settings_with_surveys_of_ones_own(tmp_path):
    (tmp_path / "mine.csv").write_text("id,ra,dec,z,flag\n1,10,1,0.5,4\n")
    (tmp_path / "mine.yaml").write_text("name: MINE\nquality:\n- {when: z_flag == 4, value: 4}\n")
    words = ["specz", "init", tmp_path / "c.yaml", f"{tmp_path}/mine.csv=MINE"]
    refused = pz(*words)
    assert refused.exit_code == 1
    assert "survey_files in the settings" in refused.stderr
    assert not (tmp_path / "c.yaml").exists()
    assert pz(*words, "--survey-file", tmp_path / "mine.yaml").exit_code == 0
    made = pz("specz", "combine", tmp_path / "c.yaml", tmp_path / "out", "--no-report")
    assert made.exit_code == 0, made.output
    assert open_product(tmp_path / "out").table(["rule"]).column("rule").to_pylist() == ["MINE#1"]
    assert (tmp_path / "out" / "citations.bib").read_text() == "% No citation is known of MINE.\n"


def test_a_table_of_an_hdf5_file_is_chosen(tmp_path):
    import h5py

    with h5py.File(tmp_path / "two.h5", "w") as file:
        for name in ("first", "second"):
            for column, value in {"ra": 10.0, "dec": 1.0, "z": 0.5, "zflags": 4}.items():
                file[f"{name}/{column}"] = np.array([value])
    words = ["specz", "check", tmp_path / "two.h5", "--survey", "VVDS"]
    assert "choose one with group=" in pz(*words).stderr
    done = pz(*words, "--group", "second")
    assert done.exit_code == 0, done.output
    assert "1 rows" in done.stdout


def test_commands(folder, tmp_path):
    assert "VVDS#1: z_flag % 10 == 4 -> 4" in pz("specz", "surveys", "vvds").stdout
    assert len(json.loads(pz("specz", "surveys", "--json").stdout)) > 40
    checked = pz("specz", "check", folder / "samples" / "vuds.parquet", "--survey", "VUDS")
    assert checked.exit_code == 0, checked.output
    assert "VUDS#1" in checked.stdout
    assert pz("specz", "check", folder / "samples" / "vuds.parquet", "--survey", "VUDS", "--column", "x").exit_code == 2
    assert pz("specz", "check", folder / "samples" / "vuds.parquet", "--survey", "VUDS", "--scale", "x").exit_code == 2
    assert pz("specz", "init", tmp_path / "c.yaml", f"{folder}/samples/vuds.parquet=VUDS").exit_code == 0
    assert pz("specz", "init", tmp_path / "c.yaml", f"{folder}/samples/vuds.parquet=VUDS").exit_code == 1
    assert "#   angle: unit of the positions (auto, deg, hourangle, rad)\n" in (tmp_path / "c.yaml").read_text()
    made = pz("specz", "combine", tmp_path / "c.yaml", tmp_path / "out", "--json", "--no-report")
    assert made.exit_code == 0, made.output
    assert json.loads(made.stdout)["n_read"] == 698
    assert pz("specz", "combine", tmp_path / "c.yaml", tmp_path / "out2", "--mode", "blend").exit_code == 2
    assert pz("training", "init", tmp_path / "t.yaml", folder / "redshifts", folder / "objects.parquet").exit_code == 0
    assert read_training_config(tmp_path / "t.yaml") == settings(folder)
    written = (tmp_path / "t.yaml").read_text()
    assert "# which objects within it (nearest, k, all)\n" in written
    assert "# Signal to noise: Least flux over its error, by band.\n" in written
    made = pz("training", "make", tmp_path / "t.yaml", tmp_path / "set", "--no-report")
    assert made.exit_code == 0, made.output
    assert "No galaxy is in two samples." in made.stdout
    looked = json.loads(pz("training", "info", tmp_path / "set", "--json").stdout)
    assert looked["table"] == "training_set"
    assert pz("training", "export", tmp_path / "set", tmp_path / "train.csv", "--split", "train").exit_code == 0
    assert pz("training", "rehearse", folder / "redshifts", folder / "sky", tmp_path / "o.parquet").exit_code == 0
    assert pz("training", "rehearse", folder / "redshifts", folder / "sky", tmp_path / "o.parquet").exit_code == 1
