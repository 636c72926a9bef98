"""What the pages say, as HTML and on paper."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime
from html.parser import HTMLParser

import numpy as np
import pytest

from pzcenter.validation.comparison import submission_report_html
from pzcenter.validation.comparison.comparison_page import comparison_page
from pzcenter.validation.comparison.hard_objects import hard_objects
from pzcenter.validation.comparison.page_parts import Cell, TextTable, number, percent, sentence, with_error
from pzcenter.validation.comparison.page_tables import glance_table, medal, verdict_cell, verdict_table
from pzcenter.validation.comparison.paper_tables import column_groups, wrapped_rows
from pzcenter.validation.comparison.pdf import write_pdf
from pzcenter.validation.comparison.sentences import comparison_sentences
from pzcenter.validation.ranking import RankedMethod
from pzcenter.validation.requirements import DMTN049, Requirement
from pzcenter.validation.table import MetricRow, Verdict

TIME = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)
NAN = float("nan")


class Page(HTMLParser):
    """Addresses and texts of a page."""

    def __init__(self, text):
        super().__init__()
        self.addresses, self.ids, self.words, self.tags = [], [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        for name, value in attrs:
            if name in ("src", "href"):
                self.addresses.append(value)
            if name == "id":
                self.ids.append(value)

    def handle_data(self, data):
        self.words.append(data)

    @property
    def text(self):
        return re.sub(r"\s+", " ", " ".join(self.words))


@pytest.fixture(scope="module")
def comparison(whole):
    return Page((whole.directory / "comparison.html").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def submission(whole):
    return Page((whole.methods[0].directory / "report.html").read_text(encoding="utf-8"))


def test_pages_hold_everything(whole, comparison, submission):
    for page in (comparison, submission):
        assert not {"script", "link", "iframe"} & set(page.tags)
        images = [address for address in page.addresses if address.startswith("data:")]
        assert len(images) >= 6
        beside = [address for address in page.addresses if not address.startswith(("data:", "#"))]
        for address in beside:
            root = whole.directory if page is comparison else whole.methods[0].directory
            assert (root / address).is_file(), address


def test_names_are_not_markup(comparison, submission):
    for page in (comparison, submission):
        assert "b" not in page.tags
        assert "<b>good</b>" in page.text
        assert len(set(page.ids)) == len(page.ids)


def test_sections_of_the_comparison(comparison):
    wanted = [
        "glance",
        "ranks",
        "common",
        "failures",
        "requirements",
        "challenge",
        "figures",
        "hard",
        "cost",
        "reading",
    ]
    assert [name for name in wanted if name not in comparison.ids] == []
    assert "provenance" in comparison.ids


def test_sections_of_a_submission(submission):
    wanted = ["submission", "numbers", "requirements", "figures", "worst", "challenge", "metrics", "provenance"]
    assert [name for name in wanted if name not in submission.ids] == []
    assert "A & B" in submission.text
    assert "Scatter (\N{GREEK SMALL LETTER SIGMA} NMAD) of the controls: trainz" in submission.text


def test_the_page_says_what_it_was_made_from(whole, comparison, submission):
    for page in (comparison, submission):
        assert whole.truth.sha256 in page.text
        assert "pz validate run comparison.yaml --out again" in page.text
        assert "PZ Center 0" in page.text


def test_failures_and_coverage_are_said(comparison):
    assert "row 17 (object 198)" in comparison.text
    assert "2 submissions could not be scored: bad and model.pkl" in comparison.text
    assert "Ranks are on the 250 objects that all ranked methods have" in comparison.text


def test_worst_objects_have_their_photometry(whole, submission):
    assert "not seen" in submission.text or re.search(r"2\d\.\d\d ± 0\.\d\d", submission.text)
    for band in whole.truth.photometry.bands:
        assert band in submission.words


def test_points_only_have_a_page_too(whole):
    page = Page((whole.methods[2].directory / "report.html").read_text(encoding="utf-8"))
    assert "PIT" not in " ".join(page.ids)
    assert sum(address.startswith("data:") for address in page.addresses) == 2
    assert "pdf-metrics" not in page.ids


def test_same_time_same_text(whole):
    texts = [submission_report_html(whole, whole.methods[2], made_at=TIME) for _ in range(2)]
    assert texts[0] == texts[1]
    assert "2026-01-02 03:04 UTC" in texts[0]


def test_paper_is_pdf_with_text(whole):
    for path in (whole.directory / "comparison.pdf", whole.methods[0].directory / "report.pdf"):
        content = path.read_bytes()
        assert content.startswith(b"%PDF")
        assert b"%%EOF" in content[-16:]
        assert content.count(b"/Type /Page\n") + content.count(b"/Type /Page ") >= 4
    assert not (whole.methods[3].directory / "report.pdf").exists()


def test_same_page_same_paper(whole, tmp_path):
    page = comparison_page(replace(whole, methods=(), rankings=(), common_tables={}), TIME)
    contents = []
    for name in ("one.pdf", "two.pdf"):
        write_pdf(tmp_path / name, page, TIME)
        contents.append((tmp_path / name).read_bytes())
    assert contents[0] == contents[1]


def test_sentences_follow_from_the_numbers(whole):
    said = comparison_sentences(whole)
    assert said[0] == "3 submissions and 1 control were held against 500 objects with known redshift."
    assert any(
        text.startswith("By scatter (\N{GREEK SMALL LETTER SIGMA} NMAD), <b>good</b> and points are best")
        for text in said
    )
    assert "In scatter every submission is better than the control trainz." in said


def test_no_medal_inside_the_error():
    line = {"value": 0.1, "error": 0.01, "rank_low": 1, "rank_high": 2}
    assert medal(RankedMethod("a", rank=1, same_as=(), **line)) == "1st"
    assert medal(RankedMethod("a", rank=1, same_as=("b",), **line)) == ""
    assert medal(RankedMethod("a", rank=4, same_as=(), **line)) == ""
    assert medal(RankedMethod("a", rank=1, same_as=(), **{**line, "value": NAN})) == ""


def test_a_control_gets_no_medal(whole):
    table = glance_table(whole.methods, whole.rankings)
    control = table.rows[3]
    assert not any("1st" in cell.sub or cell.kind == "best" for cell in control)


@pytest.mark.parametrize(
    ("value", "error", "words", "kind"),
    [(0.03, 0.001, "✓ met", "met"), (0.07, 0.001, "✗ not met", "notmet"), (NAN, NAN, "not tested", "untested"),
     (0.0501, 0.001, "≈ ✗ not met, within the error", "notmet")],
)  # fmt: skip
def test_verdicts_never_speak_by_colour_alone(value, error, words, kind):
    row = MetricRow("sigma_iqr", "z_best", "selection", value, error, 100)
    cell = verdict_cell(Verdict(Requirement(DMTN049, "sigma_iqr", 0.05, "w"), row, "all"))
    assert words in cell.text
    assert cell.kind == kind


def test_every_method_has_a_verdict_on_every_line(whole):
    table = verdict_table(whole.methods)
    assert len(table.heads) == 1 + len(whole.methods)
    assert len(table.rows) == len(whole.methods[0].table.verdicts)


def test_hard_objects_are_wrong_in_most(whole):
    found = hard_objects(whole.submissions)
    assert found
    assert all(item.n_wrong >= 2 for item in found)
    assert [item.n_wrong for item in found] == sorted((item.n_wrong for item in found), reverse=True)
    assert hard_objects([]) == []


def test_numbers_have_the_digits_of_their_error():
    assert with_error(0.123456, 0.0021) == "0.1235 ± 0.0021"
    assert with_error(0.123456, 0.0021, scale=100, unit="%") == "12.35 ± 0.21 %"
    assert with_error(-8.6, 0.14) == "\N{MINUS SIGN}8.60 ± 0.14"
    assert with_error(NAN, NAN) == "\N{EN DASH}"
    assert with_error(0.5, NAN) == "0.5000"
    assert number(1234.5, 200.0) == "1234"
    assert percent(0.24449) == "24.4 %"
    assert sentence("a word") == "A word."
    assert sentence("a, b, ...") == "A, b, ..."


def test_wide_tables_are_parted_for_paper():
    cells = [[Cell("row"), *(Cell("a verdict in words", "0.1 ± 0.2") for _ in range(14))]]
    table = TextTable("t", ("name", *(f"method {n}" for n in range(14))), cells)
    groups = column_groups(table)
    assert [group[0] for group in groups] == [0, 0, 0]
    assert sorted(column for group in groups for column in group[1:]) == list(range(1, 15))
    widths, rows = wrapped_rows(table, groups[0], n_character=80)
    assert widths.sum() <= 80
    assert len(rows) == 2
    assert all(
        len(line) <= np.ceil(width) for (lines, _, _), width in zip(rows[1], widths, strict=True) for line in lines
    )


def test_page_of_nothing_but_failures(whole):
    empty = replace(whole, methods=(), rankings=(), common_tables={}, n_common=0)
    page = comparison_page(empty, TIME)
    keys = [section.key for section in page.sections]
    assert keys == ["glance", "failures", "provenance"]
    assert "0 submissions were held against" in page.summary[0]
