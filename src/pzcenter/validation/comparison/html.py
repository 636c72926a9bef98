"""Pages as HTML that holds everything."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from pzcenter.validation.page import render_page

from .comparison_page import comparison_page
from .submission_page import submission_page

if TYPE_CHECKING:
    from .page_parts import Page
    from .results import Comparison, MethodResult

__all__ = ["comparison_report_html", "page_html", "submission_report_html"]

TEMPLATE = "comparison.html"


def page_html(page: Page) -> str:
    """A page as HTML that asks nothing of the network and needs no scripts.

    Parameters
    ----------
    page : Page

    Returns
    -------
    str
    """
    return render_page(TEMPLATE, page=page)


def comparison_report_html(made: Comparison, *, made_at: datetime | None = None) -> str:
    """The page of a comparison.

    Parameters
    ----------
    made : Comparison
    made_at : datetime, optional
        Time to print; now when not given. With it fixed, the same input gives the same bytes.

    Returns
    -------
    str
        HTML.
    """
    return page_html(comparison_page(made, made_at or datetime.now(UTC)))


def submission_report_html(made: Comparison, method: MethodResult, *, made_at: datetime | None = None) -> str:
    """The page of one method of a comparison.

    Parameters
    ----------
    made : Comparison
    method : MethodResult
    made_at : datetime, optional
        As in :func:`comparison_report_html`.

    Returns
    -------
    str
        HTML.
    """
    return page_html(submission_page(made, method, made_at or datetime.now(UTC)))
