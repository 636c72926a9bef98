"""Rows that every server begins with: the kinds of products, and what the server can make."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select

from pzcenter.server.storage.processes import Pipeline
from pzcenter.server.storage.products import ProductType

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

__all__ = ["PIPELINES", "PRODUCT_TYPES", "plant"]

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
# Words and values that existing clients send back as they got them, with what they changed.
PIPELINES = (
    {
        "name": "training_set_maker",
        "display_name": "Training Set Maker",
        "version": "1",
        "description": "Objects of a release matched with reference redshifts.",
        "accepted_types": [1],
        "output_type_id": 2,
        "system_config": {
            "output_format": None,
            "param": {
                "crossmatch": {"radius_arcsec": 1.0, "n_neighbors": 1},
                "use_absolute_lsdb_path": False, "selected_cols": [], "flux_type": "auto",
                "convert_flux_to_mag": True, "dereddening": "sfd", "split_method": "random", "train_fraction": 0.7,
                "random_seed": None,
            },
        },
    },
    {
        "name": "combine_redshift_dedup",
        "display_name": "Combine Redshift Catalogs",
        "version": "1",
        "description": "Redshift catalogues joined into one, with duplicates kept, marked or removed.",
        "accepted_types": [1],
        "output_type_id": 1,
        "system_config": {
            "output_format": "parquet",
            "param": {
                "combine_type": "concatenate", "extra_columns": {}, "z_flag_homogenized_value_to_cut": 3.0,
                "flags_translation_file": None, "insert_DP1_footprint_flag": False,
                "insert_rubin_footprint_flag": False,
            },
        },
    },
    {
        # For the server itself: not offered to users, hence no type of product goes in.
        "name": "score_challenge",
        "display_name": "Scores of a challenge",
        "version": "1",
        "description": "Metrics of all submissions to a challenge, and its leaderboard.",
        "accepted_types": [],
        "output_type_id": 3,
        "system_config": {},
    },
)  # fmt: skip


def plant(session: Session) -> None:
    """Add the kinds of products and the pipelines that are not there yet.

    Parameters
    ----------
    session : Session
        One that writes.
    """
    for number, name, title, order, description in PRODUCT_TYPES:
        if session.get(ProductType, number) is None:
            session.add(ProductType(id=number, name=name, display_name=title, order=order, description=description))
    session.flush()
    there = set(session.scalars(select(Pipeline.name)))
    session.add_all(Pipeline(**pipeline) for pipeline in PIPELINES if pipeline["name"] not in there)
