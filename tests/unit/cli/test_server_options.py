"""What the commands of ``pz server`` share."""

import pytest

pytest.importorskip("httpx2", reason="needs the extra 'client'")

from pzcenter.cli.server_options import seen_by
from pzcenter.client.mock import MockServer


@pytest.mark.parametrize(
    ("words", "who"),
    [
        ({}, "everybody with an account"),
        ({"release": "dp1"}, "everybody with rights to dp1"),
        ({"visibility": "shared"}, "the groups and people that it is shared with"),
        ({"visibility": "private", "release": "dp1"}, "its owner alone"),
    ],
)
def test_who_sees_a_product(words, who):
    with MockServer().client("ada") as ada:
        assert seen_by(ada.create_product("Mine", "training_set", **words)) == who
