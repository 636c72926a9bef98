from __future__ import annotations

import hashlib

import pytest

from pzcenter.errors import OutputExistsError
from pzcenter.pipelines import simulate_sky
from pzcenter.simulation import SimulationConfig

SMALL = SimulationConfig(rows_per_tract=300)


def checksums(folder):
    return {
        path.relative_to(folder): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_workers_do_not_change_a_byte(tmp_path):
    one = simulate_sky(tmp_path / "one", n_obj=901, seed=7, config=SMALL, workers=1)
    two = simulate_sky(tmp_path / "two", n_obj=901, seed=7, config=SMALL, workers=2)
    assert one.n_tract == 4
    assert checksums(tmp_path / "one") == checksums(tmp_path / "two")
    assert two.n_spec == one.n_spec


def test_errors_come_through(tmp_path):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine").touch()
    with pytest.raises(OutputExistsError):
        simulate_sky(tmp_path / "full", n_obj=10, workers=2)
    assert [path.name for path in tmp_path.iterdir()] == ["full"]
