"""A stand-in for RAIL, in a process of its own as the real one: these tests need no RAIL."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from pzcenter.estimators.rail import end_rail_processes

FAKE_RAIL = Path(__file__).resolve().parents[3] / "data" / "fake_rail"


@pytest.fixture(autouse=True)
def fake_rail(monkeypatch, tmp_path):
    """RAIL's place is the stand-in, and no test sees what the user trusts."""
    monkeypatch.setenv("PYTHONPATH", str(FAKE_RAIL))
    monkeypatch.setenv("PZCENTER_RAIL_PYTHON", sys.executable)
    monkeypatch.setenv("PZCENTER_RAIL_TRUST_DIRECTORY", str(tmp_path / "trust"))
    for name in ("MEMORY_GB", "TRAIN_S", "BATCH_S", "START_S", "BATCH_SIZE", "THREADS", "TRUSTED"):
        monkeypatch.delenv(f"PZCENTER_RAIL_{name}", raising=False)
    yield
    end_rail_processes()
