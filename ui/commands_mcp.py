"""The command that serves the tools to other agents."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer


def mcp(
    out: Annotated[Path, typer.Option(help="folder of the case; reopening it goes on")] = Path("out/mcp"),
    transport: Annotated[
        Literal["stdio", "http"], typer.Option(help="stdio for a client that starts this command, or HTTP")
    ] = "stdio",
    host: Annotated[str, typer.Option(help="address for HTTP; there is no log-in, so keep it local")] = (
        "127.0.0.1"
    ),
    port: Annotated[int, typer.Option(min=1, max=65535, help="port for HTTP; the path is /mcp")] = 8765,
    checkpoint: Annotated[Path | None, typer.Option(help="folder of another FaceGPT checkpoint")] = None,
) -> None:
    """Serve FaceGPT's tools over the Model Context Protocol."""
    from agent.mcp_server import BODY, CaseServer
    from tools.workspace import Workspace
    from ui import services

    served = CaseServer(Workspace(out), lambda: services.open_backend(checkpoint))
    typer.echo(
        f"serving {out} over {transport}" + (f" on http://{host}:{port}/mcp" * (transport == "http")),
        err=True,
    )
    if transport == "stdio":
        served.server.run("stdio")
    else:
        served.server.run("streamable-http", host=host, port=port, max_request_body_size=BODY)


def register(app: typer.Typer) -> None:
    """Add this command."""
    app.command()(mcp)
