"""The command that runs workflows."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from ui.counting import counted


def run(
    file: Annotated[Path, typer.Argument(metavar="FILE.yaml", help="a workflow, see docs/workflows.md")],
    out: Annotated[Path | None, typer.Option(help="folder of the case [default: out/NAME]")] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="VARIABLE=VALUE", help="set a variable; repeatable")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="check everything, write nothing")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="print the results as JSON only")] = False,
    checkpoint: Annotated[Path | None, typer.Option(help="folder of another FaceGPT checkpoint")] = None,
) -> None:
    """Run a workflow; what was done in an earlier run is not done again."""
    import json

    from rich.console import Console

    from agent.workflow_file import read_workflow
    from agent.workflows import WorkflowRun
    from tools.errors import ToolError
    from ui import services
    from ui.console import Progress

    given = {}
    for setting in settings or []:
        name, equals, value = setting.partition("=")
        if not equals:
            raise ToolError(f"cannot read the setting {setting!r}; write --set variable=value")
        given[name.strip()] = value
    workflow = read_workflow(file, given)
    folder = out or Path("out") / file.stem
    made = WorkflowRun(workflow, file.resolve().parent, folder, partial(services.open_backend, checkpoint))
    planned = made.plan()
    if dry_run:
        for step, count in planned:
            calls = "as many calls as before it" if count is None else counted(count, "call")
            typer.echo(f"{step.id:16} {step.tool:12} {calls}")
        typer.echo("dry run: nothing was written")
        return
    with Progress(Console(highlight=False, emoji=False, stderr=True)) as progress:
        results = made.run(progress)
    if as_json:
        typer.echo(json.dumps(results, ensure_ascii=False))
    else:
        for name, told in results["steps"].items():
            calls = counted(told["calls"], "call")
            typer.echo(f"{name:16} {calls}, {told['again']} done before, {told['failed']} failed")
        typer.echo(f"wrote {folder / 'results.json'}")
    if not results["ok"]:
        wrong = [r["text"] for told in results["steps"].values() for r in told["results"] if not r["ok"]]
        raise ToolError(f"{workflow.name}: {counted(len(wrong), 'call')} failed, the first: {wrong[0]}")


def register(app: typer.Typer) -> None:
    """Add this command."""
    app.command()(run)
