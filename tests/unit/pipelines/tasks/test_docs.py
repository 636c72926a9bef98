"""The reference page of the tasks is the one that the classes give."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

import pzcenter.pipelines
from pzcenter.pipelines import tasks
from pzcenter.pipelines.repository.dataset_types import DATASET_TYPES
from pzcenter.pipelines.tasks.docs import tasks_page

PAGE = Path(__file__).parents[4] / "docs" / "reference" / "tasks.md"
PIPELINE = Path(pzcenter.pipelines.__file__).parent / "definitions" / "pz.yaml"


@pytest.fixture(scope="module")
def page():
    return tasks_page()


def test_the_page_is_the_generated_one(page):
    remedy = f"run: python -m pzcenter.pipelines.tasks.docs {PAGE.relative_to(PAGE.parents[2])}"
    assert PAGE.read_text(encoding="utf-8") == page, remedy


def test_the_page_can_be_written(page, tmp_path):
    command = [sys.executable, "-m", "pzcenter.pipelines.tasks.docs"]
    subprocess.run([*command, str(tmp_path / "tasks.md")], check=True, capture_output=True)
    assert (tmp_path / "tasks.md").read_text(encoding="utf-8") == page
    assert subprocess.run(command, check=False, capture_output=True).returncode == 1


@pytest.mark.parametrize("name", tasks.__all__)
def test_every_task_is_described(page, name):
    task = getattr(tasks, name)
    assert f"`pzcenter.pipelines.tasks.{name}`" in page
    fields = set(task.ConfigClass._fields) - {"connections", "saveLogOutput"}
    for field in fields:
        assert f"| `{field}` |" in page
        assert task.ConfigClass._fields[field].doc.strip()


def test_tasks_of_the_pipeline_are_those_of_the_package():
    pipeline = yaml.safe_load(PIPELINE.read_text(encoding="utf-8"))
    assert {entry["class"] for entry in pipeline["tasks"].values()} == {
        f"pzcenter.pipelines.tasks.{name}" for name in tasks.__all__
    }
    assert {label for subset in pipeline["subsets"].values() for label in subset["subset"]} == set(pipeline["tasks"])


def test_connections_are_the_listed_dataset_types():
    known = {spec.name: spec for spec in DATASET_TYPES}
    for name in tasks.__all__:
        connections = getattr(tasks, name).ConfigClass.ConnectionsClass
        for connection in connections.allConnections.values():
            spec = known[connection.name]
            assert set(connection.dimensions) == set(spec.dimensions), connection.name
            assert connection.storageClass == spec.storage_class, connection.name


def test_unknown_names_are_attribute_errors():
    with pytest.raises(AttributeError, match="NoTask"):
        _ = tasks.NoTask
