"""The service for an ASGI server that starts several workers: ``uvicorn --factory pzcenter.server.asgi:app_here``."""

from __future__ import annotations

import gc
import os
from pathlib import Path
from typing import TYPE_CHECKING

from pzcenter.errors import ConfigError
from pzcenter.server.app import create_app
from pzcenter.server.privacy import UMASK, warn_of_exposure
from pzcenter.server.services.operation.logs import log_to
from pzcenter.server.settings import ENV_PREFIX, read_settings

if TYPE_CHECKING:
    from fastapi import FastAPI

__all__ = ["app_here", "keep_what_is_loaded"]


def app_here() -> FastAPI:
    """The service of the directory that the environment names in ``PZ_SERVER_DATA_DIR``.

    Returns
    -------
    FastAPI

    Raises
    ------
    ConfigError
        The environment names none.
    """
    directory = os.environ.get(f"{ENV_PREFIX}DATA_DIR")
    if not directory:
        raise ConfigError(f"{ENV_PREFIX}DATA_DIR must name the directory of a server")
    os.umask(UMASK)
    settings = read_settings(Path(directory))
    log_to(settings.log_level)
    warn_of_exposure(settings.data_dir)
    app = create_app(settings)
    keep_what_is_loaded()
    return app


def keep_what_is_loaded() -> None:
    """Have the collector of garbage pass over what is loaded by now, and stays: requests would wait for it."""
    gc.collect()
    gc.freeze()
