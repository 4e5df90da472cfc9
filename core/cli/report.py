"""What a command shows: results on standard output, progress and notices on standard error."""

from __future__ import annotations

import json
import math
import sys
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from rich.box import SIMPLE_HEAD
from rich.console import Console, RenderableType
from rich.markup import escape
from rich.progress import BarColumn, Progress, ProgressColumn, SpinnerColumn, TaskProgressColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from core.messages import EpochDone, Message, Notice, PicksFound, drain
from core.messages import Progress as Step

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Sequence

    from rich.progress import Task, TaskID

Result = TypeVar("Result")

QUIET = 5.0  # seconds between lines of progress where there is no terminal


@dataclass
class Report:
    """Where one command writes.

    Attributes
    ----------
    as_json : bool
        Write the result as one JSON document and nothing else to standard output.
    notices : list[str]
        What the user should know; part of the JSON document.
    """

    as_json: bool = False
    notices: list[str] = field(default_factory=list)
    errors: Console = field(default_factory=lambda: Console(stderr=True, highlight=False))

    def follow(self, job: Generator[Message, None, Result]) -> Result:
        """Run a job to its end and show how far it has come.

        Parameters
        ----------
        job : Generator[Message, None, Result]
            A core job that has not been started.

        Returns
        -------
        Result
            What the job returned.
        """
        columns = (
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(),
            TaskProgressColumn(),
            TimeElapsedColumn(),
            _Remaining(),
            TextColumn("{task.fields[facts]}"),
        )
        with Progress(*columns, console=self.errors, disable=not self.errors.is_terminal) as bars:
            return drain(job, Follower(self, bars).show)

    def note(self, text: str) -> None:
        """Tell the user something that does not stop the work.

        Parameters
        ----------
        text : str
            One sentence.
        """
        self.notices.append(text)
        self.errors.print(f"[yellow]Note:[/] {escape(text)}", soft_wrap=True)

    def result(self, values: dict[str, Any], *shown: RenderableType) -> None:
        """Show the result of the command.

        Parameters
        ----------
        values : dict
            Plain data for machines.
        *shown : RenderableType
            The same for people.
        """
        if self.as_json:
            document = {**values, "notices": self.notices}
            sys.stdout.write(json.dumps(_finite(document), indent=1, ensure_ascii=False, allow_nan=False) + "\n")
            return
        out = Console(highlight=False)
        for part in shown:
            out.print(part, soft_wrap=isinstance(part, str))


class _Remaining(ProgressColumn):
    """The job's own estimate of the time left."""

    def render(self, task: Task) -> Text:
        eta = task.fields["eta"]
        return Text("" if eta is None or eta <= 0 else f"{duration(eta)} left", style="cyan")


class Follower:
    """Shows messages as bars in a terminal, as sparse lines elsewhere.

    Parameters
    ----------
    report : Report
        For lines.
    bars : Progress
        A bar for each stage.
    """

    def __init__(self, report: Report, bars: Progress) -> None:
        self._report = report
        self._bars = bars
        self._tasks: dict[str, TaskID] = {}
        self._told = time.monotonic()
        self._picks = 0

    def show(self, message: Message) -> None:
        """Show one message.

        Parameters
        ----------
        message : Message
            Of the job that is followed.
        """
        if isinstance(message, Step):
            self._on_progress(message)
        elif isinstance(message, EpochDone):
            self._report.errors.print(epoch_line(message), soft_wrap=True)
        elif isinstance(message, PicksFound):
            self._picks += len(message.scores)
        elif isinstance(message, Notice):
            self._report.note(message.text)

    def _on_progress(self, step: Step) -> None:
        facts = step.detail or (f"{self._picks} candidates" if self._picks else "")
        total = step.total or None
        if step.stage not in self._tasks:
            self._tasks[step.stage] = self._bars.add_task(escape(step.stage), total=total, eta=None, facts="")
        self._bars.update(self._tasks[step.stage], completed=step.done, total=total, eta=step.eta, facts=escape(facts))
        if not self._report.errors.is_terminal and time.monotonic() - self._told >= QUIET:
            self._told = time.monotonic()
            self._line(step, facts)

    def _line(self, step: Step, facts: str) -> None:
        done = f"{step.done / step.total:.0%}" if step.total else ""
        left = f"{duration(step.eta)} left" if step.eta and step.eta > 0 else ""
        said = ", ".join(part for part in (done, left, facts) if part)
        self._report.errors.print(f"{step.stage}: {said}", soft_wrap=True, markup=False)


def epoch_line(done: EpochDone) -> str:
    """Say in one line how training stands.

    Parameters
    ----------
    done : EpochDone
        The state at one validation.

    Returns
    -------
    str
        For the terminal.
    """
    held = f"  held back {done.validation_loss:.3f}" if done.measured else ""
    f1 = "" if done.f1 is None else f"  F1 {'' if done.measured else 'about '}{done.f1:.3f} at score {done.threshold:.2f}"
    star = "  best so far" if done.best and done.measured else ""
    pace = f"  {done.pace}" if done.pace else ""
    return f"step {done.step:5d}  {duration(done.seconds):>9s}  loss {done.loss:.3f}{held}{f1}{star}{pace}"


def duration(seconds: float) -> str:
    """Write a time as people say it.

    Parameters
    ----------
    seconds : float
        At least 0.

    Returns
    -------
    str
        Such as ``8 s``, ``3 min 05 s`` or ``2 h 10 min``.
    """
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def table(title: str, header: Sequence[str], rows: Iterable[Sequence[object]]) -> Table:
    """Lay out a table, its first column to the left and all others to the right.

    Parameters
    ----------
    title : str
        What it shows; may be empty.
    header : Sequence[str]
        Column titles.
    rows : Iterable[Sequence[object]]
        Cells; floats with three decimals, None as a dash.

    Returns
    -------
    Table
        For the terminal.
    """
    laid = Table(title=title or None, title_justify="left", box=SIMPLE_HEAD)
    for number, name in enumerate(header):
        laid.add_column(name, justify="right" if number else "left", overflow="fold")
    for row in rows:
        laid.add_row(*(escape(_cell(value)) for value in row))
    return laid


def _cell(value: object) -> str:
    if value is None:
        return "-"
    return f"{value:.3f}" if isinstance(value, float) else str(value)


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
