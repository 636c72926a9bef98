"""A PZ Server in memory, for tests of programs that use the client.

>>> from pzcenter.client.mock import MockServer
>>> mock = MockServer()
>>> with mock.client("ada") as server:
...     product = server.create_product("Mine", "other")
...     product.owner.username
'ada'
"""

from __future__ import annotations

from pzcenter.client.mock.server import MockServer

__all__ = ["MockServer"]
