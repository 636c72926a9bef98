"""Where RAIL is and what its process may use: settings of a machine, not of a model."""

from __future__ import annotations

import os
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pzcenter.errors import ConfigError, MissingDependencyError

__all__ = ["PREFIX", "RailSettings", "rail_python"]

PREFIX = "PZCENTER_RAIL_"
"""Of the environment variables."""


class RailSettings(BaseModel):
    """Settings of the process in which RAIL runs; each is read from ``PZCENTER_RAIL_<NAME>``."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    python: str = Field(
        default="",
        title="Interpreter",
        description="Python in which RAIL is installed; by default the one that runs, when it has RAIL.",
    )
    memory_gb: float = Field(
        default=8.0, gt=0, title="Memory", description="Most private memory of the process, in units of 10^9 bytes."
    )
    train_s: float = Field(
        default=21600.0, gt=0, title="Time of a training", description="Seconds by the clock, then it is ended."
    )
    batch_s: float = Field(
        default=1800.0, gt=0, title="Time of a batch", description="Seconds by the clock for one batch of objects."
    )
    start_s: float = Field(
        default=300.0, gt=0, title="Time to start", description="Seconds in which RAIL must be imported."
    )
    batch_size: int = Field(
        default=10_000, ge=1, title="Batch", description="Objects that RAIL sees at a time; ten thousand is its own."
    )
    threads: int = Field(default=1, ge=1, title="Threads", description="Of the numerical libraries in the process.")

    @classmethod
    def from_environment(cls) -> Self:
        """Read the settings of this process.

        Raises
        ------
        ConfigError
            A value is not accepted.
        """
        given = {name: os.environ.get(PREFIX + name.upper(), "") for name in cls.model_fields}
        try:
            return cls.model_validate({name: value for name, value in given.items() if value})
        except ValidationError as error:
            fault = error.errors()[0]
            name = PREFIX + str(fault["loc"][0]).upper()
            raise ConfigError(f"environment variable {name}={fault['input']!r}: {fault['msg']}") from None


def rail_python(settings: RailSettings) -> Path:
    """Interpreter in which RAIL runs.

    Parameters
    ----------
    settings : RailSettings

    Returns
    -------
    Path

    Raises
    ------
    MissingDependencyError
        None is named, and this one has no RAIL.
    ConfigError
        The one that is named cannot be run.
    """
    if settings.python:
        path = Path(settings.python)
        if not (path.is_file() and os.access(path, os.X_OK)):
            raise ConfigError(f"{PREFIX}PYTHON={settings.python!r} is not a program that can be run")
        return path.absolute()
    # The namespace 'rail' is there with our own stages in it; only RAIL itself has a core.
    try:
        here = find_spec("rail.core") is not None
    except ModuleNotFoundError:
        here = False
    if not here:
        raise MissingDependencyError(
            f"this Python has no RAIL, and {PREFIX}PYTHON names no other: pip install 'pzcenter[rail]', or set "
            f"{PREFIX}PYTHON to an interpreter with pz-rail-base and the packages of the methods"
        )
    return Path(sys.executable)
