"""A server with a hundred thousand products and many users at once.

    python benchmarks/server_load.py [--quick] [--products N] [--seconds S]

Fills a server (SQLite, contents in a folder), starts it with two workers, and lets 20 users read without a pause
between requests: lists, searches, product pages, by both interfaces and as pages. Then 50 users upload 20 MB each while
200 read. Errors are answers that should not be, and contents that come back otherwise than they were sent. The users
run on the same machine, and take their share of its processors.

The last line is JSON: `p95_ms` (the worst of the three kinds of request), `errors`, `rss_mb` (the largest worker),
`requests_per_s`, `uploads`, `cold_start_s` (from the start of the process to the first page).
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import secrets
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx2 as httpx
import psutil
from sqlalchemy import insert, select

from pzcenter.server.services.context import open_services
from pzcenter.server.services.principal import Scope, principal_of
from pzcenter.server.services.tokens import make_token
from pzcenter.server.settings import ServerSettings
from pzcenter.server.storage.accounts import Role, User, UserState
from pzcenter.server.storage.base import new_uid, now
from pzcenter.server.storage.make_tables import make_tables
from pzcenter.server.storage.products import (
    Blob,
    Product,
    ProductColumn,
    ProductFile,
    ProductState,
    ProductTag,
    Visibility,
)
from pzcenter.server.storage.releases import Release, ReleaseRight
from pzcenter.server.storage.search_words import index_words

WORDS = ("deep", "wide", "cosmos", "shallow", "blended", "bright", "faint", "north", "south", "lensing")
MEGABYTE = 2**20
USERS, UPLOADERS, READERS = 20, 50, 200


def fill(data_dir: Path, n_products: int) -> str:
    """A server with products of 200 users; the token of one of them."""
    services = open_services(ServerSettings(data_dir=data_dir))
    make_tables(services.database)
    content = services.store.put([b"ra,dec,z\n1,2,0.5\n"])
    with services.database.writing() as session:
        session.add(Blob(sha256=content.sha256, size=content.size, crc32=content.crc32))
        session.add_all(Release(name=f"dp{n}", display_name=f"DP{n}") for n in range(1, 6))
        session.add_all(User(username=f"user{n}", role=Role.USER, state=UserState.ACTIVE) for n in range(200))
        session.flush()
        releases = list(session.scalars(select(Release.id)))
        users = list(session.scalars(select(User)))
        session.add_all(ReleaseRight(release_id=each, user_id=users[0].id) for each in releases[:3])
        start = now() - timedelta(days=400)
        for first in range(0, n_products, 10_000):
            numbers = range(first, min(first + 10_000, n_products))
            rows: list[dict[str, Any]] = [
                {
                    "id": n + 1, "uid": new_uid(), "series": new_uid(), "version": 1, "is_latest": True,
                    "product_type_id": n % 7 + 1, "release_id": None if n % 7 == 0 else releases[n % 5],
                    "owner_id": users[n % 200].id, "display_name": f"{WORDS[n % 10]} {WORDS[n // 10 % 10]} set {n}",
                    "internal_name": f"{n + 1}_set_{n}", "description": "Redshifts.", "official": n % 50 == 0,
                    "state": ProductState.PUBLISHED, "visibility": Visibility.RELEASE, "origin": "Upload",
                    "size": content.size, "revision": 1, "created_at": start + timedelta(minutes=n),
                    "updated_at": start, "published_at": start,
                }
                for n in numbers
            ]  # fmt: skip
            session.execute(insert(Product), rows)
            file = {"role": 0, "name": "set.csv", "extension": ".csv", "size": content.size, "is_directory": False}
            session.execute(
                insert(ProductFile),
                [{"product_id": n + 1, "sha256": content.sha256, "created_at": start, "updated_at": start} | file
                 for n in numbers],
            )  # fmt: skip
            session.execute(
                insert(ProductColumn),
                [{"product_id": n + 1, "name": name, "order": k, "alias": alias}
                 for n in numbers for k, (name, alias) in enumerate((("ra", "RA"), ("dec", "Dec"), ("z", "z")))],
            )  # fmt: skip
            session.execute(insert(ProductTag), [{"product_id": n + 1, "tag": WORDS[n % 10]} for n in numbers])
            index_words(session.connection(), [n + 1 for n in numbers])
        asker = principal_of(session, users[0])
        secret = make_token(session, asker, "benchmark", scopes=(Scope.READ, Scope.WRITE))[1]
    services.close()
    (data_dir / "server.yaml").write_text(
        "requests_per_minute: 1000000\nlog_level: warning\nregistration: closed\njob_workers: 0\n", encoding="utf-8"
    )
    return secret


class Running:
    """A server in processes of its own."""

    def __init__(self, data_dir: Path, workers: int = 2) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        began = time.perf_counter()
        words = ["serve", str(data_dir), "--port", str(self.port), "--workers", str(workers)]
        command = [sys.executable, "-c", "from pzcenter.cli import main; main()", *words]
        self.process = subprocess.Popen(command)
        while True:
            try:
                httpx.get(f"{self.url}/", timeout=5.0)
                break
            except httpx.TransportError:
                time.sleep(0.05)
                if time.perf_counter() - began > 60 or self.process.poll() is not None:
                    raise
        self.cold_start_s = time.perf_counter() - began

    def rss_mb(self) -> float:
        """Memory of the largest process."""
        everybody = [psutil.Process(self.process.pid), *psutil.Process(self.process.pid).children(recursive=True)]
        return float(max(each.memory_info().rss for each in everybody)) / MEGABYTE

    def stop(self) -> None:
        """End it."""
        self.process.terminate()
        self.process.wait(30)


def request_of(step: int, uids: list[str]) -> tuple[str, str]:
    """Kind and address of a user's next request: a third of each kind, by programs and people."""
    kind = ("list", "search", "product")[step % 3]
    by_program = step % 2 == 0
    word, uid = WORDS[step % 10], uids[step * 37 % len(uids)]
    paths = {
        "list": ("/api/v2/products?limit=50", "/products"),
        "search": (f"/api/v2/products?q={word}+{step % 1000}", f"/products?q={word}+{step % 999}"),
        "product": (f"/api/v2/products/{uid}", f"/products/{uid}"),
    }
    return kind, paths[kind][0 if by_program else 1]


async def read(url: str, token: str, seconds: float, uids: list[str]) -> tuple[dict[str, list[float]], int]:
    """Have users read; milliseconds of each kind of request, and the number of errors."""
    times: dict[str, list[float]] = {"list": [], "search": [], "product": []}
    errors = 0
    deadline = time.perf_counter() + seconds

    async def user(number: int) -> None:
        nonlocal errors
        async with httpx.AsyncClient(base_url=url, headers={"Authorization": f"Token {token}"}, timeout=60) as client:
            step = number
            while time.perf_counter() < deadline:
                kind, path = request_of(step, uids)
                began = time.perf_counter()
                answer = await client.get(path)
                times[kind].append(1000 * (time.perf_counter() - began))
                errors += answer.status_code != 200
                step += 7

    await asyncio.gather(*(user(number) for number in range(USERS)))
    return times, errors


async def upload_and_read(url: str, token: str, n_bytes: int, uploaders: int, readers: int) -> tuple[int, int]:
    """Have users upload while others read; uploads that came back whole, and errors."""
    whole = errors = 0
    done = asyncio.Event()
    headers = {"Authorization": f"Token {token}"}

    async def reader(number: int, client: httpx.AsyncClient) -> None:
        nonlocal errors
        while not done.is_set():
            answer = await client.get(f"/api/v2/products?limit=20&q={WORDS[number % 10]}")
            errors += answer.status_code != 200
            await asyncio.sleep(1.0)

    async def uploader(number: int, client: httpx.AsyncClient) -> None:
        nonlocal whole, errors
        content = secrets.token_bytes(MEGABYTE) * (n_bytes // MEGABYTE)
        digest = hashlib.sha256(content).hexdigest()
        answer = await client.post(
            "/api/products/", json={"display_name": f"upload {number}", "product_type": 7, "release": None}
        )
        if answer.status_code != 201:
            errors += 1
            return
        product = answer.json()["id"]
        sent = await client.post(
            "/api/product-files/", data={"product": product, "role": 0}, files={"file": ("data.bin", content)}
        )
        published = await client.patch(f"/api/products/{product}/", data={"status": 1})
        prepared = await client.post(f"/api/products/{product}/download/main-file/prepare/")
        if {sent.status_code, published.status_code} - {200, 201} or prepared.status_code != 200:
            errors += 1
            return
        back = hashlib.sha256()
        async with client.stream("GET", prepared.json()["download_url"]) as stream:
            async for piece in stream.aiter_bytes():
                back.update(piece)
        whole += back.hexdigest() == digest

    limits = httpx.Limits(max_connections=None)
    async with httpx.AsyncClient(base_url=url, headers=headers, timeout=600, limits=limits) as client:
        reading = [asyncio.create_task(reader(number, client)) for number in range(readers)]
        await asyncio.gather(*(uploader(number, client) for number in range(uploaders)))
        done.set()
        await asyncio.gather(*reading)
    return whole, errors


def p95(times: list[float]) -> float:
    """Ninety-fifth percentile."""
    return float(statistics.quantiles(times, n=20)[-1]) if len(times) > 1 else float("nan")


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--quick", action="store_true", help="2,000 products, fewer users")
    parser.add_argument("--products", type=int, default=None)
    parser.add_argument("--seconds", type=float, default=None)
    words = parser.parse_args()
    n_products = words.products or (2_000 if words.quick else 100_000)
    seconds = words.seconds or (3.0 if words.quick else 30.0)
    with tempfile.TemporaryDirectory() as folder:
        data_dir = Path(folder) / "server"
        data_dir.mkdir(mode=0o700)
        began = time.perf_counter()
        token = fill(data_dir, n_products)
        print(f"filled with {n_products:,} products in {time.perf_counter() - began:.1f} s")
        server = Running(data_dir)
        try:
            answer = httpx.get(
                f"{server.url}/api/v2/products?limit=500", headers={"Authorization": f"Token {token}"}, timeout=60
            )
            answer.raise_for_status()
            uids = [each["uid"] for each in answer.json()["items"]]
            times, errors = asyncio.run(read(server.url, token, seconds, uids))
            n_requests = sum(len(each) for each in times.values())
            for kind, each in times.items():
                middle = statistics.median(each)
                print(f"{kind:8s} {len(each):6d} requests, median {middle:6.1f} ms, p95 {p95(each):6.1f} ms")
            uploaders, readers, size = (5, 20, 2) if words.quick else (UPLOADERS, READERS, 20)
            whole, more = asyncio.run(upload_and_read(server.url, token, size * MEGABYTE, uploaders, readers))
            print(f"{whole} of {uploaders} uploads of {size} MB came back whole while {readers} read; {more} errors")
            rss = server.rss_mb()
        finally:
            server.stop()
    figures = {
        "p95_ms": round(max(p95(each) for each in times.values()), 1), "errors": errors + more + uploaders - whole,
        "rss_mb": round(rss, 1), "requests_per_s": round(n_requests / seconds, 1), "uploads": whole,
        "products": n_products, "cold_start_s": round(server.cold_start_s, 2),
    }  # fmt: skip
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
