"""Commands that make and look at faces without a conversation."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tools.light_names import STUDIO, Light

if TYPE_CHECKING:
    from facegpt_model.fitting.photo import Quality
    from tools.outcome import Outcome

FaceFile = Annotated[Path, typer.Argument(metavar="FACE.json", help="a face-N.json that FaceGPT wrote")]
OutFolder = Annotated[Path, typer.Option("--out", help="folder for face-N.json, .png and .glb")]
Checkpoint = Annotated[Path | None, typer.Option(help="folder of another FaceGPT checkpoint")]


def imagine(
    text: Annotated[str, typer.Argument(help="what the person looks like, in words")],
    out: OutFolder = Path("out"),
    variants: Annotated[
        int,
        typer.Option(
            min=1, max=25, help="how many faces that all fit the text; more than 1 also makes a sheet"
        ),
    ] = 1,
    seed: Annotated[int | None, typer.Option(help="seed of whatever is drawn at random")] = None,
    temperature: Annotated[
        float, typer.Option(min=0.1, max=1.5, help="of the variants: below 1 more usual ones, above 1 odder")
    ] = 1.0,
    checkpoint: Checkpoint = None,
) -> None:
    """Make a face from a description in words."""
    from tools.array import ArrayRequest, array
    from tools.imagine import ImagineRequest, checked_text
    from tools.imagine import imagine as make
    from tools.variants import VariantsRequest
    from tools.variants import variants as draw
    from tools.workspace import Workspace
    from ui.services import open_backend, tell

    checked_text(text)
    workspace = Workspace(out)
    backend = open_backend(checkpoint)
    made = make(ImagineRequest(text=text, seed=seed), workspace, backend)
    tell(made, workspace)
    if variants > 1:
        wanted = VariantsRequest(face=made.faces[0], count=variants - 1, seed=seed or 0)
        others = draw(wanted, workspace, temperature)
        tell(others, workspace)
        faces = [made.faces[0], *others.faces]
        tell(array(ArrayRequest(faces=faces, name=f"variants-of-{made.faces[0]}"), workspace), workspace)


def reconstruct(
    photos: Annotated[
        list[Path], typer.Argument(metavar="PHOTO...", help="pictures, or folders of pictures")
    ],
    out: OutFolder = Path("out"),
    vertices: Annotated[
        bool, typer.Option("--vertices", help="write the surface's points (mm) into face-N.json too")
    ] = False,
    fast: Annotated[
        bool, typer.Option("--fast", help="landmarks only: a quarter of the time, less of the person")
    ] = False,
    same_person: Annotated[
        bool, typer.Option("--same-person", help="all photos show one person: one shape for all")
    ] = False,
    skin_detail: Annotated[
        bool,
        typer.Option(
            "--skin-detail/--no-skin-detail",
            help="keep what the photo shows of the skin: wrinkles, moles, brows, lips (not with --fast)",
        ),
    ] = True,
    appearance: Annotated[
        bool,
        typer.Option(
            "--appearance/--no-appearance", help="wear what the photo shows of hair, beard and glasses"
        ),
    ] = True,
) -> None:
    """Turn each PHOTO into a 3D face, with an overlay picture; failures do not stop a batch.

    Faces are numbered in the order of the photos. Run again into the same folder, it goes on
    where it stopped.
    """
    from rich.console import Console

    from tools.errors import ToolError
    from tools.face_files import add_vertices
    from tools.reconstruct import photos_in, reconstruct_many, reconstruct_person
    from tools.workspace import Workspace
    from ui.console import Progress
    from ui.services import tell

    found = photos_in(photos)
    workspace = Workspace(out)
    failures = []

    def told(outcome: Outcome) -> None:
        tell(outcome, workspace)
        for handle in outcome.faces if vertices else ():
            add_vertices(out / f"{handle}.json", workspace.face(handle), workspace.studio)
            workspace.wrote("vertices", {"handle": handle}, (f"{handle}.json",))

    quality: Quality = "fast" if fast else "default"
    with Progress(Console(highlight=False, emoji=False)) as progress:
        if same_person:
            outcome = reconstruct_person(found, workspace, progress, quality, skin_detail, appearance)
            progress.done()
            told(outcome)
            return
        results = reconstruct_many(found, workspace, progress, quality, skin_detail, appearance)
        for number, result in enumerate(results, start=1):
            progress.done()
            if len(found) > 1:
                typer.echo(f"{number} of {len(found)}")
            if result.outcome:
                told(result.outcome)
            else:
                failures.append(result)
                typer.echo(f"failed: {result.error}", err=len(found) > 1)
    if len(found) == 1 and failures:
        raise ToolError(failures[0].error)
    if failures:
        listed = "".join(f"\n  {failure.photo}: {failure.error}" for failure in failures)
        raise ToolError(f"{len(failures)} of {len(found)} photos gave no face:{listed}")


def edit(
    face: FaceFile,
    text: Annotated[str, typer.Argument(help="what to change, in words")] = "",
    changes: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="SLIDER=+0.5", help="move a slider by -1..1; may be repeated"),
    ] = None,
    out: OutFolder = Path("out"),
    checkpoint: Checkpoint = None,
) -> None:
    """Change a face by sliders or in words; makes a new face."""
    from tools.edit import edit as make
    from tools.edit import parse_changes
    from tools.errors import ToolError
    from tools.imagine import checked_text
    from tools.workspace import Workspace
    from ui.services import open_backend, tell

    if not changes and not text:
        raise ToolError(
            "say what to change, as words ('make the nose broader') or as --set 'nose width=+0.5'"
        )
    request = parse_changes(changes) if changes else None
    words = checked_text(text) if text else ""
    workspace = Workspace(out)
    handle = workspace.bring(face).handle
    if request:
        outcome = make(request.model_copy(update={"face": handle}), workspace)
        tell(outcome, workspace)
        handle = outcome.faces[-1]
    if words:
        from agent.one_call import edit_in_words

        tell(edit_in_words(words, handle, workspace, open_backend(checkpoint)), workspace)


def render(
    face: FaceFile,
    out: Annotated[Path, typer.Option("--out", help="picture to write, such as face.png")],
    yaw: Annotated[int, typer.Option(min=-90, max=90, help="degrees, positive to the person's left")] = 0,
    pitch: Annotated[int, typer.Option(min=-45, max=45, help="degrees, positive looks up")] = 0,
    size: Annotated[
        int | None,
        typer.Option(min=64, max=2048, help="pixels per picture; 512, or 384 for --turntable and --sheet"),
    ] = None,
    turntable: Annotated[bool, typer.Option("--turntable", help="a full turn, as .webp or .gif")] = False,
    frames: Annotated[int, typer.Option(min=2, max=360, help="pictures of a turntable")] = 48,
    seconds: Annotated[float, typer.Option(min=0.2, max=60, help="of one turn of a turntable")] = 4.0,
    sheet: Annotated[bool, typer.Option("--sheet", help="eight sides with labels in one picture")] = False,
    light: Annotated[Light, typer.Option(help="where the lamp stands, as seen in the picture")] = STUDIO,
) -> None:
    """Draw a face from a side, from all sides in one sheet, or turning."""
    from rich.console import Console

    from tools.errors import ToolError
    from tools.face_files import read_face
    from tools.render import RenderRequest, render_to
    from tools.studio import open_studio_of
    from tools.turntable import Turntable, sheet_to, turntable_to
    from ui.console import Progress

    if turntable and sheet:
        raise ToolError("--turntable and --sheet make two different files; ask for one of them")
    if (turntable or sheet) and yaw:
        raise ToolError("a turntable or sheet shows every side, so leave out --yaw")
    if sheet and pitch:
        raise ToolError("a sheet also looks from above and below, so leave out --pitch")
    studio = open_studio_of(face)
    source = read_face(face, studio)
    estimate, mark = source.estimate, source.marked
    with Progress(Console(highlight=False, emoji=False)) as progress:
        if turntable:
            turn = Turntable(frames=frames, seconds=seconds, size=size or 384, pitch=pitch, light=light)
            turntable_to(estimate, studio, out, turn, progress, mark)
            about = f"{frames} frames of {turn.size} x {turn.size} pixels, {seconds:g} s a turn"
        elif sheet:
            sheet_to(estimate, studio, out, size or 384, progress, mark, light)
            about = f"eight sides of {size or 384} x {size or 384} pixels"
        else:
            request = RenderRequest(yaw=yaw, pitch=pitch, size=size or 512, light=light)
            render_to(estimate, studio, out, request, mark)
            about = f"{request.size} x {request.size} pixels"
    typer.echo(f"{out}: {about}")


def describe(face: FaceFile) -> None:
    """Say in words and millimetres what a face looks like."""
    from tools.describe import words_of
    from tools.face_files import read_face
    from tools.studio import open_studio_of

    studio = open_studio_of(face)
    source = read_face(face, studio)
    typer.echo(f"{words_of(source, studio)}.")
    typer.echo(
        "Speculative: made from words or edits, no portrait." if source.speculative else "Fitted to a photo."
    )


def export(
    face: FaceFile,
    out: Annotated[Path, typer.Option("--out", help="file to write: .glb, .obj, .ply or .png")],
    axes: Annotated[
        str | None,
        typer.Option(
            metavar="all|none|NAME,...",
            help="sliders that become morph targets of a .glb [default: 25 of the face's shape]",
        ),
    ] = None,
    quantised: Annotated[
        bool, typer.Option("--quantised", help="about half the size, for readers of KHR_mesh_quantization")
    ] = False,
) -> None:
    """Write a face for other programs; the suffix chooses the format."""
    from tools.export import SHAPE_AXES, GlbOptions, axes_named, export_to
    from tools.face_files import read_face
    from tools.studio import open_studio_of

    options = None
    if axes is not None or quantised:
        options = GlbOptions(SHAPE_AXES if axes is None else axes_named(axes), quantised)
    studio = open_studio_of(face)
    source = read_face(face, studio)
    written = export_to(source.estimate, studio, out, options, source.marked)
    typer.echo(f"{out}: {written.about}")
    for companion in written.files[1:]:
        typer.echo(f"{companion}: belongs to it")


def convert(
    face: FaceFile,
    to: Annotated[str, typer.Option("--to", metavar="MODEL", help="a head model, see: facegpt models")],
    out: Annotated[Path, typer.Option("--out", help="folder for face-N.json, .png and .obj")] = Path(
        "out/converted"
    ),
) -> None:
    """Bring a face into another head model; tells the error that remains, in mm."""
    from tools.convert import ConvertRequest
    from tools.convert import convert as make

    outcome = make(face, ConvertRequest(to=to), out)
    typer.echo(outcome.text)
    for name in outcome.files:
        typer.echo(f"  wrote {out / name}")


def register(app: typer.Typer) -> None:
    """Add these commands to the application."""
    for command in (imagine, reconstruct, edit, render, describe, export, convert):
        app.command()(command)
