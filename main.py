"""Entry point: no argument or a file opens the window; a sub-command runs headless."""

from __future__ import annotations

import sys
from pathlib import Path

NO_WINDOW = """\
This version has no window yet: everything works from the command line.
See the main job on a built-in sample with    deepetpicker demo --out results
and everything else that there is with        deepetpicker --help
"""


def main() -> int:
    """Run what the command line asks for.

    Returns
    -------
    int
        The exit code: 0 for success, 1 for an error the user was told of, 2 for wrong usage, 130 after Ctrl-C.
    """
    arguments = sys.argv[1:]
    if not arguments:
        return _open_window(arguments)
    from core.cli import COMMANDS, run

    # a folder may be called like a command: the command is meant
    if arguments[0] not in COMMANDS and Path(arguments[0]).exists():
        return _open_window(arguments)
    return run(arguments)


def _open_window(files: list[str]) -> int:
    try:
        from app.launch import main as launch
    except ModuleNotFoundError as exc:
        if exc.name not in {"app", "app.launch"}:
            raise
        sys.stderr.write(NO_WINDOW)
        return 2
    code: int = launch(files)
    return code


if __name__ == "__main__":
    sys.exit(main())
