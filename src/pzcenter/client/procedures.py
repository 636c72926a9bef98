"""What a client can do, as steps: requests, how answers are read, and what follows what; shared by both clients."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from pzcenter.client import answers
from pzcenter.client.answers import read_as
from pzcenter.client.downloads import download_steps, safe_name
from pzcenter.client.exchange import Answer, Retries, Send, Steps, answered
from pzcenter.client.refusals import check
from pzcenter.client.uploads import CHUNK, UploadState, upload_steps
from pzcenter.errors import (
    ColumnError,
    ConflictError,
    FileFormatError,
    InternalError,
    NotFoundError,
    PermissionDeniedError,
    QuotaError,
    UsageError,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from datetime import date
    from pathlib import Path

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

    Which = Product | int | str

__all__ = ["KEEP", "Page", "Procedures", "key_of"]

T = TypeVar("T")
KEEP: Any = object()
"""In place of a value: leave it as it is."""
PER_PAGE = 500
MAX_TOLD = 30
"""Names of columns in a message."""


def key_of(product: Which) -> str:
    """What an address calls a product by."""
    return str(product.id) if isinstance(product, answers.Product) else str(product)


@dataclass(frozen=True)
class Page:
    """Part of a list of products.

    Attributes
    ----------
    items : list of Product
    next_cursor : str or None
    total : int or None
    """

    items: list[Product]
    next_cursor: str | None
    total: int | None


@dataclass(frozen=True)
class Procedures:
    """Steps of everything that a client can do.

    Attributes
    ----------
    base : str
        Address of the interface, with a slash at its end.
    retries : Retries
    uploads : UploadState
    chunk : int
        Bytes of one request of an upload.
    """

    base: str
    retries: Retries = field(default_factory=Retries)
    uploads: UploadState = field(default_factory=lambda: UploadState(None))
    chunk: int = CHUNK

    def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        query: Mapping[str, Any] | None = None,
        match: str | None = None,
    ) -> Steps[Any]:
        """Any request; the JSON of the answer, None for none."""
        headers = {} if match is None else {"If-Match": match}
        send = Send(method, path, query=_query(query or {}), body=body, headers=headers)
        answer = check((yield from answered(send, self.retries)))
        return _json(answer)

    def text(self, path: str) -> Steps[str]:
        """What stands at an address, as text."""
        return check((yield from answered(Send("GET", path), self.retries))).content.decode()

    def _one(self, cls: type[T], method: str, path: str, body: Any = None, *, match: str | None = None) -> Steps[T]:
        return read_as(cls, (yield from self.ask(method, path, body, match=match)))

    def _all(self, cls: type[T], method: str, path: str, body: Any = None) -> Steps[list[T]]:
        told = yield from self.ask(method, path, body)
        return [read_as(cls, each) for each in (told["items"] if isinstance(told, dict) else told)]

    def _product(self, method: str, path: str, body: Any = None, *, match: str | None = None) -> Steps[Product]:
        told = yield from self.ask(method, path, body, match=match)
        return read_as(answers.Product, told | {"detailed": True})

    # ---- who asks, and what there is ----------------------------------------------------------------------------

    def whoami(self) -> Steps[Me]:
        """Who asks."""
        return self._one(answers.Me, "GET", "me")

    def product_types(self) -> Steps[list[ProductType]]:
        """Kinds of products."""
        return self._all(answers.ProductType, "GET", "product-types")

    def releases(self) -> Steps[list[Release]]:
        """Releases that the asker has rights to."""
        return self._all(answers.Release, "GET", "releases")

    def tokens(self) -> Steps[list[Token]]:
        """Tokens of the asker."""
        return self._all(answers.Token, "GET", "tokens")

    def make_token(self, name: str, *, scopes: Sequence[str], days: float | None) -> Steps[Token]:
        """A new token; its secret is told this once."""
        told = yield from self.ask("POST", "tokens", {"name": name, "scopes": list(scopes), "days": days})
        return read_as(answers.Token, told)

    def revoke_token(self, token: Token | str) -> Steps[None]:
        """Have a token refused from now on."""
        yield from self.ask("DELETE", f"tokens/{token if isinstance(token, str) else token.id}")

    # ---- products -----------------------------------------------------------------------------------------------

    def page(self, cursor: str | None, limit: int, filters: Mapping[str, Any]) -> Steps[Page]:
        """Part of a list of products."""
        query = {**filters, "limit": min(limit, PER_PAGE), "cursor": cursor}
        told = yield from self.ask("GET", "products", query=query)
        items = [read_as(answers.Product, each) for each in told["items"]]
        return Page(items, told["next_cursor"], told.get("total"))

    def product(self, product: Which) -> Steps[Product]:
        """A product with all that is said of it."""
        return self._product("GET", f"products/{key_of(product)}")

    def create_product(self, name: str, product_type: str, words: Mapping[str, Any]) -> Steps[Product]:
        """Begin a product."""
        given = {key: value for key, value in words.items() if value is not None}
        return self._product("POST", "products", {"display_name": name, "product_type": product_type, **given})

    def edit_product(self, product: Which, words: Mapping[str, Any]) -> Steps[Product]:
        """Change words of a product; of an object only if nobody has changed it meanwhile."""
        return self._product("PATCH", f"products/{key_of(product)}", dict(words), match=_match(product))

    def publish(self, product: Which) -> Steps[Product]:
        """Finish a product."""
        return self._product("POST", f"products/{key_of(product)}/publish")

    def new_version(self, product: Which) -> Steps[Product]:
        """Begin the next version."""
        return self._product("POST", f"products/{key_of(product)}/versions")

    def versions(self, product: Which) -> Steps[list[Product]]:
        """All versions, the newest first."""
        return self._all(answers.Product, "GET", f"products/{key_of(product)}/versions")

    def set_official(self, product: Which, *, official: bool) -> Steps[Product]:
        """Call a product official, or no longer."""
        return self._product("PUT", f"products/{key_of(product)}/official", {"official": official})

    def delete_product(self, product: Which) -> Steps[None]:
        """Delete a product."""
        match = _match(product) if isinstance(product, answers.Product) else None
        yield from self.ask("DELETE", f"products/{key_of(product)}", match=match)

    # ---- what belongs to a product ------------------------------------------------------------------------------

    def files(self, product: Which) -> Steps[list[File]]:
        """Files of a product."""
        return self._all(answers.File, "GET", f"products/{key_of(product)}/files")

    def remove_file(self, file: File | int) -> Steps[None]:
        """Take a file off."""
        yield from self.ask("DELETE", f"files/{file if isinstance(file, int) else file.id}")

    def columns(self, product: Which) -> Steps[list[Column]]:
        """Columns of the main file."""
        return self._all(answers.Column, "GET", f"products/{key_of(product)}/columns")

    def edit_columns(self, product: Which, changes: Mapping[str, str | Mapping[str, str]]) -> Steps[list[Column]]:
        """Say what columns mean."""
        body = [{"name": name, **({"alias": to} if isinstance(to, str) else to)} for name, to in changes.items()]
        return self._all(answers.Column, "PATCH", f"products/{key_of(product)}/columns", {"columns": body})

    def sharing(self, product: Which) -> Steps[Sharing]:
        """Who sees a product."""
        return self._one(answers.Sharing, "GET", f"products/{key_of(product)}/sharing")

    def share(
        self,
        product: Which,
        *,
        visibility: str | None,
        groups: Iterable[str] | None,
        users: Iterable[str] | None,
        embargo_until: date | str | None,
    ) -> Steps[Sharing]:
        """Say who sees a product."""
        body: dict[str, Any] = {"visibility": visibility, "groups": groups, "users": users}
        body = {
            name: value if isinstance(value, str) else list(value) for name, value in body.items() if value is not None
        }
        if embargo_until is not KEEP:
            body["embargo_until"] = None if embargo_until is None else str(embargo_until)
        return self._one(answers.Sharing, "PATCH", f"products/{key_of(product)}/sharing", body)

    def set_tags(self, product: Which, tags: Iterable[str]) -> Steps[list[str]]:
        """Words to find a product by."""
        told: list[str] = yield from self.ask("PUT", f"products/{key_of(product)}/tags", {"tags": list(tags)})
        return told

    def comments(self, product: Which) -> Steps[list[Comment]]:
        """All comments, the oldest first."""
        found: list[Comment] = []
        query: dict[str, Any] = {}
        while True:
            told = yield from self.ask("GET", f"products/{key_of(product)}/comments", query=query)
            found += [read_as(answers.Comment, each) for each in told["items"]]
            if told["next_cursor"] is None:
                return found
            query = {"cursor": told["next_cursor"]}

    def add_comment(self, product: Which, text: str) -> Steps[Comment]:
        """Say something of a product."""
        return self._one(answers.Comment, "POST", f"products/{key_of(product)}/comments", {"text": text})

    def delete_comment(self, product: Which, comment: Comment | int) -> Steps[None]:
        """Take a comment back."""
        number = comment if isinstance(comment, int) else comment.id
        yield from self.ask("DELETE", f"products/{key_of(product)}/comments/{number}")

    def provenance(self, product: Which) -> Steps[Provenance]:
        """What a product was made from, and what was made from it."""
        return self._one(answers.Provenance, "GET", f"products/{key_of(product)}/provenance")

    def citation(self, product: Which) -> Steps[str]:
        """BibTeX of a product."""
        return (yield from self.text(f"products/{key_of(product)}/citation"))

    # ---- bytes --------------------------------------------------------------------------------------------------

    def upload_file(self, product: Which, path: Path, *, role: str, progress: Progress | None) -> Steps[Product]:
        """Give a product a file, going on where an earlier call was broken off; a refused main file is replaced."""
        _need_file(path)
        if role == "main":
            there = yield from self.product(product)
            if there.state == "failed" and there.main_file is not None:
                yield from self.remove_file(there.main_file)
        words = {"product": key_of(product), "role": role}
        yield from upload_steps(
            self.base, path, words=words, retries=self.retries, state=self.uploads, chunk=self.chunk, progress=progress
        )
        told = yield from self.product(product)
        if role == "main":
            _need_accepted(told, path)
        return told

    def upload(
        self,
        path: Path,
        name: str,
        product_type: str,
        *,
        words: Mapping[str, Any],
        auxiliary: Sequence[Path],
        columns: Mapping[str, str | Mapping[str, str]],
        publish: bool,
        progress: Callable[[str], Progress] | None,
    ) -> Steps[Product]:
        """Make a product of a file; the same call goes on with a product that an earlier one began."""
        for each in (path, *auxiliary):
            _need_file(each)
        key = json.dumps(["product", self.base, str(path.resolve()), name, product_type])
        product = yield from self._begun(key)
        made = product is None
        if product is None:
            product = yield from self.create_product(name, product_type, words)
            self.uploads.keep(key, str(product.id))
        for each, role in ((path, "main"), *((each, "auxiliary") for each in auxiliary)):
            refused = role == "main" and product.state == "failed"
            if not refused and (role, each.name) in {(file.role, file.name) for file in product.files}:
                continue
            told = None if progress is None else progress(each.name)
            try:
                product = yield from self.upload_file(product, each, role=role, progress=told)
            except (QuotaError, PermissionDeniedError):
                if made and role == "main":
                    yield from self._take_back(product, key)
                raise
        if columns:
            yield from self._need_columns(product, columns)
            yield from self.edit_columns(product, columns)
        if publish:
            product = yield from self.publish(product)
        self.uploads.forget(key)
        return (yield from self.product(product))

    def _begun(self, key: str) -> Steps[Product | None]:
        """Product that an earlier call began and did not finish."""
        number = self.uploads.get(key)
        if number is None:
            return None
        try:
            product = yield from self.product(number)
        except NotFoundError:
            return None
        return product if product.state in {"registering", "failed"} else None

    def _take_back(self, product: Product, key: str) -> Steps[None]:
        """Delete a product that this call began and whose first file the server did not take."""
        there = yield from self.product(product)
        if not there.files:
            yield from self.delete_product(there)
            self.uploads.forget(key)

    def _need_columns(self, product: Product, columns: Iterable[str]) -> Steps[None]:
        names = [each.name for each in (yield from self.columns(product))]
        unknown = ", ".join(name for name in columns if name not in names)
        if unknown:
            there = ", ".join(names[:MAX_TOLD]) + (", ..." if len(names) > MAX_TOLD else "")
            raise ColumnError(
                f"product {product.id} has the file, but the file has no column {unknown}; it has {there or 'none'}. "
                f"Say what they mean: pz server columns {product.id} COLUMN=NAME"
            )

    def download_file(self, file: File, directory: Path, *, overwrite: bool, progress: Progress | None) -> Steps[Path]:
        """A file of a product, going on where an earlier call was broken off; a directory as an archive."""
        if file.reference is not None and file.content_url is None:
            raise ConflictError(f"the data of {file.name} stay where they are: {file.reference}")
        url = file.content_url or f"files/{file.id}/archive"
        name = safe_name(file.name if file.content_url else f"{file.name}.zip")
        steps = download_steps(
            url, directory / name, retries=self.retries, sha256=file.sha256, overwrite=overwrite, progress=progress
        )
        return (yield from steps)

    def download(self, product: Which, directory: Path, *, overwrite: bool, progress: Progress | None) -> Steps[Path]:
        """The main file of a product."""
        told = yield from self.product(product)
        if told.main_file is None:
            raise NotFoundError(f"product {told.id} has no main file")
        return (yield from self.download_file(told.main_file, directory, overwrite=overwrite, progress=progress))

    def download_all(
        self, product: Which, directory: Path, *, overwrite: bool, progress: Progress | None
    ) -> Steps[Path]:
        """All files of a product as an archive."""
        told = yield from self.product(product)
        path = directory / safe_name(f"{told.internal_name or told.uid}.zip")
        url = f"products/{told.id}/archive"
        return (yield from download_steps(url, path, retries=self.retries, overwrite=overwrite, progress=progress))


def _need_accepted(product: Product, path: Path) -> None:
    """Raise what the server found wrong with a main file: the product that has it cannot be published."""
    if product.state == "failed":
        raise FileFormatError(
            f"product {product.id} cannot be published; {path.name} was refused: {product.failure or 'it is no table'}"
            f". Hand in a corrected file: pz server upload FILE --to {product.id}"
        )


def _need_file(path: Path) -> None:
    if path.is_dir():
        raise UsageError(f"{path} is a directory; pack it into a ZIP archive and upload that")
    if not path.is_file():
        raise NotFoundError(f"no file {path}")


def _query(given: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """Parameters of an address; what is None is left out, lists are repeated."""
    found: list[tuple[str, str]] = []
    for name, value in given.items():
        if value is None:
            continue
        many = [value] if isinstance(value, str | int | float) else list(value)
        found += [(name, str(each).lower() if isinstance(each, bool) else str(each)) for each in many]
    return tuple(found)


def _match(product: Which) -> str:
    if not isinstance(product, answers.Product):
        return "*"
    if not product.revision:
        raise UsageError("this product does not know its revision; read it from the server first")
    return f'"r{product.revision}"'


def _json(answer: Answer) -> Any:
    if not answer.content:
        return None
    try:
        return json.loads(answer.content)
    except ValueError as error:
        raise InternalError("the server answered with something that is no JSON; is its address right?") from error
