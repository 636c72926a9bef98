"""Uploads to a true server whose connections are cut, and which is killed: no acknowledged byte is ever lost.

With PZ_TEST_LARGE_UPLOADS=1 a file of 5 GB goes the same way; it needs 15 GB of disk and some minutes.
"""

import base64
import contextlib
import hashlib
import http.client
import os
import random
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from pzcenter.server.services.principal import principal_of
from pzcenter.server.services.tokens import make_token
from pzcenter.server.storage.accounts import User
from pzcenter.server.storage.products import Product

SERVER = """
import sys, uvicorn
from pathlib import Path
from pzcenter.server import create_app
from pzcenter.server.settings import ServerSettings
settings = ServerSettings(data_dir=Path(sys.argv[1]), allowed_hosts=["127.0.0.1"], requests_per_minute=100_000)
uvicorn.run(create_app(settings), fd=int(sys.argv[2]), log_level="error", timeout_graceful_shutdown=3)
"""
TYPE = "application/offset+octet-stream"
MEGABYTE = 1 << 20


class Live:
    """A server of its own process, on one port for ever."""

    def __init__(self, data_dir, token):
        self.data_dir, self.token = data_dir, token
        self.socket = socket.socket()
        self.socket.bind(("127.0.0.1", 0))
        self.socket.listen(100)
        self.port = self.socket.getsockname()[1]
        self.start()

    def start(self):
        handle = self.socket.fileno()
        words = [sys.executable, "-c", SERVER, str(self.data_dir), str(handle)]
        self.process = subprocess.Popen(words, pass_fds=[handle])
        self.ask("OPTIONS", "/api/v2/uploads")

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.kill()
        self.socket.close()

    def peak_mb(self):
        told = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in told if line.startswith("VmHWM")) / 1024

    def headers(self, **more):
        told = {"Host": f"127.0.0.1:{self.port}", "Authorization": f"Token {self.token}", "Tus-Resumable": "1.0.0"}
        return told | {key.replace("_", "-"): str(value) for key, value in more.items()}

    def ask(self, method, path, body=None, **headers):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        with contextlib.closing(connection):
            connection.request(method, path, body, self.headers(**headers))
            answer = connection.getresponse()
            return answer.status, dict(answer.getheaders()), answer.read()

    def create(self, length, **words):
        told = ",".join(f"{key} {base64.b64encode(str(value).encode()).decode()}" for key, value in words.items())
        status, headers, body = self.ask("POST", "/api/v2/uploads", Upload_Length=length, Upload_Metadata=told)
        assert status == 201, body
        return {key.lower(): value for key, value in headers.items()}["location"]

    def offset(self, url):
        status, headers, _ = self.ask("HEAD", url)
        assert status == 200, status
        return int({key.lower(): value for key, value in headers.items()}["upload-offset"])

    def patch(self, url, offset, piece):
        for _ in range(50):
            status, headers, body = self.ask("PATCH", url, piece, Upload_Offset=offset, Content_Type=TYPE)
            if status != 423:
                break
            time.sleep(0.1)
        assert status == 204, (status, body)
        return int({key.lower(): value for key, value in headers.items()}["upload-offset"])

    def patch_and_cut(self, url, offset, pieces, announced, *, hard):
        """Send some of the bytes that were announced, then drop the line."""
        line = socket.create_connection(("127.0.0.1", self.port), timeout=60)
        told = self.headers(Upload_Offset=offset, Content_Type=TYPE, Content_Length=announced)
        head = f"PATCH {url} HTTP/1.1\r\n" + "".join(f"{key}: {value}\r\n" for key, value in told.items()) + "\r\n"
        line.sendall(head.encode())
        for piece in pieces:
            line.sendall(piece)
        if hard:
            line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        line.close()


@pytest.fixture
def live(services):
    with services.database.writing() as session:
        owner = principal_of(session, session.query(User).filter_by(username="owner").one())
        token = make_token(session, owner, "test", scopes=["read", "write"])[1]
    server = Live(services.settings.data_dir, token)
    yield server
    server.stop()


def piece_at(start, length):
    """Bytes of an endless file, the same each time."""
    first, last = start // MEGABYTE, (start + length - 1) // MEGABYTE
    whole = b"".join(random.Random(number).randbytes(MEGABYTE) for number in range(first, last + 1))
    return whole[start - first * MEGABYTE :][:length]


def pieces_of(start, stop):
    while start < stop:
        length = min(MEGABYTE, stop - start)
        yield piece_at(start, length)
        start += length


def sha256_of(length):
    digest = hashlib.sha256()
    for piece in pieces_of(0, length):
        digest.update(piece)
    return digest.hexdigest()


def survives_cuts(live, services, principal, length, part):
    """Upload a file whose line is cut three times in the middle of a request."""
    from pzcenter.server.services.products import NewProduct, create_product

    with services.database.writing() as session:
        number = create_product(services, session, principal("owner"), NewProduct("Large", "other")).id
    sha256 = sha256_of(length)
    url = live.create(length, filename="large", product=number, role="main", sha256=sha256)
    live.patch(url, 0, piece_at(0, MEGABYTE))
    before, acknowledged = live.peak_mb(), MEGABYTE
    for n_cut, hard in enumerate((True, False, True), 1):
        begin = live.offset(url)
        assert begin >= acknowledged
        live.patch_and_cut(url, begin, pieces_of(begin, begin + length // 5 + n_cut * 1000), length - begin, hard=hard)
        acknowledged = begin
        deadline = time.monotonic() + 120
        while live.offset(url) == begin and time.monotonic() < deadline:
            time.sleep(0.05)
        acknowledged = live.offset(url)
        assert acknowledged > begin
    offset = acknowledged
    while offset < length:
        offset = live.patch(url, offset, piece_at(offset, min(part, length - offset)))
    assert live.offset(url) == length
    with services.database.reading() as session:
        assert session.get_one(Product, number).main_file.sha256 == sha256
    assert live.peak_mb() - before < 64


def test_three_cuts(live, services, principal):
    survives_cuts(live, services, principal, 64 * MEGABYTE + 17, 8 * MEGABYTE)


@pytest.mark.skipif("PZ_TEST_LARGE_UPLOADS" not in os.environ, reason="5 GB; set PZ_TEST_LARGE_UPLOADS=1")
def test_three_cuts_of_five_gigabytes(live, services, principal):
    survives_cuts(live, services, principal, 5 * 10**9, 64 * MEGABYTE)


def test_kills(live, services):
    n_uploads, length, rng = 3, 40 * MEGABYTE, random.Random(3)
    urls = [live.create(length, filename=f"file {n}") for n in range(n_uploads)]
    acknowledged = [0] * n_uploads
    for _ in range(2):
        stop = threading.Event()

        def send(n, stop=stop):
            while not stop.is_set() and acknowledged[n] < length:
                size = min(300_000, length - acknowledged[n])
                try:
                    acknowledged[n] = live.patch(urls[n], acknowledged[n], piece_at(acknowledged[n], size))
                except (OSError, http.client.HTTPException):
                    return

        threads = [threading.Thread(target=send, args=(n,)) for n in range(n_uploads)]
        for thread in threads:
            thread.start()
        time.sleep(rng.uniform(0.5, 1.2))
        live.kill()
        stop.set()
        live.start()
        for thread in threads:
            thread.join()
        for n, url in enumerate(urls):
            there = live.offset(url)
            assert there >= acknowledged[n] > 0
            acknowledged[n] = there
    for n, url in enumerate(urls):
        path = services.settings.data_dir / "uploads" / f"{url.rpartition('/')[2]}.part"
        assert path.read_bytes() == piece_at(0, acknowledged[n])
