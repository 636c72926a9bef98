"""Kinds of values that bodies, paths and queries may have, each with its limits."""

from __future__ import annotations

import re
from typing import Annotated

from fastapi import Depends, Path
from pydantic import BaseModel, ConfigDict, StringConstraints

from pzcenter.errors import NotFoundError
from pzcenter.server.http.patterns import NAME

__all__ = [
    "MAX_ID", "Body", "Code", "Identifier", "LongText", "Name", "ProductKey", "Sha256", "ShortText", "Tag", "Text",
    "Uid", "Word",
]  # fmt: skip

NO_NUL = r"^[^\x00]*$"
"""No database takes a text with a NUL."""
MAX_ID = 2**31 - 1
"""Largest number of a row."""
NUMBER = re.compile(r"[0-9]{1,10}", re.ASCII)
UID = re.compile(r"[2-9a-z]{12}", re.ASCII)

Name = Annotated[str, StringConstraints(min_length=1, max_length=255, pattern=r"^[^\x00]*[^\s\x00][^\x00]*$")]
"""At least one letter that is seen."""
ShortText = Annotated[str, StringConstraints(max_length=255, pattern=NO_NUL)]
Text = Annotated[str, StringConstraints(max_length=10_000, pattern=NO_NUL)]
LongText = Annotated[str, StringConstraints(max_length=100_000, pattern=NO_NUL)]
Tag = Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=r"^[^\x00]*[^\s\x00][^\x00]*$")]
Word = Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=NAME)]
"""Name of a release, type, group or user."""
Code = Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=r"^[a-z_]+$")]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Identifier = Annotated[int, Path(ge=1, le=MAX_ID)]
Uid = Annotated[str, Path(min_length=12, max_length=12, pattern=r"^[2-9a-z]{12}$", examples=["k3m9x2v7qa4t"])]
"""Public name of a job or a request for help, in a path."""


class Body(BaseModel):
    """Base of all bodies: what is not known is refused."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=False)


def product_key(
    product_id: Annotated[
        str,
        Path(
            min_length=1, max_length=32, pattern=r"^[0-9a-z]+$", examples=["17", "k3m9x2v7qa4t"],
            description="Number of a product, or its public name of twelve letters.",
        ),
    ],
) -> int | str:  # fmt: skip
    """Number or public name of the product that an address names.

    Raises
    ------
    NotFoundError
        Neither.
    """
    if NUMBER.fullmatch(product_id) and int(product_id) <= MAX_ID:
        return int(product_id)
    if UID.fullmatch(product_id):
        return product_id
    raise NotFoundError(f"no product {product_id}")


ProductKey = Annotated[int | str, Depends(product_key)]
