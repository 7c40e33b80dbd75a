"""Errors a person can act on: one sentence on stderr and exit code 2, for every command, in one place.

Anything not listed here is a bug and keeps its traceback.
"""

from __future__ import annotations

import sys
from typing import Any

import typer
from typer.core import TyperGroup

EXIT_CODE = 2

# By name, so that no command pays for importing what another one needs.
EXPECTED = {
    "tools.errors": ("ToolError",),
    "facegpt_model.face": ("BasisMismatch",),
    "facegpt_model.layout": ("BadRecord",),
    "facegpt_model.assets": ("AssetError",),
    "facegpt_model.morphable.catalogue": ("UnknownModel", "MissingModel", "BadModel"),
    "facegpt_model.morphable.landmark_files": ("MissingLandmarks", "BadLandmarkFile"),
    "facegpt_model.perception.photos": ("PhotoError",),
    "facegpt_model.perception.analyse": ("NoFace",),
    "facegpt_model.semantics.axes": ("UnknownAxis",),
    "facegpt_model.serving.backend": ("BackendError",),
    "facegpt_model.fitting.portraits": ("BadPortraits",),
    "facegpt_model.fitting.pseudo_codes": ("NothingToFit",),
    "facegpt_model.training.config": ("ConfigError",),
    "facegpt_model.data.photos": ("BadPhotoFolder",),
    "facegpt_model.data.licences": ("BadLicences",),
    "facegpt_model.data.shards": ("BadShards",),
    "facegpt_model.data.backdrops": ("BadBackdrops",),
    "facegpt_model.evaluation.run": ("UnknownSuite",),
    "facegpt_model.evaluation.strangers": ("UnknownKind",),
    "facegpt_model.evaluation.scan_layouts": ("BadScans",),
    "facegpt_model.evaluation.methods": ("UnknownQuality",),
}


def is_expected(error: BaseException) -> bool:
    """Whether this error was raised on purpose, for a person to read."""
    kinds = (
        getattr(sys.modules[module], name, None)
        for module, names in EXPECTED.items()
        if module in sys.modules
        for name in names
    )
    return isinstance(error, tuple(kind for kind in kinds if kind is not None))


class OneSentenceErrors(TyperGroup):
    """Commands whose expected errors are told in one sentence."""

    def invoke(self, ctx: Any) -> object:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except Exception as error:
            if not is_expected(error):
                raise
            typer.echo(f"facegpt: {error}", err=True)
            raise typer.Exit(EXIT_CODE) from error
