"""A turn under way: it runs on the worker's thread, any number of pages may follow it.

What happened is kept here, not in a page, so a reload or a second tab sees the same; the turn
goes on when nobody looks.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from agent.events import Event

WAKE = 0.25  # seconds after which a follower hears None, so that its page can be interrupted


@dataclass(frozen=True)
class Happened:
    """An event and when it came, in seconds since the turn began to run."""

    event: Event
    at: float


class Turn:
    """Something a person asked for, and what has come of it so far.

    said: the words shown for it; photo: name of a file shown with it
    error: what ended it early; sentence: what pages show for that, once one has shown it
    """

    def __init__(self, said: str, work: Callable[[], Iterable[Event]], photo: str = "") -> None:
        self.said = said
        self.photo = photo
        self.happened: list[Happened] = []
        self.error: Exception | None = None
        self.sentence = ""
        self.stopped = False
        self.done = False
        self.started = False
        self._work = work
        self._began = 0.0
        self._changed = threading.Condition()

    def run(self) -> None:
        """Do the work; called once, by the worker. Errors are kept in `error`, never raised."""
        self._began = time.monotonic()
        self.started = True
        try:
            if not self.stopped:
                self._follow_work()
        except Exception as error:
            self.error = error
        finally:
            with self._changed:
                self.done = True
                self._changed.notify_all()

    def _follow_work(self) -> None:
        events = iter(self._work())
        for event in events:
            self.tell(event)
            if self.stopped:
                close = getattr(events, "close", None)
                if close is not None:
                    close()
                return

    def tell(self, event: Event) -> None:
        """Add an event; for long steps that tell how far they are."""
        with self._changed:
            self.happened.append(Happened(event, time.monotonic() - self._began))
            self._changed.notify_all()

    def stop(self) -> None:
        """Ask the turn to end after the event it is making; what is made so far is kept."""
        with self._changed:
            self.stopped = True
            self._changed.notify_all()

    def follow(self) -> Iterator[Happened | None]:
        """Every event from the first to the last as they come; None while nothing does."""
        seen = 0
        while True:
            with self._changed:
                if seen == len(self.happened) and not self.done:
                    self._changed.wait(WAKE)
                new, finished = self.happened[seen:], self.done
            seen += len(new)
            yield from new
            if finished and seen == len(self.happened):
                return
            if not new:
                yield None

    def wait(self, seconds: float | None = None) -> bool:
        """Whether the turn ended within that time."""
        with self._changed:
            return self._changed.wait_for(lambda: self.done, seconds)
