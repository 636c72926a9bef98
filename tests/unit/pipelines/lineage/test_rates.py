"""What an object costs here: really measured, kept, and measured anew when something changes."""

from __future__ import annotations

import json

import pytest

from pzcenter.pipelines.lineage import rates as module
from pzcenter.pipelines.lineage.measure import measure_production
from pzcenter.pipelines.lineage.plan import READ, STEPS, plan_production
from pzcenter.pipelines.lineage.rates import Rates, installation, measured_rates, rates_path
from pzcenter.science.packing import encoding_names, get_encoding


@pytest.fixture(scope="module")
def figures():
    return measure_production("template", n_obj=600)


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path


@pytest.fixture
def counted(figures, monkeypatch):
    """The measurement, without a process of its own, and how often it was made."""
    calls = []

    class Pool:
        def __init__(self, *args, **settings):
            pass

        def __enter__(self):
            return self

        def __exit__(self, *rest):
            return None

        def submit(self, function, method, **settings):
            calls.append(method)
            return self

        def result(self):
            return figures

    monkeypatch.setattr(module, "ProcessPoolExecutor", Pool)
    return calls


def test_every_stage_of_the_plan_is_measured(figures):
    wanted = {stage for stages in STEPS.values() for stage in stages} - {"checksum"}
    assert wanted <= set(figures["cpu_s"])
    assert all(figures["cpu_s"][stage] > 0 for stage in ("read_object", "skinny", "estimate", "join", "qa"))
    assert figures["checksum_cpu_s"] > 0
    assert set(READ) <= set(figures["bytes"])


def test_sizes_are_those_of_the_encodings(figures):
    assert set(figures["pdf_bytes"]) == set(encoding_names())
    for name, sizes in figures["pdf_bytes"].items():
        encoding = get_encoding(name)
        assert sizes["plain"] == encoding.code_length(figures["n_z"]) * encoding.dtype.itemsize + 4
        # with ids and positions, 32 bytes of which compress little
        assert 0 < sizes["disk"] < sizes["plain"] + 40


def test_memory_is_at_least_that_of_the_rows(figures):
    assert figures["memory_bytes_per_object"] > 305 + 4
    assert figures["memory_bytes"] >= 0


def test_a_plan_follows_from_what_was_measured(figures):
    rates = Rates(method="template", installation={}, measured="", **figures)
    made = plan_production(47_000_000_000, 2000, rates)
    assert made.core_hours > 1
    assert made.bytes_out > made.bytes_in > 0
    assert made.throughput > 0


def test_measured_once_and_kept(cache, counted):
    first = measured_rates("template")
    assert measured_rates("template") == first
    assert counted == ["template"]
    assert rates_path(installation("template")).is_relative_to(cache)


def test_measured_anew_when_asked(cache, counted):
    measured_rates("template")
    measured_rates("template", measure=True)
    assert len(counted) == 2


@pytest.mark.parametrize("changed", ["pzcenter", "numpy", "processor", "python"])
def test_measured_anew_after_a_change(cache, counted, monkeypatch, changed):
    measured_rates("template")
    here = installation("template")
    monkeypatch.setattr(module, "installation", lambda method: {**here, changed: "another"})
    measured_rates("template")
    assert len(counted) == 2


@pytest.mark.parametrize("content", ["{", "[]", "{}", json.dumps({"method": "template"})])
def test_a_damaged_cache_is_measured_over(cache, counted, content):
    measured_rates("template")
    rates_path(installation("template")).write_text(content)
    measured_rates("template")
    assert len(counted) == 2


def test_a_cache_that_cannot_be_written_is_no_error(cache, counted, monkeypatch):
    (cache / "pzcenter").write_text("in the way")
    assert measured_rates("template").method == "template"


def test_another_number_of_objects_is_not_kept(cache, counted):
    measured_rates("template", n_obj=100)
    assert not rates_path(installation("template")).exists()
