"""Make a server's directory, and serve it."""

from __future__ import annotations

import os
import shutil
from contextlib import contextmanager, suppress
from inspect import signature
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import yaml

from pzcenter.errors import ConfigError, OutputExistsError, StorageError
from pzcenter.server.environment import check_names
from pzcenter.server.privacy import close_to_others, private_files, warn_of_exposure
from pzcenter.server.settings import ENV_PREFIX, SETTINGS_NAME, ServerSettings, faults_told, read_settings
from pzcenter.server.surroundings import check_new, check_writable, warn_of_missing_catalogs

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterator

__all__ = [
    "LOOPBACK",
    "NewServer",
    "check_exposure",
    "exposed",
    "make_server",
    "serve",
    "serving_settings",
]

LOOPBACK = ("127.0.0.1", "localhost", "::1")
DIRECTORY_VARIABLE = f"{ENV_PREFIX}DATA_DIR"
GRACE_SECONDS = 20
"""Requests under way have that long to end."""
KEEP_ALIVE_SECONDS = 30
HEAD = """# Settings of a PZ Server. What stands behind a # is the default.
# The environment comes first: PZ_SERVER_<NAME>, such as PZ_SERVER_SITE_NAME.
"""


class NewServer:
    """A server that was just made.

    Parameters
    ----------
    settings : ServerSettings
    token : str or None
        Of the first admin, told this once.
    """

    def __init__(self, settings: ServerSettings, token: str | None) -> None:
        self.settings, self.token = settings, token


def make_server(directory: Path, **words: Any) -> NewServer:
    """Make the directory of a server: settings, database, store, the first admin.

    Parameters
    ----------
    directory : Path
        New or empty.
    **words
        Settings that are not to be the default ones; the names of ``base_url`` are accepted names of the host.

    Returns
    -------
    NewServer

    Raises
    ------
    OutputExistsError
        A server is there already, or something else.
    ConfigError
        A setting is not accepted, or the directory cannot be made.
    """
    path = directory / SETTINGS_NAME
    with suppress(PermissionError):
        if path.exists():
            raise OutputExistsError(f"there is a server in {directory}; start it with: pz serve {directory}")
    given = {name: value for name, value in words.items() if value is not None}
    if "base_url" in given:
        host = urlsplit(str(given["base_url"])).hostname
        default = list(ServerSettings.model_fields["allowed_hosts"].default)
        given.setdefault("allowed_hosts", default if host in {*LOOPBACK, None} else [host, *default])
    check_names(ServerSettings.model_fields)
    with faults_told("pz serve --init"):
        ServerSettings(data_dir=directory, **given)
    with private_files():
        check_new(directory)
        close_to_others(directory)
        before = set(directory.iterdir())
        # Outside of what is taken back: a file that somebody else has made meanwhile is theirs, with all around it.
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(handle, "w") as file:
                file.write(settings_text(given))
            settings = read_settings(directory)
            return NewServer(settings, _first_token(settings))
        except BaseException:
            # Half a server would be in the way of the next try.
            _empty(directory, but=before)
            raise


def _empty(directory: Path, *, but: set[Path]) -> None:
    for path in set(directory.iterdir()) - but:
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def settings_text(given: dict[str, Any]) -> str:
    """Text of ``server.yaml``: every setting with what it means, those not given behind a ``#``."""
    lines = [HEAD]
    for name, field in ServerSettings.model_fields.items():
        if name == "data_dir":
            continue
        default = field.get_default()
        value = given.get(name, default)
        # Lists stand in one line, so that a # in front of it is enough.
        flow = None if isinstance(value, list | dict) else False
        text = yaml.safe_dump({name: value}, default_flow_style=flow, allow_unicode=True, width=1000).strip()
        words = field.description or ""
        lines.append(f"# {words}\n{'' if name in given else '# '}{text}\n" if words else f"# {text}\n")
    return "\n".join(lines)


def _first_token(settings: ServerSettings) -> str | None:
    from pzcenter.server.services.context import open_services
    from pzcenter.server.services.first_admin import first_admin
    from pzcenter.server.storage.make_tables import make_tables

    services = open_services(settings)
    try:
        make_tables(services.database)
        return first_admin(services)
    finally:
        services.close()


def exposed(settings: ServerSettings) -> bool:
    """Whether people reach the server by http from other machines."""
    return not settings.secure_cookies and urlsplit(settings.base_url).hostname not in LOOPBACK


def check_exposure(settings: ServerSettings, host: str, *, insecure: bool) -> None:
    """Refuse to let passwords and tokens travel readable for everybody.

    Parameters
    ----------
    settings : ServerSettings
    host : str
        Address to listen at.
    insecure : bool
        It is wanted.

    Raises
    ------
    ConfigError
        Other machines could reach the server by http.
    """
    if host in LOOPBACK or settings.secure_cookies or insecure:
        return
    raise ConfigError(
        f"{host} is reached from other machines, and base_url is {settings.base_url}: tokens and passwords would "
        "travel readable. Set base_url to the https address of the proxy in front, or say --insecure"
    )


def serving_settings(directory: Path, *, host: str | None, port: int | None) -> tuple[ServerSettings, str, int]:
    """Settings of a server with the address that it listens at.

    Parameters
    ----------
    directory : Path
    host : str or None
        This machine alone by default.
    port : int or None
        That of ``base_url`` by default, if it is of this machine; else 8000.

    Returns
    -------
    settings : ServerSettings
        Where ``base_url`` is an http address of this machine, with the port that is listened at.
    host : str
    port : int
    """
    settings = read_settings(directory)
    told = urlsplit(settings.base_url)
    local = told.scheme == "http" and told.hostname in LOOPBACK
    number = port if port is not None else (told.port or 8000) if local else 8000
    if port is not None:
        settings = _at_port(settings, number)
    return settings, host or LOOPBACK[0], number


def serve(
    settings: ServerSettings,
    *,
    host: str,
    port: int,
    workers: int = 1,
    tell: Callable[[ServerSettings], None] = lambda _settings: None,
) -> None:
    """Serve until the process is asked to end; requests under way are finished.

    Parameters
    ----------
    settings : ServerSettings
    host : str
    port : int
        0: any that is free.
    workers : int
        Processes that answer; one is enough for a small site, and SQLite has one writer anyway.
    tell : callable, optional
        Called with the settings, as they hold, when the server listens.

    Raises
    ------
    ConfigError
        The address is in use, or the directory cannot be written to.
    """
    from pzcenter.server.listening import bind
    from pzcenter.server.services.operation.logs import log_to

    check_writable(settings)
    with bind(host, port) as taken, private_files():
        if port == 0:
            settings = _at_port(settings, taken.getsockname()[1])
        log_to(settings.log_level)
        warn_of_exposure(settings.data_dir)
        warn_of_missing_catalogs(settings)
        with _jobs(settings):
            _answer(settings, taken, workers, lambda: tell(settings))


def _answer(settings: ServerSettings, taken: socket.socket, workers: int, tell: Callable[[], None]) -> None:
    import uvicorn
    from uvicorn.supervisors import Multiprocess

    words: dict[str, Any] = {
        "log_config": None, "access_log": False, "server_header": False, "proxy_headers": False, "ws": "none",
        "timeout_graceful_shutdown": GRACE_SECONDS, "timeout_keep_alive": KEEP_ALIVE_SECONDS,
    }  # fmt: skip
    if workers == 1:
        # Not where workers do it: loading the service takes seconds.
        from pzcenter.server.app import create_app
        from pzcenter.server.asgi import keep_what_is_loaded
        from pzcenter.server.listening import TellingServer

        app = create_app(settings)
        keep_what_is_loaded()
        server = TellingServer(uvicorn.Config(app, **words), tell)
        with suppress(KeyboardInterrupt):
            server.run(sockets=[taken])
        if not server.started:
            raise StorageError("the server could not start; its log says why")
        return
    # Workers are processes of their own, which read the settings again.
    os.environ[DIRECTORY_VARIABLE] = str(settings.data_dir)
    os.environ[f"{ENV_PREFIX}BASE_URL"] = settings.base_url
    config = uvicorn.Config("pzcenter.server.asgi:app_here", factory=True, workers=workers, **words)
    taken.listen(config.backlog)
    tell()
    # Older versions of uvicorn want to be told what their processes run.
    known = signature(Multiprocess).parameters
    more: dict[str, Any] = {"target": uvicorn.Server(config).run} if "target" in known else {}
    Multiprocess(config, sockets=[taken], **more).run()


def _at_port(settings: ServerSettings, port: int) -> ServerSettings:
    """Settings of a server on this machine alone, with the port that it listens at."""
    told = urlsplit(settings.base_url)
    if told.scheme != "http" or told.hostname not in LOOPBACK:
        return settings
    return settings.model_copy(update={"base_url": f"http://{told.hostname}:{port}"})


@contextmanager
def _jobs(settings: ServerSettings) -> Iterator[None]:
    """Run jobs beside the service, where the settings say so."""
    if settings.job_workers == 0:
        yield
        return
    from pzcenter.server.services.context import open_services
    from pzcenter.server.services.jobs.worker import Worker
    from pzcenter.server.storage.make_tables import make_tables

    services = open_services(settings)
    make_tables(services.database)
    services.close()
    worker = Worker(settings)
    worker.start()
    try:
        yield
    finally:
        worker.stop()
