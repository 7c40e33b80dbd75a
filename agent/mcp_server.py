"""FaceGPT's tools for other agents, over the Model Context Protocol: stdio or streamable HTTP.

The same registry as the chat's. A result is a short text, handles and names of files, with the
pictures as image blocks; faces are resources. Sentences meant for people come through; any
other error is hidden from the client. One case per server; calls run one after the other.
"""

from __future__ import annotations

import base64
import inspect
import io
import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import anyio
from mcp.server import MCPServer
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.exceptions import ResourceError
from mcp.server.mcpserver.exceptions import ToolError as McpToolError
from mcp.types import CallToolResult, ImageContent, TextContent, ToolAnnotations
from PIL import Image
from pydantic import BaseModel, Field

from agent.registry import TOOLS, Services, ToolSpec, checked
from facegpt_model.perception.photos import MAX_BYTES, PhotoError
from facegpt_model.serving.backend import Backend, BackendError
from tools.digests import version
from tools.errors import ToolError
from tools.outcome import Outcome
from tools.reconstruct import show_photo
from tools.workspace import Workspace

EXPECTED = (ToolError, BackendError, PhotoError)  # whose text is meant for the client
PICTURES = 6  # image blocks of one result at most
PICTURE_SIDE = 512  # pixels
BODY = 2 * MAX_BYTES  # bytes of one HTTP request; base64 takes a third more than the photo
INSTRUCTIONS = (
    "Makes, edits and shows 3D faces. Describe a face with imagine, change it with edit (named sliders), "
    "show photos with show_photo and fit them with reconstruct. Faces have handles such as face-1; an "
    "empty face means the current one. Faces made from words are guesses, no portraits and no evidence. "
    "Nothing here identifies a person."
)


class Approval(BaseModel):
    """A person's answer."""

    approve: bool = Field(description="do it, for good")


class PlainServer(MCPServer[Any]):
    """Tells a wrong argument in one sentence, as the chat does, instead of pydantic's several lines."""

    async def call_tool(self, name: str, arguments: dict[str, Any], context: Any = None) -> Any:
        """Check the arguments of the registry's tools, then call; McpToolError naming the first wrong one."""
        requests = {spec.name: spec.request for spec in TOOLS}
        if name in requests:
            try:
                checked(requests[name], arguments)
            except ToolError as error:
                raise McpToolError(str(error)) from error
        return await super().call_tool(name, arguments, context)


class CaseServer:
    """One case behind MCP.

    open_backend: gives the model that imagines, on first use
    """

    def __init__(self, workspace: Workspace, open_backend: Callable[[], Backend]) -> None:
        self.workspace = workspace
        self._open_backend = open_backend
        self._backend: Backend | None = None
        self._turns = anyio.Lock()
        self.server: MCPServer[Any] = PlainServer("facegpt", instructions=INSTRUCTIONS, version=version())
        for spec in TOOLS:
            self.server.add_tool(
                self._bound(spec),
                name=spec.name,
                description=spec.description,
                annotations=ToolAnnotations(
                    read_only_hint=spec.looks, destructive_hint=spec.destructive, open_world_hint=False
                ),
                structured_output=False,
            )
        self.server.add_tool(self._show_photo, name="show_photo", structured_output=False)
        self._add_resources()

    def _bound(self, spec: ToolSpec) -> Callable[..., Any]:
        async def run(ctx: Context, **fields: Any) -> CallToolResult:
            if spec.destructive:
                await _approved(ctx, spec.name, fields)
            return await self._call(ctx, lambda report: self._run(spec, fields, report))

        parameters = [inspect.Parameter("ctx", inspect.Parameter.KEYWORD_ONLY, annotation=Context)]
        for name, field in spec.request.model_fields.items():
            parameters.append(
                inspect.Parameter(
                    name,
                    inspect.Parameter.KEYWORD_ONLY,
                    annotation=Annotated[
                        field.annotation, *field.metadata, Field(description=field.description)
                    ],
                    default=inspect.Parameter.empty
                    if field.is_required()
                    else field.get_default(call_default_factory=True),
                )
            )
        run.__name__ = spec.name
        run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
        return run

    def _run(self, spec: ToolSpec, fields: dict[str, Any], report: Callable[[str, float], None]) -> Outcome:
        plain = {name: _plain(value) for name, value in fields.items()}
        self._backend = self._backend or (self._open_backend() if spec.spoken else None)
        backend: Any = self._backend  # only tools that speak ask for it
        return spec.run(plain, Services(self.workspace, backend), report)

    async def _show_photo(
        self,
        ctx: Context,
        data: Annotated[str, Field(description="the picture's file, base64")],
        name: Annotated[str, Field(max_length=120, description="name of the file")] = "photo.jpg",
    ) -> CallToolResult:
        """Show a photo, so that reconstruct can make a face of it; keeps a copy without EXIF."""
        return await self._call(ctx, lambda report: self._kept(data, name))

    def _kept(self, data: str, name: str) -> Outcome:
        if len(data) > BODY:
            raise ToolError(f"the photo is larger than {MAX_BYTES // 10**6} MB; make it smaller")
        try:
            content = base64.b64decode(data, validate=True)
        except ValueError as error:
            raise ToolError("data holds no base64; send the bytes of the picture's file so") from error
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / (Path(name.replace("\\", "/")).name or "photo.jpg")
            path.write_bytes(content)
            handle = show_photo(path, self.workspace)
        return Outcome(f"{handle} is shown; make a face of it with reconstruct", files=(f"{handle}.jpg",))

    async def _call(
        self, ctx: Context, work: Callable[[Callable[[str, float], None]], Outcome]
    ) -> CallToolResult:
        def report(doing: str, share: float) -> None:
            anyio.from_thread.run(ctx.report_progress, share, 1.0, doing)

        try:
            async with self._turns:
                outcome = await anyio.to_thread.run_sync(work, report)
                blocks = [TextContent(type="text", text=outcome.text), *self._pictures(outcome)]
        except EXPECTED as error:
            raise McpToolError(str(error)) from error
        told = {"text": outcome.text, "faces": list(outcome.faces), "files": list(outcome.files)}
        return CallToolResult(content=blocks, structured_content=told)  # type: ignore[arg-type]

    def _pictures(self, outcome: Outcome) -> list[ImageContent]:
        names = [name for name in outcome.files if name.endswith((".png", ".jpg"))]
        paths = [self.workspace.folder / name for name in dict.fromkeys(names)]
        return [_block(path) for path in paths[:PICTURES] if path.is_file()]

    def _add_resources(self) -> None:
        space = self.workspace

        def held(handle: str, suffix: str) -> Path:
            try:
                return space.folder / f"{space.face(handle).handle}{suffix}"
            except ToolError as error:
                raise ResourceError(str(error)) from error

        @self.server.resource("face://{handle}/record.json", mime_type="application/json")
        def record(handle: str) -> str:
            """Numbers, words, measurements in millimetres and origin of a face."""
            return held(handle, ".json").read_text(encoding="utf-8")

        @self.server.resource("face://{handle}/picture.png", mime_type="image/png")
        def picture(handle: str) -> bytes:
            """Picture of a face from the front."""
            return held(handle, ".png").read_bytes()

        @self.server.resource("face://{handle}/mesh.glb", mime_type="model/gltf-binary")
        def mesh(handle: str) -> bytes:
            """Mesh of a face with named morph targets."""
            return held(handle, ".glb").read_bytes()

        @self.server.resource("case://faces", mime_type="application/json")
        def faces() -> str:
            """All faces of the case: handle, parent, words."""
            known = [space.face(handle) for handle in space.handles]
            listed = [{"handle": f.handle, "parent": f.parent, "words": f.description} for f in known]
            return json.dumps({"current": space.current, "faces": listed}, ensure_ascii=False)


async def _approved(ctx: Context, name: str, fields: dict[str, Any]) -> None:
    """Let the client ask its person; ToolError unless they approve, or if it cannot ask."""
    told = ", ".join(str(value) for value in fields.values())
    try:
        answer = await ctx.elicit(f"{name} {told}: this cannot be taken back. Do it?", Approval)
    except Exception as error:  # a client without elicitation, however it says so
        raise McpToolError(
            f"{name} needs a person's approval, and this client cannot ask for it; use the chat"
        ) from error
    if answer.action != "accept" or not answer.data.approve:
        raise McpToolError(f"the person did not approve it, so {name} was not done")


def _block(path: Path) -> ImageContent:
    with Image.open(path) as picture:
        picture.thumbnail((PICTURE_SIDE, PICTURE_SIDE), Image.Resampling.LANCZOS)
        held = io.BytesIO()
        picture.save(held, "PNG")
    return ImageContent(type="image", data=base64.b64encode(held.getvalue()).decode(), mime_type="image/png")


def _plain(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump()
    return [_plain(item) for item in value] if isinstance(value, list) else value
