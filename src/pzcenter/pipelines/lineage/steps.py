"""Which step of the production a task belongs to, and what comes before a step."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Any

import yaml

from pzcenter.pipelines.repository.dataset_types import DATASET_TYPES, DatasetTypeSpec

__all__ = ["base_step", "label_of_type", "pipeline_definition", "step_of_label", "steps_before", "type_named"]

ORDER = ("step1", "step2", "inform", "step3", "step4", "step5", "step6", "step7")
"""Of the steps in a campaign: models are trained when the depths of the release are known."""


@cache
def pipeline_definition() -> dict[str, Any]:
    """The pipeline of the production, as plain values."""
    text = files("pzcenter.pipelines").joinpath("definitions/pz.yaml").read_text(encoding="utf-8")
    return dict(yaml.safe_load(text))


def type_named(dataset_type: str) -> tuple[DatasetTypeSpec | None, str | None]:
    """Find the definition of a dataset type by its name in a repository.

    Parameters
    ----------
    dataset_type : str
        Such as ``"pz_template"``.

    Returns
    -------
    spec : DatasetTypeSpec or None
        None for a type that is not ours.
    algo : str or None
        Method in the name.
    """
    exact = {spec.name: spec for spec in DATASET_TYPES}
    if dataset_type in exact:
        return exact[dataset_type], None
    # The longest fixed part first: pz_estimate_{algo} before pz_{algo}.
    for spec in sorted(DATASET_TYPES, key=lambda spec: -len(spec.name)):
        head, brace, _ = spec.name.partition("{algo}")
        if brace and dataset_type.startswith(head) and len(dataset_type) > len(head):
            return spec, dataset_type[len(head) :]
    return None, None


def label_of_type(dataset_type: str) -> tuple[str, str | None]:
    """Task that writes a dataset type, and the method in its name.

    Parameters
    ----------
    dataset_type : str

    Returns
    -------
    label : str
        ``"ingest"`` for what comes from outside; empty for a type that is not ours.
    algo : str or None
    """
    spec, algo = type_named(dataset_type)
    return ("" if spec is None else spec.label), algo


def step_of_label(label: str) -> str:
    """Step in which a task first runs.

    Parameters
    ----------
    label : str
        Of the task.

    Returns
    -------
    str
        Empty where no step has it.
    """
    return next((step for step, subset in _subsets().items() if label in subset), "")


def steps_before(step: str) -> tuple[str, ...]:
    """Steps that are finished when this one begins.

    Parameters
    ----------
    step : str
        That of a further method, such as ``step5-neighbours``, counts as the step itself.

    Returns
    -------
    tuple of str
        In the order of a campaign; empty for an unknown step.
    """
    step = base_step(step)
    return ORDER[: ORDER.index(step)] if step in ORDER else ()


def base_step(step: str) -> str:
    """Step without the method: ``step5`` of ``step5-neighbours``."""
    return step.partition("-")[0]


def _subsets() -> dict[str, list[str]]:
    return {step: list(content["subset"]) for step, content in pipeline_definition()["subsets"].items()}
