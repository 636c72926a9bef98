"""Rows that every server begins with: the kinds of products."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pzcenter.server.storage.products import ProductType

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

__all__ = ["PRODUCT_TYPES", "plant"]

# Numbers and names are those that existing clients know.
PRODUCT_TYPES = (
    (1, "redshift_catalog", "Reference Redshift Catalog", 1, "Redshifts to refer to, with positions."),
    (2, "training_set", "Training Set", 2, "Objects with magnitudes or fluxes, their errors, and reference redshifts."),
    (5, "training_results", "Training Results", 3, "What training made, such as a model; any format."),
    (3, "validation_results", "Validation Results", 4, "Estimates for a validation set, and metrics; any format."),
    (4, "photoz_estimates", "Photo-z Estimates", 5, "Estimates for objects: points, p(z), or both."),
    (6, "object_catalog", "Objects Catalog", 6, "Objects with positions and photometry."),
    (7, "other", "Other", 7, "Anything else."),
)


def plant(session: Session) -> None:
    """Add the kinds of products that are not there yet.

    Parameters
    ----------
    session : Session
        One that writes.
    """
    for number, name, title, order, description in PRODUCT_TYPES:
        if session.get(ProductType, number) is None:
            session.add(ProductType(id=number, name=name, display_name=title, order=order, description=description))
