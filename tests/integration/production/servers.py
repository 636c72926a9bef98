"""A real PostgreSQL and a loopback S3 server for the tests, started by the tests themselves.

PostgreSQL is Debian's: ``apt-get install postgresql``; it runs from a directory of its own, on a free port of the
loopback interface, as user postgres where the tests run as root. The S3 server is moto's, a thread of this process.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import secrets
import shutil
import socket
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import boto3
import psycopg2
from moto.server import ThreadedMotoServer

__all__ = ["ObjectStore", "PostgresServer", "postgres_programs", "postgres_server", "s3_server"]

REGION = "us-east-1"


def postgres_programs():
    """Directory of ``initdb`` and ``pg_ctl``, or None."""
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name), reverse=True)
    on_path = shutil.which("pg_ctl")
    for directory in [*debian, *([Path(on_path).parent] if on_path else [])]:
        if (directory / "initdb").is_file() and (directory / "pg_ctl").is_file():
            return directory
    return None


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@dataclass(frozen=True)
class PostgresServer:
    """A running server.

    ``url`` names no password: clients find it in the variable PGPASSWORD, as on any machine.
    """

    port: int
    password: str
    programs: Path
    data: Path
    prefix: tuple

    def connect(self, database="postgres"):
        found = psycopg2.connect(
            host="127.0.0.1", port=self.port, user="pz", password=self.password, dbname=database, connect_timeout=10
        )
        found.autocommit = True
        return found

    def new_database(self):
        """URL of a database nobody has written to, with the extension that the Butler needs."""
        name = f"pz_{secrets.token_hex(4)}"
        with contextlib.closing(self.connect()) as connection, connection.cursor() as cursor:
            cursor.execute(f'CREATE DATABASE "{name}"')
        with contextlib.closing(self.connect(name)) as connection, connection.cursor() as cursor:
            cursor.execute("CREATE EXTENSION btree_gist")
        return f"postgresql://pz@127.0.0.1:{self.port}/{name}"

    def control(self, *words):
        command = [*self.prefix, str(self.programs / "pg_ctl"), "-D", str(self.data), "-w", "-s", *words]
        # A server keeps what it inherits: a pipe here would never close.
        with (self.data.parent / "pg_ctl.log").open("ab") as log:
            subprocess.run(command, check=True, cwd="/", stdin=subprocess.DEVNULL, stdout=log, stderr=log, timeout=60)

    def stop(self):
        self.control("stop", "-m", "immediate")

    def start(self):
        options = f"-h 127.0.0.1 -p {self.port} -k '' -F"
        self.control("start", "-l", str(self.data.parent / "server.log"), "-o", options)


@contextlib.contextmanager
def postgres_server():
    """Start a server, give it, stop it and remove its files."""
    programs = postgres_programs()
    if programs is None:
        raise FileNotFoundError("no PostgreSQL server here; on Debian: apt-get install postgresql")
    root = Path(tempfile.mkdtemp(prefix="pz-postgres-"))
    prefix = ()
    if os.geteuid() == 0:
        # initdb refuses to run as root.
        names = {entry.pw_name for entry in pwd.getpwall()}
        user = "postgres" if "postgres" in names else "nobody"
        shutil.chown(root, user)
        prefix = ("runuser", "-u", user, "--")
    password = secrets.token_urlsafe(12)
    password_file = root / "password"
    password_file.write_text(password, encoding="ascii")
    password_file.chmod(0o600)
    if prefix:
        shutil.chown(password_file, prefix[2])
    server = PostgresServer(free_port(), password, programs, root / "data", prefix)
    initialise = [str(programs / "initdb"), "-D", str(server.data), "-U", "pz", "--auth=scram-sha-256"]
    try:
        subprocess.run(
            [*prefix, *initialise, f"--pwfile={password_file}", "--no-sync", "--encoding=UTF8", "--locale=C"],
            check=True, cwd="/", capture_output=True, timeout=120,
        )  # fmt: skip
        server.start()
        try:
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(root, ignore_errors=True)


@dataclass(frozen=True)
class ObjectStore:
    """A running S3 server."""

    endpoint: str

    def client(self):
        return boto3.client(
            "s3", endpoint_url=self.endpoint, region_name=REGION,
            aws_access_key_id="access-for-tests", aws_secret_access_key="secret-for-tests",
        )  # fmt: skip

    def new_bucket(self):
        """URI of an empty bucket."""
        name = f"pz-{secrets.token_hex(4)}"
        client = self.client()
        client.create_bucket(Bucket=name)
        client.close()
        return f"s3://{name}"

    def environment(self):
        """What clients need."""
        return {
            "S3_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": "access-for-tests",
            "AWS_SECRET_ACCESS_KEY": "secret-for-tests",
            "AWS_DEFAULT_REGION": REGION,
            "AWS_EC2_METADATA_DISABLED": "true",
        }


@contextlib.contextmanager
def s3_server():
    """Start moto's server on a free port of the loopback interface, give it, stop it."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        yield ObjectStore(f"http://{host}:{port}")
    finally:
        server.stop()
