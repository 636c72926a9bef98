"""Pages of a comparison on disk: one for all methods and one for each, as HTML and PDF."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pzcenter.catalogs.storage import write_text_atomically

from .comparison_page import comparison_page
from .html import page_html
from .pdf import write_pdf
from .submission_page import submission_page, submission_page_key

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from .page_parts import Page
    from .results import Comparison, MethodResult

__all__ = ["write_pages"]

_HEAD = 4096


def write_pages(made: Comparison, time: datetime, *, pdf: bool = True) -> None:
    """Write the page of the comparison, and those of the methods that are not there yet or have changed.

    Parameters
    ----------
    made : Comparison
    time : datetime
        To print.
    pdf : bool
        Write them as PDF too, but for the controls.

    Raises
    ------
    StorageError
        The file system refused.
    """
    for method in made.methods:
        path = method.directory / "report.html"
        on_paper = pdf and not method.is_control
        if not _is_there(path, made, method, pdf=on_paper):
            _write(path, submission_page(made, method, time), time, pdf=on_paper)
    _write(made.directory / "comparison.html", comparison_page(made, time), time, pdf=pdf)


def _is_there(path: Path, made: Comparison, method: MethodResult, *, pdf: bool) -> bool:
    if not path.is_file() or (pdf and not path.with_suffix(".pdf").is_file()):
        return False
    with path.open(encoding="utf-8") as file:
        return f'name="pz-key" content="{submission_page_key(made, method)}"' in file.read(_HEAD)


def _write(path: Path, page: Page, time: datetime, *, pdf: bool) -> None:
    if pdf:
        write_pdf(path.with_suffix(".pdf"), page, time)
    write_text_atomically(path, page_html(page))
