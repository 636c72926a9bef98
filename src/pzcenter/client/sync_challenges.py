"""Challenges of the Validation Cooperative, for programs that wait for each answer."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from pzcenter.client import challenge_steps as steps

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pzcenter.client.answers import Challenge, Standing, Submission
    from pzcenter.client.challenge_steps import Results
    from pzcenter.client.downloads import Progress
    from pzcenter.client.exchange import Steps
    from pzcenter.client.procedures import Procedures

__all__ = ["Challenges"]

T = TypeVar("T")


class Challenges:
    """What a client does with challenges; a part of :class:`~pzcenter.client.PZClient`."""

    _do: Procedures

    def _run(self, steps: Steps[T]) -> T:
        raise NotImplementedError

    def challenges(self) -> list[Challenge]:
        """Challenges that you may take part in, or look at; the newest first."""
        return self._run(steps.challenges(self._do))

    def challenge(self, name: str) -> Challenge:
        """A challenge with its scenarios, rules and files."""
        return self._run(steps.challenge(self._do, name))

    def download_challenge(
        self,
        name: str,
        directory: Path | str = ".",
        *,
        overwrite: bool = False,
        progress: Callable[[str], Progress] | None = None,
    ) -> Path:
        """Training sets, blind test sets and rules of a challenge, each checked against its SHA-256.

        Parameters
        ----------
        name : str
        directory : Path or str
        overwrite : bool
            Replace files that are there and differ.
        progress : callable, optional
            Gets the name of each file, gives what is told of its bytes.

        Returns
        -------
        Path
            The directory of the challenge, with one directory for each scenario.
        """
        made = steps.download_challenge(self._do, name, Path(directory), overwrite=overwrite, progress=progress)
        return self._run(made)

    def submit(
        self,
        challenge: str,
        results: Mapping[str, Results],
        *,
        method: str,
        name: str = "",
        description: str = "",
        technical: Mapping[str, float] | None = None,
        progress: Callable[[str], Progress] | None = None,
    ) -> Submission:
        """Hand in results for a challenge; they are checked at once and scored in the background.

        Parameters
        ----------
        challenge : str
        results : mapping
            By scenario: a ``Path``, which becomes a product that you alone see, or a product of yours.
        method : str
            As the leaderboard is to call it.
        name, description : str
            Of this submission.
        technical : mapping, optional
            ``train_s``, ``estimate_ms``, ``peak_gb``, ``model_mb``.
        progress : callable, optional

        Returns
        -------
        Submission
            The same files are the same submission.
        """
        made = steps.submit(
            self._do, challenge, results, method=method, title=name, description=description,
            technical=technical or {}, progress=progress,
        )  # fmt: skip
        return self._run(made)

    def submissions(self, challenge: str) -> list[Submission]:
        """What you handed in, the newest first; for coordinators what everybody did."""
        return self._run(steps.submissions(self._do, challenge))

    def wait_for_scores(self, challenge: str, submission: Submission | str, *, seconds: float = 600.0) -> Submission:
        """Wait until a submission has its scores, or a reason for having none.

        Raises
        ------
        TransientError
            Neither came in that time.
        """
        return self._run(steps.wait_for_scores(self._do, challenge, submission, seconds))

    def leaderboard(self, challenge: str) -> list[Standing]:
        """The leaderboard as it was last scored: a line for each scenario, metric and submission."""
        return self._run(steps.leaderboard(self._do, challenge))

    def add_challenge(self, name: str, *, release: str | None = None) -> Challenge:
        """Show a challenge that was made on the server, as a draft; for coordinators."""
        return self._run(steps.add_challenge(self._do, name, release))

    def set_challenge_state(self, name: str, state: str) -> Challenge:
        """Have a challenge ``open``, ``closed`` or a ``draft``; for coordinators."""
        return self._run(steps.set_challenge_state(self._do, name, state))
