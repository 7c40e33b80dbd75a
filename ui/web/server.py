"""The server: Streamlit's pages, meshes of faces, the viewer's module and a health check in one process."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

import anyio
import streamlit as st
from starlette.datastructures import MutableHeaders
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from facegpt_model.appearance.worn import worn_meshes
from facegpt_model.gltf import glb_bytes
from facegpt_model.mesh import mesh_of
from facegpt_model.semantics.axis_targets import shape_axis_names, with_axes
from tools.errors import ToolError
from tools.studio import open_studio
from ui.viewer import bundle
from ui.web import addresses
from ui.web.desk import the_desk
from ui.web.incidents import sentence

# A browser that keeps to this asks nothing of any other host, whatever a page holds.
POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; "
    "style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; font-src 'self' data:; "
    "connect-src 'self' data: blob:; worker-src 'self' blob:; "
    "frame-ancestors 'self'; form-action 'self'; base-uri 'self'"
)
KEPT_MESHES = 12  # of about 7 MB


def application() -> Any:
    """The ASGI application; its threads and model are those of desk.the_desk()."""
    routes = [
        Route(f"/{addresses.VIEWER}", _viewer),
        Route(f"/{addresses.PREFIX}/faces/{{thread}}/{{face}}.glb", _mesh),
        Route(f"/{addresses.PREFIX}/health", _health),
    ]
    script = Path(__file__).with_name("app.py")
    return st.App(script, routes=routes, middleware=[Middleware(KeepsToItself)])


class KeepsToItself:
    """Adds the policy to every answer."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""

        async def send_with_policy(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)["Content-Security-Policy"] = POLICY
            await send(message)

        await self.app(scope, receive, send_with_policy if scope["type"] == "http" else send)


async def _viewer(request: Request) -> Response:
    return Response(
        bundle(), media_type="text/javascript; charset=utf-8", headers={"Cache-Control": "max-age=3600"}
    )


async def _health(request: Request) -> Response:
    return JSONResponse({"ok": True, "model_loaded": the_desk().ready})


async def _mesh(request: Request) -> Response:
    thread, face = request.path_params["thread"], request.path_params["face"]
    if not addresses.opens(request.query_params.get("ticket", ""), thread, face):
        return JSONResponse({"error": "this face is not open to you"}, status_code=403)
    try:
        content = await anyio.to_thread.run_sync(panel_mesh, the_desk(), thread, face)
    except ToolError as error:
        return JSONResponse({"error": str(error)}, status_code=404)
    except Exception as error:
        return JSONResponse({"error": sentence(error)}, status_code=500)
    return Response(content, media_type="model/gltf-binary", headers={"Cache-Control": "no-cache"})


@lru_cache(maxsize=KEPT_MESHES)
def panel_mesh(desk: Any, thread: str, handle: str) -> bytes:
    """The .glb of a face with every slider of its shape as a morph target; ToolError for an unknown one."""
    face = desk.chat(thread).workspace.face(handle)
    studio = open_studio()
    code = face.estimate.code
    mesh = with_axes(mesh_of(studio.head, code), studio.head, code, studio.axes, shape_axis_names())
    return glb_bytes(mesh, worn_meshes(studio.head, code), quantised=True)
