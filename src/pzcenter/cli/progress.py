"""Progress of a job of several steps, on stderr: bars where a terminal is, lines where none is."""

from __future__ import annotations

import re
import sys
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn

from pzcenter.cli.screen import seconds_text, stderr

if TYPE_CHECKING:
    from types import TracebackType

__all__ = ["STEPS", "StepProgress"]

STEPS = {
    "simulate": "Simulate a sky",
    "skinny": "Make the skinny table",
    "train": "Train the model",
    "estimate": "Estimate p(z)",
    "validate": "Measure the quality",
    "convert": "Convert",
}
SECONDS_BETWEEN_LINES = 30.0
COUNTED = re.compile(r"(\d+) of (\d+) ")
"""Words of a step that counts begin so."""


@dataclass
class _Step:
    """A step that has begun."""

    title: str
    begin: float
    fraction_begin: float
    done_begin: int = 0
    line_at: float = 0.0
    fraction: float = 0.0
    words: str = ""
    bar: TaskID | None = None
    n_done: int = field(default=0)

    def seconds(self) -> float:
        return time.monotonic() - self.begin

    def left(self) -> str:
        """Time left, from what this call has done; empty while nothing can be said."""
        gained = self.fraction - self.fraction_begin
        if gained <= 0 or self.seconds() < 1 or self.fraction >= 1:
            return ""
        return f"{seconds_text((1 - self.fraction) * self.seconds() / gained)} left"

    def rate(self) -> str:
        """Objects per second, where the step counts objects."""
        if self.n_done <= self.done_begin or self.seconds() <= 0:
            return ""
        return f"{(self.n_done - self.done_begin) / self.seconds():,.0f} objects/s"


class StepProgress:
    """Called with a step, the fraction of it that is done, and words; use it in a ``with`` block.

    Parameters
    ----------
    quiet : bool
        Show nothing.
    """

    def __init__(self, *, quiet: bool = False) -> None:
        self.quiet = quiet
        self._console = stderr()
        self._step: tuple[str, _Step] | None = None
        self._bars = (
            Progress(
                SpinnerColumn(finished_text="[green]✓[/]"),
                TextColumn("{task.description}"),
                BarColumn(bar_width=24),
                TextColumn("{task.percentage:>3.0f} %"),
                TextColumn("[dim]{task.fields[words]}[/]"),
                console=self._console,
            )
            if sys.stderr.isatty() and not quiet
            else None
        )

    def __enter__(self) -> Self:
        if self._bars is not None:
            self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self._finish()
        if self._bars is not None:
            self._bars.stop()

    def __call__(self, step: str, fraction: float, words: str) -> None:
        """Show how far a step is."""
        if self.quiet:
            return
        if self._step is None or self._step[0] != step:
            self._finish()
            self._begin(step, fraction, words)
        assert self._step is not None
        state = self._step[1]
        state.fraction, state.words = fraction, words
        if counted := COUNTED.match(words):
            state.n_done = int(counted[1])
        if self._bars is not None and state.bar is not None:
            parts = (words, state.rate(), state.left())
            self._bars.update(state.bar, completed=fraction, words="  ".join(part for part in parts if part))
        elif time.monotonic() - state.line_at > SECONDS_BETWEEN_LINES:
            state.line_at = time.monotonic()
            line = (f"{100 * fraction:.0f} %", words, state.rate(), state.left())
            self._console.print(f"{state.title}: " + ", ".join(part for part in line if part), soft_wrap=True)

    def for_step(self, step: str) -> _OneStep:
        """The same without the step's name, for functions that have one step."""
        return _OneStep(self, step)

    def _begin(self, step: str, fraction: float, words: str) -> None:
        state = _Step(STEPS.get(step, step), time.monotonic(), fraction, line_at=time.monotonic())
        if counted := COUNTED.match(words):
            state.done_begin = int(counted[1])
        if self._bars is not None:
            state.bar = self._bars.add_task(f"{state.title:<24}", total=1.0, words=words)
        self._step = (step, state)

    def _finish(self) -> None:
        if self._step is None:
            return
        state, self._step = self._step[1], None
        summary = "  ".join(part for part in (seconds_text(state.seconds()), state.rate()) if part)
        if self._bars is not None and state.bar is not None:
            self._bars.update(state.bar, completed=1.0, words=summary)
        else:
            self._console.print(f"{state.title}: done in {summary}", soft_wrap=True)


class _OneStep:
    """A progress function of one step."""

    def __init__(self, progress: StepProgress, step: str) -> None:
        self._progress, self._step = progress, step

    def __call__(self, fraction: float, words: str) -> None:
        self._progress(self._step, fraction, words)
