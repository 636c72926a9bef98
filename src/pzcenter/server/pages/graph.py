"""The provenance of a product as a drawing: columns of boxes, what came first to the left."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from markupsafe import Markup

if TYPE_CHECKING:
    from pzcenter.server.services.provenance_graph import ProvenanceGraph, ProvenanceNode

__all__ = ["Drawing", "draw_graph"]

BOX_WIDTH, BOX_HEIGHT = 210, 46
GAP_X, GAP_Y, EDGE = 56, 14, 8
MOST_LETTERS = 27
MOST_ROWS = 12
"""Of one column; the others are counted. The list beside the drawing tells them all."""


@dataclass(frozen=True)
class Drawing:
    """A provenance to be shown.

    Attributes
    ----------
    svg : Markup
        Empty where there is nothing but the product itself.
    sources, results : list of (name, address or None, role)
        The same in words, nearest first.
    cut : bool
        There is more than is told.
    """

    svg: Markup
    sources: list[tuple[str, str | None, str]]
    results: list[tuple[str, str | None, str]]
    cut: bool


def draw_graph(graph: ProvenanceGraph) -> Drawing:
    """Draw what a product was made from, and what was made from it.

    Parameters
    ----------
    graph : ProvenanceGraph

    Returns
    -------
    Drawing
        All words are escaped; colours come from the style of the pages.
    """
    roles = {edge.source if edge.product == graph.root else edge.product: edge.role for edge in graph.edges}
    told = [(node.label, _address(node), _role(roles.get(node.key, ""))) for node in graph.nodes if node.distance]
    distances = [node.distance for node in graph.nodes if node.distance]
    sources = [words for words, distance in zip(told, distances, strict=True) if distance < 0][::-1]
    results = [words for words, distance in zip(told, distances, strict=True) if distance > 0]
    svg = _svg(graph) if told else Markup()
    return Drawing(svg, sources, results, graph.cut)


def _role(role: str) -> str:
    return {"version": "earlier or later version", "input": "input", "": "indirectly"}.get(role, role)


def _address(node: ProvenanceNode) -> str | None:
    return None if node.product is None else f"/products/{node.product.uid}"


def _svg(graph: ProvenanceGraph) -> Markup:
    columns: dict[int, list[ProvenanceNode]] = {}
    for node in graph.nodes:
        columns.setdefault(node.distance, []).append(node)
    shown = {distance: nodes[:MOST_ROWS] for distance, nodes in columns.items()}
    first = min(shown)
    tallest = max(len(nodes) + (len(columns[distance]) > len(nodes)) for distance, nodes in shown.items())
    height = tallest * (BOX_HEIGHT + GAP_Y) - GAP_Y + 2 * EDGE
    width = len(range(first, max(shown) + 1)) * (BOX_WIDTH + GAP_X) - GAP_X + 2 * EDGE
    places: dict[str, tuple[float, float]] = {}
    boxes: list[Markup] = []
    for distance, nodes in shown.items():
        rows = len(nodes) + (len(columns[distance]) > len(nodes))
        x = EDGE + (distance - first) * (BOX_WIDTH + GAP_X)
        top = (height - rows * (BOX_HEIGHT + GAP_Y) + GAP_Y) / 2
        for row, node in enumerate(nodes):
            y = top + row * (BOX_HEIGHT + GAP_Y)
            places[node.key] = (x, y)
            boxes.append(_box(node, x, y))
        if len(columns[distance]) > len(nodes):
            y = top + len(nodes) * (BOX_HEIGHT + GAP_Y) + BOX_HEIGHT / 2
            rest = len(columns[distance]) - len(nodes)
            boxes.append(Markup('<text x="{}" y="{:.0f}" class="sub">and {} more</text>').format(x + 10, y, rest))
    arrows = [
        _arrow(places[edge.source], places[edge.product])
        for edge in graph.edges
        if edge.source in places and edge.product in places
    ]
    return Markup(
        '<svg class="graph" width="{0}" height="{1:.0f}" viewBox="0 0 {0} {1:.0f}" role="img" '
        'aria-label="What the product was made from (left) and what was made from it (right); a list follows">'
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        '<path d="M0 0 8 4 0 8z"/></marker></defs>{2}{3}</svg>'
    ).format(width, height, Markup().join(arrows), Markup().join(boxes))


def _box(node: ProvenanceNode, x: float, y: float) -> Markup:
    kind = "root" if node.distance == 0 else "hidden" if node.product is None else "node"
    label = node.label if len(node.label) <= MOST_LETTERS else f"{node.label[: MOST_LETTERS - 1]}…"
    below = "" if node.product is None else f"{node.product.product_type.display_name}, v{node.product.version}"
    inside = Markup(
        '<title>{}</title><rect x="{}" y="{:.1f}" width="{}" height="{}" rx="6"/>'
        '<text x="{}" y="{:.1f}">{}</text><text x="{}" y="{:.1f}" class="sub">{}</text>'
    ).format(node.label, x, y, BOX_WIDTH, BOX_HEIGHT, x + 10, y + 19, label, x + 10, y + 36, below)
    address = _address(node)
    if address is None or kind == "root":
        return Markup('<g class="{}">{}</g>').format(kind, inside)
    return Markup('<a href="{}" class="{}">{}</a>').format(address, kind, inside)


def _arrow(start: tuple[float, float], end: tuple[float, float]) -> Markup:
    x0, y0 = start[0] + BOX_WIDTH, start[1] + BOX_HEIGHT / 2
    x1, y1 = end[0], end[1] + BOX_HEIGHT / 2
    if x1 <= x0:
        # Both stand in one column: round the left side.
        x0 = start[0]
        return Markup('<path d="M{} {:.1f}C{} {:.1f} {} {:.1f} {} {:.1f}" marker-end="url(#tip)"/>').format(
            x0, y0, x0 - 24, y0, x1 - 24, y1, x1, y1
        )
    middle = (x0 + x1) / 2
    return Markup('<path d="M{} {:.1f}C{} {:.1f} {} {:.1f} {} {:.1f}" marker-end="url(#tip)"/>').format(
        x0, y0, middle, y0, middle, y1, x1, y1
    )
