"""How fast and how exact the face store answers, against Chroma's own filtered query and plain numpy.

Run `nice python benchmarks/store.py [--n 100000] [--folder DIR] [--json]`. Faces are real-like:
10,000 random adults of openhead, each estimated several times with the scatter of a photo fit
(0.35 sd), so a query has close and far neighbours as in a gallery of photos. The store is
filled by its own add(), parts included, and asked at several sizes on the way; beyond --n only
the sidecar grows, up to --largest. Filling 100,000 faces takes 5 to 40 minutes, nearly all of it
Chroma's index; with --folder it is kept and the next run only asks.

Times are medians of CPU time in ms, one thread (wall time beside them); "numpy" is a float32
scan of all rows, masked. HNSW is Chroma's answer alone and after the store put 200 candidates
in order. Recall is the share of the true 10 nearest, by a float64 scan.
"""

from __future__ import annotations

import argparse
import json
import resource
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from facegpt_model.face import FaceCode
from facegpt_model.morphable.openhead import OpenHead
from facegpt_model.morphable.people import sample_people
from tools.store.chroma import PREFIX, WHOLE
from tools.store.face_store import FaceStore
from tools.store.filters import Columns, FaceFilter
from tools.store.opening import open_store
from tools.store.records import FaceFacts, NewFace
from tools.store.search import Search
from tools.store.sidecar import Sidecar
from tools.studio import open_studio

PEOPLE, SCATTER, CHUNK, K = 10_000, 0.35, 2000, 10
SIZES = (1_000, 10_000, 50_000, 100_000)
FILTERS = (
    FaceFilter(looks="woman"),
    FaceFilter(looks="man", min_age=30, max_age=50),
    FaceFilter(looks="man", min_age=60, tags=("tag3",)),
)
Array = NDArray[np.float32]


@dataclass(frozen=True)
class Timing:
    """Median CPU and wall time in ms."""

    cpu: float
    wall: float


def timed(ask: Callable[[int], object], count: int) -> Timing:
    """Of ask(0), ask(1) ...; the first is done once before to warm up."""
    ask(0)
    cpu, wall = [], []
    for number in range(count):
        began, clock = time.process_time(), time.perf_counter()
        ask(number)
        cpu.append(time.process_time() - began)
        wall.append(time.perf_counter() - clock)
    return Timing(round(median(cpu) * 1000, 2), round(median(wall) * 1000, 2))


class Crowd:
    """Any number of real-like faces and queries, the same for the same seed."""

    def __init__(self, head: OpenHead, folder: Path) -> None:
        kept = folder / f"people-{PEOPLE}.npz"
        if not kept.exists():
            print(f"drawing {PEOPLE:,} people ...", flush=True)
            drawn = sample_people(head, PEOPLE, torch.Generator().manual_seed(1))
            np.savez(
                kept,
                flat=head.layout.pack(drawn.code).numpy(),
                sex=drawn.sex.numpy(),
                years=drawn.years.numpy(),
            )
        with np.load(kept) as stored:
            self.flat, self.sex, self.years = stored["flat"], stored["sex"], stored["years"]
        self.layout = head.layout

    def flat_codes(self, start: int, count: int) -> Array:
        """(count, D) flat codes of estimates number start, start + 1 ..."""
        rng = np.random.default_rng([7, start])
        who = np.arange(start, start + count) % PEOPLE
        flat = self.flat[who].copy()
        identity, shown = self.layout.identity, self.layout.identity + self.layout.expression
        coloured = shown + self.layout.albedo
        flat[:, :identity] += SCATTER * rng.standard_normal((count, identity), np.float32)
        flat[:, shown:coloured] += SCATTER * rng.standard_normal((count, self.layout.albedo), np.float32)
        flat[:, coloured:] = rng.uniform(0, 0.8, (count, self.layout.appearance)).astype(np.float32)
        return flat

    def faces(self, start: int, count: int) -> list[NewFace]:
        """The same as faces for the store."""
        codes = self.layout.unpack(torch.from_numpy(self.flat_codes(start, count)))
        faces = []
        for number in range(count):
            who = (start + number) % PEOPLE
            facts = FaceFacts(
                source="photo",
                origin=f"photo:{start + number}",
                model="landmark-fit@1",
                looks="man" if self.sex[who] > 0.5 else "woman",
                years=float(self.years[who]),
                expression="neutral",
                speculative=False,
                tags=(f"tag{(start + number) % 7}",),
            )
            faces.append(NewFace(codes[number], facts))
        return faces

    def queries(self, count: int) -> list[FaceCode]:
        """New estimates of the same people."""
        codes = self.layout.unpack(torch.from_numpy(self.flat_codes(2**31, count)))
        return [codes[number] for number in range(count)]


def where_of(wanted: FaceFilter) -> dict[str, Any]:
    """The same filter in Chroma's own language."""
    parts: list[dict[str, Any]] = [{"looks": wanted.looks}]
    if wanted.min_age > 0:
        parts.append({"years": {"$gte": float(wanted.min_age)}})
    if wanted.max_age < 120:
        parts.append({"years": {"$lte": float(wanted.max_age)}})
    parts += [{"tags": {"$contains": tag}} for tag in wanted.tags]
    return {"$and": parts} if len(parts) > 1 else parts[0]


def truth(rows: Array, query: Array, mask: NDArray[np.bool_] | None) -> set[int]:
    """The K nearest rows by float64."""
    allowed = np.arange(len(rows)) if mask is None else np.flatnonzero(mask)
    squares = np.square(rows[allowed].astype(np.float64) - query).sum(1)
    return set(allowed[np.argsort(squares, kind="stable")[:K]].tolist())


def ask_store(store: FaceStore, queries: list[FaceCode], wheres: int) -> dict[str, float]:
    """All figures at the store's present size."""
    sidecar: Sidecar = store._sidecar
    counted = store.calibration.counted
    rows = np.ascontiguousarray(sidecar.index.rows[:, counted])
    norms = np.square(rows).sum(1)
    vectors = [store.vector(code) for code in queries]
    collection = store._collections._client.get_collection(PREFIX + WHOLE, embedding_function=None)
    masks = [sidecar.columns.mask(wanted) for wanted in FILTERS]
    figures: dict[str, float] = {"n": len(store)}

    def tell(name: str, timing: Timing) -> None:
        figures[f"{name}_p50_ms"] = timing.cpu
        figures[f"{name}_wall_p50_ms"] = timing.wall

    def numpy_scan(number: int) -> object:
        query, mask = vectors[number % len(queries)][counted], masks[number % len(FILTERS)]
        squares = np.where(mask, norms - 2 * (rows @ query), np.inf)
        return np.argpartition(squares, K)[:K]

    def asked(number: int) -> FaceCode:
        return queries[number % len(queries)]

    def wanted(number: int) -> FaceFilter:
        return FILTERS[number % len(FILTERS)]

    def chroma(number: int, filtered: bool, count: int = K) -> list[str]:
        return collection.query(
            query_embeddings=[vectors[number % len(queries)]],
            n_results=count,
            where=where_of(wanted(number)) if filtered else None,
            include=[],
        )["ids"][0]

    rounds = 4 * len(queries)
    tell("unfiltered", timed(lambda i: store.query(asked(i), K), rounds))
    tell("filtered", timed(lambda i: store.query(asked(i), K, wanted(i)), rounds))
    tell("part", timed(lambda i: store.query_parts({"nose": asked(i)}, K), rounds))
    tell("numpy_filtered", timed(numpy_scan, rounds))
    tell("chroma_unfiltered", timed(lambda i: chroma(i, filtered=False), rounds))
    tell("chroma_where", timed(lambda i: chroma(i, filtered=True), wheres))
    found: dict[str, list[float]] = {name: [] for name in ("recall", "filtered_recall", "hnsw", "ordered")}
    for number, (code, vector) in enumerate(zip(queries, vectors, strict=True)):
        right = truth(rows, vector[counted], None)
        mask = masks[number % len(FILTERS)]
        right_filtered = truth(rows, vector[counted], mask)
        fits = min(K, int(mask.sum())) if mask is not None else K
        answers = {
            "recall": ([hit.face.id for hit in store.query(code, K)], right),
            "filtered_recall": (
                [hit.face.id for hit in store.query(code, K, wanted(number))],
                right_filtered,
            ),
            "hnsw": (chroma(number, filtered=False), right),
        }
        store.exact_limit, limit = 0, store.exact_limit
        answers["ordered"] = ([hit.face.id for hit in store.query(code, K)], right)
        store.exact_limit = limit
        for name, (ids, nearest) in answers.items():
            size = fits if name == "filtered_recall" else K
            found[name].append(len({sidecar.row_of[known] for known in ids} & nearest) / size)
    for name, key in (
        ("recall", "recall_at_10"),
        ("filtered_recall", "filtered_recall_at_10"),
        ("hnsw", "chroma_hnsw_recall_at_10"),
        ("ordered", "hnsw_ordered_recall_at_10"),
    ):
        figures[key] = round(float(np.mean(found[name])), 4)
    return figures


def grow_sidecar(store: FaceStore, crowd: Crowd, size: int, queries: list[FaceCode]) -> dict[str, float]:
    """Times of exact answers alone when the sidecar goes on growing; nothing is written."""
    sidecar = store._sidecar
    calibration = store.calibration
    columns: Columns = sidecar.columns
    for start in range(len(store), size, CHUNK):
        flat = crowd.flat_codes(start, min(CHUNK, size - start))
        sidecar.index.add(flat * calibration.scale)
        columns.add(face.facts.metadata() for face in crowd.faces(start, min(CHUNK, size - start)))
    search = Search(sidecar, calibration)
    vectors = [store.vector(code) for code in queries]
    plain = timed(lambda i: search.whole(vectors[i % len(vectors)], K, None), 4 * len(vectors))
    filtered = timed(
        lambda i: search.whole(vectors[i % len(vectors)], K, columns.mask(FILTERS[i % len(FILTERS)])),
        4 * len(vectors),
    )
    return {"n": size, "unfiltered_p50_ms": plain.cpu, "filtered_p50_ms": filtered.cpu}


def main() -> None:
    """Fill, ask at each size, print the table and the verdicts."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--n", type=int, default=100_000, help="faces put into Chroma")
    parser.add_argument("--largest", type=int, default=200_000, help="faces in the sidecar at the end")
    parser.add_argument("--queries", type=int, default=30)
    parser.add_argument("--wheres", type=int, default=21, help="filtered queries asked of Chroma")
    parser.add_argument("--folder", type=Path, help="keep the store here and go on with it")
    parser.add_argument("--json", action="store_true", help="one JSON object on the last line")
    options = parser.parse_args()
    torch.set_num_threads(1)
    folder = options.folder or Path(tempfile.mkdtemp(prefix="facegpt-store-"))
    folder.mkdir(parents=True, exist_ok=True)
    studio = open_studio()
    head = studio.head
    assert isinstance(head, OpenHead)
    crowd = Crowd(head, folder)
    queries = crowd.queries(options.queries)
    curve: list[dict[str, float]] = []
    began = time.process_time()
    with open_store(folder / "store", studio, print) as store:
        for size in sorted({size for size in SIZES if size < options.n} | {options.n}):
            if size < len(store):
                continue
            while len(store) < size:
                count = min(CHUNK, size - len(store))
                store.add(crowd.faces(len(store), count))
                print(f"\r{len(store):,} faces stored", end="", flush=True)
            print()
            curve.append(ask_store(store, queries, options.wheres))
            print(table(curve[-1:]), flush=True)
        spent = time.process_time() - began
        main_figures = dict(curve[-1])
        if options.largest > options.n:
            curve.append(grow_sidecar(store, crowd, options.largest, queries))
    print()
    print(table(curve))
    times_faster = main_figures["chroma_where_p50_ms"] / main_figures["filtered_p50_ms"]
    figures: dict[str, Any] = main_figures | {
        "where_over_filtered": round(times_faster, 1),
        "cpu_seconds_in_all": round(spent),
        "peak_memory_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
        "disk_mb": round(sum(f.stat().st_size for f in (folder / "store").rglob("*") if f.is_file()) / 1e6),
        "growth": curve,
    }
    for bar, held in (
        ("unfiltered p50 at most 10 ms", figures["unfiltered_p50_ms"] <= 10),
        ("recall at 10 at least 0.98", figures["recall_at_10"] >= 0.98),
        ("filtered p50 at most 30 ms", figures["filtered_p50_ms"] <= 30),
        ("filtered recall 1.0", figures["filtered_recall_at_10"] == 1.0),
        ("filtered at least 10 times faster than Chroma's where", times_faster >= 10),
    ):
        print(f"{'holds ' if held else 'MISSED'} {bar}")
    if options.json:
        print(json.dumps(figures))


def table(curve: list[dict[str, float]]) -> str:
    """The figures of all sizes, one row per figure."""
    names = list(dict.fromkeys(name for figures in curve for name in figures))
    return "\n".join(
        f"{name:28}" + "".join(f"{figures.get(name, float('nan')):>12,.10g}" for figures in curve)
        for name in names
    )


if __name__ == "__main__":
    main()
