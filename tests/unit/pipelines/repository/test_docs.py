"""The page of the dataset types says what the code says."""

from __future__ import annotations

from pathlib import Path

import pytest

from pzcenter.pipelines.repository.dataset_types import DATASET_TYPES, dataset_type
from pzcenter.pipelines.repository.docs import STORAGE, dataset_types_page
from pzcenter.pipelines.repository.open import open_repository

PAGE = Path(__file__).parents[4] / "docs" / "reference" / "dataset-types.md"


def test_the_page_is_up_to_date():
    made = dataset_types_page()
    assert PAGE.read_text(encoding="utf-8") == made, (
        "run python -m pzcenter.pipelines.repository.docs docs/reference/dataset-types.md"
    )
    for spec in DATASET_TYPES:
        assert f"| `{spec.name}` | {', '.join(spec.dimensions) or '-'} |" in made


def test_storage_classes_are_the_repository_s(library):
    with open_repository(library) as butler:
        for name, (python_type, _) in STORAGE.items():
            found = butler.storageClasses.getStorageClass(name).pytype
            assert found.__name__ == python_type.rpartition(".")[2]


def test_dataset_types_are_found_by_name():
    assert dataset_type("pz_pdf_{algo}").named("template") == "pz_pdf_template"
    with pytest.raises(KeyError):
        dataset_type("pz_pdf_template")
