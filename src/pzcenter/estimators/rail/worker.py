"""The program that runs RAIL, in a process and an interpreter of its own; it reads requests and writes answers.

It needs RAIL and NumPy and nothing else of this project, which may not be installed where RAIL is. Requests come by
standard input, answers go out by what was standard output; everything that RAIL prints goes to standard error.

A message is its length (eight bytes, little endian), a header in JSON, and the bytes of the arrays that the header
lists. No message is a pickle. The models are: RAIL's own format, which this program alone opens.
"""

from __future__ import annotations

import argparse
import ast
import importlib
import importlib.metadata
import importlib.util
import json
import logging
import os
import random
import resource
import shutil
import struct
import sys
import tempfile
import threading
import time
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from typing import BinaryIO

    from numpy.typing import NDArray

__all__ = ["DTYPES", "LENGTH", "MAX_HEADER_BYTES", "array_sizes", "main", "pack", "unpack"]

LENGTH = struct.Struct("<Q")
MAX_HEADER_BYTES = 1 << 24
DTYPES = ("<f4", "<f8", "|u1")
"""Types of arrays that travel."""
_ALGORITHMS = "rail.estimation.algos"
_OUR_OWN = "pzcenter_methods"
"""Module there with the stages of this project, whose methods need no way through RAIL."""
_OF_DENSITIES = {"PzInformer", "PzEstimator"}
_WATCH_S = 1.0


class NoSuchMethodError(Exception):
    """There is no pair of an informer and an estimator of this name."""


# ---- messages --------------------------------------------------------------------------------------------------------


def pack(header: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]] | None = None) -> list[bytes | memoryview]:
    """Parts of a message, in the order in which they are written.

    Parameters
    ----------
    header : mapping
        Plain values; the key ``arrays`` is taken.
    arrays : mapping of str to ndarray, optional
        Of the types in ``DTYPES``.

    Returns
    -------
    list of bytes-like
    """
    solid = {name: np.ascontiguousarray(value) for name, value in (arrays or {}).items()}
    listed = [[name, value.dtype.str, list(value.shape)] for name, value in solid.items()]
    text = json.dumps({**header, "arrays": listed}).encode()
    return [LENGTH.pack(len(text)), text, *(value.reshape(-1).view(np.uint8).data for value in solid.values())]


def array_sizes(header: Mapping[str, Any]) -> list[int]:
    """Bytes of each array that a header lists.

    Raises
    ------
    ValueError
        The header is not one.
    """
    sizes = []
    for name, dtype, shape in header["arrays"]:
        if dtype not in DTYPES or not isinstance(name, str) or any(not isinstance(n, int) or n < 0 for n in shape):
            raise ValueError(f"not an array of a message: {name!r} {dtype!r} {shape!r}")
        sizes.append(int(np.prod(shape, dtype=np.int64)) * np.dtype(dtype).itemsize)
    return sizes


def unpack(header: Mapping[str, Any], contents: list[bytearray]) -> dict[str, NDArray[Any]]:
    """Arrays of a message from their bytes.

    Parameters
    ----------
    header : mapping
    contents : list of bytearray
        One for each array, in order.

    Returns
    -------
    dict of str to ndarray
    """
    return {
        name: np.frombuffer(content, dtype=dtype).reshape(shape)
        for (name, dtype, shape), content in zip(header["arrays"], contents, strict=True)
    }


def _read_exactly(stream: BinaryIO, n_bytes: int) -> bytearray:
    content = bytearray(n_bytes)
    view, done = memoryview(content), 0
    while done < n_bytes:
        got = stream.readinto(view[done:])  # type: ignore[attr-defined]
        if not got:
            raise EOFError
        done += got
    return content


def _receive(stream: BinaryIO) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    (n_bytes,) = LENGTH.unpack(_read_exactly(stream, LENGTH.size))
    header = json.loads(_read_exactly(stream, n_bytes))
    return header, unpack(header, [_read_exactly(stream, size) for size in array_sizes(header)])


# ---- what is installed -----------------------------------------------------------------------------------------------


def _class_names(path: Path) -> Iterator[str]:
    """Names of the classes at the top of a file, which is not run; without stages that take p(z)."""
    try:
        tree = ast.parse(path.read_bytes())
    except (SyntaxError, ValueError, OSError):
        return
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and not {getattr(base, "id", "") for base in node.bases} & _OF_DENSITIES:
            yield node.name


def _folders(package: str) -> list[str]:
    """Where a package is, of which only those above are imported."""
    try:
        spec = importlib.util.find_spec(package)
    except ModuleNotFoundError:
        spec = None
    if spec is None or spec.submodule_search_locations is None:
        raise ImportError(f"no RAIL: no module named {package!r}")
    return list(spec.submodule_search_locations)


def _modules_by_method() -> dict[str, str]:
    """Module of each pair ``NAMEInformer``, ``NAMEEstimator`` in the place that RAIL keeps for them."""
    _folders("rail.core")  # the namespace may be there without RAIL, with our own stages in it
    estimators: dict[str, str] = {}
    informers: set[str] = set()
    for folder in _folders(_ALGORITHMS):
        for path in sorted(Path(folder).glob("*.py")):
            if path.stem == _OUR_OWN:
                continue
            for name in _class_names(path):
                if name.endswith("Informer"):
                    informers.add(name.removesuffix("Informer"))
                elif name.endswith("Estimator"):
                    estimators.setdefault(name.removesuffix("Estimator"), f"{_ALGORITHMS}.{path.stem}")
    return {name: module for name, module in sorted(estimators.items()) if name in informers}


def _stages(method: str) -> tuple[type[Any], type[Any]]:
    """Informer and estimator of this name."""
    modules = _modules_by_method()
    if method not in modules:
        raise NoSuchMethodError(", ".join(modules))
    from rail.estimation.estimator import CatEstimator
    from rail.estimation.informer import CatInformer

    module = importlib.import_module(modules[method])
    informer, estimator = getattr(module, f"{method}Informer"), getattr(module, f"{method}Estimator")
    if not issubclass(informer, CatInformer) or not issubclass(estimator, CatEstimator):
        raise TypeError(f"{method} takes something else than a table of magnitudes")
    return informer, estimator


def _parameters(stage: type[Any]) -> dict[str, dict[str, Any]]:
    """Parameters of a stage in plain values; those whose default is no plain value are told and cannot be set."""
    stage_config = importlib.import_module("ceci.config").StageConfig
    found = {}
    # The items of its base class are the parameters themselves, not their values.
    for name, option in dict.items(stage_config(**stage.config_options)):
        default = _plain(option.default)
        try:
            json.dumps(default)
        except (TypeError, ValueError):
            continue
        found[name] = {
            "type": getattr(option.dtype, "__name__", "any"),
            "default": default,
            "required": bool(option.required),
            "message": str(option.msg),
        }
    return found


def _plain(value: Any) -> Any:
    """Value with NumPy's numbers as Python's, and None for what is not finite."""
    if isinstance(value, np.generic | np.ndarray):
        return _plain(value.tolist())
    if isinstance(value, dict):
        return {str(key): _plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(entry) for entry in value]
    return None if isinstance(value, float) and not np.isfinite(value) else value


# ---- requests --------------------------------------------------------------------------------------------------------


class _Worker:
    """Answers requests one after another; at most one model is open.

    Parameters
    ----------
    folder : Path
        Private; stages leave files where they run.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.stage: Any = None
        self.z_grid: NDArray[np.float64] = np.empty(0)

    def list(self, _header: dict[str, Any], _arrays: dict[str, NDArray[Any]]) -> tuple[dict[str, Any], dict[str, Any]]:
        """Names of all methods; nothing of theirs is imported."""
        return {"methods": list(_modules_by_method())}, {}

    def describe(
        self, header: dict[str, Any], _arrays: dict[str, NDArray[Any]]
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Parameters of both stages of a method."""
        informer, estimator = _stages(header["method"])
        return {
            "words": (estimator.__doc__ or "").strip().partition("\n")[0],
            "informer": _parameters(informer),
            "estimator": _parameters(estimator),
            "versions": _versions(),
        }, {}

    def train(
        self, header: dict[str, Any], arrays: dict[str, NDArray[Any]]
    ) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        """Run the informer on a table; the answer is the file it writes."""
        informer, _ = _stages(header["method"])
        with tempfile.TemporaryDirectory(dir=self.folder) as place:
            path = Path(place) / "model.pkl"
            stage = informer.make_stage(
                name="inform", model=str(path), hdf5_groupname="", **_accepted(informer, header["parameters"])
            )
            _seed()
            stage.inform(_table(header["columns"], arrays["table"]))
            handle = stage.get_handle("model")
            if not path.is_file():
                handle.path = str(path)
                handle.write()
            content = path.read_bytes()
        return {}, {"model": np.frombuffer(content, dtype=np.uint8)}

    def open(
        self, header: dict[str, Any], arrays: dict[str, NDArray[Any]]
    ) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        """Make the estimator with its model, which runs whatever the model's author wrote into it."""
        _, estimator = _stages(header["method"])
        self.stage = None
        with tempfile.TemporaryDirectory(dir=self.folder) as place:
            path = Path(place) / "model.pkl"
            path.write_bytes(arrays["model"].tobytes())
            stage = estimator.make_stage(
                name="estimate",
                model=str(path),
                hdf5_groupname="",
                output_mode="return",
                **_accepted(estimator, header["parameters"]),
            )
            stage.open_model(**stage.config)
        # RAIL reads the model for each table again, and refuses a second table.
        stage.open_model = lambda **_kwargs: stage.model
        type(stage.data_store).allow_overwrite = True
        self.stage, self.z_grid = stage, arrays["z_grid"]
        return {}, {}

    def estimate(
        self, header: dict[str, Any], arrays: dict[str, NDArray[Any]]
    ) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        """Densities of a table on the grid of the model."""
        _seed()
        handle = self.stage.estimate(_table(header["columns"], arrays["table"]))
        pdf = np.asarray(handle().pdf(self.z_grid), dtype=np.float32)
        return {}, {"pdf": pdf.reshape(-1, self.z_grid.size)}


def _seed() -> None:
    """Some methods draw from the generators of the process (GPz splits its training set so): the same each time."""
    random.seed(0)
    np.random.seed(0)  # noqa: NPY002 - the generator that they use


def _table(columns: list[str], values: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
    """Columns that a stage may write to."""
    return {name: values[k].copy() for k, name in enumerate(columns)}


def _accepted(stage: type[Any], parameters: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in parameters.items() if name in stage.config_options}


def _versions() -> dict[str, str]:
    """Versions of the interpreter and of the distributions of RAIL in it."""
    found = {"python": ".".join(map(str, sys.version_info[:3]))}
    for distribution in importlib.metadata.distributions():
        name = distribution.name or ""
        if name.startswith(("pz-rail", "pz_rail", "qp-prob", "qp_prob")):
            found[name] = distribution.version
    return dict(sorted(found.items()))


def _problem(error: BaseException) -> dict[str, Any]:
    kinds: list[tuple[type[BaseException], str]] = [
        (NoSuchMethodError, "method"),
        (MemoryError, "memory"),
        (ImportError, "import"),
    ]
    kind = next((name for cls, name in kinds if isinstance(error, cls)), "stage")
    return {"problem": kind, "message": str(error), "type": type(error).__name__}


# ---- the process -----------------------------------------------------------------------------------------------------


def _leave_with(parent: int, folder: Path) -> None:
    """End this process when the one that started it is gone, however it went."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(_WATCH_S)
        shutil.rmtree(folder, ignore_errors=True)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _limit_memory(n_bytes: int) -> None:
    """Refuse more private memory than this; programs and libraries that are mapped do not count."""
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    limit = n_bytes if hard == resource.RLIM_INFINITY else min(n_bytes, hard)
    resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def main() -> None:
    """Answer requests until standard input ends."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--memory-bytes", type=int, required=True)
    parser.add_argument("--parent", type=int, required=True)
    arguments = parser.parse_args()
    _limit_memory(arguments.memory_bytes)
    folder = Path.cwd()
    _leave_with(arguments.parent, folder)
    requests, answers = os.fdopen(os.dup(0), "rb", buffering=0), os.fdopen(os.dup(1), "wb")
    silent = os.open(os.devnull, os.O_RDONLY)
    os.dup2(silent, 0)
    os.dup2(2, 1)
    logging.basicConfig(level=logging.WARNING)
    worker = _Worker(folder)
    while True:
        try:
            header, arrays = _receive(requests)
        except EOFError:
            # Its parent is gone, or is about to remove the folder itself.
            shutil.rmtree(folder, ignore_errors=True)
            return
        commands: dict[str, Callable[..., tuple[dict[str, Any], dict[str, NDArray[Any]]]]] = {
            name: getattr(worker, name) for name in ("list", "describe", "train", "open", "estimate")
        }
        try:
            answer, contents = commands[header["command"]](header, arrays)
        except Exception as error:  # noqa: BLE001 - whatever a method raises is told, and the worker lives on
            traceback.print_exc()
            answer, contents = _problem(error), {}
        sys.stderr.flush()
        answer["cpu_s"] = time.process_time()
        for part in pack(answer, contents):
            answers.write(part)
        answers.flush()


if __name__ == "__main__":
    main()
