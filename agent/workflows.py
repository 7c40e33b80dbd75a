"""Runs workflows: many tool calls without a conversation, on one case, resumable.

workflow.json in the case's folder holds the result of each call under a digest of the step, the
place in its loop and the filled-in arguments; a call that succeeded is not made again.
results.json is the summary.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path
from textwrap import shorten
from typing import Any

from agent.registry import Services, checked, tool_named
from agent.workflow_file import PHOTO, Step, Workflow, filled, inside, items_of
from facegpt_model.serving.backend import Backend, BackendError
from tools.errors import ToolError
from tools.reconstruct import ReconstructRequest, reconstruct, show_photo
from tools.workspace import Workspace
from tools.writing import write_text

OpenBackend = Callable[[], Backend]
Report = Callable[[str, float], None]


@dataclass(frozen=True)
class Call:
    """One call of a step: the tool and its filled-in arguments; key tells it apart from all others."""

    step: str
    index: int
    tool: str
    arguments: dict[str, Any]
    key: str


@dataclass(frozen=True)
class Result:
    """What became of a call."""

    ok: bool
    text: str
    faces: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    again: bool = False  # taken from an earlier run


class WorkflowRun:
    """One workflow on one case.

    folder: where the workflow's own files lie; out: of the case; open_backend: gives the model
    that imagines, on first use
    """

    def __init__(self, workflow: Workflow, folder: Path, out: Path, open_backend: OpenBackend) -> None:
        self.workflow = workflow
        self.folder = folder
        self.out = out
        self._open_backend = open_backend
        self._services: Services | None = None

    def plan(self) -> list[tuple[Step, int | None]]:
        """Each step with its number of calls, None where that depends on an earlier step; writes nothing.

        ToolError for a loop that cannot be read or arguments that cannot be right.
        """
        known: dict[str, Any] = {"vars": self.workflow.vars, "steps": {}}
        planned: list[tuple[Step, int | None]] = []
        for step in self.workflow.steps:
            later = "${steps." in json.dumps(step.model_dump(), default=str)
            if later and step.loop and "${steps." in json.dumps(step.loop.model_dump(), default=str):
                planned.append((step, None))
                continue
            calls = [] if later else self._calls(step, known)
            for call in calls:
                self._check(call)
            count = len(items_of(step.loop, self.folder, known)) if step.loop else 1
            planned.append((step, count))
        return planned

    def run(self, report: Report) -> dict[str, Any]:
        """Make all calls that are not made yet; returns the summary that results.json holds."""
        workspace = Workspace(self.out)
        done = self._done()
        known: dict[str, Any] = {"vars": self.workflow.vars, "steps": {}}
        summary: dict[str, Any] = {}
        stopped = False
        for step in self.workflow.steps:
            if stopped:
                break
            results: list[Result] = []
            try:
                calls = self._calls(step, known)
            except ToolError as error:
                calls, results, stopped = [], [Result(False, str(error))], True
            if calls:
                results = self._results(step, calls, done, workspace, report)
                stopped = step.on_error == "stop" and not all(result.ok for result in results)
            known["steps"][step.id] = _told(results)
            summary[step.id] = {**_told(results), "results": [asdict(result) for result in results]}
        ok = not stopped and all(one["failed"] == 0 for one in summary.values())
        found = {"workflow": self.workflow.name, "ok": ok, "steps": summary}
        write_text(self.out / "results.json", json.dumps(found, indent=1, ensure_ascii=False))
        return found

    def _results(
        self, step: Step, calls: Sequence[Call], done: dict[str, Any], workspace: Workspace, report: Report
    ) -> list[Result]:
        results: dict[int, Result] = {}
        for call in calls:
            if call.key in done:
                results[call.index] = Result(**{**done[call.key], "again": True})
        open_calls = [call for call in calls if call.index not in results]
        for call, result in self._made(step, open_calls, workspace):
            results[call.index] = result
            if result.ok:
                done[call.key] = asdict(result)
                write_text(self.out / "workflow.json", json.dumps(done, indent=1, ensure_ascii=False))
            report(
                f"{step.id}: {shorten(' '.join(result.text.split()), 80, placeholder=' …')}",
                len(results) / len(calls),
            )
        return [results[index] for index in sorted(results)]

    def _made(self, step: Step, calls: Sequence[Call], workspace: Workspace) -> Iterator[tuple[Call, Result]]:
        """Each call with its result, as they get ready; ends early where an error stops the step."""
        if step.workers == 1 or len(calls) < 2:
            for call in calls:
                result = self._one(call, workspace)
                yield call, result
                if not result.ok and step.on_error == "stop":
                    return
            return
        workers = min(step.workers, len(calls))
        with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
            waiting = {
                pool.submit(_in_process, call, self.folder, self.out, self._open_backend): call
                for call in calls
            }
            for future in as_completed(waiting):
                yield waiting[future], future.result()

    def _one(self, call: Call, workspace: Workspace) -> Result:
        if call.tool != PHOTO and tool_named(call.tool).spoken and self._services is None:
            self._services = Services(workspace, self._open_backend())
        backend: Any = self._services.backend if self._services else None
        return made(call, self.folder, Services(workspace, backend))

    def _calls(self, step: Step, known: dict[str, Any]) -> list[Call]:
        items = items_of(step.loop, self.folder, known) if step.loop else [None]
        calls = []
        for index, item in enumerate(items):
            arguments = filled(step.arguments, {**known, "item": item, "index": index})
            told = json.dumps([step.id, index, step.tool, arguments], sort_keys=True, default=str)
            calls.append(
                Call(step.id, index, step.tool, arguments, hashlib.sha256(told.encode()).hexdigest()[:24])
            )
        return calls

    def _check(self, call: Call) -> None:
        """ToolError where the arguments cannot be right, whatever the case holds."""
        place = f"step {call.step}, call {call.index + 1}"
        try:
            if call.tool == PHOTO:
                _photo_file(call, self.folder)
            else:
                checked(tool_named(call.tool).request, call.arguments)
        except ToolError as error:
            raise ToolError(f"{place}: {error}") from error

    def _done(self) -> dict[str, Any]:
        path = self.out / "workflow.json"
        try:
            held = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
            return {str(key): dict(value) for key, value in held.items()}
        except (ValueError, AttributeError) as error:
            raise ToolError(f"{path} is damaged; move it away to begin anew") from error


def made(call: Call, folder: Path, services: Services) -> Result:
    """Make one call; what goes wrong on purpose becomes a failed result."""
    try:
        if call.tool == PHOTO:
            handle = show_photo(_photo_file(call, folder), services.workspace)
            outcome = reconstruct(ReconstructRequest(photo=handle), services.workspace)
        else:
            outcome = tool_named(call.tool).run(call.arguments, services, lambda doing, share: None)
    except (ToolError, BackendError) as error:
        return Result(False, str(error))
    return Result(True, outcome.text, outcome.faces, outcome.files)


def _in_process(call: Call, folder: Path, out: Path, open_backend: OpenBackend) -> Result:
    """The same in a process of its own, which opens the case itself."""
    backend: Any = open_backend() if call.tool != PHOTO and tool_named(call.tool).spoken else None
    return made(call, folder, Services(Workspace(out), backend))


def _photo_file(call: Call, folder: Path) -> Path:
    if set(call.arguments) != {"file"}:
        raise ToolError("photo takes one argument, file")
    path = inside(folder, str(call.arguments["file"]))
    if not path.is_file():
        raise ToolError(f"there is no file {path}; give the path of a picture with a face")
    return path


def _told(results: Sequence[Result]) -> dict[str, Any]:
    """What later steps and the summary know of a step."""
    return {
        "calls": len(results),
        "failed": sum(not result.ok for result in results),
        "again": sum(result.again for result in results),
        "faces": [handle for result in results for handle in result.faces],
        "files": [name for result in results for name in result.files],
        "text": "\n".join(result.text for result in results),
    }
