"""The command line, thin: it parses, calls the engine, and shows what came."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer
from rich.console import Console
from rich.markup import escape

from core.cli.clustering import cluster
from core.cli.doctor import doctor
from core.cli.masking import mask
from core.cli.picks import pick
from core.cli.projects import export, import_particles, info, new
from core.cli.reporting import page
from core.cli.scoring import evaluate
from core.cli.subvolumes import average, extract
from core.cli.volumes import convert, link
from core.cli.work import demo, train
from core.errors import PickerError, os_reason

if TYPE_CHECKING:
    from collections.abc import Callable

app = typer.Typer(
    name="deepetpicker",
    help="Find particles in cryo-electron tomograms: mark a few centres, train, pick, export.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
)
COMMANDS: dict[str, Callable[..., None]] = {
    "demo": demo,
    "new": new,
    "import": import_particles,
    "train": train,
    "pick": pick,
    "mask": mask,
    "cluster": cluster,
    "evaluate": evaluate,
    "report": page,
    "export": export,
    "average": average,
    "extract": extract,
    "info": info,
    "convert": convert,
    "link": link,
    "doctor": doctor,
}
"""Sub-commands in the order in which a newcomer needs them."""

for _name, _command in COMMANDS.items():
    app.command(_name)(_command)


def run(arguments: list[str]) -> int:
    """Run one sub-command.

    Parameters
    ----------
    arguments : list[str]
        What follows the program's name.

    Returns
    -------
    int
        0 for success, 1 for an error the user was told of, 2 for wrong usage, 130 after Ctrl-C.
    """
    try:
        app(arguments, prog_name="deepetpicker", standalone_mode=True)
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else 0
    except PickerError as exc:
        return _refuse(str(exc))
    except OSError as exc:
        return _refuse(f"Cannot use {exc.filename or 'a file'}: {os_reason(exc)}.")
    return 0


def _refuse(sentence: str) -> int:
    Console(stderr=True, highlight=False).print(f"[bold red]Error:[/] {escape(sentence)}", soft_wrap=True)
    return 1
