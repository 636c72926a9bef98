"""How to cite a product: BibTeX."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pzcenter.server.services.access import product_for

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from pzcenter.server.services.context import Services
    from pzcenter.server.services.principal import Principal
    from pzcenter.server.storage.products import Product

__all__ = ["bibtex", "bibtex_of", "citation_key"]

SPECIAL = {
    "\\": r"\textbackslash{}", "{": r"\textbraceleft{}", "}": r"\textbraceright{}", "&": r"\&", "%": r"\%", "$": r"\$",
    "#": r"\#", "_": r"\_", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
}  # fmt: skip


def citation_key(product: Product) -> str:
    """Key of a product's entry: it names one version, and lasts."""
    return f"pzserver:{product.uid}"


def bibtex(services: Services, product: Product) -> str:
    """Entry of a product, and what its owner wants to be cited too.

    Parameters
    ----------
    services : Services
    product : Product

    Returns
    -------
    str
        BibTeX; text of people is escaped, so that TeX prints it as it was typed. A citation that is an entry itself
        (it begins with ``@`` and its braces close) follows as it is. BibTeX counts braces, also those after a
        backslash; so none of people's text is left as a brace.
    """
    said = (product.citation or "").strip()
    entry_too = said.startswith("@") and _closed(said)
    at = product.published_at or product.created_at
    fields = {
        "author": f"{{{_tex(product.owner.name)}}}",
        "title": f"{{{_tex(product.display_name)}}}",
        "year": f"{at:%Y}",
        "month": f"{at:%b}".lower(),
        "version": str(product.version),
        "publisher": _tex(services.settings.site_name),
        "howpublished": rf"\url{{{services.settings.base_url}/products/{product.uid}}}",
        "doi": "" if product.doi is None else re.sub(r"[{}\\\s]", "", product.doi),
        "note": "" if entry_too else _tex(said),
    }
    lines = [
        f"  {name} = {value}," if name == "month" else f"  {name} = {{{value}}},"
        for name, value in fields.items()
        if value
    ]
    entry = "\n".join([f"@misc{{{citation_key(product)},", *lines, "}"])
    return f"{entry}\n\n{said}\n" if entry_too else f"{entry}\n"


def bibtex_of(services: Services, session: Session, principal: Principal, product_id: int | str) -> str:
    """Entry of a product that the asker may see.

    Raises
    ------
    AuthenticationError, NotFoundError
    """
    return bibtex(services, product_for(session, principal, product_id))


def _closed(entry: str) -> bool:
    """Whether every brace has its other one, as BibTeX counts them; and there are some."""
    depth = 0
    for letter in entry:
        depth += (letter == "{") - (letter == "}")
        if depth < 0:
            return False
    return depth == 0 and "{" in entry


def _tex(text: str) -> str:
    return "".join(SPECIAL.get(letter, letter) for letter in " ".join(text.split()))
