"""The client of a PZ Server, for programs that do other things meanwhile."""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeVar

import httpx2

from pzcenter.client.async_challenges import AsyncChallenges
from pzcenter.client.async_jobs import AsyncJobs
from pzcenter.client.async_mirror import AsyncMirror
from pzcenter.client.async_people import AsyncPeople
from pzcenter.client.exchange import Answer, Retries, Send, Sleep, Steps
from pzcenter.client.procedures import KEEP, Procedures
from pzcenter.client.servers import KnownServers, state_dir
from pzcenter.client.transports import TIMEOUT, base_of, broken, head_of, headers_of, request_words
from pzcenter.client.uploads import CHUNK, UploadState

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
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

__all__ = ["AsyncPZClient"]

T = TypeVar("T")


class AsyncPZClient(AsyncChallenges, AsyncJobs, AsyncMirror, AsyncPeople):
    """A PZ Server, as seen by the owner of a token; as :class:`pzcenter.client.PZClient`, with ``await``.

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
    transport : httpx2.AsyncBaseTransport, optional
        In place of the network, such as the one of :mod:`pzcenter.client.mock`.

    Examples
    --------
    >>> async with AsyncPZClient("https://pz.example.org", token="...") as server:  # doctest: +SKIP
    ...     product = await server.product(17)
    ...     async for other in server.products(owner=product.owner.username):
    ...         print(other.display_name)
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
        transport: httpx2.AsyncBaseTransport | None = None,
    ) -> None:
        self.base = base_of(url, insecure=insecure)
        uploads = UploadState((state_directory or state_dir()) / "uploads")
        self._do = Procedures(self.base, retries or Retries(), uploads, chunk)
        self._http = httpx2.AsyncClient(
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
        return f"AsyncPZClient({self.base!r})"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Give connections back."""
        await self._http.aclose()

    async def _run(self, steps: Steps[T]) -> T:
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
                await asyncio.sleep(step.seconds)
                continue
            try:
                give = await self._send(step)
            except (Exception, KeyboardInterrupt, asyncio.CancelledError) as error:  # noqa: BLE001 - the steps know what to do
                fault = error

    async def _send(self, send: Send) -> Answer:
        try:
            async with self._http.stream(**request_words(send, self.base)) as response:
                head = head_of(response.status_code, response.headers)
                take = None if send.sink is None else send.sink(head)
                if take is None:
                    return Answer(head.status, head.headers, await response.aread())
                async for piece in response.aiter_bytes():
                    take(piece)
                return head
        except httpx2.TransportError as error:
            raise broken(error, self.base) from error

    # ---- who asks, and what there is ----------------------------------------------------------------------------

    async def whoami(self) -> Me:
        """Who the token belongs to, and what it is for."""
        return await self._run(self._do.whoami())

    async def product_types(self) -> list[ProductType]:
        """Kinds of products."""
        return await self._run(self._do.product_types())

    async def releases(self) -> list[Release]:
        """Data releases that you have rights to."""
        return await self._run(self._do.releases())

    async def tokens(self) -> list[Token]:
        """Tokens of yours, without their secrets."""
        return await self._run(self._do.tokens())

    async def make_token(
        self, name: str, *, scopes: Sequence[str] = ("read", "write"), days: float | None = None
    ) -> Token:
        """A new token; its ``secret`` is told this once."""
        return await self._run(self._do.make_token(name, scopes=scopes, days=days))

    async def revoke_token(self, token: Token | str) -> None:
        """Have a token refused from now on."""
        await self._run(self._do.revoke_token(token))

    async def request(self, method: str, path: str, body: Any = None, *, query: Mapping[str, Any] | None = None) -> Any:
        """Any other request of the interface, such as ``("GET", "product-types")``; the JSON of its answer."""
        return await self._run(self._do.ask(method, path, body, query=query))

    # ---- products -----------------------------------------------------------------------------------------------

    async def products(
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
    ) -> AsyncIterator[Product]:
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
            page = await self._run(self._do.page(cursor, left or 500, filters))
            for product in page.items[:left]:
                yield product
            cursor, left = page.next_cursor, None if left is None else left - len(page.items)
            if cursor is None:
                return

    async def product(self, product: Which) -> Product:
        """A product with description, files, report, and what you may do with it."""
        return await self._run(self._do.product(product))

    async def create_product(self, name: str, product_type: str, **words: Any) -> Product:
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
        return await self._run(self._do.create_product(name, product_type, words))

    async def edit_product(self, product: Which, **words: Any) -> Product:
        """Change what is said of a product; words that are not given stay.

        Of a :class:`Product` the change is refused (``precondition``) when somebody else has changed it since it was
        read; of a number it holds whatever is there.
        """
        return await self._run(self._do.edit_product(product, words))

    async def publish(self, product: Which) -> Product:
        """Finish a product: from now on its main file and columns never change."""
        return await self._run(self._do.publish(product))

    async def new_version(self, product: Which) -> Product:
        """Begin the next version of a published product, with its words and without its files."""
        return await self._run(self._do.new_version(product))

    async def versions(self, product: Which) -> list[Product]:
        """All versions of a product that you may see, the newest first."""
        return await self._run(self._do.versions(product))

    async def set_official(self, product: Which, *, official: bool = True) -> Product:
        """Call a product official, or no longer; for coordinators."""
        return await self._run(self._do.set_official(product, official=official))

    async def delete_product(self, product: Which) -> None:
        """Delete a product."""
        await self._run(self._do.delete_product(product))

    # ---- what belongs to a product ------------------------------------------------------------------------------

    async def files(self, product: Which) -> list[File]:
        """Files of a product, the main one first."""
        return await self._run(self._do.files(product))

    async def remove_file(self, file: File | int) -> None:
        """Take a file off a product."""
        await self._run(self._do.remove_file(file))

    async def columns(self, product: Which) -> list[Column]:
        """Columns of the main file, and what they mean."""
        return await self._run(self._do.columns(product))

    async def edit_columns(self, product: Which, changes: Mapping[str, str | Mapping[str, str]]) -> list[Column]:
        """Say what columns mean, before the product is published.

        Parameters
        ----------
        product : Product, int or str
        changes : mapping
            By the column's name: its standard name (``ID``, ``RA``, ``Dec``, ``z``, ``z_err``, ``z_flag``,
            ``survey``), or a mapping with any of ``alias``, ``ucd``, ``unit``, ``description``.
        """
        return await self._run(self._do.edit_columns(product, changes))

    async def sharing(self, product: Which) -> Sharing:
        """Who sees a product; for its owner."""
        return await self._run(self._do.sharing(product))

    async def share(
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
        return await self._run(steps)

    async def set_tags(self, product: Which, tags: Iterable[str]) -> list[str]:
        """Words to find a product by, in place of those there."""
        return await self._run(self._do.set_tags(product, tags))

    async def comments(self, product: Which) -> list[Comment]:
        """What people said of a product, the oldest first."""
        return await self._run(self._do.comments(product))

    async def add_comment(self, product: Which, text: str) -> Comment:
        """Say something of a product; Markdown."""
        return await self._run(self._do.add_comment(product, text))

    async def delete_comment(self, product: Which, comment: Comment | int) -> None:
        """Take back a comment of yours."""
        await self._run(self._do.delete_comment(product, comment))

    async def provenance(self, product: Which) -> Provenance:
        """What a product was made from, and what was made from it, as far as you may know."""
        return await self._run(self._do.provenance(product))

    async def citation(self, product: Which) -> str:
        """How to cite this version of a product: BibTeX."""
        return await self._run(self._do.citation(product))

    # ---- bytes --------------------------------------------------------------------------------------------------

    async def upload_file(
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
        return await self._run(self._do.upload_file(product, Path(path), role=role, progress=progress))

    async def upload(
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
        return await self._run(steps)

    async def download_file(
        self,
        file: File,
        directory: Path | str = ".",
        *,
        overwrite: bool = False,
        progress: Progress | None = None,
    ) -> Path:
        """One file of a product (see :meth:`download`); a directory as a ZIP archive."""
        steps = self._do.download_file(file, Path(directory), overwrite=overwrite, progress=progress)
        return await self._run(steps)

    async def download(
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
        return await self._run(fetch(product, Path(directory), overwrite=overwrite, progress=progress))

    async def table(self, product: Which, directory: Path | str | None = None) -> Table:
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
            return read_table(await self.download(product, folder))
