"""What people say about a package: title, authors, contacts, licence."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pzcenter.errors import ConfigError, NotFoundError

if TYPE_CHECKING:
    import os

__all__ = ["PackageAbout", "read_about"]


class PackageAbout(BaseModel):
    """What a delivery package says of itself."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(default="pz", title="Name", description="Short, for file names.", pattern=r"^[A-Za-z0-9][\w.-]*$")
    title: str = Field(
        default="", title="Title", description="Of the data set; made from release and method by default."
    )
    release: str = Field(default="", title="Release", description="Of the objects.")
    method: str = Field(default="", title="Method", description="That made the estimates.")
    version: str = Field(default="1.0", title="Version", description="Of the package.")
    description: str = Field(default="", title="Description", description="A paragraph for the README.")
    authors: tuple[str, ...] = Field(
        default=("the PZ Center developers",), title="Authors", description="To be cited.", min_length=1
    )
    contacts: tuple[str, ...] = Field(
        default=(), title="Contacts", description="Who answers questions; Rubin asks for two."
    )
    doi: str = Field(default="", title="DOI", description="Digital object identifier, where there is one.")
    url: str = Field(default="", title="URL", description="Where the package and its documentation are.")
    licence: str = Field(default="CC-BY-4.0", title="Licence", description="SPDX identifier.")
    licence_text: str = Field(default="", title="Licence text", description="Whole text, in place of our notice.")

    @property
    def full_title(self) -> str:
        """Title, or one made from release and method."""
        of = f" of {self.release}" if self.release else ""
        by = f", method {self.method}" if self.method else ""
        return self.title or f"Photometric redshifts{of}{by}"


def read_about(file: str | os.PathLike[str] | None, **given: object) -> PackageAbout:
    """Read what people say about a package from a YAML file.

    Parameters
    ----------
    file : path, optional
    **given
        Override the file where they are not empty.

    Returns
    -------
    PackageAbout

    Raises
    ------
    NotFoundError
        There is no such file.
    ConfigError
        An unknown key, or a value that is not accepted.
    """
    content: dict[str, object] = {}
    if file is not None:
        if not Path(file).is_file():
            raise NotFoundError(f"there is no file {file}")
        try:
            loaded = yaml.safe_load(Path(file).read_text(encoding="utf-8")) or {}
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            raise ConfigError(f"{file} is not YAML: {error}") from error
        if not isinstance(loaded, dict):
            raise ConfigError(f"{file} must hold keys and values; keys are {', '.join(PackageAbout.model_fields)}")
        content |= loaded
    content |= {key: value for key, value in given.items() if value}
    try:
        return PackageAbout.model_validate(content)
    except ValidationError as error:
        words = "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors())
        raise ConfigError(
            f"{file or 'about the package'}: {words}; keys are {', '.join(PackageAbout.model_fields)}"
        ) from None
