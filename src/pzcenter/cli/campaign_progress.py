"""Progress of a campaign on stderr: a bar for each step where a terminal is, lines where none is."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Self

from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskID, TextColumn

from pzcenter.cli.screen import seconds_text, stderr

if TYPE_CHECKING:
    from types import TracebackType

__all__ = ["CampaignProgress"]

SECONDS_BETWEEN_LINES = 30.0


class CampaignProgress:
    """Called with the events of a campaign; shows quanta done and failed, objects per second, time left."""

    def __init__(self) -> None:
        self.console = stderr()
        self.bars: Progress | None = None
        self.bar: TaskID | None = None
        self.step = ""
        self.begin = self.said = 0.0
        self.n_total = self.n_done = self.n_failed = self.n_obj = 0

    def __enter__(self) -> Self:
        if self.console.is_terminal:
            columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[words]}"))
            self.bars = Progress(*columns, console=self.console)
            self.bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.bars is not None:
            self.bars.stop()

    def __call__(self, event: dict[str, Any]) -> None:
        """Show what an event changes."""
        kind = event["event"]
        if kind == "graph":
            if event["step"] != self.step:
                self.step, self.begin, self.said = event["step"], time.monotonic(), time.monotonic()
                self.n_total = self.n_done = self.n_failed = self.n_obj = 0
                self.bar = None if self.bars is None else self.bars.add_task(self.step, total=None, words="")
            self.n_total += sum(event["n_quanta"].values())
        elif kind == "quantum":
            if event["state"] == "done":
                self.n_done += 1
                self.n_obj += event.get("n_obj") or 0
            else:
                self.n_failed += 1
                where = ", ".join(f"{name}={value}" for name, value in event["data_id"].items())
                words = f"[red]{event['state']}[/] {event['task']} {where}: {escape(event['error'])}"
                self.console.print(words, soft_wrap=True)
            self._show(last=False)
        elif kind == "finished":
            self._show(last=True)

    def _show(self, *, last: bool) -> None:
        if self.bars is not None and self.bar is not None:
            ended = self.n_done + self.n_failed
            self.bars.update(self.bar, total=self.n_total, completed=ended, words=self._words(last=last))
        elif last or time.monotonic() - self.said > SECONDS_BETWEEN_LINES:
            self.said = time.monotonic()
            self.console.print(f"{self.step}: {self._words(last=last)}", markup=False, soft_wrap=True)

    def _words(self, *, last: bool) -> str:
        seconds = max(time.monotonic() - self.begin, 1e-3)
        words = f"{self.n_done} of {self.n_total} done"
        if self.n_failed:
            words += f", {self.n_failed} failed"
        if self.n_obj:
            words += f", {self.n_obj / seconds:,.0f} objects/s"
        if last:
            return f"{words}, {seconds_text(seconds)}"
        left = self.n_total - self.n_done - self.n_failed
        return words + (f", {seconds_text(left * seconds / self.n_done)} left" if self.n_done and left else "")
