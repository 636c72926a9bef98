"""What programs send: each body with its limits and an example."""

from __future__ import annotations

from datetime import date
from typing import Annotated

from pydantic import ConfigDict, Field

from pzcenter.server.rest.v2.fields import Body, LongText, Name, ShortText, Tag, Text, Word
from pzcenter.server.storage.products import Visibility

__all__ = [
    "ColumnBody", "ColumnsBody", "CommentBody", "NewProductBody", "OfficialBody", "ProductBody", "SharingBody",
    "TagsBody",
]  # fmt: skip

Year = Annotated[int, Field(ge=1900, le=2200)]
Tags = Annotated[list[Tag], Field(max_length=50)]


class NewProductBody(Body):
    """A product to be made."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "display_name": "Training set of DP1, spectra only", "product_type": "training_set",
                    "release": "dp1", "description": "Made with **pz training**.", "tags": ["spectra"],
                }
            ]
        }
    )  # fmt: skip

    display_name: Name
    product_type: Word = Field(description="Internal name, such as training_set.")
    release: Word | None = Field(default=None, description="Release whose rights are needed to see it.")
    description: LongText = Field(default="", description="Markdown.")
    pz_code: ShortText | None = Field(default=None, description="Code that made the estimates.")
    official: bool = Field(default=False, description="For coordinators.")
    release_year: Year | None = None
    visibility: Visibility = Visibility.RELEASE
    licence: ShortText | None = Field(default=None, description="Such as CC-BY-4.0.")
    citation: Text | None = Field(default=None, description="What else to cite: a sentence, or BibTeX.")
    doi: ShortText | None = None
    command: Text | None = Field(default=None, description="What makes it again.")
    tags: Tags = Field(default_factory=list)


class ProductBody(Body):
    """New words of a product; what is left out stays."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"description": "Now with **errors**.", "doi": None}]})

    display_name: Name = Field(default="")
    description: LongText = Field(default="", description="Markdown.")
    pz_code: ShortText | None = None
    release_year: Year | None = None
    licence: ShortText | None = None
    citation: Text | None = None
    doi: ShortText | None = None
    command: Text | None = None
    tags: Tags = Field(default_factory=list)


class TagsBody(Body):
    """Words to find a product by, in place of those there."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"tags": ["spectra", "dp1"]}]})

    tags: Tags


class SharingBody(Body):
    """Who sees a product; what is left out stays."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"visibility": "shared", "groups": ["pz-team"], "embargo_until": "2027-01-01"}]}
    )

    visibility: Visibility = Field(default=Visibility.RELEASE)
    groups: list[Word] = Field(default_factory=list, max_length=200, description="In place of those there.")
    users: list[Name] = Field(default_factory=list, max_length=200, description="In place of those there.")
    embargo_until: date | None = Field(default=None, description="null lifts it.")


class OfficialBody(Body):
    """Whether the coordination group stands behind a product."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"official": True}]})

    official: bool


class ColumnBody(Body):
    """What one column means; what is left out stays, an empty text takes it away."""

    name: ShortText = Field(description="Of the column, as in the file.")
    alias: ShortText | None = Field(
        default=None, description="ID, RA, Dec, z, z_err, z_flag, survey, or a name of your own."
    )
    ucd: ShortText | None = Field(default=None, description="That of the standard name unless given.")
    unit: ShortText | None = None
    description: Text | None = None


class ColumnsBody(Body):
    """What columns mean: all of it holds, or none."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"columns": [{"name": "redshift", "alias": "z"}, {"name": "flux", "unit": "nJy"}]}]
        }
    )

    columns: list[ColumnBody] = Field(min_length=1, max_length=5000)


class CommentBody(Body):
    """What somebody says of a product."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"text": "The redshifts of VVDS look shifted."}]})

    text: Text = Field(min_length=1, description="Markdown.")
