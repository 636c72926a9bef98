"""The report of a training set: a well-formed page that stands alone and says what the numbers say."""

from __future__ import annotations

import errno
import json
import re
from dataclasses import replace
from datetime import UTC, datetime
from html.parser import HTMLParser

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv
import pytest
import yaml

from pzcenter.catalogs.crossmatch import MatchStatistics
from pzcenter.errors import StorageError, UsageError
from pzcenter.training.combine import CombineConfig, combine
from pzcenter.training.coverage import coverage
from pzcenter.training.report import make_training_report, summary_sentences, training_report_html
from pzcenter.training.report_inputs import report_inputs
from pzcenter.training.report_summary import warnings_of
from pzcenter.training.select import SelectionConfig, select
from pzcenter.training.split import split
from pzcenter.training.subsample import SubsampleReport

HOSTILE = "<script>alert('$x$')</script>\"&<img src=http://evil.example/x onerror=1>"
VOID = {"meta", "img", "br", "link", "input", "hr"}
STEPS = ("combine", "match", "selection", "split", "subsample", "coverage")
MADE_AT = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)
MATCH = MatchStatistics(
    n_positions=400, n_no_position=0, n_matched=300, n_pairs=300, n_pairs_within=310, n_ambiguous=9, n_shared=2,
    n_objects_read=5000, n_objects_no_position=0, n_partitions=1, n_partitions_read=1, radius_arcsec=0.75,
    median_separation_arcsec=0.12, offset_ra_arcsec=0.0, offset_dec_arcsec=0.0, chance_expected=0.04,
    chance_measured=0.05, shift_arcsec=30.0, false_share=0.0123, density_per_arcmin2=80.0,
    warnings=("the offset is large",),
)  # fmt: skip


class Page(HTMLParser):
    """Parse strictly: every tag closed, in order."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.open, self.tags, self.words = [], [], []
        self.feed(text)
        self.close()
        assert self.open == [], f"never closed: {self.open}"

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.words).split())

    def ids(self):
        return [attrs["id"] for tag, attrs in self.tags if tag == "section" and "id" in attrs]


@pytest.fixture(scope="module")
def combined(tmp_path_factory):
    """Two catalogues: of a survey with hostile words, and of one that has flags that no rule catches."""
    folder = tmp_path_factory.mktemp("redshifts")
    rng = np.random.default_rng(0)
    for name, flags in {"bad": [4, 3], "odd": [4, 3, 77, 78]}.items():
        columns = {
            "id": np.arange(200), "ra": rng.uniform(10, 11, 200), "dec": rng.uniform(-1, 1, 200),
            "z": rng.gamma(2, 0.3, 200), "q": rng.choice(flags, 200),
        }  # fmt: skip
        pa_csv.write_csv(pa.table(columns), folder / f"{name}.csv")
        survey = {
            "name": HOSTILE if name == "bad" else "ODD", "title": HOSTILE, "citation": HOSTILE,
            "columns": {"source_id": "id", "ra": "ra", "dec": "dec", "z_spec": "z", "z_flag": "q"},
            "quality": [{"when": "z_flag == 4", "value": 4, "note": HOSTILE}, {"when": "z_flag == 3", "value": 3}],
        }  # fmt: skip
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(survey))
    config = CombineConfig(
        sources=[
            {"name": "bad", "path": "bad.csv", "survey": HOSTILE}, {"name": "odd", "path": "odd.csv", "survey": "ODD"},
        ],
        survey_files=("bad.yaml", "odd.yaml"),
    )  # fmt: skip
    return combine(config, directory=folder)


def objects(n, *, seed, faint=0.0):
    rng = np.random.default_rng(seed)
    level = rng.normal(3.2 - faint, 0.5, n)
    columns = {"ra": rng.uniform(10, 11, n), "dec": rng.uniform(-1, 1, n)}
    columns |= {f"flux_{band}": 10 ** (level + rng.normal(0, 0.2, n)) for band in "gri"}
    columns |= {f"flux_err_{band}": rng.uniform(20, 40, n) for band in "gri"}
    return pa.table(columns)


@pytest.fixture(scope="module")
def inputs(combined):
    rng = np.random.default_rng(4)
    n, known = 300, combined.table.slice(0, 300)
    table = objects(n, seed=1).append_column("objectId", pa.array(np.arange(n)))
    for name in ("measurement_id", "z_spec", "z_flag", "z_type", "survey", "group_id", "tie_result"):
        table = table.append_column(name, known.column(name))
    table = table.append_column("separation_arcsec", pa.array(rng.rayleigh(0.1, n)))
    chosen, selection = select(table, SelectionConfig(min_z_flag=3))
    training, samples = split(chosen, seed=0)
    training = training.append_column("weight", pa.array(rng.uniform(0.1, 2, training.num_rows)))
    target = objects(4000, seed=2, faint=0.4)
    weights = SubsampleReport("neighbour_weights", {}, 0, 300, training.num_rows, 80.0, {"largest_weight": 2.0})
    return {
        "redshifts": combined.table, "training": training, "target": target, "combine": combined.report,
        "match": MATCH, "selection": selection, "split": samples, "subsample": weights,
        "coverage": coverage(training, target), "separations": table.column("separation_arcsec").to_numpy(),
    }  # fmt: skip


@pytest.fixture(scope="module")
def html(inputs):
    return training_report_html(
        **inputs, title=HOSTILE, command=["pz", "training", "make", HOSTILE], checksums={HOSTILE: "ab" * 32},
        versions={"numpy": HOSTILE}, made_at=MADE_AT,
    )  # fmt: skip


def test_every_section_is_there_in_order(html):
    assert Page(html).ids() == [
        "warnings", "redshifts", "rules", "sky", "match", "selection", "training", "split", "weights", "coverage",
        "citations", "provenance",
    ]  # fmt: skip


def test_no_request_to_anywhere(html):
    page = Page(html)
    tags = {tag for tag, _ in page.tags}
    assert tags.isdisjoint({"script", "link", "iframe", "object", "form"})
    for tag, attrs in page.tags:
        assert not any(name.startswith("on") for name in attrs)
        if tag == "img":
            assert attrs["src"].startswith("data:image/png;base64,")
            assert len(attrs["alt"]) > 20
        if tag == "a":
            assert attrs["href"].startswith("#")
    assert "url(" not in html
    assert "@import" not in html


def test_hostile_text_stays_text(html):
    assert "<script>alert" not in html
    assert "<img src=http" not in html
    page = Page(html)
    assert page.text.count("alert('$x$')") >= 5


def test_uncaught_rows_are_marked(html, combined):
    n = combined.report.sources[1].rules.n_uncaught
    assert n > 50
    marked = re.findall(r'<tr class="marked">(.*?)</tr>', html, re.DOTALL)
    assert any("ODD" in row and f">{n}<" in row and "77" in row for row in marked)
    assert f"No rule of its survey catches {n} rows (ODD {n})" in html


def test_numbers_are_those_of_the_reports(html, inputs, combined):
    text = Page(html).text
    for words, value in {"or alone (tie_result 1)": "1", "another measurement is better (0)": "0"}.items():
        assert f"{words} {combined.report.tie_result[value]} " in text
    assert f"{inputs['coverage'].extrapolation_fraction:.1%} of the target" in text
    assert "300 of 400 redshifts (75%) have an object within 0.75 arcsec" in text
    assert "1.23% of the pairs are expected to be wrong" in text
    assert f"The selection keeps {inputs['selection'].n_out:,} of 300 rows" in text
    assert "the offset is large" in text
    for name, n in inputs["split"].n_rows.items():
        assert f"{name} {n} " in text


def test_stored_reports_give_the_same_page(inputs):
    # The tables are the same objects either way; without them there are fewer figures to draw.
    given = {name: inputs[name] for name in STEPS}
    stored = {
        name: json.loads(json.dumps(report.as_dict(), default=lambda value: value.tolist()))
        for name, report in given.items()
    }
    stored["subsample"] = [stored["subsample"]]
    page = training_report_html(**given, made_at=MADE_AT)
    assert Page(page).ids()[-3:] == ["coverage", "citations", "provenance"]
    assert page.count("<img") == 3
    assert training_report_html(**stored, made_at=MADE_AT) == page


def test_a_target_in_pieces(inputs):
    whole, training = inputs["target"], inputs["training"].select(["flux_g", "flux_r"])
    pieces = training_report_html(
        training=training, target=lambda: iter([whole.slice(0, 1000), whole.slice(1000)]), made_at=MADE_AT
    )
    assert pieces == training_report_html(training=training, target=whole, made_at=MADE_AT)
    assert pieces != training_report_html(training=training, target=whole.slice(1000), made_at=MADE_AT)


def test_separations_from_a_stored_histogram():
    page = Page(training_report_html(match=MATCH, separations={"counts": [5, 3], "edges_arcsec": [0, 0.3, 0.75]}))
    assert page.ids() == ["warnings", "match"]
    assert [tag for tag, _ in page.tags].count("img") == 1


@pytest.mark.parametrize(
    "name", ["redshifts", "training", "combine", "match", "selection", "split", "subsample", "coverage"]
)
def test_each_input_alone(inputs, name):
    page = Page(training_report_html(**{name: inputs[name]}))
    assert page.ids()
    assert "None" not in page.text


def test_nothing_gives_an_empty_page():
    page = Page(training_report_html(title="Empty"))
    assert page.ids() == []


def test_tables_without_rows(inputs):
    page = Page(
        training_report_html(
            redshifts=inputs["redshifts"].slice(0, 0), training=inputs["training"].slice(0, 0),
            target=inputs["target"].slice(0, 0),
        )
    )  # fmt: skip
    assert "There are no redshifts. The training set has no rows." in page.text


def test_tables_with_few_columns(inputs):
    bare = inputs["training"].select(["z_spec"])
    assert "training" in Page(training_report_html(redshifts=bare, training=bare)).ids()
    only_fluxes = inputs["training"].select(["flux_g", "flux_r"])
    assert Page(training_report_html(training=only_fluxes, target=inputs["target"])).ids() == ["training"]


def test_what_is_no_report_is_refused(inputs):
    with pytest.raises(UsageError, match="match must be the report of that step"):
        training_report_html(match={"radius": 1.0})
    with pytest.raises(UsageError, match="coverage must be"):
        training_report_html(coverage=inputs["split"])
    with pytest.raises(UsageError, match="neither positions nor fluxes"):
        training_report_html(target=pa.table({"z": [1.0]}))


def test_many_rows_make_no_large_page(inputs):
    rows = np.random.default_rng(0).integers(0, inputs["redshifts"].num_rows, 200_000)
    many = inputs["redshifts"].take(pa.array(rows))
    assert len(training_report_html(redshifts=many, combine=inputs["combine"])) < 2_000_000


def test_the_file_is_whole_or_not_there(tmp_path, inputs, monkeypatch):
    path = make_training_report(tmp_path / "report.html", match=inputs["match"], made_at=MADE_AT)
    assert path.read_text(encoding="utf-8").rstrip().endswith("</html>")
    assert "2026-01-02 03:04 UTC" in path.read_text(encoding="utf-8")
    before = path.read_bytes()
    with pytest.raises(UsageError, match=r"report\.html is a file, not a directory"):
        make_training_report(tmp_path / "report.html" / "below.html", match=inputs["match"])
    with pytest.raises(UsageError, match="is a directory; name a file"):
        make_training_report(tmp_path, match=inputs["match"])

    def full(*_words):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("pzcenter.catalogs.storage.HashingFile.sync", full)
    with pytest.raises(StorageError, match="no space left"):
        make_training_report(path, split=inputs["split"])
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_sentences_alone(inputs, combined):
    sentences = summary_sentences(**inputs)
    assert sentences[0].startswith("400 redshifts of 2 surveys, from 2 catalogues with 400 rows; ")
    # One of the flags that no rule catches, one of the match; none is told twice.
    assert combined.report.warnings == ("odd: no rule of ODD catches 100 rows, such as 78, 77",)
    assert warnings_of(report_inputs(**inputs)) == [*combined.report.warnings, *MATCH.warnings]
    assert sentences[-1] == "There are 2 warnings below."
    assert summary_sentences(notes=["one is left out"]) == ["There is a warning below."]
    assert summary_sentences() == []


def test_no_false_praise_where_flags_were_on_the_scale(combined):
    sources = [
        replace(source, rules=replace(source.rules, scale="common", counts=[])) for source in combined.report.sources
    ]
    assert not any("rule" in each for each in summary_sentences(combine=replace(combined.report, sources=sources)))
