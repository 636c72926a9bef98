"""``pz serve``: make a PZ Server, and run it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pzcenter.cli.options import FLAG, JsonOutput

if TYPE_CHECKING:
    from pzcenter.server.settings import ServerSettings

__all__ = ["EXAMPLES", "serve"]

EXAMPLES = (
    ("pz serve --init my-server", "make a server; the token of its first admin is shown once"),
    ("pz serve my-server", "run it, for this machine alone"),
    ("pz serve --init site --base-url https://pz.example.org", "for a site with a proxy that speaks https"),
    ("pz serve site --host 0.0.0.0 --workers 4", "listen to the proxy, with four processes"),
)


def _named(text: str) -> Path:
    """A directory with a name: an empty text would be the working directory, which nobody asked for.

    Raises
    ------
    BadParameter
    """
    if not text.strip():
        raise typer.BadParameter("name a directory; '.' is the one that you are in")
    return Path(text)


def serve(
    directory: Annotated[
        Path, typer.Argument(metavar="DIR", parser=_named, help="Directory of everything that the server keeps.")
    ],
    *,
    init: Annotated[bool, typer.Option("--init", metavar=FLAG, help="Make the server, and do not run it.")] = False,
    base_url: Annotated[
        str | None, typer.Option("--base-url", metavar="URL", help="With --init: address by which people reach it.")
    ] = None,
    site_name: Annotated[
        str | None, typer.Option("--site-name", metavar="NAME", help="With --init: title of its pages.")
    ] = None,
    host: Annotated[
        str | None,
        typer.Option("--host", metavar="ADDRESS", help="Address to listen at; this machine alone by default."),
    ] = None,
    port: Annotated[
        int | None,
        typer.Option("--port", metavar="N", help="Port to listen at; that of its address by default.", min=0),
    ] = None,
    workers: Annotated[
        int, typer.Option("--workers", "-j", metavar="N", help="Processes that answer.", min=1, max=256)
    ] = 1,
    insecure: Annotated[
        bool,
        typer.Option(
            "--insecure", metavar=FLAG, help="Let other machines in by http: everybody on the way reads along."
        ),
    ] = False,
    as_json: JsonOutput = False,
) -> None:
    """Run a PZ Server, where people host, share and download products of photometric redshifts.

    Nothing else is needed: a database and a folder for files are in its directory. Every setting, with what it means,
    is in DIR/server.yaml. The process ends at Ctrl-C or SIGTERM, after the requests under way.
    """
    from pzcenter.errors import ConfigError

    if init:
        _init(directory, as_json=as_json, base_url=base_url, site_name=site_name)
        return
    if base_url or site_name:
        raise ConfigError("--base-url and --site-name go with --init; later, edit server.yaml")
    from pzcenter.cli.screen import stderr
    from pzcenter.server.serving import check_exposure, serve, serving_settings

    settings, address, number = serving_settings(directory, host=host, port=port)
    check_exposure(settings, address, insecure=insecure)

    def tell(settings: ServerSettings) -> None:
        stderr().print(f"PZ Server at {settings.base_url}; Ctrl-C ends it", markup=False, soft_wrap=True)

    serve(settings, host=address, port=number, workers=workers, tell=tell)


def _init(directory: Path, *, as_json: bool, base_url: str | None, site_name: str | None) -> None:
    from pzcenter.cli.screen import print_json, stderr, stdout
    from pzcenter.server.serving import exposed, make_server

    made = make_server(directory, base_url=base_url, site_name=site_name)
    if as_json:
        print_json({"directory": directory, "url": made.settings.base_url, "user": "admin", "token": made.token})
        return
    stderr().print(
        f"{directory} is a PZ Server now; its settings are in {directory}/server.yaml", markup=False, soft_wrap=True
    )
    if made.token is not None:
        stderr().print(
            "Token of the user admin, shown this once; it is also the first password:", markup=False, soft_wrap=True
        )
        stdout().print(made.token, markup=False)
    if exposed(made.settings):
        stderr().print(
            f"{made.settings.base_url} is no https: passwords and tokens would travel readable for everybody on the "
            "way. Put a proxy that speaks https in front, and set base_url in server.yaml to its address",
            markup=False, soft_wrap=True,
        )  # fmt: skip
    stderr().print(f"next: pz serve {directory}", markup=False, soft_wrap=True)
