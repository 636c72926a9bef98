"""A query of any TAP service, whole or not at all."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin

from pzcenter.errors import ConfigError, EmptyTableError, MissingDependencyError, UsageError
from pzcenter.training.sources.addresses import check_url, host_of
from pzcenter.training.sources.protocol import Answer
from pzcenter.training.sources.tables import arrow_of
from pzcenter.training.sources.transport import unreachable

if TYPE_CHECKING:
    from pzcenter.training.sources.protocol import Visit
    from pzcenter.training.sources.request import SourceRequest

__all__ = ["MAXREC", "TapConnector"]

MAXREC = 5_000_000
MODES = ("async", "sync")


class TapConnector:
    """Options: ``url``, ``query`` (ADQL); ``maxrec``, ``mode`` (``async`` or ``sync``), ``language``."""

    name = "tap"

    def fetch(self, request: SourceRequest, visit: Visit) -> Answer:
        """Run the query.

        Raises
        ------
        UsageError
            The service refuses the query, or cut the answer.
        """
        request.allow_only("url", "query", "maxrec", "mode", "language")
        url = check_url(str(request.required("url")), allow_private=visit.allow_private, resolve=True)
        mode = str(request.options.get("mode", "async"))
        if mode not in MODES:
            raise ConfigError(f"mode of a TAP source is one of {MODES}; found {mode!r}")
        maxrec = int(request.options.get("maxrec", MAXREC))
        result = _run(url, request, visit, mode=mode, maxrec=maxrec)
        if str(result.status[0]).upper() == "OVERFLOW":
            raise UsageError(
                f"{host_of(url)} cut the answer after {len(result)} rows (maxrec {maxrec}); "
                "raise maxrec, or split the query by a range of the position or the identifier"
            )
        table, notes = arrow_of(result.to_table())
        if table.num_rows == 0:
            raise EmptyTableError(f"{host_of(url)} has no rows for the query {request.options['query']!r}")
        return Answer(url, table=table, notes=notes)


def _run(url: str, request: SourceRequest, visit: Visit, *, mode: str, maxrec: int) -> Any:
    try:
        from pyvo.dal import DALQueryError, DALServiceError, TAPService
        from pyvo.dal.exceptions import DALFormatError, DALOverflowWarning
    except ImportError as error:
        raise MissingDependencyError(
            "the connector `tap` needs pyvo; install it with: pip install 'pzcenter[training]'"
        ) from error
    from astropy.utils.exceptions import AstropyWarning

    query = str(request.required("query"))
    options = {"maxrec": maxrec, "language": str(request.options.get("language", "ADQL"))}
    try:
        with warnings.catch_warnings():
            # A cut answer is an error here; it is seen by the status of the answer.
            warnings.simplefilter("ignore", DALOverflowWarning)
            warnings.simplefilter("ignore", AstropyWarning)
            service = TAPService(url, session=_session(allow_private=visit.allow_private))
            if mode == "async":
                return service.run_async(query, timeout=visit.limits.query_s, **options)
            return service.run_sync(query, **options)
    except DALQueryError as error:
        raise UsageError(f"{host_of(url)} refuses the query {query!r}: {error}") from error
    except (DALServiceError, DALFormatError, OSError) as error:  # the errors of requests are OSErrors
        raise unreachable(url, error) from error


def _session(*, allow_private: bool) -> Any:
    """A session whose redirects stay on public machines."""
    import requests

    def check(response: Any, **_: Any) -> None:
        if response.is_redirect:
            target = urljoin(response.url, response.headers["Location"])
            check_url(target, allow_private=allow_private, resolve=True)

    session = requests.Session()
    session.hooks["response"].append(check)
    return session
