"""Trained models as datasets of a repository."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from pzcenter.errors import NotFoundError
from pzcenter.estimators import ModelSet, default_model_set
from pzcenter.pipelines.repository.create import register_dataset_types
from pzcenter.pipelines.repository.ingest import prepend_to_defaults
from pzcenter.pipelines.repository.open import open_repository

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping, Sequence

__all__ = ["add_models"]

DEFAULT_BANDS = ("ugrizy", "griz")


def add_models(
    root: str | os.PathLike[str],
    algo: str,
    models: Sequence[str | os.PathLike[str]] | None = None,
    *,
    release: str,
    bands: Sequence[str] = DEFAULT_BANDS,
    config: Mapping[str, Any] | None = None,
) -> str:
    """Add the models of a method, the newest of which campaigns find first.

    Parameters
    ----------
    root : path or URI
        Repository.
    algo : str
        Name under which the estimates will be known, such as ``template``.
    models : sequence of path, optional
        Directories of saved models, one for each set of bands; without them ``algo`` is a method that needs no
        training, and a model with its defaults is made for each of ``bands``.
    release : str
    bands : sequence of str
        Sets of one-letter bands, such as ``"griz"``.
    config : mapping, optional
        Settings, where ``models`` is not given.

    Returns
    -------
    str
        Collection that holds them.

    Raises
    ------
    NotFoundError
        No repository, model directory or method of that name.
    ModelError
        A model is damaged, or the models do not fit together.
    """
    if models:
        for path in models:
            if not Path(path).is_dir():
                raise NotFoundError(f"{path} is not the directory of a model")
        chosen = ModelSet.from_directories([Path(path) for path in models])
    else:
        chosen = default_model_set(algo, [tuple(letters) for letters in bands], config=config)
    with open_repository(root, writeable=True) as butler:
        register_dataset_types(butler, algo)
        head = f"{release}/models/{algo}/"
        known = [name for name in butler.collections.query(f"{head}*") if name.removeprefix(head).isdigit()]
        for name in sorted(known, reverse=True):
            stored = butler.find_dataset(f"photoz_model_{algo}", collections=name)
            if stored is not None and butler.get(stored).digest == chosen.digest:
                prepend_to_defaults(butler, release, name)
                return str(name)
        run = f"{head}{len(known) + 1:03d}"
        butler.collections.register(run)
        butler.put(chosen, f"photoz_model_{algo}", run=run)
        prepend_to_defaults(butler, release, run)
    return run
