"""Settings from the environment: how values are written there, and names that are none."""

from __future__ import annotations

import difflib
import json
import os
import re
from typing import TYPE_CHECKING, Any

from pydantic_settings import EnvSettingsSource

from pzcenter.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Collection

    from pydantic.fields import FieldInfo

__all__ = ["ENV_PREFIX", "Environment", "check_names"]

ENV_PREFIX = "PZ_SERVER_"
OF_CLIENTS = {"URL", "TOKEN"}
"""Where a client asks, and with which token: no settings of a server."""
OF_CONTAINERS = re.compile(r"SERVICE_(HOST|PORT(_\w+)?)|PORT(_\d+_(TCP|UDP|SCTP)(_\w+)?)?")
"""What Kubernetes and Docker set for a neighbour that is called pz-server."""


class Environment(EnvSettingsSource):
    """The environment, where a list may also be names with commas between them."""

    def decode_complex_value(self, field_name: str, field: FieldInfo, value: Any) -> Any:
        """A list or table as JSON, or a list with commas.

        Raises
        ------
        ConfigError
            It is neither.
        """
        try:
            return json.loads(value)
        except ValueError:
            if field.annotation == list[str] and not set("\"'{}") & set(value):
                return [each.strip() for each in value.split(",") if each.strip()]
        accepted = "names with commas between them, or JSON" if field.annotation == list[str] else "JSON"
        raise ConfigError(f"{ENV_PREFIX}{field_name.upper()} is {value!r}; accepted is {accepted}")


def check_names(settings: Collection[str]) -> None:
    """Refuse variables of the server's prefix that are no settings.

    Parameters
    ----------
    settings : collection of str
        Names of all settings.

    Raises
    ------
    ConfigError
        There is one.
    """
    known = {name.upper() for name in settings}
    for variable, value in sorted(os.environ.items()):
        prefix, name = variable[: len(ENV_PREFIX)].upper(), variable[len(ENV_PREFIX) :].upper()
        if prefix != ENV_PREFIX or name.partition("__")[0] in known | OF_CLIENTS:
            continue
        if OF_CONTAINERS.fullmatch(name) and (name != "PORT" or "://" in value):
            continue
        near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
        hint = f"; {ENV_PREFIX}{near[0]} is one" if near else ""
        raise ConfigError(f"{variable} in the environment is no setting of a server{hint}")
