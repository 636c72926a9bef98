"""Types of what stands in addresses and forms."""

from __future__ import annotations

from typing import Annotated

from fastapi import Form, Path

__all__ = ["Flag", "LongText", "Number", "ShortText", "Uid", "words_of"]

Uid = Annotated[str, Path(pattern=r"^[0-9a-z]{12}$")]
"""Public name of a product, a job, an upload."""
Number = Annotated[int, Path(ge=1, lt=2**31)]
ShortText = Annotated[str, Form(max_length=2000)]
LongText = Annotated[str, Form(max_length=110_000)]
Flag = Annotated[str, Form(max_length=10)]
"""Empty: no."""


def words_of(text: str) -> tuple[str, ...]:
    """Words of a field, parted by commas or line ends; empty ones are left out, each is there once."""
    parts = (part.strip() for part in text.replace("\0", "").replace("\r", "\n").replace(",", "\n").split("\n"))
    return tuple(dict.fromkeys(part for part in parts if part))
