"""Kill a server again and again while people upload, publish and run jobs; then look for what is missing.

    python benchmarks/server_crash.py [--quick] [--kills N] [--seed N]

Four people upload files by tus in pieces and publish them, a fifth asks for combined redshifts; at random moments the
server, its workers and its jobs get SIGKILL together and the server is started again with the same command. Nobody
else says what happened: each client asks how far its upload is, and goes on. What the server has acknowledged is
written down outside of it, and compared at the end with what it holds. The peer is that list.

The last line is JSON: `kills`; `bytes_lost`, acknowledged and not there, or not the same; `half_published`, products
that are published without their whole content, or whose publication was acknowledged and is not there, or whose job
says something else; `published`, `jobs_done`, `jobs_failed` (a job that lost its worker three times fails, and says
so), `refused`, answers that a client did not expect.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2 as httpx
import numpy as np
from sqlalchemy import select

from pzcenter.server.services.context import open_services
from pzcenter.server.services.principal import Scope, principal_of
from pzcenter.server.services.product_files import add_file
from pzcenter.server.services.products import NewProduct, create_product, publish_product
from pzcenter.server.services.tokens import make_token
from pzcenter.server.settings import ServerSettings
from pzcenter.server.storage.accounts import Role, User, UserState
from pzcenter.server.storage.make_tables import make_tables
from pzcenter.server.storage.processes import Pipeline, Process, ProcessState
from pzcenter.server.storage.products import FileRole, Product, ProductColumn, ProductState

PIECE, UPLOADERS = 256 * 1024, 4
COMBINE = "combine_redshift_dedup"
TUS = {"Tus-Resumable": "1.0.0"}
JOBS_END_SECONDS = 600.0


def prepare(data_dir: Path) -> tuple[str, list[int], int]:
    """A server with two redshift catalogues: a token, the catalogues, the pipeline."""
    services = open_services(ServerSettings(data_dir=data_dir))
    make_tables(services.database)
    rng = np.random.default_rng(3)
    ra, dec, z = rng.uniform(10, 12, 3000), rng.uniform(-5, -3, 3000), rng.uniform(0.1, 1.5, 3000)
    with services.database.writing() as session:
        user = User(username="somebody", role=Role.USER, state=UserState.ACTIVE)
        session.add(user)
        session.flush()
        principal = principal_of(session, user)
        secret = make_token(session, principal, "benchmark", scopes=(Scope.READ, Scope.WRITE))[1]
        catalogues = []
        for name in ("a", "b"):
            product = create_product(services, session, principal, NewProduct(name, "redshift_catalog"))
            lines = [f"{r:.7f},{d:.7f},{value:.5f},4" for r, d, value in zip(ra, dec, z, strict=True)]
            content = services.store.put(["\n".join(["ra,dec,z,zf", *lines]).encode()])
            add_file(services, session, principal, product.id, content, name=f"{name}.csv", role=FileRole.MAIN)
            aliases = {"ra": "RA", "dec": "Dec", "z": "z", "zf": "z_flag"}
            product.columns = [ProductColumn(name=key, order=n, alias=aliases[key]) for n, key in enumerate(aliases)]
            catalogues.append(publish_product(session, principal, product.id).id)
        pipeline = session.scalars(select(Pipeline).where(Pipeline.name == COMBINE)).one().id
    services.close()
    (data_dir / "server.yaml").write_text("registration: closed\n", encoding="utf-8")
    return secret, catalogues, pipeline


class Served:
    """`pz serve`, killed and started again."""

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it and wait for its first answer."""
        words = ["-c", "from pzcenter.cli import main; main()", "serve", str(self.data_dir), "--port", str(self.port)]
        environment = os.environ | {"PZ_SERVER_REQUESTS_PER_MINUTE": "1000000", "PZ_SERVER_LOG_LEVEL": "error"}
        self.process = subprocess.Popen(
            [sys.executable, *words], env=environment, start_new_session=True, stdout=subprocess.DEVNULL
        )
        deadline = time.monotonic() + 120
        while True:
            try:
                httpx.get(f"{self.url}/-/health", timeout=5.0)
            except httpx.TransportError:
                if time.monotonic() > deadline or self.process.poll() is not None:
                    raise
                time.sleep(0.05)
            else:
                return

    def kill(self) -> None:
        """SIGKILL to the server and to all that it started."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def stop(self) -> None:
        """End it in peace."""
        self.process.terminate()
        self.process.wait(60)


@dataclass
class Notes:
    """What the server has acknowledged."""

    published: dict[int, tuple[str, int]] = field(default_factory=dict)
    jobs: list[int] = field(default_factory=list)
    bytes_lost: int = 0
    bytes_sent: int = 0
    refused: list[str] = field(default_factory=list)


class Person(threading.Thread):
    """Somebody with a client that tries again until the server answers."""

    def __init__(self, url: str, token: str, notes: Notes, rng: random.Random, stopping: threading.Event) -> None:
        super().__init__(daemon=True)
        self.notes, self.rng, self.stopping = notes, rng, stopping
        self.client = httpx.Client(base_url=url, headers={"Authorization": f"Token {token}"}, timeout=60)

    def ask(self, method: str, path: str, **words: Any) -> httpx.Response:
        """Ask until there is an answer."""
        while True:
            try:
                answer = self.client.request(method, path, **words)
            except httpx.TransportError:
                time.sleep(0.1)
                continue
            if answer.status_code != 503:
                return answer
            time.sleep(0.1)

    def told(self, answer: httpx.Response, *accepted: int) -> bool:
        """Whether the answer is one that should be; others are kept."""
        if answer.status_code in accepted:
            return True
        self.notes.refused.append(f"{answer.request.method} {answer.request.url.path}: {answer.text[:200]}")
        return False


class Uploader(Person):
    """Uploads files in pieces, and publishes them."""

    def run(self) -> None:
        """Until it is time to stop; what was begun is brought to its end."""
        number = 0
        while not self.stopping.is_set():
            number += 1
            content = self.rng.randbytes(self.rng.randrange(PIECE, 12 * PIECE))
            new = {"display_name": f"u{number}", "product_type": "other"}
            answer = self.ask("POST", "/api/v2/products", json=new)
            if self.told(answer, 201):
                self.one(answer.json()["id"], content)

    def one(self, product: int, content: bytes) -> None:
        """One file."""
        digest = hashlib.sha256(content).hexdigest()
        words = {"filename": "data.bin", "product": str(product), "role": "main", "sha256": digest}
        metadata = ",".join(f"{key} {base64.b64encode(value.encode()).decode()}" for key, value in words.items())
        headers = TUS | {"Upload-Length": str(len(content)), "Upload-Metadata": metadata}
        made = self.ask("POST", "/api/v2/uploads", headers=headers)
        if not self.told(made, 201):
            return
        url, offset = made.headers["location"], 0
        while offset < len(content):
            offset = self.piece(url, offset, content)
        finish = self.ask("POST", f"{url}/finish", json={})
        if not self.told(finish, 200):
            return
        answer = self.ask("POST", f"/api/v2/products/{product}/publish")
        there = self.ask("GET", f"/api/v2/products/{product}").json()
        # Published by a request whose answer was lost, or by this one.
        if there.get("state") == "published" or self.told(answer, 200):
            self.notes.published[product] = (digest, len(content))

    def piece(self, url: str, offset: int, content: bytes) -> int:
        """Send one piece; where the upload is afterwards."""
        headers = TUS | {"Upload-Offset": str(offset), "Content-Type": "application/offset+octet-stream"}
        try:
            answer = self.client.patch(url, content=content[offset : offset + PIECE], headers=headers)
            if answer.status_code == 204:
                reached = int(answer.headers["upload-offset"])
                self.notes.bytes_sent += reached - offset
                return reached
        except httpx.TransportError:
            pass
        time.sleep(0.1)
        there = self.ask("HEAD", url, headers=TUS)
        reached = int(there.headers.get("upload-offset", -1)) if there.status_code == 200 else 0
        if reached < offset:
            self.notes.bytes_lost += offset - max(reached, 0)
            self.notes.refused.append(f"HEAD {url}: {there.status_code}, {reached} of {offset}")
        return max(reached, 0) if there.status_code == 200 else len(content)


class Asker(Person):
    """Asks for combined redshifts, one job after the other."""

    catalogues: list[int]
    pipeline: int

    def run(self) -> None:
        """Until it is time to stop."""
        while not self.stopping.is_set():
            words = {"pipeline": self.pipeline, "display_name": "combined", "inputs": self.catalogues}
            answer = self.ask("POST", "/api/processes/", json=words | {"used_config": {}})
            if answer.status_code == 201:
                self.notes.jobs.append(answer.json()["id"])
            self.stopping.wait(self.rng.uniform(1.0, 4.0))


def wait_for_jobs(data_dir: Path) -> None:
    """Wait until every job has ended, one way or the other."""
    services = open_services(ServerSettings(data_dir=data_dir))
    deadline = time.monotonic() + JOBS_END_SECONDS
    try:
        while time.monotonic() < deadline:
            with services.database.reading() as session:
                if all(state.ended for state in session.scalars(select(Process.state))):
                    return
            time.sleep(1.0)
    finally:
        services.close()


def look(data_dir: Path, notes: Notes) -> dict[str, int]:
    """Compare what the server holds with what it acknowledged."""
    services = open_services(ServerSettings(data_dir=data_dir))
    lost, half = notes.bytes_lost, 0
    with services.database.reading() as session:
        for product in session.scalars(select(Product).where(Product.state == ProductState.PUBLISHED)):
            main = product.main_file
            half += main is None or any(not _whole(services.store, each) for each in product.files)
        for number, (digest, size) in notes.published.items():
            kept = session.get(Product, number)
            main = None if kept is None or kept.state is not ProductState.PUBLISHED else kept.main_file
            half += main is None
            lost += size if main is None or main.sha256 != digest else 0
        processes = session.scalars(select(Process)).all()
        lost_jobs = set(notes.jobs) - {process.id for process in processes}
        for process in processes:
            made = process.output is not None and process.output.state is ProductState.PUBLISHED
            half += made != (process.state is ProcessState.SUCCESSFUL) or not process.state.ended
    services.close()
    return {
        "bytes_lost": lost, "half_published": half + len(lost_jobs), "published": len(notes.published),
        "jobs_done": sum(each.state is ProcessState.SUCCESSFUL for each in processes),
        "jobs_failed": sum(each.state is ProcessState.FAILED for each in processes),
    }  # fmt: skip


def _whole(store: Any, file: Any) -> bool:
    if file.sha256 is None:
        return True
    digest = hashlib.sha256()
    try:
        with store.local_path(file.sha256).open("rb") as content:
            while piece := content.read(1 << 20):
                digest.update(piece)
    except OSError:
        return False
    return bool(digest.hexdigest() == file.sha256)


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--quick", action="store_true", help="3 kills")
    parser.add_argument("--kills", type=int, default=None)
    parser.add_argument("--seed", type=int, default=1)
    words = parser.parse_args()
    n_kills = words.kills or (3 if words.quick else 20)
    rng, stopping, notes = random.Random(words.seed), threading.Event(), Notes()
    with tempfile.TemporaryDirectory() as folder:
        data_dir = Path(folder) / "server"
        data_dir.mkdir(mode=0o700)
        token, catalogues, pipeline = prepare(data_dir)
        server = Served(data_dir)
        server.start()
        people: list[Person] = [
            Uploader(server.url, token, notes, random.Random(rng.random()), stopping) for _ in range(UPLOADERS)
        ]
        asker = Asker(server.url, token, notes, random.Random(rng.random()), stopping)
        asker.catalogues, asker.pipeline = catalogues, pipeline
        people.append(asker)
        for person in people:
            person.start()
        for kill in range(n_kills):
            time.sleep(rng.uniform(0.5, 6.0))
            server.kill()
            server.start()
            megabytes = notes.bytes_sent / 2**20
            said = f"{len(notes.published)} published, {megabytes:.0f} MB, {len(notes.jobs)} jobs"
            print(f"kill {kill + 1}: {said}")
        stopping.set()
        for person in people:
            person.join(120)
        wait_for_jobs(data_dir)
        server.stop()
        for line in notes.refused:
            print("told:", line)
        print(json.dumps({"kills": n_kills} | look(data_dir, notes) | {"refused": len(notes.refused)}))


if __name__ == "__main__":
    main()
