"""Plots of a product as small drawings, made from the numbers that its report keeps."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from markupsafe import Markup

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from pzcenter.server.storage.products import Product

__all__ = ["Figure", "draw_cells", "draw_histogram", "draw_sky", "figures_of"]

WIDTH, HEIGHT = 340, 200
LEFT, RIGHT, TOP, BOTTOM = 44, 10, 22, 34
MOST_FIGURES = 12
MOST_BINS, MOST_CELLS, SHADES = 200, 5000, 6
STEPS = (1.0, 2.0, 5.0, 10.0)
Ends = tuple[float, float]


@dataclass(frozen=True)
class Figure:
    """A plot and its words.

    Attributes
    ----------
    title : str
    words : str
    svg : Markup
    """

    title: str
    words: str
    svg: Markup


def draw_histogram(edges: Sequence[float], counts: Sequence[float], *, label: str) -> Markup:
    """Bars of a histogram with two axes.

    Parameters
    ----------
    edges : sequence of float, (n_bin + 1,)
        Increasing.
    counts : sequence of float, (n_bin,)
        Not negative.
    label : str
        Of the horizontal axis; escaped.

    Returns
    -------
    Markup
        Empty where the numbers make no histogram.
    """
    numbers = [float(value) for value in (*edges, *counts)]
    fits = len(edges) == len(counts) + 1 and 1 <= len(counts) <= MOST_BINS and all(map(math.isfinite, numbers))
    if not fits or not edges[-1] > edges[0] or max(counts) <= 0:
        return Markup()
    low, high, top = float(edges[0]), float(edges[-1]), float(max(counts))
    bars = Markup().join(
        _bar(_across(left, low, high), _across(right, low, high), _up(n, top))
        for left, right, n in zip(edges[:-1], edges[1:], counts, strict=True)
        if n > 0
    )
    return _frame(bars, (low, high), (0.0, top), label, "objects")


def draw_sky(
    ra: Sequence[float], dec: Sequence[float], counts: Sequence[float], *, cell: float | None = None
) -> Markup:
    """Where objects lie: one square for each cell, the darker the more.

    Parameters
    ----------
    ra, dec : sequence of float, (n_cell,)
        Centres, degrees.
    counts : sequence of float, (n_cell,)
    cell : float, optional
        Width of a cell, degrees.

    Returns
    -------
    Markup
        East is to the left; empty where there is nothing to draw.
    """
    cells = [
        (float(x), float(y), float(n))
        for x, y, n in zip(ra, dec, counts, strict=False)
        if all(map(math.isfinite, (float(x), float(y), float(n)))) and n > 0
    ][:MOST_CELLS]
    if not cells:
        return Markup()
    cells = _together(cells)
    side = cell or 0.5
    middle = sum(y for _, y, _ in cells) / len(cells)
    wide = side / max(0.05, math.cos(math.radians(middle)))
    west, east = min(x for x, _, _ in cells) - wide, max(x for x, _, _ in cells) + wide
    low, high = max(-90.0, min(y for _, y, _ in cells) - side), min(90.0, max(y for _, y, _ in cells) + side)
    across, up = (WIDTH - LEFT - RIGHT) / (east - west), (HEIGHT - TOP - BOTTOM) / (high - low)
    box = max(1.5, wide * across), max(1.5, side * up)
    most = math.log1p(max(n for _, _, n in cells))
    shades: dict[int, list[str]] = {}
    for x, y, n in cells:
        shade = 1 if most <= 0 else max(1, math.ceil(SHADES * math.log1p(n) / most))
        left, top = _across(x, east, west) - box[0] / 2, HEIGHT - BOTTOM - (y - low) * up - box[1] / 2
        shades.setdefault(shade, []).append(f"M{left:.1f} {top:.1f}h{box[0]:.1f}v{box[1]:.1f}h-{box[0]:.1f}z")
    return _frame(_dots(shades), (east, west), (low, high), "right ascension (deg)", "declination (deg)")


def draw_cells(
    x_edges: NDArray[np.float64], y_edges: NDArray[np.float64], counts: NDArray[np.int64], *, x_label: str, y_label: str
) -> Markup:
    """Counts of two columns: one box for each cell, the darker the more.

    Parameters
    ----------
    x_edges : ndarray, (n_x + 1,)
    y_edges : ndarray, (n_y + 1,)
        Increasing, finite.
    counts : ndarray, (n_x, n_y)
        At most 200 by 200.
    x_label, y_label : str
        Escaped.

    Returns
    -------
    Markup
        Empty where there is nothing to draw.
    """
    most = math.log1p(float(counts.max(initial=0)))
    if not most or max(counts.shape) > MOST_BINS:
        return Markup()
    x_ends, y_ends = (float(x_edges[0]), float(x_edges[-1])), (float(y_edges[0]), float(y_edges[-1]))
    wide = (WIDTH - LEFT - RIGHT) / counts.shape[0]
    tall = (HEIGHT - TOP - BOTTOM) / counts.shape[1]
    shades: dict[int, list[str]] = {}
    for column, row in np.argwhere(counts > 0).tolist():
        shade = max(1, math.ceil(SHADES * math.log1p(float(counts[column, row])) / most))
        left, top = LEFT + column * wide, HEIGHT - BOTTOM - (row + 1) * tall
        shades.setdefault(shade, []).append(f"M{left:.1f} {top:.1f}h{wide:.2f}v{tall:.2f}h-{wide:.2f}z")
    return _frame(_dots(shades), x_ends, y_ends, x_label, y_label)


def _dots(shades: dict[int, list[str]]) -> Markup:
    """Boxes of each shade as one path."""
    return Markup().join(
        Markup('<path class="dot" opacity="{:.2f}" d="{}"/>').format(0.25 + 0.75 * shade / SHADES, "".join(parts))
        for shade, parts in sorted(shades.items())
    )


def _together(cells: list[tuple[float, float, float]]) -> list[tuple[float, float, float]]:
    """Right ascensions without the jump at 360 degrees, where a field lies on both of its sides."""
    places = sorted({x for x, _, _ in cells})
    gaps = [(after - before, after) for before, after in pairwise(places)]
    widest, after = max(gaps, default=(0.0, 0.0))
    if widest <= 360.0 - (places[-1] - places[0]):
        return cells
    return [(x - 360.0 if x >= after else x, y, n) for x, y, n in cells]


def figures_of(product: Product) -> list[Figure]:
    """Plots of what a product's report tells: the sky, redshifts, magnitudes.

    Parameters
    ----------
    product : Product

    Returns
    -------
    list of Figure
        What the report does not tell, or tells in a way that is not understood, is left out.
    """
    report = product.report or {}
    found: list[Figure] = []
    try:
        found += _sky_of(report)
        found += _histograms_of(report)
    except (TypeError, ValueError, KeyError, AttributeError):
        return found
    return [each for each in found if each.svg][:MOST_FIGURES]


def _sky_of(report: dict[str, Any]) -> list[Figure]:
    sky = report.get("sky") or {}
    if not sky.get("ra"):
        return []
    svg = draw_sky(sky["ra"], sky["dec"], sky["counts"], cell=sky.get("cell"))
    return [Figure("Sky", str(sky.get("words", "")), svg)]


def _histograms_of(report: dict[str, Any]) -> list[Figure]:
    made = []
    for each in report.get("histograms") or []:
        unit = f" ({each['unit']})" if each.get("unit") else ""
        svg = draw_histogram(each["edges"], each["counts"], label=f"{each['column']}{unit}")
        made.append(Figure(str(each.get("title") or each["column"]), str(each.get("words", "")), svg))
    return made


def _across(value: float, low: float, high: float) -> float:
    return LEFT + (value - low) / (high - low) * (WIDTH - LEFT - RIGHT)


def _up(value: float, top: float) -> float:
    return value / top * (HEIGHT - TOP - BOTTOM)


def _bar(left: float, right: float, tall: float) -> Markup:
    return Markup('<rect class="bar" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}"/>').format(
        left, HEIGHT - BOTTOM - tall, max(0.6, right - left - 0.6), tall
    )


def _ticks(low: float, high: float, wanted: int = 5) -> list[float]:
    """Round numbers between two ends."""
    span = abs(high - low)
    rough = span / wanted
    size = 10.0 ** math.floor(math.log10(rough))
    step = next(each * size for each in STEPS if each * size >= rough)
    first = math.ceil(min(low, high) / step - 1e-9)
    return [index * step for index in range(first, first + wanted + 2) if index * step <= max(low, high) + 1e-9 * span]


def _frame(
    inside: Markup, x_ends: tuple[float, float], y_ends: tuple[float, float], x_label: str, y_label: str
) -> Markup:
    base, right = HEIGHT - BOTTOM, WIDTH - RIGHT
    below = Markup().join(
        Markup('<text x="{:.1f}" y="{}" text-anchor="middle">{}</text>').format(
            _across(x, *x_ends), base + 14, f"{x:.4g}"
        )
        for x in _ticks(*x_ends)
    )
    beside = Markup()
    for y in _ticks(*y_ends, wanted=4):
        at = base - (y - y_ends[0]) / (y_ends[1] - y_ends[0]) * (base - TOP)
        beside += Markup('<path class="grid" d="M{} {:.1f}H{}"/>').format(LEFT, at, right)
        beside += Markup('<text x="{}" y="{:.1f}" text-anchor="end">{}</text>').format(LEFT - 4, at + 4, _short(y))
    return Markup(
        '<svg class="plot" viewBox="0 0 {} {}" role="img" aria-label="{} against {}">{}{}{}'
        '<path class="axis" d="M{} {}V{}H{}"/><text x="{}" y="{}" text-anchor="end">{}</text>'
        '<text x="4" y="12">{}</text></svg>'
    ).format(
        WIDTH, HEIGHT, y_label, x_label, beside, inside, below, LEFT, TOP, base, right, right, HEIGHT - 5, x_label,
        y_label,
    )  # fmt: skip


def _short(value: float) -> str:
    for limit, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= limit:
            return f"{value / limit:.3g}{letter}"
    return f"{value:.4g}"
