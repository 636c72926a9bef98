"""All settings of a PZ Server, from a file and the environment."""

from __future__ import annotations

import os
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, SettingsError

from pzcenter.errors import ConfigError, NotFoundError
from pzcenter.server.environment import ENV_PREFIX, Environment, check_names
from pzcenter.server.settings_values import accepted_database, accepted_proxy, accepted_root, bytes_of

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["ENV_PREFIX", "SETTINGS_NAME", "OidcProvider", "ServerSettings", "faults_told", "read_settings"]

SETTINGS_NAME = "server.yaml"
GIGABYTE = 2**30


class OidcProvider(BaseModel):
    """One identity provider that people may sign in with."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=r"^[a-z0-9-]{1,32}$", description="Short name in addresses, such as 'rubin'.")
    title: str = Field(description="What the button says.")
    issuer: str = Field(description="Address of the provider; its discovery document lies below it.")
    client_id: str
    client_secret_file: Path | None = Field(default=None, description="File with the secret, where there is one.")
    scopes: list[str] = Field(default=["openid", "profile", "email"])
    rights_claim: str = Field(default="data_rights", description="Claim that lists the releases a person may see.")
    groups_claim: str | None = Field(default=None, description="Claim that lists groups, where there is one.")
    admits: bool = Field(
        default=False, description="Everybody with a data right may come in; otherwise a coordinator approves."
    )


class ServerSettings(BaseSettings):
    """Settings of a server. Each may stand in ``server.yaml`` or in the environment as ``PZ_SERVER_<NAME>``."""

    model_config = SettingsConfigDict(env_prefix=ENV_PREFIX, extra="forbid", frozen=True, env_nested_delimiter="__")

    data_dir: Path = Field(description="Directory of everything that the server keeps.")
    database_url: SecretStr | None = Field(
        default=None, description="postgresql://... of a site; SQLite in the data directory otherwise."
    )
    store_url: str | None = Field(
        default=None, description="s3://bucket/prefix of a site; a folder in the data directory otherwise."
    )
    s3_endpoint: str | None = Field(default=None, description="Address of an S3 service that is not Amazon's.")
    base_url: str = Field(default="http://127.0.0.1:8000", description="Address by which people reach the server.")
    site_name: str = Field(default="PZ Server", description="Title of the pages.")
    site_contact: str | None = Field(default=None, description="Address of the help desk.")
    allowed_hosts: list[str] = Field(default=["127.0.0.1", "localhost", "[::1]"], description="Names of the host.")
    trusted_proxies: list[str] = Field(default=[], description="Addresses of proxies whose headers are believed.")

    local_accounts: bool = Field(default=True, description="People may have a password here.")
    registration: Literal["closed", "invitation", "approval"] = Field(
        default="invitation", description="How people without an account get one."
    )
    oidc: list[OidcProvider] = Field(default=[], description="Identity providers.")
    session_hours: float = Field(default=12.0, gt=0, description="How long a sign-in lasts.")
    token_days: int = Field(default=365, gt=0, description="Longest life of a token, days.")

    max_upload_bytes: int = Field(default=20 * GIGABYTE, gt=0, description="Largest file.")
    quota_bytes: int = Field(default=100 * GIGABYTE, gt=0, description="What one user may keep here.")
    max_products: int = Field(default=10_000, gt=0, description="How many products one user may keep here.")
    manifest_bytes: int = Field(
        default=1000 * GIGABYTE, gt=0, description="What a user may list for download at once; coordinators may more."
    )
    upload_hours: float = Field(default=72.0, gt=0, description="An unfinished upload is kept that long.")
    reference_roots: list[str] = Field(
        default=[], description="Directories, and s3://bucket/prefix, below which products may refer to data."
    )
    reference_hosts: list[str] = Field(
        default=[], description="Hosts at which products may refer to data by https; never private addresses."
    )
    requests_per_minute: int = Field(default=1200, gt=0, description="Per user.")
    sign_ins_per_minute: int = Field(default=10, gt=0, description="Per address and per name.")
    threads: int = Field(
        default=8,
        gt=0,
        description="Requests that a worker process answers at a time; more slow each other.",
    )
    max_page_size: int = Field(default=1000, gt=0, description="Rows of one answer of the second interface.")
    legacy_page_size: int = Field(
        default=1_000_000, gt=0, description="Rows of one answer of the first interface, whose client reads one page."
    )

    public_extract: bool = Field(
        default=False, description="Everybody sees counts and coarse histograms of the releases that an admin chooses."
    )

    job_workers: int = Field(default=1, ge=0, description="Jobs at the same time; 0 leaves them to other machines.")
    job_memory_bytes: int = Field(default=4 * GIGABYTE, gt=0, description="Memory of one job.")
    job_hours: float = Field(default=12.0, gt=0, description="Longest run of one job.")
    object_catalogs: dict[str, Path] = Field(
        default={}, description="Object catalogue of each release, for training sets made here."
    )
    log_level: Literal["debug", "info", "warning", "error"] = "info"

    @field_validator("data_dir")
    @classmethod
    def _absolute(cls, value: Path) -> Path:
        # Jobs run in directories of their own.
        return value.absolute()

    @field_validator("max_upload_bytes", "quota_bytes", "manifest_bytes", "job_memory_bytes", mode="before")
    @classmethod
    def _with_unit(cls, value: object) -> object:
        return bytes_of(value)

    @field_validator("database_url")
    @classmethod
    def _known_database(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            accepted_database(value.get_secret_value())
        return value

    @field_validator("trusted_proxies")
    @classmethod
    def _proxies(cls, value: list[str]) -> list[str]:
        return [accepted_proxy(each) for each in value]

    @field_validator("reference_roots")
    @classmethod
    def _roots(cls, value: list[str]) -> list[str]:
        return [accepted_root(each) for each in value]

    @field_validator("base_url")
    @classmethod
    def _no_slash_at_the_end(cls, value: str) -> str:
        if not value.startswith(("http://", "https://")):
            raise ValueError(f"{value!r} is no http address")
        return value.rstrip("/")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - pydantic's signature
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Sources, the strongest first."""
        return init_settings, Environment(settings_cls)

    @property
    def database(self) -> str:
        """Address of the database."""
        if self.database_url is not None:
            return self.database_url.get_secret_value()
        return f"sqlite:///{(self.data_dir / 'server.sqlite3').absolute()}"

    @property
    def store(self) -> str:
        """Address of the store of file contents."""
        return self.store_url or str((self.data_dir / "store").absolute())

    @property
    def secure_cookies(self) -> bool:
        """Cookies travel by https only."""
        return self.base_url.startswith("https://")


def read_settings(data_dir: Path, **changes: Any) -> ServerSettings:
    """Settings of the server that lives in a directory.

    Parameters
    ----------
    data_dir : Path
        With ``server.yaml``, as ``pz serve --init`` writes it.
    **changes
        In place of the file's; the environment comes before both.

    Returns
    -------
    ServerSettings

    Raises
    ------
    NotFoundError
        No server was made there.
    ConfigError
        A setting is unknown or not accepted.
    """
    path = data_dir / SETTINGS_NAME
    try:
        there = path.is_file()
    except PermissionError as error:
        raise ConfigError(f"{data_dir} cannot be looked at; the user who runs the server must own it") from error
    if not there:
        words = f"no server in {data_dir} ({SETTINGS_NAME} is missing)"
        raise NotFoundError(f"{words}; make one with: pz serve --init {data_dir}")
    try:
        settings = yaml.safe_load(path.read_text()) or {}
    except (yaml.YAMLError, OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: {error}") from error
    if not isinstance(settings, dict):
        raise ConfigError(f"{path}: expected settings, one on each line, found a {type(settings).__name__}")
    check_names(ServerSettings.model_fields)
    with faults_told(str(path)):
        return _EnvironmentFirst(**(settings | {"data_dir": data_dir} | changes))


@contextmanager
def faults_told(place: str) -> Iterator[None]:
    """Have values that are not accepted told with the name of the setting, and where it stands.

    Parameters
    ----------
    place : str
        Where settings come from that are not in the environment.

    Raises
    ------
    ConfigError
    """
    try:
        yield
    except ValidationError as error:
        raise ConfigError("; ".join(_fault(each["loc"], each["msg"], place) for each in error.errors())) from error
    except SettingsError as error:
        raise ConfigError(str(error.__cause__ or error)) from error


def _fault(location: tuple[int | str, ...], words: str, place: str) -> str:
    name = ".".join(map(str, location))
    variable = f"{ENV_PREFIX}{str(location[0]).upper()}" if location else ""
    words = words.removeprefix("Value error, ")
    if any(each.upper().startswith(variable) for each in os.environ) and variable:
        return f"{name} (from {variable} in the environment): {words}"
    return f"{place}: {name}: {words}"


class _EnvironmentFirst(ServerSettings):
    """What the environment says holds against the file."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - pydantic's signature
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Sources, the strongest first."""
        return Environment(settings_cls), init_settings
