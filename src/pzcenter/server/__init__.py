"""PZ Server: host, share and track lightweight products of photometric redshifts.

Layers, each of which knows only those below it::

    app                 puts the parts together: settings in, one ASGI application out
    rest     pages      what programs and people see; strangers to each other
    http                what both need of requests and answers: who asks, which status an error has
    services            what may be done, by whom; every rule of access is here
    storage             tables of the database, and the store of file contents

Nothing is visible to anybody unless :mod:`pzcenter.server.services.access` says so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fastapi import FastAPI

    from pzcenter.server.settings import ServerSettings

__all__ = ["create_app"]


def create_app(settings: ServerSettings) -> FastAPI:
    """The whole service as an ASGI application (see :func:`pzcenter.server.app.create_app`)."""
    from pzcenter.server.app import create_app as create

    return create(settings)
