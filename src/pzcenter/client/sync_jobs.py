"""Jobs, for programs that wait for each answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from pzcenter.client import job_steps as steps

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from pzcenter.client.answers import Job, Pipeline
    from pzcenter.client.exchange import Steps
    from pzcenter.client.procedures import Procedures, Which

__all__ = ["Jobs"]

T = TypeVar("T")


class Jobs:
    """What a client does with jobs; a part of :class:`~pzcenter.client.PZClient`."""

    _do: Procedures

    def _run(self, steps: Steps[T]) -> T:
        raise NotImplementedError

    def pipelines(self) -> list[Pipeline]:
        """What the server can make, with the schema of what may be said of it."""
        return self._run(steps.pipelines(self._do))

    def jobs(self, *, state: Iterable[str] = (), mine: bool = False, limit: int = 100) -> list[Job]:
        """Your jobs, and those whose product you see, the newest first.

        Parameters
        ----------
        state : iterable of str
            Any of these.
        mine : bool
            Only those that you asked for.
        limit : int
            At most.
        """
        return self._run(steps.jobs(self._do, state, mine=mine, limit=limit))

    def start_job(
        self,
        pipeline: str,
        name: str,
        inputs: Iterable[Which],
        *,
        release: str | None = None,
        settings: Mapping[str, Any] | None = None,
        private: bool = False,
    ) -> Job:
        """Have the server make something; its product is there at once, and published at the end.

        Parameters
        ----------
        pipeline : str
            ``combine_redshift_dedup`` or ``training_set_maker``.
        name : str
            Of the product to come.
        inputs : iterable of Product, int or str
            Published products.
        release : str, optional
            That of the inputs otherwise.
        settings : mapping, optional
            See the schema of the pipeline, such as ``{"param": {"random_seed": 1}}``.
        private : bool
            The product is for you alone; it is anyway where an input is private, shared or under embargo.
        """
        made = steps.start_job(
            self._do, pipeline, name, inputs, release=release, settings=settings or {}, private=private
        )
        return self._run(made)

    def job(self, job: Job | str) -> Job:
        """A job as it is now."""
        return self._run(steps.job(self._do, job))

    def job_log(self, job: Job | str) -> str:
        """Last lines that a job of yours said."""
        return self._run(steps.job_log(self._do, job))

    def wait_for_job(
        self, job: Job | str, *, seconds: float = 3600.0, progress: Callable[[Job], None] | None = None
    ) -> Job:
        """Wait until a job has ended, well or not.

        Parameters
        ----------
        job : Job or str
        seconds : float
        progress : callable, optional
            Gets the job at each look.

        Raises
        ------
        TransientError
            It did not end in that time.
        """
        return self._run(steps.wait_for_job(self._do, job, seconds, progress))

    def stop_job(self, job: Job | str) -> Job:
        """Have a job of yours stopped."""
        return self._run(steps.stop_job(self._do, job))

    def rerun_job(self, job: Job | str) -> Job:
        """Ask for the same job again: same settings, same inputs, a new product."""
        return self._run(steps.rerun_job(self._do, job))
