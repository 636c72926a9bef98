"""Kinds of values that stand for people and groups, each with its limits."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path
from pydantic import StringConstraints

from pzcenter.server.http.patterns import EMAIL, GROUP_NAME, RELEASE_NAME, USERNAME

__all__ = ["Email", "GroupName", "Line", "ReleaseName", "Secret", "Statement", "Username"]

Username = Annotated[str, Path(min_length=1, max_length=64, pattern=USERNAME, examples=["ada"])]
GroupName = Annotated[
    str,
    Path(
        min_length=1, max_length=200, pattern=GROUP_NAME, examples=["pz-team"],
        description="Those of identity providers begin with the name of the provider and a colon.",
    ),
]  # fmt: skip
ReleaseName = Annotated[str, Path(min_length=1, max_length=64, pattern=RELEASE_NAME, examples=["dp1"])]
Line = Annotated[str, StringConstraints(max_length=150, pattern=r"^[^\x00-\x1f\x7f]*$")]
"""Letters on one line."""
Email = Annotated[str, StringConstraints(max_length=250, pattern=EMAIL)]
Secret = Annotated[str, StringConstraints(max_length=1024)]
Statement = Annotated[str, StringConstraints(max_length=1000, pattern=r"^[^\x00]*$")]
