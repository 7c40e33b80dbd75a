"""The facegpt command: every verb of the house, offline, one sentence for what goes wrong.

Commands import what they need when they run, so that `facegpt --help` is quick.
"""

from __future__ import annotations

import os
from typing import Annotated

import typer

from ui import (
    commands_case,
    commands_chat,
    commands_data,
    commands_faces,
    commands_mcp,
    commands_serve,
    commands_sheets,
    commands_store,
    commands_system,
    commands_threads,
    commands_web,
    commands_workflows,
)
from ui.errors import OneSentenceErrors
from ui.startup import prepare

app = typer.Typer(
    name="facegpt",
    cls=OneSentenceErrors,
    help="A chat in which faces are things you can make and hold.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def start(
    threads: Annotated[
        int, typer.Option(envvar="FACEGPT_THREADS", min=1, max=256, help="processor threads for the model")
    ] = 1,
    server: Annotated[
        str,
        typer.Option(envvar="FACEGPT_SERVER", help="address of 'facegpt serve'; default: the embedded model"),
    ] = "",
) -> None:
    """A chat in which faces are things you can make and hold: words and photos become 3D faces."""
    prepare(threads)
    if server:
        os.environ["FACEGPT_SERVER"] = server


for room in (
    commands_chat,
    commands_faces,
    commands_case,
    commands_threads,
    commands_web,
    commands_sheets,
    commands_store,
    commands_data,
    commands_workflows,
    commands_mcp,
    commands_serve,
    commands_system,
):
    room.register(app)


def main() -> None:
    """Entry point of the console script."""
    app(prog_name="facegpt")


if __name__ == "__main__":
    main()
