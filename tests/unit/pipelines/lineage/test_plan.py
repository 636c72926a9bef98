"""The plan of a release: sums that must hold for any rates."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from pzcenter.errors import ConfigError
from pzcenter.pipelines.lineage.plan import MIDDLEWARE, STEPS, plan_production
from pzcenter.pipelines.lineage.rates import Rates
from pzcenter.pipelines.repository.dataset_types import DATASET_TYPES, PARTITION
from pzcenter.science.packing import encoding_names

STAGES = sorted({stage for stages in STEPS.values() for stage in stages} - {"checksum"})
RATES = Rates(
    method="template",
    n_obj=1000,
    n_z=301,
    bands="u,g,r,i,z,y",
    cpu_s={stage: 1e-6 * (i + 1) for i, stage in enumerate(STAGES)},
    bytes={"object": 100.0, "skinny": 60.0, "estimate": 70.0, "pdf": 85.0, "pz": 70.0, "catalog": 155.0},
    pdf_bytes={"u8sqrt": {"plain": 305.0, "disk": 85.0}, "f32": {"plain": 1208.0, "disk": 500.0}},
    checksum_cpu_s=1e-9,
    memory_bytes=3e8,
    memory_bytes_per_object=1000.0,
    installation={"processor": "a processor"},
    measured="2026-01-01T00:00:00+00:00",
)  # fmt: skip


def plan(n_obj=3_000_000, cores=4, **settings):
    return plan_production(n_obj, cores, RATES, **settings)


def test_twice_the_objects_take_twice_the_work_and_space():
    one, two = plan(3_000_000), plan(6_000_000)
    assert two.core_hours == pytest.approx(2 * one.core_hours, rel=1e-3)
    for figure in ("bytes_in", "bytes_out", "bytes_written"):
        assert getattr(two, figure) == pytest.approx(2 * getattr(one, figure))
    assert two.pdf_bytes["u8sqrt"]["disk"] == 2 * one.pdf_bytes["u8sqrt"]["disk"]
    assert two.n_partition == 2 * one.n_partition
    assert two.transfer_s["10 Gb/s"]["in"] == pytest.approx(2 * one.transfer_s["10 Gb/s"]["in"])


def test_twice_the_cores_take_half_the_time_and_the_same_work():
    one, two = plan(cores=4), plan(cores=8)
    alone = one.driver_s + one.tail_s
    assert two.core_hours == one.core_hours
    assert two.wall_s - alone == pytest.approx((one.wall_s - alone) / 2)
    assert two.memory_all_bytes == 2 * one.memory_all_bytes


def test_more_cores_than_partitions_do_not_help():
    few = plan(3_000_000, cores=20)
    many = plan(3_000_000, cores=2000)
    assert few.n_partition == 20
    assert many.wall_s == few.wall_s
    assert many.tail_s == 0.0


def test_one_object_has_one_partition_and_the_memory_of_one():
    made = plan(1, cores=1)
    assert made.n_partition == 1
    assert made.memory_worker_bytes == RATES.memory_bytes + RATES.memory_bytes_per_object


def test_the_cores_that_are_needed_are_enough_and_one_less_is_not():
    slow = replace(RATES, cpu_s={**RATES.cpu_s, "estimate": 0.25})
    made = plan_production(10**9, 10, slow)
    assert not made.fits
    assert plan_production(10**9, made.cores_needed, slow).fits
    assert not plan_production(10**9, made.cores_needed - 1, slow).fits


def test_a_release_that_the_driver_alone_cannot_register_in_time_never_fits():
    made = plan(10**9, rows_per_partition=10, days=1)
    assert made.driver_s > 86400
    assert made.cores_needed is None
    assert not made.fits


def test_every_step_of_the_pipeline_has_its_quanta_and_datasets():
    made = plan(3_000_000)
    # ingestQa, skinny, estimatePz, joinPz, consolidatePz, qaPz; summariseRelease, modelIndex, finishCatalog, qaMaps
    assert made.n_quanta == 6 * 20 + 4
    # what a tract always has, and metadata and log of each quantum
    always = {spec.name for spec in DATASET_TYPES if spec.dimensions == PARTITION} - {
        "pz_truth", "photoz_ensemble_{algo}"
    }  # fmt: skip
    assert {"object", "pz_skinny", "pz_{algo}", "pz_pdf_{algo}"} < always
    assert made.n_datasets == len(always) * 20 + 2 * made.n_quanta
    assert made.registry_bytes == MIDDLEWARE.registry_bytes * made.n_datasets


def test_no_graph_has_more_tracts_than_asked_for():
    # step1, 2, 3, 5, 6, 7
    assert plan(3_000_000).n_graphs == 6
    # five stages are cut into twenty tracts by four; four stages gather and are one each
    assert plan(3_000_000, tracts_per_submission=4).n_graphs == 4 + 5 * 5


def test_every_encoding_is_in_the_plan():
    made = plan()
    assert set(encoding_names()) <= set(made.pdf_bytes)
    assert made.pdf_bytes["301 points f64"]["plain"] == made.n_obj * 2408
    assert made.pdf_bytes["21 quantiles f32"]["plain"] == made.n_obj * 84
    assert made.bytes_out == pytest.approx(made.n_obj * (70 + 85))


def test_transfer_is_bits_over_rate():
    made = plan()
    assert made.transfer_s["1 Gb/s"]["out"] == pytest.approx(made.bytes_out * 8 / 1e9)
    assert made.transfer_s["1 Gb/s"]["in"] == pytest.approx(100 * made.transfer_s["100 Gb/s"]["in"])


def test_plan_is_plain_json():
    assert json.loads(json.dumps(plan().as_dict()))["core_hours"] == plan().core_hours


@pytest.mark.parametrize("wrong", [{"n_obj": 0}, {"cores": 0}, {"days": 0}, {"rows_per_partition": 0}])
def test_numbers_that_mean_nothing_are_refused(wrong):
    with pytest.raises(ConfigError, match="greater than zero"):
        plan(**wrong)
