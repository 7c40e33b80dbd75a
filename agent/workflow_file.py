"""The form of a workflow file: steps that call tools, loops over tables and folders, variables.

A value is put in by ${name}: ${vars.x}, ${item} or ${item.column} inside a loop, ${index}, and
${steps.ID.faces}, .files or .text of an earlier step. Nothing is ever evaluated as code. Files
are looked for below the workflow's own folder and may not lead out of it.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, Field, ValidationError, model_validator

from agent.registry import tool_named
from tools.errors import ToolError

MOST = 10_000  # calls of one step
_NAME = re.compile(r"\$\{\s*([A-Za-z_]\w*(?:\.[\w-]+)*)\s*\}")
PHOTO = "photo"  # the one step that is no tool: shows a photo of a file and reconstructs it


class Loop(BaseModel, extra="forbid"):
    """What a step is repeated over; exactly one of these."""

    table: str = Field(default="", description="a CSV file with a header; ${item.column}")
    folder: str = Field(default="", description="a folder; ${item} is the path of a file")
    match: str = Field(default="*", description="which files of the folder, such as *.jpg")
    items: list[Any] = Field(default=[], description="values written here, or the faces of a step")
    each: str = Field(default="", description="a list from elsewhere, such as ${steps.people.faces}")

    @model_validator(mode="after")
    def _one(self) -> Loop:
        if sum(map(bool, (self.table, self.folder, self.items, self.each))) != 1:
            raise ValueError("a loop goes over one of table, folder, items or each")
        return self


class Step(BaseModel, extra="forbid", populate_by_name=True):
    """One tool call, or one per item of a loop."""

    id: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    tool: str
    arguments: dict[str, Any] = Field(default={}, alias="with")
    loop: Loop | None = Field(default=None, alias="for")
    workers: int = Field(default=1, ge=1, le=16, description="processes; each loads what it needs")
    on_error: Literal["stop", "continue"] = "stop"


class Workflow(BaseModel, extra="forbid"):
    """A whole file."""

    name: str
    vars: dict[str, Any] = {}
    steps: list[Step] = Field(min_length=1)

    @model_validator(mode="after")
    def _unique(self) -> Workflow:
        ids = [step.id for step in self.steps]
        if len(set(ids)) < len(ids):
            raise ValueError("every step needs an id of its own")
        return self


def read_workflow(path: Path, settings: Mapping[str, str]) -> Workflow:
    """The workflow of a YAML file with its variables set; ToolError in one sentence if it is none."""
    try:
        held = yaml.safe_load(path.read_text(encoding="utf-8"))
        workflow = Workflow.model_validate(held)
    except OSError as error:
        raise ToolError(f"cannot read {path}: {(error.strerror or str(error)).lower()}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ToolError(f"{path} is not valid YAML: {' '.join(str(error).split())}") from error
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "the file"
        raise ToolError(f"{path}: {place}: {first['msg'].lower()}") from error
    for step in workflow.steps:
        if step.tool != PHOTO:
            spec = tool_named(step.tool)
            if spec.destructive:
                raise ToolError(
                    f"step {step.id}: {step.tool} needs a person's approval each time; use the chat"
                )
            unknown = set(step.arguments) - set(spec.request.model_fields)
            if unknown:
                known = ", ".join(spec.request.model_fields)
                raise ToolError(
                    f"step {step.id}: {spec.name} takes no {sorted(unknown)[0]!r}; it takes {known}"
                )
    strange = set(settings) - set(workflow.vars)
    if strange:
        known = ", ".join(workflow.vars) or "none"
        raise ToolError(f"{path.name} has no variable {sorted(strange)[0]!r}; it has {known}")
    given = {name: yaml.safe_load(value) for name, value in settings.items()}
    return workflow.model_copy(update={"vars": {**workflow.vars, **given}})


def filled(value: Any, known: Mapping[str, Any]) -> Any:
    """The value with every ${name} put in; one that stands alone keeps its type. ToolError if unknown."""
    if isinstance(value, str):
        alone = _NAME.fullmatch(value.strip())
        if alone:
            return look_up(alone.group(1), known)
        return _NAME.sub(lambda match: str(look_up(match.group(1), known)), value)
    if isinstance(value, list):
        return [filled(item, known) for item in value]
    if isinstance(value, Mapping):
        return {name: filled(item, known) for name, item in value.items()}
    return value


def look_up(name: str, known: Mapping[str, Any]) -> Any:
    """The value of a dotted name; ToolError naming what there is at the place where it fails."""
    here: Any = known
    for part in name.split("."):
        if not isinstance(here, Mapping) or part not in here:
            there = ", ".join(map(str, here)) if isinstance(here, Mapping) else "nothing"
            raise ToolError(f"${{{name}}} is not known; there is {there}")
        here = here[part]
    return here


def items_of(loop: Loop, folder: Path, known: Mapping[str, Any]) -> list[Any]:
    """What a loop goes over; ToolError for a file or folder that is missing or outside `folder`."""
    if loop.each:
        found = filled(loop.each, known)
        if not isinstance(found, list):
            raise ToolError(f"{loop.each} is no list to go over")
    elif loop.items:
        found = filled(loop.items, known)
    elif loop.table:
        path = inside(folder, str(filled(loop.table, known)))
        try:
            with path.open(encoding="utf-8-sig", newline="") as file:
                found = [dict(row) for row in csv.DictReader(file)]
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            raise ToolError(f"cannot read the table {path}: {error}") from error
    else:
        place = inside(folder, str(filled(loop.folder, known)))
        if not place.is_dir():
            raise ToolError(f"there is no folder {place}")
        if "/" in loop.match or ".." in loop.match:
            raise ToolError(f"{loop.match!r} is no plain pattern of file names, such as *.jpg")
        found = [
            str(path.relative_to(folder.resolve()))
            for path in sorted(place.glob(loop.match))
            if path.is_file()
        ]
    if len(found) > MOST:
        raise ToolError(f"a step makes at most {MOST:,} calls, not {len(found):,}")
    return found


def inside(folder: Path, name: str) -> Path:
    """The file of that name below the folder; ToolError if it leads out of it, also by a link."""
    place = (folder / name).resolve()
    if not place.is_relative_to(folder.resolve()):
        raise ToolError(f"{name} lies outside {folder}; files of a workflow lie below its own folder")
    return place
