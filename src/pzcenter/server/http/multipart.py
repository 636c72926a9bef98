"""Forms with files, received with bounded memory: each file goes to disk as it comes in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO
from uuid import uuid4

from python_multipart.exceptions import MultipartParseError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.concurrency import run_in_threadpool

from pzcenter.errors import QuotaError, StorageError, UsageError

if TYPE_CHECKING:
    from fastapi import Request
    from python_multipart.multipart import MultipartCallbacks

    Look = Callable[["ReceivedForm"], None]

__all__ = ["ReceivedFile", "ReceivedForm", "receive_form"]

MAX_FIELDS = 100
MAX_FIELD_BYTES = 2**20
MAX_HEADER_BYTES = 2**13
MAX_DRAIN_BYTES = 2**26
"""Of a form that is refused that much is read to its end, so that the client hears why."""
GATHERED = 2**20
"""Bytes that are written at once."""


@dataclass
class ReceivedFile:
    """A file of a form, on disk.

    Attributes
    ----------
    name : str
        Of the field.
    filename : str
        As the sender calls it.
    path : Path
        Whoever has received the form moves it or takes it away (:meth:`ReceivedForm.discard`).
    size : int
    """

    name: str
    filename: str
    path: Path
    size: int = 0


@dataclass
class ReceivedForm:
    """What a form held.

    Attributes
    ----------
    fields : dict of str to list of str
    files : list of ReceivedFile
    """

    fields: dict[str, list[str]] = field(default_factory=dict)
    files: list[ReceivedFile] = field(default_factory=list)

    def discard(self) -> None:
        """Take the files away that nobody has moved."""
        for file in self.files:
            file.path.unlink(missing_ok=True)


async def receive_form(
    request: Request, folder: Path, *, max_bytes: int, max_files: int = 1, look: Look | None = None
) -> ReceivedForm:
    """Read a form (``multipart/form-data``) to its end.

    Parameters
    ----------
    request : Request
    folder : Path
        For the files; made when it is not there.
    max_bytes : int
        Largest file.
    max_files : int
    look : callable, optional
        Called in a thread with the fields so far as soon as a file begins; an error that it raises refuses the form
        before the file is kept.

    Returns
    -------
    ReceivedForm

    Raises
    ------
    UsageError
        No such form, a damaged one, or too many fields.
    QuotaError
        A file is too large.
    """
    kind, options = parse_options_header(request.headers.get("content-type", ""))
    if kind != b"multipart/form-data" or not 1 <= len(options.get(b"boundary", b"")) <= 200:
        raise UsageError("expected a form with a file: multipart/form-data with a boundary")
    receiver = _Receiver(folder, max_bytes, max_files)
    parser = MultipartParser(options[b"boundary"], receiver.callbacks(), max_size=float("inf"))
    looked = look is None
    refusal: Exception | None = None
    drained = 0
    try:
        async for chunk in request.stream():
            if refusal is not None:
                drained += len(chunk)
                if drained > MAX_DRAIN_BYTES:
                    break
                continue
            try:
                parser.write(chunk)
                if look is not None and not looked and receiver.form.files:
                    looked = True
                    await run_in_threadpool(look, receiver.form)
                if receiver.waiting >= GATHERED:
                    await run_in_threadpool(receiver.write)
            except (UsageError, StorageError) as error:
                refusal = error
            except MultipartParseError as error:
                refusal = UsageError(f"the form is damaged: {error}")
        if refusal is not None:
            raise refusal
        await run_in_threadpool(receiver.write)
        if not receiver.ended:
            raise UsageError("the form broke off before its end")
    except BaseException:
        receiver.close()
        receiver.form.discard()
        raise
    receiver.close()
    return receiver.form


class _Receiver:
    """Takes what the parser finds: small fields to memory, files to disk in large pieces."""

    def __init__(self, folder: Path, max_bytes: int, max_files: int) -> None:
        self.form = ReceivedForm()
        self.ended = False
        self.waiting = 0
        self._folder, self._max_bytes, self._max_files = folder, max_bytes, max_files
        self._headers: dict[bytes, bytes] = {}
        self._header, self._header_value = b"", b""
        self._field: str | None = None
        self._value = bytearray()
        self._open: BinaryIO | None = None
        self._pieces: list[tuple[ReceivedFile, bytes]] = []
        self._n_fields = 0

    def callbacks(self) -> MultipartCallbacks:
        """What the parser calls."""
        return {
            "on_part_begin": self._begin, "on_header_field": self._header_name, "on_header_value": self._header_text,
            "on_header_end": self._header_end, "on_headers_finished": self._headers_end, "on_part_data": self._data,
            "on_part_end": self._end, "on_end": self._finish,
        }  # fmt: skip

    def write(self) -> None:
        """Bring what waits to disk."""
        pieces, self._pieces, self.waiting = self._pieces, [], 0
        try:
            for file, piece in pieces:
                if self._open is None or self._open.name != str(file.path):
                    self.close()
                    self._folder.mkdir(parents=True, exist_ok=True)
                    self._open = file.path.open("ab")
                self._open.write(piece)
        except OSError as error:
            raise StorageError(f"the disk did not take the file: {error.strerror}") from error
        if self._open is not None:
            self._open.flush()

    def close(self) -> None:
        """Close the file that is open."""
        if self._open is not None:
            self._open.close()
            self._open = None

    def _begin(self) -> None:
        self._headers, self._field, self._value = {}, None, bytearray()
        self._header, self._header_value = b"", b""

    def _header_name(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]
        self._check_headers()

    def _header_text(self, data: bytes, start: int, end: int) -> None:
        self._header_value += data[start:end]
        self._check_headers()

    def _check_headers(self) -> None:
        if len(self._header) + len(self._header_value) > MAX_HEADER_BYTES or len(self._headers) > 10:
            raise UsageError("the form is damaged: the header of a part does not end")

    def _header_end(self) -> None:
        self._headers[self._header.lower()] = self._header_value
        self._header, self._header_value = b"", b""

    def _headers_end(self) -> None:
        _, words = parse_options_header(self._headers.get(b"content-disposition", b""))
        if b"name" not in words:
            raise UsageError("the form is damaged: a part has no name")
        self._n_fields += 1
        if self._n_fields > MAX_FIELDS:
            raise UsageError(f"the form has more than {MAX_FIELDS} fields")
        name = _text(words[b"name"])
        if b"filename" not in words:
            self._field = name
            return
        if len(self.form.files) >= self._max_files:
            raise UsageError(f"the form has more than {self._max_files} file(s)")
        path = self._folder / uuid4().hex
        file = ReceivedFile(name, _text(words[b"filename"]), path)
        self.form.files.append(file)
        # An empty file is there too.
        self._pieces.append((file, b""))

    def _data(self, data: bytes, start: int, end: int) -> None:
        if self._field is not None:
            self._value += data[start:end]
            if len(self._value) > MAX_FIELD_BYTES:
                raise QuotaError(f"field {self._field!r} has more than {MAX_FIELD_BYTES:,} bytes")
            return
        file = self.form.files[-1]
        file.size += end - start
        if file.size > self._max_bytes:
            raise QuotaError(f"{file.filename!r} has more than {self._max_bytes:,} bytes")
        self._pieces.append((file, data[start:end]))
        self.waiting += end - start

    def _end(self) -> None:
        if self._field is not None:
            self.form.fields.setdefault(self._field, []).append(_text(bytes(self._value)))

    def _finish(self) -> None:
        self.ended = True


def _text(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError as error:
        raise UsageError("the form has text that is not UTF-8") from error
