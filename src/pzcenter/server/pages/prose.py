"""Markdown of people as HTML that can do no harm."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import nh3
from markupsafe import Markup

if TYPE_CHECKING:
    from markdown_it import MarkdownIt

__all__ = ["prose"]

TAGS = {
    "p", "br", "hr", "em", "strong", "s", "del", "code", "pre", "blockquote", "ul", "ol", "li", "a", "h1", "h2", "h3",
    "h4", "h5", "h6", "table", "thead", "tbody", "tr", "th", "td", "sup", "sub",
}  # fmt: skip
"""No pictures: they would be fetched from elsewhere."""
LINKS = {"http", "https", "mailto"}


@cache
def _markdown() -> MarkdownIt:
    from markdown_it import MarkdownIt

    # HTML within Markdown is shown as text; the cleaning behind is the second wall.
    return MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])


def prose(text: str) -> Markup:
    """HTML of a text in Markdown.

    Parameters
    ----------
    text : str
        Anybody's.

    Returns
    -------
    Markup
        Only harmless elements, links to the web and mail addresses; headings stand below those of the page.
    """
    clean = nh3.clean(
        _markdown().render(text), tags=TAGS, attributes={"a": {"href"}, "ol": {"start"}}, url_schemes=LINKS,
        link_rel="noopener noreferrer nofollow",
    )  # fmt: skip
    for level in (4, 3, 2, 1):
        clean = clean.replace(f"<h{level}>", f"<h{level + 2}>").replace(f"</h{level}>", f"</h{level + 2}>")
    return Markup(clean)  # noqa: S704 - cleaned just above
