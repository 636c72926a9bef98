"""Alive, ready, and numbers that only admins see."""

import logging


def test_alive_and_ready(server):
    assert server.client().get("/-/health").text == "alive\n"
    answer = server.client().get("/-/ready")
    assert (answer.status_code, answer.json()) == (200, {"ready": True})
    assert set(server.client("admin").get("/-/ready").json()["findings"].values()) == {""}
    server.services.store.incoming.rmdir()
    answer = server.client().get("/-/ready")
    assert (answer.status_code, answer.json()) == (503, {"ready": False})


def test_numbers_are_for_admins(server):
    assert server.client().get("/-/metrics").status_code == 401
    assert server.client("owner").get("/-/metrics").status_code == 403
    text = server.client("admin").get("/-/metrics").text
    assert 'status="403"' in text
    assert 'pz_rows{kind="user",state="active"} 7.0' in text


def test_requests_are_logged_without_their_queries(server, caplog):
    with caplog.at_level(logging.INFO, logger="pzcenter.server.requests"):
        server.client().get("/-/nothing?secret=1")
    (line,) = [each for each in caplog.records if each.name == "pzcenter.server.requests"]
    assert (line.path, line.status, line.method) == ("/-/nothing", 404, "GET")
    assert "secret" not in str(vars(line))
    assert line.request_id
