"""Where redshifts come from: connectors to public services, and a cache that makes a fetch repeatable offline."""

from pzcenter.training.sources.cache import CACHE_VARIABLE, SourceCache, Version, default_cache_dir
from pzcenter.training.sources.citations import bibtex_of, surveys_to_cite
from pzcenter.training.sources.fetch import fetch, sources_of
from pzcenter.training.sources.fetched import FetchedSource
from pzcenter.training.sources.limits import Limits
from pzcenter.training.sources.protocol import Answer, Connector, Visit
from pzcenter.training.sources.registry import ENTRY_POINT_GROUP, connector_names, get_connector
from pzcenter.training.sources.request import SourceRequest, as_request
from pzcenter.training.sources.tables import arrow_of, read_kept

__all__ = [
    "CACHE_VARIABLE",
    "ENTRY_POINT_GROUP",
    "Answer",
    "Connector",
    "FetchedSource",
    "Limits",
    "SourceCache",
    "SourceRequest",
    "Version",
    "Visit",
    "arrow_of",
    "as_request",
    "bibtex_of",
    "connector_names",
    "default_cache_dir",
    "fetch",
    "get_connector",
    "read_kept",
    "sources_of",
    "surveys_to_cite",
]
