"""What a connector is, what it is given, and what it gives back."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from pzcenter.training.sources.limits import Limits

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import pyarrow as pa

    from pzcenter.training.sources.request import SourceRequest

__all__ = ["Answer", "Connector", "Visit"]


@dataclass(frozen=True)
class Visit:
    """Circumstances of one fetch, given to the connector by its caller and never by a survey file.

    Parameters
    ----------
    directory : Path
        Private to this request and kept between attempts: unfinished downloads wait here.
    limits : Limits
    token : str
        For services that ask for one; never logged and never kept.
    allow_private : bool
        Accept addresses of this machine and of private networks.
    previous : mapping
        Index entry of the newest kept version (``etag``, ``sha256``, ...); empty when there is none.
    """

    directory: Path
    limits: Limits = field(default_factory=Limits)
    token: str = field(default="", repr=False)
    allow_private: bool = False
    previous: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Answer:
    """What came back.

    Parameters
    ----------
    url : str
        Where it came from.
    table : pyarrow.Table, optional
        The rows, of a service that gives rows.
    path : Path, optional
        The raw file, of a service that gives files.
    in_place : bool
        The file belongs to the user: leave it where it is.
    unchanged : bool
        The service said that the newest kept version is still right; nothing was sent.
    etag : str
        What the service calls this version; empty when it does not say.
    notes : tuple of str
        What the reader should know: rows left out, columns dropped.
    """

    url: str
    table: pa.Table | None = None
    path: Path | None = None
    in_place: bool = False
    unchanged: bool = False
    etag: str = ""
    notes: tuple[str, ...] = ()


@runtime_checkable
class Connector(Protocol):
    """Fetches from one kind of service.

    A connector is made without arguments and keeps nothing between calls. ``name`` is the word that stands in
    ``connector:`` of a survey file.
    """

    name: str

    def fetch(self, request: SourceRequest, visit: Visit) -> Answer:
        """Ask the service.

        Parameters
        ----------
        request : SourceRequest
        visit : Visit

        Returns
        -------
        Answer

        Raises
        ------
        ConfigError
            The request lacks something or holds an option that is not known.
        NotFoundError
            The service has nothing under this name.
        TransientError
            The service could not be reached, or broke off.
        MissingDependencyError
            A package is needed and is not installed.
        """
        ...
