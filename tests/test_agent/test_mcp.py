"""The tools over MCP: in this process, over stdio and over HTTP, with the SDK's own client."""

from __future__ import annotations

import base64
import io
import json
import socket
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp import Client, StdioServerParameters
from mcp.types import ElicitResult
from PIL import Image

from agent.mcp_server import CaseServer
from agent.registry import TOOLS
from facegpt_model.face import FaceEstimate
from facegpt_model.serving.backend import Reply
from tools.workspace import Workspace

pytestmark = pytest.mark.usefixtures("numbers_only")
Make = Callable[..., FaceEstimate]
Script = Callable[..., Any]


@pytest.fixture
def served(case: Path, scripted: Script, estimate: Make) -> CaseServer:
    backend = scripted(
        [Reply("A man. <FACE>", (), (estimate(1),)), Reply("A woman. <FACE>", (), (estimate(2),))]
    )
    return CaseServer(Workspace(case), lambda: backend)


def talk(target: Any, act: Callable[[Client], Awaitable[None]], **options: Any) -> None:
    async def run() -> None:
        async with Client(target, **options) as client:
            await act(client)

    anyio.run(run)


def image_bytes(size: tuple[int, int] = (200, 200)) -> str:
    held = io.BytesIO()
    exif = Image.Exif()
    exif[0x010F] = "SecretCamera"
    Image.new("RGB", size, "grey").save(held, "JPEG", exif=exif)
    return base64.b64encode(held.getvalue()).decode()


def test_every_tool_is_listed_with_its_fields_and_hints(served: CaseServer) -> None:
    async def act(client: Client) -> None:
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
        assert set(tools) == {spec.name for spec in TOOLS} | {"show_photo"}
        edit = tools["edit"].input_schema
        assert edit["required"] == ["changes"] and edit["properties"]["face"]["default"] == ""
        assert tools["render"].input_schema["properties"]["yaw"]["maximum"] == 90
        assert tools["delete"].annotations.destructive_hint and tools["describe"].annotations.read_only_hint

    talk(served.server, act)


def test_a_face_is_imagined_edited_shown_and_read(served: CaseServer, case: Path) -> None:
    async def act(client: Client) -> None:
        made = await client.call_tool("imagine", {"text": "a man"})
        assert made.structured_content["faces"] == ["face-1"] and "face-1" in made.content[0].text
        change = {"changes": [{"slider": "smile", "value": 0.4}]}
        assert (await client.call_tool("edit", change)).structured_content["faces"] == ["face-2"]
        shown = await client.call_tool("render", {"yaw": 30, "size": 64})
        assert [block.type for block in shown.content] == ["text", "image"]
        picture = Image.open(io.BytesIO(base64.b64decode(shown.content[1].data)))
        assert picture.size == (64, 64)
        record = await client.read_resource("face://face-2/record.json")
        assert json.loads(record.contents[0].text)["parent"] == "face-1"
        listed = json.loads((await client.read_resource("case://faces")).contents[0].text)
        assert listed["current"] == "face-2" and len(listed["faces"]) == 2

    talk(served.server, act)
    assert [entry.event for entry in Workspace(case).journal.entries()].count("face") == 2


def test_named_errors_come_through_and_bugs_are_hidden(
    served: CaseServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def act(client: Client) -> None:
        refused = await client.call_tool("describe", {"face": "face-9"})
        assert refused.is_error and "there is no face yet" in refused.content[0].text
        wrong = await client.call_tool("edit", {"changes": [{"slider": "smile", "value": 9}]})
        assert wrong.is_error and "\n" not in wrong.content[0].text and "not 9" in wrong.content[0].text
        await client.call_tool("imagine", {"text": "a man"})
        monkeypatch.setattr("tools.describe.words_of", lambda *_: 1 / 0)
        hidden = await client.call_tool("describe", {})
        assert hidden.is_error and "division" not in hidden.content[0].text
        with pytest.raises(Exception, match="no face called"):
            await client.read_resource("face://face-7/record.json")

    talk(served.server, act)


def test_nothing_leads_out_of_the_case(served: CaseServer, tmp_path: Path) -> None:
    (tmp_path / "secret.json").write_text("{}")

    async def act(client: Client) -> None:
        await client.call_tool("imagine", {"text": "a man"})
        for place in ("../secret", "..%2Fsecret", "%2e%2e/secret", "/etc/passwd"):
            with pytest.raises(Exception):  # noqa: B017 - whichever layer refuses first
                await client.read_resource(f"face://{place}/record.json")
        shown = await client.call_tool("show_photo", {"data": image_bytes(), "name": "../../evil.jpg"})
        assert shown.structured_content["files"] == ["photo-1.jpg"]

    talk(served.server, act)
    assert not list(tmp_path.glob("evil*")) and not list(tmp_path.parent.glob("evil*"))


def test_photos_lose_their_exif_and_are_limited(served: CaseServer, case: Path) -> None:
    async def act(client: Client) -> None:
        assert not (await client.call_tool("show_photo", {"data": image_bytes()})).is_error
        for data, told in (
            ("no base64!", "base64"),
            (base64.b64encode(b"text").decode(), "not a picture"),
            (image_bytes((20, 20)), "64"),
        ):
            refused = await client.call_tool("show_photo", {"data": data})
            assert refused.is_error and told in refused.content[0].text

    talk(served.server, act)
    kept = (case / "photo-1.jpg").read_bytes()
    assert b"SecretCamera" not in kept and not dict(Image.open(case / "photo-1.jpg").getexif())


def test_deleting_asks_a_person_and_is_refused_where_nobody_can_be_asked(
    served: CaseServer, case: Path
) -> None:
    asked: list[str] = []

    def person(approve: bool) -> Any:
        async def answer(context: Any, request: Any) -> ElicitResult:
            asked.append(request.message)
            return ElicitResult(action="accept", content={"approve": approve})

        return answer

    async def make(client: Client) -> None:
        await client.call_tool("imagine", {"text": "a man"})
        refused = await client.call_tool("delete", {"face": "face-1"})
        assert refused.is_error and "approval" in refused.content[0].text

    async def delete(client: Client) -> None:
        await client.call_tool("delete", {"face": "face-1"})

    talk(served.server, make)
    talk(served.server, delete, elicitation_callback=person(False), mode="legacy")
    assert (case / "face-1.json").exists()
    talk(served.server, delete, elicitation_callback=person(True), mode="legacy")
    assert not (case / "face-1.json").exists() and "face-1" in asked[0]


def test_long_tools_tell_how_far_they_are(served: CaseServer, monkeypatch: pytest.MonkeyPatch) -> None:
    heard: list[tuple[float, str | None]] = []

    async def progress(share: float, total: float | None, message: str | None) -> None:
        heard.append((share, message))

    def slow(request: Any, workspace: Any, report: Any) -> Any:
        report("fitting", 0.5)
        raise AssertionError("enough seen")

    monkeypatch.setattr("agent.registry.reconstruct", slow)

    async def act(client: Client) -> None:
        await client.call_tool("show_photo", {"data": image_bytes()})
        await client.call_tool("reconstruct", {"photo": "photo-1"}, progress_callback=progress)

    talk(served.server, act)
    assert heard == [(0.5, "fitting")]


async def _one_call(client: Client) -> None:
    told = await client.call_tool("history", {})
    assert told.content[0].text == "there is no face yet"
    refused = await client.call_tool("undo", {})
    assert refused.is_error and "nothing to undo" in refused.content[0].text


def test_over_stdio(case: Path) -> None:
    arguments = ["-m", "ui.cli", "mcp", "--out", str(case)]
    talk(
        StdioServerParameters(command=sys.executable, args=arguments, cwd=Path(__file__).parents[2]),
        _one_call,
    )


def test_over_http(served: CaseServer) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]

    async def run() -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(lambda: served.server.run_streamable_http_async(port=port))
            for _ in range(200):
                try:
                    await (await anyio.connect_tcp("127.0.0.1", port)).aclose()
                    break
                except OSError:
                    await anyio.sleep(0.05)
            async with Client(f"http://127.0.0.1:{port}/mcp") as client:
                await _one_call(client)
            group.cancel_scope.cancel()

    anyio.run(run)
