"""Drawings, Markdown and words of the pages."""

import re
import xml.etree.ElementTree as ET
from datetime import UTC, datetime, timedelta

import pytest

from pzcenter.server.pages.figures import draw_histogram, draw_sky, figures_of
from pzcenter.server.pages.graph import draw_graph
from pzcenter.server.pages.prose import prose
from pzcenter.server.pages.words import ago, count, number, size
from pzcenter.server.services.provenance_graph import ProvenanceEdge, ProvenanceGraph, ProvenanceNode
from pzcenter.server.storage.products import Product, ProductType

EVIL = '"><script>alert(1)</script>'


def heights(svg):
    root = ET.fromstring(str(svg))
    return [float(each.attrib["height"]) for each in root.iter("rect") if each.attrib.get("class") == "bar"]


def test_bars_are_as_tall_as_counts():
    tall = heights(draw_histogram([0, 1, 2, 3], [1, 0, 4], label="z"))
    assert tall[1] == pytest.approx(4 * tall[0])
    assert len(tall) == 2


@pytest.mark.parametrize(
    ("edges", "counts"),
    [([], []), ([0, 1], [1, 2]), ([1, 1], [3]), ([0, float("nan")], [1]), ([0, 1], [0]), ([0, 1], [float("inf")])],
)
def test_numbers_that_make_no_histogram(edges, counts):
    assert draw_histogram(edges, counts, label="z") == ""


def test_labels_are_escaped():
    assert "<script" not in draw_histogram([0, 1], [1], label=EVIL)


def test_sky_goes_over_the_jump_in_right_ascension():
    svg = str(draw_sky([359.5, 0.5], [10, 10.5], [1, 5], cell=0.5))
    ET.fromstring(svg)
    xs = [float(each) for each in re.findall(r"M([0-9.]+) [0-9.]+h", svg)]
    assert max(xs) - min(xs) > 100
    assert draw_sky([], [], []) == ""
    assert draw_sky([float("nan")], [0], [1]) == ""


@pytest.mark.parametrize(
    "report",
    [None, {}, {"sky": 3}, {"histograms": "no"}, {"histograms": [{"edges": [0, 1]}]}, {"histograms": [None]},
     {"sky": {"ra": ["a"], "dec": [1]}}, {"histograms": [{"column": "z", "edges": ["a", "b"], "counts": [1]}]}],
)  # fmt: skip
def test_reports_that_are_not_understood(report):
    assert figures_of(Product(report=report)) == []


def product(name, uid):
    kind = ProductType(name="other", display_name="Other")
    return Product(display_name=name, uid=uid, version=1, product_type=kind)


def test_graph_is_drawn_and_told():
    nodes = [
        ProvenanceNode("far", product("Far", "f" * 12), -2), ProvenanceNode("hidden-1", None, -1),
        ProvenanceNode("root", product("Root", "r" * 12), 0), ProvenanceNode("made", product(EVIL, "m" * 12), 1),
    ]  # fmt: skip
    edges = [ProvenanceEdge("root", "hidden-1", "input"), ProvenanceEdge("hidden-1", "far", "input"),
             ProvenanceEdge("made", "root", "version")]  # fmt: skip
    drawing = draw_graph(ProvenanceGraph("root", nodes, edges))
    root = ET.fromstring(str(drawing.svg))
    assert len(list(root.iter("a"))) == 2
    assert "<script" not in drawing.svg
    assert drawing.sources == [("not visible", None, "input"), ("Far", "/products/" + "f" * 12, "indirectly")]
    assert drawing.results[0][2] == "earlier or later version"
    assert draw_graph(ProvenanceGraph("root", nodes[2:3])).svg == ""


def test_large_graph_stays_small():
    nodes = [ProvenanceNode("root", product("Root", "r" * 12), 0)]
    nodes += [ProvenanceNode(f"n{i}", product("N", f"{i:012d}"), 1) for i in range(200)]
    edges = [ProvenanceEdge(f"n{i}", "root", "input") for i in range(200)]
    drawing = draw_graph(ProvenanceGraph("root", nodes, edges))
    assert "and 188 more" in drawing.svg
    assert len(drawing.results) == 200


@pytest.mark.parametrize(
    "text",
    ["<script>alert(1)</script>", "[a](javascript:alert(1))", "[a](data:text/html;base64,AAAA)",
     "![a](http://x.org/a.png)",
     "<img src=x onerror=alert(1)>", "<a href='vbscript:x'>a</a>", "<svg onload=alert(1)>", "[a](//x.org)", "`<b>`",
     "<style>body{}</style>", "[a]: javascript:alert(1)\n\n[a]", "<iframe src=x>", "# <script>"],
)  # fmt: skip
def test_markdown_does_no_harm(text, harmless):
    made = prose(text)
    harmless(made)
    assert "<img" not in made
    assert "<script" not in made


def test_markdown_is_rendered():
    made = prose("# A\n\n**b** and [c](https://example.org)\n\n| d |\n|---|\n| e |")
    for part in ("<h3>A</h3>", "<strong>b</strong>", 'rel="noopener noreferrer nofollow"', "<td>e</td>"):
        assert part in made


def test_words():
    assert [size(each) for each in (None, 1, 999, 1000, 12_345_678, 999_900_000)] == [
        "\N{EN DASH}", "1 byte", "999 bytes", "1 kB", "12.3 MB", "1 GB"
    ]  # fmt: skip
    assert (count(1234567), number(0.123456789), number(float("nan")), number(True)) == (
        "1,234,567", "0.1234568", "\N{EN DASH}", "True"
    )  # fmt: skip
    now = datetime.now(UTC)
    assert ago(now - timedelta(minutes=5)) == "5 minutes ago"
    assert ago(None) == "never"
