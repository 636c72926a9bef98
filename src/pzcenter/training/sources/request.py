"""What to fetch: the name of a connector and its options, with a key that names the request in the cache."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pzcenter.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["DERIVE", "SourceRequest", "as_request"]

DERIVE = "derive"
"""Option that every connector accepts: new columns by expressions, added when the answer is read."""
_SECRET = ("token", "password", "secret", "authorization")


@dataclass(frozen=True)
class SourceRequest:
    """One entry of the ``sources`` of a survey file.

    Parameters
    ----------
    connector : str
        Name of a connector, as in ``connector_names``.
    options : mapping
        What the connector needs: catalogue number, address, query. Plain values only, so that a request can be
        written down and repeated.

    Raises
    ------
    ConfigError
        No name, a value that JSON cannot hold, or a secret among the options.
    """

    connector: str
    options: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse what could not be written down, or must not be."""
        if not (self.connector and isinstance(self.connector, str)):
            raise ConfigError(f"a source names its connector in `connector`; found {self.connector!r}")
        secrets = sorted(name for name in self.options if name.lower() in _SECRET)
        if secrets:
            raise ConfigError(f"a source must not hold secrets, found {secrets}; give the token to fetch() instead")
        try:
            json.dumps(self.options, allow_nan=False)
        except (TypeError, ValueError) as error:
            raise ConfigError(f"source {self.connector!r}: options must be plain values ({error})") from error

    @property
    def key(self) -> str:
        """Name of this request in the index of the cache: 64 hexadecimal digits.

        Derived columns are left out, as they do not change what is asked of the service.
        """
        asked = {name: value for name, value in self.options.items() if name != DERIVE}
        text = json.dumps([self.connector, asked], sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()

    def required(self, name: str) -> Any:
        """An option that must be there.

        Raises
        ------
        ConfigError
            It is not.
        """
        value = self.options.get(name)
        if value in (None, "", [], {}):
            raise ConfigError(f"source {self.connector!r} needs {name!r}; found {sorted(self.options)}")
        return value

    def allow_only(self, *names: str) -> None:
        """Refuse options that the connector does not know.

        Raises
        ------
        ConfigError
            There are others.
        """
        unknown = sorted(set(self.options) - {*names, DERIVE})
        if unknown:
            raise ConfigError(f"source {self.connector!r}: unknown options {unknown}; accepted are {sorted(names)}")

    def as_dict(self) -> dict[str, Any]:
        """The request as it stands in a survey file."""
        return {"connector": self.connector, **self.options}


def as_request(entry: SourceRequest | Mapping[str, Any]) -> SourceRequest:
    """Read an entry of a survey file.

    Parameters
    ----------
    entry : SourceRequest or mapping
        With ``connector`` and its options; options that are None count as not given.

    Returns
    -------
    SourceRequest

    Raises
    ------
    ConfigError
        It is not a source.
    """
    if isinstance(entry, SourceRequest):
        return entry
    options = {str(name): value for name, value in dict(entry).items() if value is not None}
    return SourceRequest(options.pop("connector", ""), options)
