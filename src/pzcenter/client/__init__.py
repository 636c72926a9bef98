"""Python client of a PZ Server: light, typed, sync and async.

>>> from pzcenter.client import PZClient
>>> server = PZClient("https://pz.example.org", token="...")  # doctest: +SKIP
>>> table = server.table(17)  # doctest: +SKIP
"""

from __future__ import annotations

from pzcenter.client.answers import (
    Activity,
    Challenge,
    Column,
    Comment,
    Edge,
    File,
    Job,
    Me,
    Node,
    Person,
    Pipeline,
    Product,
    ProductType,
    Provenance,
    Release,
    Sharing,
    Standing,
    Submission,
    Token,
)
from pzcenter.client.async_client import AsyncPZClient
from pzcenter.client.exchange import BrokenExchangeError, Retries
from pzcenter.client.people_answers import Account, Right, User
from pzcenter.client.servers import KnownServer, KnownServers
from pzcenter.client.sync_client import PZClient

__all__ = [
    "Account",
    "Activity",
    "AsyncPZClient",
    "BrokenExchangeError",
    "Challenge",
    "Column",
    "Comment",
    "Edge",
    "File",
    "Job",
    "KnownServer",
    "KnownServers",
    "Me",
    "Node",
    "PZClient",
    "Person",
    "Pipeline",
    "Product",
    "ProductType",
    "Provenance",
    "Release",
    "Retries",
    "Right",
    "Sharing",
    "Standing",
    "Submission",
    "Token",
    "User",
]
