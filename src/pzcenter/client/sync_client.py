"""The client of a PZ Server, for programs that wait for each answer."""

from __future__ import annotations

import contextlib
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeVar

import httpx2

from pzcenter.client.exchange import Answer, Retries, Send, Sleep, Steps
from pzcenter.client.procedures import KEEP, Procedures
from pzcenter.client.servers import KnownServers, state_dir
from pzcenter.client.sync_challenges import Challenges
from pzcenter.client.sync_jobs import Jobs
from pzcenter.client.sync_mirror import Mirror
from pzcenter.client.sync_people import People
from pzcenter.client.transports import TIMEOUT, base_of, broken, head_of, headers_of, request_words
from pzcenter.client.uploads import CHUNK, UploadState

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from datetime import date
    from types import TracebackType

    from astropy.table import Table

    from pzcenter.client.answers import (
        Column,
        Comment,
        File,
        Me,
        Product,
        ProductType,
        Provenance,
        Release,
        Sharing,
        Token,
    )
    from pzcenter.client.downloads import Progress
    from pzcenter.client.procedures import Which

__all__ = ["PZClient"]

T = TypeVar("T")


class PZClient(Challenges, Jobs, Mirror, People):
    """A PZ Server, as seen by the owner of a token.

    Everything may raise the errors of the server, with the same codes
    (:class:`pzcenter.errors.NotFoundError`, :class:`pzcenter.errors.PermissionDeniedError`, ...), and
    :class:`pzcenter.errors.SourceUnavailableError` when it does not answer. What may be tried again is tried again.

    Parameters
    ----------
    url : str
        Address of the server, such as ``https://pz.example.org``.
    token : str, optional
        As its page of tokens shows it.
    retries : Retries, optional
        How often, and after how long, something is tried again.
    timeout : httpx2.Timeout, optional
    chunk : int
        Bytes of one request of an upload.
    state_directory : Path, optional
        Where uploads under way are noted; in the user's state directory otherwise.
    insecure : bool
        Let the token travel without encryption to another machine.
    transport : httpx2.BaseTransport, optional
        In place of the network, such as the one of :mod:`pzcenter.client.mock`.

    Examples
    --------
    >>> with PZClient("https://pz.example.org", token="...") as server:  # doctest: +SKIP
    ...     for product in server.products("spectra", product_type="training_set"):
    ...         print(product.id, product.display_name)
    ...     table = server.table(17)
    """

    def __init__(
        self,
        url: str,
        token: str | None = None,
        *,
        retries: Retries | None = None,
        timeout: httpx2.Timeout = TIMEOUT,
        chunk: int = CHUNK,
        state_directory: Path | None = None,
        insecure: bool = False,
        transport: httpx2.BaseTransport | None = None,
    ) -> None:
        self.base = base_of(url, insecure=insecure)
        uploads = UploadState((state_directory or state_dir()) / "uploads")
        self._do = Procedures(self.base, retries or Retries(), uploads, chunk)
        self._http = httpx2.Client(
            headers=headers_of(token), timeout=timeout, transport=transport, follow_redirects=False
        )

    @classmethod
    def signed_in(cls, name: str | None = None, **words: Any) -> Self:
        """Client of a server that ``pz server login`` has been called for.

        Parameters
        ----------
        name : str, optional
            Of the server; the only or default one, or that of ``PZ_SERVER_URL`` and ``PZ_SERVER_TOKEN``, otherwise.
        **words
            As of the class.

        Raises
        ------
        AuthenticationError
            Nobody has signed in.
        NotFoundError
            No server of this name.
        """
        server = KnownServers().get(name)
        return cls(server.url, server.token, **words)

    def __repr__(self) -> str:
        """Without the token."""
        return f"PZClient({self.base!r})"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give connections back."""
        self._http.close()

    def _run(self, steps: Steps[T]) -> T:
        """Do one step after the other."""
        give: Any = None
        fault: BaseException | None = None
        while True:
            try:
                step = steps.send(give) if fault is None else steps.throw(fault)
            except StopIteration as stop:
                return stop.value  # type: ignore[no-any-return]
            give = fault = None
            if isinstance(step, Sleep):
                time.sleep(step.seconds)
                continue
            try:
                give = self._send(step)
            except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - the steps know what to do
                fault = error

    def _send(self, send: Send) -> Answer:
        try:
            with self._http.stream(**request_words(send, self.base)) as response:
                head = head_of(response.status_code, response.headers)
                take = None if send.sink is None else send.sink(head)
                if take is None:
                    return Answer(head.status, head.headers, response.read())
                for piece in response.iter_bytes():
                    take(piece)
                return head
        except httpx2.TransportError as error:
            raise broken(error, self.base) from error

    # ---- who asks, and what there is ----------------------------------------------------------------------------

    def whoami(self) -> Me:
        """Who the token belongs to, and what it is for."""
        return self._run(self._do.whoami())

    def product_types(self) -> list[ProductType]:
        """Kinds of products."""
        return self._run(self._do.product_types())

    def releases(self) -> list[Release]:
        """Data releases that you have rights to."""
        return self._run(self._do.releases())

    def tokens(self) -> list[Token]:
        """Tokens of yours, without their secrets."""
        return self._run(self._do.tokens())

    def make_token(self, name: str, *, scopes: Sequence[str] = ("read", "write"), days: float | None = None) -> Token:
        """A new token; its ``secret`` is told this once."""
        return self._run(self._do.make_token(name, scopes=scopes, days=days))

    def revoke_token(self, token: Token | str) -> None:
        """Have a token refused from now on."""
        self._run(self._do.revoke_token(token))

    def request(self, method: str, path: str, body: Any = None, *, query: Mapping[str, Any] | None = None) -> Any:
        """Any other request of the interface, such as ``("GET", "product-types")``; the JSON of its answer."""
        return self._run(self._do.ask(method, path, body, query=query))

    # ---- products -----------------------------------------------------------------------------------------------

    def products(
        self,
        text: str | None = None,
        *,
        product_type: str | Iterable[str] | None = None,
        release: str | Iterable[str] | None = None,
        owner: str | Iterable[str] | None = None,
        state: str | Iterable[str] | None = None,
        tag: str | Iterable[str] | None = None,
        official: bool | None = None,
        latest: bool | None = None,
        sort: str = "-created_at",
        limit: int | None = None,
    ) -> Iterator[Product]:
        """Products that you may see and that fit, fetched page by page.

        Parameters
        ----------
        text : str, optional
            Words, each of which is in the name, the owner, the code, a tag or the description.
        product_type, release, owner, state : str or iterable of str, optional
            Any of these.
        tag : str or iterable of str, optional
            All of these.
        official, latest : bool, optional
        sort : str
            ``created_at``, ``updated_at``, ``display_name``, ``product_type``, ``size`` or ``id``; a ``-`` before it
            turns the order round.
        limit : int, optional
            At most.

        Yields
        ------
        Product
            As lists tell it; :meth:`product` tells more.
        """
        filters = {
            "q": text, "product_type": product_type, "release": release, "owner": owner, "state": state, "tag": tag,
            "official": official, "latest": latest, "sort": sort,
        }  # fmt: skip
        left, cursor = limit, None
        while left is None or left > 0:
            page = self._run(self._do.page(cursor, left or 500, filters))
            yield from page.items[:left]
            cursor, left = page.next_cursor, None if left is None else left - len(page.items)
            if cursor is None:
                return

    def product(self, product: Which) -> Product:
        """A product with description, files, report, and what you may do with it."""
        return self._run(self._do.product(product))

    def create_product(self, name: str, product_type: str, **words: Any) -> Product:
        """Begin a product, which you alone see until it is published.

        Parameters
        ----------
        name : str
        product_type : str
            Internal name, such as ``training_set``.
        **words
            ``release``, ``description``, ``pz_code``, ``official``, ``release_year``, ``visibility``, ``licence``,
            ``citation``, ``doi``, ``command``, ``tags``.

        Returns
        -------
        Product
        """
        return self._run(self._do.create_product(name, product_type, words))

    def edit_product(self, product: Which, **words: Any) -> Product:
        """Change what is said of a product; words that are not given stay.

        Of a :class:`Product` the change is refused (``precondition``) when somebody else has changed it since it was
        read; of a number it holds whatever is there.
        """
        return self._run(self._do.edit_product(product, words))

    def publish(self, product: Which) -> Product:
        """Finish a product: from now on its main file and columns never change."""
        return self._run(self._do.publish(product))

    def new_version(self, product: Which) -> Product:
        """Begin the next version of a published product, with its words and without its files."""
        return self._run(self._do.new_version(product))

    def versions(self, product: Which) -> list[Product]:
        """All versions of a product that you may see, the newest first."""
        return self._run(self._do.versions(product))

    def set_official(self, product: Which, *, official: bool = True) -> Product:
        """Call a product official, or no longer; for coordinators."""
        return self._run(self._do.set_official(product, official=official))

    def delete_product(self, product: Which) -> None:
        """Delete a product."""
        self._run(self._do.delete_product(product))

    # ---- what belongs to a product ------------------------------------------------------------------------------

    def files(self, product: Which) -> list[File]:
        """Files of a product, the main one first."""
        return self._run(self._do.files(product))

    def remove_file(self, file: File | int) -> None:
        """Take a file off a product."""
        self._run(self._do.remove_file(file))

    def columns(self, product: Which) -> list[Column]:
        """Columns of the main file, and what they mean."""
        return self._run(self._do.columns(product))

    def edit_columns(self, product: Which, changes: Mapping[str, str | Mapping[str, str]]) -> list[Column]:
        """Say what columns mean, before the product is published.

        Parameters
        ----------
        product : Product, int or str
        changes : mapping
            By the column's name: its standard name (``ID``, ``RA``, ``Dec``, ``z``, ``z_err``, ``z_flag``,
            ``survey``), or a mapping with any of ``alias``, ``ucd``, ``unit``, ``description``.
        """
        return self._run(self._do.edit_columns(product, changes))

    def sharing(self, product: Which) -> Sharing:
        """Who sees a product; for its owner."""
        return self._run(self._do.sharing(product))

    def share(
        self,
        product: Which,
        *,
        visibility: str | None = None,
        groups: Iterable[str] | None = None,
        users: Iterable[str] | None = None,
        embargo_until: date | str | None = KEEP,
    ) -> Sharing:
        """Say who sees a product; what is not given stays.

        Parameters
        ----------
        product : Product, int or str
        visibility : str, optional
            ``release``, ``shared`` or ``private``.
        groups, users : iterable of str, optional
            In place of those there.
        embargo_until : date or str, optional
            None lifts it.
        """
        steps = self._do.share(product, visibility=visibility, groups=groups, users=users, embargo_until=embargo_until)
        return self._run(steps)

    def set_tags(self, product: Which, tags: Iterable[str]) -> list[str]:
        """Words to find a product by, in place of those there."""
        return self._run(self._do.set_tags(product, tags))

    def comments(self, product: Which) -> list[Comment]:
        """What people said of a product, the oldest first."""
        return self._run(self._do.comments(product))

    def add_comment(self, product: Which, text: str) -> Comment:
        """Say something of a product; Markdown."""
        return self._run(self._do.add_comment(product, text))

    def delete_comment(self, product: Which, comment: Comment | int) -> None:
        """Take back a comment of yours."""
        self._run(self._do.delete_comment(product, comment))

    def provenance(self, product: Which) -> Provenance:
        """What a product was made from, and what was made from it, as far as you may know."""
        return self._run(self._do.provenance(product))

    def citation(self, product: Which) -> str:
        """How to cite this version of a product: BibTeX."""
        return self._run(self._do.citation(product))

    # ---- bytes --------------------------------------------------------------------------------------------------

    def upload_file(
        self, product: Which, path: Path | str, *, role: str = "main", progress: Progress | None = None
    ) -> Product:
        """Give a product a file; the same call goes on where an earlier one was broken off.

        Parameters
        ----------
        product : Product, int or str
        path : Path or str
        role : str
            ``main``, ``description`` or ``auxiliary``.
        progress : callable, optional
            Told how many bytes are there, and of how many.

        Returns
        -------
        Product
            As it is now, with what was found in the file.

        Raises
        ------
        FileFormatError
            The main file was refused, and why. The product stays, a failed one; another main file takes its place.
        """
        return self._run(self._do.upload_file(product, Path(path), role=role, progress=progress))

    def upload(
        self,
        path: Path | str,
        name: str,
        product_type: str,
        *,
        auxiliary: Sequence[Path | str] = (),
        columns: Mapping[str, str | Mapping[str, str]] | None = None,
        publish: bool = False,
        progress: Callable[[str], Progress] | None = None,
        **words: Any,
    ) -> Product:
        """Make a product of a file; the same call goes on where an earlier one was broken off.

        Parameters
        ----------
        path : Path or str
            The main file.
        name : str
        product_type : str
        auxiliary : sequence of Path or str
            Other files.
        columns : mapping, optional
            What columns mean, in place of what the server finds out itself (see :meth:`edit_columns`).
        publish : bool
            Finish the product.
        progress : callable, optional
            Gets the name of each file, gives what is told of its bytes.
        **words
            As of :meth:`create_product`.

        Returns
        -------
        Product

        Raises
        ------
        FileFormatError
            The main file was refused; the same call with a corrected file goes on with the same product.
        ColumnError
            The file has no such column; the product has the file and can be told other columns.
        """
        steps = self._do.upload(
            Path(path), name, product_type, words=words, auxiliary=[Path(each) for each in auxiliary],
            columns=columns or {}, publish=publish, progress=progress,
        )  # fmt: skip
        return self._run(steps)

    def download_file(
        self,
        file: File,
        directory: Path | str = ".",
        *,
        overwrite: bool = False,
        progress: Progress | None = None,
    ) -> Path:
        """One file of a product (see :meth:`download`); a directory as a ZIP archive."""
        steps = self._do.download_file(file, Path(directory), overwrite=overwrite, progress=progress)
        return self._run(steps)

    def download(
        self,
        product: Which,
        directory: Path | str = ".",
        *,
        everything: bool = False,
        overwrite: bool = False,
        progress: Progress | None = None,
    ) -> Path:
        """The main file of a product, checked against its SHA-256.

        What was broken off is kept as ``NAME.part``; the same call goes on with it.

        Parameters
        ----------
        product : Product, int or str
        directory : Path or str
        everything : bool
            All files and what is said of them, as a ZIP archive.
        overwrite : bool
            Replace a file of the same name.
        progress : callable, optional
            Told how many bytes are there, and of how many.

        Returns
        -------
        Path
        """
        fetch = self._do.download_all if everything else self._do.download
        return self._run(fetch(product, Path(directory), overwrite=overwrite, progress=progress))

    def table(self, product: Which, directory: Path | str | None = None) -> Table:
        """The main file of a product as a table.

        Parameters
        ----------
        product : Product, int or str
            Whose main file is CSV, ECSV, FITS, HDF5, Parquet or VOTable.
        directory : Path or str, optional
            Where the file stays; it is thrown away otherwise.

        Returns
        -------
        astropy.table.Table
        """
        from pzcenter.client.tables import read_table

        with contextlib.ExitStack() as stack:
            folder = directory or stack.enter_context(tempfile.TemporaryDirectory())
            return read_table(self.download(product, folder))
