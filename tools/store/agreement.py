"""Agreement of the store's three copies: Chroma's whole faces are the truth, the rest is made again.

A killed process may leave a face in Chroma that is not yet in the sidecar or among the parts,
or the other way round after a deletion. Both are put right when the store is opened.
"""

from __future__ import annotations

from collections.abc import Sequence

from tools.store.chroma import Collections
from tools.store.regions import PARTS
from tools.store.sidecar import Sidecar
from tools.store.vectors import Calibration


def agree(collections: Collections, sidecar: Sidecar, calibration: Calibration, thorough: bool) -> list[str]:
    """Make sidecar and part collections hold exactly the whole faces; one sentence per repair.

    thorough: compare ids even where all counts are the same
    """
    total = collections.count()
    even = len(sidecar.ids) == total and all(collections.count(part) == total for part in PARTS)
    if even and not thorough:
        return []
    truth = collections.ids()
    told = _mend_sidecar(collections, sidecar, truth)
    for part in PARTS:
        told += _mend_part(collections, sidecar, calibration, part, truth)
    return told


def _mend_sidecar(collections: Collections, sidecar: Sidecar, truth: Sequence[str]) -> list[str]:
    extra = sidecar.row_of.keys() - set(truth)
    missing = [known for known in truth if known not in sidecar.row_of]
    sidecar.drop(extra)
    if missing:
        sidecar.append(*collections.fetch(missing))
    if not extra and not missing:
        return []
    return [
        f"repaired the store: in the sidecar {len(missing)} missing put back, {len(extra)} left over removed"
    ]


def _mend_part(
    collections: Collections, sidecar: Sidecar, calibration: Calibration, part: str, truth: Sequence[str]
) -> list[str]:
    present = set(collections.ids(part))
    extra = present - set(truth)
    missing = [known for known in truth if known not in present and known in sidecar.row_of]
    if extra:
        collections.delete(part, extra)
    if missing:
        rows = sidecar.index.rows[[sidecar.row_of[known] for known in missing]]
        collections.add(part, missing, calibration.part_vectors(rows, part))
    if not extra and not missing:
        return []
    return [
        f"repaired the store: of {part} {len(missing)} missing made again, {len(extra)} left over removed"
    ]
