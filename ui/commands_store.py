"""Commands of the face store: facegpt store ... Similar shapes, never identifications; no names."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ui.counting import counted

if TYPE_CHECKING:
    from tools.retrieve import Question
    from tools.store.face_store import FaceStore
    from tools.studio import Studio

store = typer.Typer(
    name="store", help="Keep faces and find similar shapes; nobody is identified.", no_args_is_help=True
)

Folder = Annotated[
    Path | None,
    typer.Option("--store", envvar="FACEGPT_STORE", help="folder of the store [default: beside the assets]"),
]
Url = Annotated[
    str | None,
    typer.Option("--url", envvar="FACEGPT_STORE_URL", help="a server started by: facegpt store serve"),
]
Case = Annotated[str, typer.Option("--case", help="label of a case, such as k-12; no names")]
Tags = Annotated[list[str] | None, typer.Option("--tag", help="label; may be repeated")]


@contextmanager
def opened(folder: Path | None, url: str | None) -> Iterator[tuple[FaceStore, Studio]]:
    """The store of a folder or a server; repairs are told on stderr."""
    from tools.store.opening import connect, default_folder, open_store
    from tools.studio import open_studio

    def report(sentence: str) -> None:
        typer.echo(sentence, err=True)

    studio = open_studio()
    way = connect(url, studio, report) if url else open_store(folder or default_folder(), studio, report)
    with way as faces:
        yield faces, studio


@store.command()
def add(
    faces: Annotated[list[Path], typer.Argument(metavar="FACE.json...", help="face-N.json files")],
    case: Case = "",
    tag: Tags = None,
    folder: Folder = None,
    url: Url = None,
) -> None:
    """Store faces that FaceGPT made."""
    gather(faces, case, tag, folder, url)


@store.command("import")
def gather(
    sources: Annotated[
        list[Path],
        typer.Argument(metavar="PATH...", help="photos, face-N.json, exports (.jsonl), or folders of them"),
    ],
    case: Case = "",
    tag: Tags = None,
    folder: Folder = None,
    url: Url = None,
) -> None:
    """Store the faces of files; can be stopped and started again, failures do not stop it."""
    from rich.console import Console

    from tools.errors import ToolError
    from tools.store.gather import import_all, sources_in
    from tools.store.records import checked_label, checked_tags
    from ui.console import Progress

    tags = checked_tags(tag or [])
    case = checked_label(case, "the case") if case else ""
    found = sources_in(sources)
    counts = {"new": 0, "there": 0, "failed": 0}
    last = None
    with opened(folder, url) as (faces, studio), Progress(Console(highlight=False, emoji=False)) as progress:
        for row in import_all(faces, studio, found, case, tags, progress):
            counts[row.state] += 1
            progress.done()
            if row.state == "failed":
                typer.echo(f"failed: {row.source}: {row.note}", err=True)
                last = row
            elif row.source.suffix != ".jsonl":
                note = f", {row.note}" if row.note else ""
                typer.echo(f"{row.source.name}: {row.id or 'stored before'}{note}")
        total = len(faces)
    typer.echo(
        f"{counts['new']} new, {counts['there']} stored before, {counts['failed']} failed; "
        f"the store holds {counted(total, 'face')}"
    )
    if last is not None:
        raise ToolError(f"{counts['failed']} of {sum(counts.values())} gave no face, the last: {last.note}")


@store.command()
def query(
    face: Annotated[str, typer.Argument(metavar="[FACE.json|ID]", help="a face file, or a stored face")] = "",
    text: Annotated[str, typer.Option("--text", help="what the face looks like, in words")] = "",
    photo: Annotated[Path | None, typer.Option("--photo", help="a picture with a face")] = None,
    part: Annotated[
        list[str] | None,
        typer.Option("--part", metavar="NAME[=FACE.json]", help="only this part counts, as of another face"),
    ] = None,
    free: Annotated[list[str] | None, typer.Option("--any", help="every part counts but this one")] = None,
    count: Annotated[int, typer.Option("--n", min=1, max=100, help="how many faces")] = 5,
    looks: Annotated[str, typer.Option(help="woman or man, as estimated")] = "",
    min_age: Annotated[int, typer.Option(min=0, max=120, help="estimated years")] = 0,
    max_age: Annotated[int, typer.Option(min=0, max=120, help="estimated years")] = 120,
    expression: Annotated[str, typer.Option(help="neutral, smile ...")] = "",
    source: Annotated[str, typer.Option(help="photo, text, edit, synthetic or other")] = "",
    case: Case = "",
    tag: Tags = None,
    out: Annotated[Path | None, typer.Option("--out", help="folder for similar.png and hits.json")] = None,
    checkpoint: Annotated[Path | None, typer.Option(help="folder of another FaceGPT checkpoint")] = None,
    folder: Folder = None,
    url: Url = None,
) -> None:
    """Find stored faces of similar shape, and how each differs in words and mm."""
    import dataclasses

    from pydantic import ValidationError

    from tools.errors import ToolError
    from tools.retrieve import DISCLAIMER, search
    from tools.store.filters import FaceFilter

    if sum(map(bool, (face, text, photo))) != 1:
        raise ToolError(
            "say what to look for: a FACE.json or ID, or --text, or --photo, and only one of them"
        )
    fields: dict[str, Any] = {"looks": looks, "min_age": min_age, "max_age": max_age, "case": case}
    fields |= {"expression": expression, "source": source, "tags": tuple(tag or ())}
    try:
        wanted = FaceFilter.model_validate(fields)
    except ValidationError as error:
        first = error.errors()[0]
        raise ToolError(f"--{first['loc'][0]}: {first['msg'].lower()}, not {first['input']!r}") from error
    with opened(folder, url) as (faces, studio):
        question = _question(faces, studio, face, text, photo, checkpoint)
        targets = _targets(studio, question, part or [], free or [])
        said = None if targets else question.said
        question = dataclasses.replace(question, parts=targets, said=said, wanted=wanted, count=count)
        found = search(faces, studio, question)
        typer.echo(f"{len(found)} of {counted(len(faces), 'face')}, {question.about()} ({DISCLAIMER}):")
        for number, row in enumerate(found, start=1):
            typer.echo(f"{number:3}. {row.line()}")
        if out is not None:
            _write_hits(faces, studio, found, out)


def _question(
    faces: FaceStore, studio: Studio, face: str, text: str, photo: Path | None, checkpoint: Path | None
) -> Question:
    from tools.face_files import read_face
    from tools.retrieve import Question, question_of_photo, question_of_text
    from ui.services import open_backend

    if text:
        return question_of_text(text, studio, open_backend(checkpoint))
    if photo is not None:
        return question_of_photo(photo)
    if face.endswith(".json"):
        return Question(read_face(Path(face), studio).estimate.code)
    return Question(faces.get(face).code)


def _targets(studio: Studio, question: Question, parts: list[str], free: list[str]) -> dict[str, Any]:
    """part -> the face whose part is meant, of --part NAME, --part NAME=FACE.json and --any NAME."""
    from tools.errors import ToolError
    from tools.face_files import read_face
    from tools.store.regions import PARTS

    if parts and free:
        raise ToolError("--part says what counts and --any what does not; use one of them")
    named = [entry.partition("=") for entry in parts] or [(p, "", "") for p in PARTS if p not in free]
    unknown = [name for name in [entry[0] for entry in named] + free if name not in PARTS]
    if unknown:
        raise ToolError(f"there is no part called {unknown[0]!r}; known: {', '.join(PARTS)}")
    if not parts and not free:
        return {}
    return {
        name: read_face(Path(file), studio).estimate.code if file else question.code
        for name, _, file in named
    }


def _write_hits(faces: FaceStore, studio: Studio, found: list[Any], out: Path) -> None:
    import json

    from rich.console import Console

    from tools.retrieve import MOST_SHOWN, sheet
    from tools.writing import ensure_folder, write_text, write_through
    from ui.console import Progress

    ensure_folder(out)
    with Progress(Console(highlight=False, emoji=False)) as progress:
        picture = sheet(faces, studio, found[:MOST_SHOWN], progress)
    write_through(out / "similar.png", picture.save)
    rows = [
        {
            "id": row.hit.face.id,
            "distance": round(row.hit.distance, 4),
            "words": row.words,
            "facts": row.hit.face.facts.metadata(),
        }
        for row in found
    ]
    write_text(out / "hits.json", json.dumps(rows, indent=1))
    typer.echo(f"  wrote {out / 'similar.png'}\n  wrote {out / 'hits.json'}")


@store.command()
def info(folder: Folder = None, url: Url = None) -> None:
    """What the store holds."""
    with opened(folder, url) as (faces, _):
        calibration = faces.calibration
        typer.echo(
            f"{counted(len(faces), 'face')} of {calibration.layout.basis}, "
            f"calibration {calibration.version}, "
            f"{calibration.dimension} numbers each, "
            f"{'exact answers' if len(faces) <= faces.exact_limit else 'HNSW without a filter'}"
        )
        parts = ", ".join(f"{part} {space.size}" for part, space in calibration.parts.items())
        typer.echo(f"  parts (numbers): {parts}")
        for field in ("looks", "source", "expression", "tags", "case"):
            counts = list(faces.counts(field).items())
            if counts:
                rest = f" and {len(counts) - 8} more" if len(counts) > 8 else ""
                typer.echo(f"  {field}: {', '.join(f'{word} {n:,}' for word, n in counts[:8])}{rest}")
        typer.echo(f"  in {url or faces.folder}")


@store.command()
def demo(
    n: Annotated[int, typer.Option("--n", min=1, help="how many people")] = 1000,
    seed: Annotated[int, typer.Option(help="the same seed gives the same people")] = 0,
    folder: Folder = None,
    url: Url = None,
) -> None:
    """Fill the store with synthetic people with hair, beards and glasses; no real persons."""
    from rich.console import Console

    from tools.store.gallery import fill
    from ui.console import Progress

    with opened(folder, url) as (faces, studio):
        with Progress(Console(highlight=False, emoji=False)) as progress:
            new = fill(faces, studio, n, seed, progress)
        typer.echo(f"{new:,} synthetic people stored, {n - new:,} were there; the store holds {len(faces):,}")


@store.command()
def export(
    out: Annotated[Path, typer.Option("--out", help="file to write, ending in .jsonl")],
    case: Case = "",
    tag: Tags = None,
    folder: Folder = None,
    url: Url = None,
) -> None:
    """Write stored faces as lines of JSON that import reads again."""
    from tools.store.filters import FaceFilter
    from tools.store.gather import export_all

    with opened(folder, url) as (faces, _):
        count = export_all(faces, out, FaceFilter(case=case, tags=tuple(tag or ())))
    typer.echo(f"{out}: {counted(count, 'face')}")


@store.command()
def delete(
    ids: Annotated[list[str] | None, typer.Argument(metavar="ID...", help="stored faces")] = None,
    case: Case = "",
    yes: Annotated[bool, typer.Option("--yes", help="do not ask")] = False,
    folder: Folder = None,
    url: Url = None,
) -> None:
    """Delete faces, or all faces of a case, for good."""
    from tools.errors import ToolError

    if bool(ids) == bool(case):
        raise ToolError("name the faces to delete by ID, or a whole case by --case, and only one of them")
    with opened(folder, url) as (faces, _):
        what = f"all faces of case {case}" if case else counted(len(ids or []), "face")
        if not yes:
            typer.confirm(f"delete {what} for good?", abort=True)
        gone = faces.delete_case(case) if case else faces.delete(ids or [])
        typer.echo(f"deleted {counted(gone, 'face')}; the store holds {len(faces):,}")


@store.command()
def serve(
    host: Annotated[str, typer.Option(help="address to listen on; there are no passwords")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535)] = 8100,
    folder: Folder = None,
) -> None:
    """Let several processes share a store, until stopped with Ctrl-C."""
    from tools.errors import ToolError
    from tools.store.opening import SERVER_LOG, default_folder
    from tools.store.opening import serve as run

    def started(address: str) -> None:
        typer.echo(f"serving at {address}; others use: facegpt store info --url {address}")

    place = folder or default_folder()
    code = run(place, host, port, started)
    if code:
        raise ToolError(f"the server ended with code {code}; is port {port} in use? See {place / SERVER_LOG}")


@store.command()
def rebuild(folder: Folder = None) -> None:
    """Make all vectors again after an update changed the calibration."""
    from tools.store.opening import default_folder
    from tools.store.opening import rebuild as make
    from tools.studio import open_studio

    place = folder or default_folder()
    typer.echo(f"rebuilt {counted(make(place, open_studio()), 'face')} in {place}")


def register(app: typer.Typer) -> None:
    """Add these commands."""
    app.add_typer(store)
