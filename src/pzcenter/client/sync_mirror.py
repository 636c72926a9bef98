"""Many products at once, for programs that wait for each answer."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from pzcenter.client import mirror_steps as steps

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from pzcenter.client.downloads import Progress
    from pzcenter.client.exchange import Steps
    from pzcenter.client.procedures import Procedures, Which

__all__ = ["Mirror"]

T = TypeVar("T")


class Mirror:
    """What a client does with many products; a part of :class:`~pzcenter.client.PZClient`."""

    _do: Procedures

    def _run(self, steps: Steps[T]) -> T:
        raise NotImplementedError

    def manifest(self, products: Iterable[Which]) -> dict[str, Any]:
        """The signed list of the files of products: paths, sizes, SHA-256; see :meth:`mirror`."""
        return self._run(steps.manifest(self._do, products))

    def mirror(
        self,
        products: Iterable[Which] | None,
        directory: Path | str,
        *,
        overwrite: bool = False,
        progress: Callable[[str], Progress] | None = None,
    ) -> Path:
        """Fetch all files of many products, each checked against its SHA-256; the signed list stays beside them.

        Parameters
        ----------
        products : iterable of Product, int or str, or None
            None: go on with the list that is in the directory.
        directory : Path or str
            What is there already, and is right, is not fetched again.
        overwrite : bool
            Replace files that differ.
        progress : callable, optional
            Gets the name of each file, gives what is told of its bytes.

        Returns
        -------
        Path
        """
        made = steps.mirror(self._do, products, Path(directory), overwrite=overwrite, progress=progress)
        return self._run(made)
