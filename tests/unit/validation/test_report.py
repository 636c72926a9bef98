"""The report: a well-formed page that stands alone and says what the table says."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from html.parser import HTMLParser

import pytest

from pzcenter.errors import StorageError
from pzcenter.validation import RunFacts, collect_sample, evaluate, make_report, report, summary_sentences
from pzcenter.validation.plots import plot_pit_qq
from pzcenter.validation.report import CAPTIONS

HOSTILE = "<script>alert('x')</script>\"&<img src=http://evil.example/x onerror=1>"
VOID = {"meta", "img", "br", "link", "input", "hr"}


class Page(HTMLParser):
    """Parse strictly: every tag closed, in order."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.open, self.tags, self.cells, self.texts = [], [], {}, []
        self._cell = None
        self.feed(text)
        self.close()
        assert self.open == [], f"never closed: {self.open}"

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        self.tags.append((tag, attrs))
        if tag not in VOID:
            self.open.append(tag)
        if "data-metric" in attrs:
            self._cell = (attrs["data-metric"], attrs["data-point"])
            self.cells[self._cell] = ""

    def handle_endtag(self, tag):
        assert self.open.pop() == tag
        if tag == "td":
            self._cell = None

    def handle_data(self, data):
        self.texts.append(data)
        if self._cell and self.open[-1] == "td":
            self.cells[self._cell] += data


@pytest.fixture(scope="module")
def page(sample, table, tmp_path_factory):
    facts = RunFacts(
        title=f"Report {HOSTILE}",
        model={"name": HOSTILE, "templates": 31},
        counts={"objects in": 1234567, HOSTILE: 3},
        rates={"seconds": 12.3456},
        inputs=({"path": HOSTILE, "rows": 10, "sha256": "ab" * 32},),
        config={"z_max": 3.0, "prior": True},
        versions={"numpy": "2.1"},
        command=f"pz estimate {HOSTILE}",
    )
    path = make_report(tmp_path_factory.mktemp("report") / "deep" / "report.html", sample, table, facts=facts)
    return path.read_text(encoding="utf-8")


def test_well_formed(page):
    tags = [tag for tag, _ in Page(page).tags]
    assert page.lstrip().startswith("<!DOCTYPE html>")
    for tag in ("html", "head", "title", "body", "h1", "main"):
        assert tags.count(tag) == 1


def test_numbers_are_those_of_the_table(page, table):
    cells = Page(page).cells
    expected = {
        (row.metric, row.point): f"{row.value:.4f}".replace("-", "\N{MINUS SIGN}") for row in table.select(axis="all")
    }
    assert {key: value.strip() for key, value in cells.items()} == expected


def test_verdicts_are_those_of_the_table(page, table):
    text = "".join(Page(page).texts)
    for verdict in table.verdicts:
        assert verdict.requirement.words in text
        assert verdict.words in text
        assert f"{verdict.row.n_obj:,}" in text


def test_no_request_to_anywhere(page):
    for tag, attrs in Page(page).tags:
        for name in ("src", "href", "action", "srcset", "poster"):
            assert attrs.get(name, "data:").startswith("data:"), (tag, attrs[name][:60])
        assert tag not in {"script", "link", "iframe", "object", "embed"}
        assert not any(name.startswith("on") for name in attrs)
    style = re.search(r"<style>(.*?)</style>", page, re.DOTALL)[1]
    assert "url(" not in style
    assert "@import" not in style


def test_hostile_text_stays_text(page):
    assert "<script" not in page
    assert "<img src=http" not in page
    assert "".join(Page(page).texts).count(HOSTILE) == 6  # title twice, model, counts, inputs, command


def test_figures_have_texts(page):
    images = [attrs for tag, attrs in Page(page).tags if tag == "img"]
    assert len(images) == len(CAPTIONS)
    assert all(len(attrs["alt"]) > 40 and attrs["src"].startswith("data:image/png;base64,") for attrs in images)


def test_counts_and_flags(page, sample):
    text = " ".join(" ".join(Page(page).texts).split())
    assert "1,234,567" in text
    assert "compared here 3,000" in text
    assert f"{sample.flag_counts['few_bands']:,}" in text
    assert "few_bands" in text
    assert "blended" not in text


def test_facts_are_optional_and_bytes_repeat(gaussian_chunk, tmp_path, monkeypatch):
    monkeypatch.setattr(report, "make_figures", lambda sample, table, **_: {"pit_qq": plot_pit_qq(sample, table)})
    small = collect_sample([gaussian_chunk(60, mag=None, flags=None, ra=None, dec=None)])
    table = evaluate(small, n_bootstrap=3)
    when = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)
    first, second = (make_report(tmp_path / f"{i}.html", small, table, made_at=when) for i in (1, 2))
    assert first.read_bytes() == second.read_bytes()
    assert "2026-01-02 03:04 UTC" in first.read_text(encoding="utf-8")
    Page(first.read_text(encoding="utf-8"))


def test_nothing_is_left_where_it_cannot_be_written(sample, table, tmp_path, monkeypatch):
    monkeypatch.setattr(report, "make_figures", lambda *_, **__: {})
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StorageError, match="cannot write the report"):
        make_report(tmp_path / "file" / "report.html", sample, table)
    (tmp_path / "folder.html").mkdir()
    with pytest.raises(StorageError):
        make_report(tmp_path / "folder.html", sample, table)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "folder.html"]


def test_summary_follows_the_numbers(gaussian_chunk):
    def words(**wrong):
        sample = collect_sample([gaussian_chunk(**wrong)], mag_band="i")
        return summary_sentences(sample, evaluate(sample, n_bootstrap=20, z_edges=(0, 3), mag_edges=(20, 26)))

    good = words()
    assert "right width" in good[1]
    assert "next to no true redshift lies outside" in good[1]
    assert "is met in both points" in good[2]
    assert "scatter below 0.02 (1+z)" in good[3]
    assert "much too narrow" in words(width=0.4)[1]
    assert "much too wide" in words(width=2.0)[1]
    assert "typical offset of +0.0" in words(shift=0.03)[0]
