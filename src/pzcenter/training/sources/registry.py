"""Which connectors there are: those of this package, and the entry points of the group ``pzcenter.connectors``."""

from __future__ import annotations

from importlib.metadata import entry_points

from pzcenter.errors import ConfigError, NotFoundError
from pzcenter.training.sources.desi import DesiConnector
from pzcenter.training.sources.file import FileConnector
from pzcenter.training.sources.protocol import Connector
from pzcenter.training.sources.pzserver import PzServerConnector
from pzcenter.training.sources.sdss import SdssConnector
from pzcenter.training.sources.tap import TapConnector
from pzcenter.training.sources.url import UrlConnector
from pzcenter.training.sources.vizier import VizierConnector

__all__ = ["ENTRY_POINT_GROUP", "connector_names", "get_connector"]

ENTRY_POINT_GROUP = "pzcenter.connectors"
_OWN: dict[str, type[Connector]] = {
    kind.name: kind
    for kind in (
        DesiConnector,
        FileConnector,
        PzServerConnector,
        SdssConnector,
        TapConnector,
        UrlConnector,
        VizierConnector,
    )
}


def connector_names() -> tuple[str, ...]:
    """Names that may stand in ``connector:``, sorted.

    Returns
    -------
    tuple of str
    """
    return tuple(sorted({*_OWN, *(point.name for point in entry_points(group=ENTRY_POINT_GROUP))}))


def get_connector(name: str) -> Connector:
    """Make the connector of this name; only its own module is imported.

    Parameters
    ----------
    name : str
        One of :func:`connector_names`. A plug-in cannot take the place of a connector of this package.

    Returns
    -------
    Connector

    Raises
    ------
    NotFoundError
        No such connector.
    ConfigError
        A plug-in has this name and is broken.
    """
    if name in _OWN:
        return _OWN[name]()
    points = [point for point in entry_points(group=ENTRY_POINT_GROUP) if point.name == name]
    if not points:
        raise NotFoundError(f"no connector is called {name!r}; there are {', '.join(connector_names())}")
    try:
        made = points[0].load()()
    except Exception as error:
        raise ConfigError(f"the connector {name!r} ({points[0].value}) cannot be used: {error}") from error
    if not isinstance(made, Connector) or made.name != name:
        raise ConfigError(f"the connector {name!r} ({points[0].value}) has no fetch(), or another name")
    return made
