"""One HTML page that holds everything: how reports are rendered from their templates."""

from __future__ import annotations

import base64
import io
from importlib import resources
from typing import TYPE_CHECKING, Any

import pzcenter

from .table import format_number

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["figure_uri", "render_page"]


def render_page(template: str, **values: Any) -> str:
    """Fill a template of this package.

    Parameters
    ----------
    template : str
        File name, such as ``report.html``.
    **values
        What the template names; every value is escaped. ``style`` and ``version`` are given to all.

    Returns
    -------
    str
        HTML that asks nothing of the network.
    """
    from jinja2 import Environment, StrictUndefined
    from markupsafe import Markup

    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters |= {"number": format_number, "count": _count, "words": _words, "percent": _percent}
    text = (resources.files("pzcenter.validation") / template).read_text(encoding="utf-8")
    css = resources.files("pzcenter.data") / "pages" / "report.css"
    style = Markup(css.read_text(encoding="utf-8"))  # noqa: S704 - our own file
    return environment.from_string(text).render(style=style, version=pzcenter.__version__, **values)


def figure_uri(figure: Figure) -> str:
    """Figure as a PNG inside a ``data:`` address."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")


def _count(value: int) -> str:
    return f"{value:,}"


def _percent(value: float) -> str:
    return f"{value:.2f} %"


def _words(value: Any) -> str:
    """Any value of the run facts as text: large numbers in full with commas, small ones with four digits."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    return f"{value:,.0f}" if isinstance(value, int) or abs(value) >= 1000 else f"{value:.4g}"
