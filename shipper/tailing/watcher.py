"""Hints from the kernel that something changed: they only make a look come sooner, they are never facts.

Everything works without them, slower (hazards 2.2, 2.3). What was measured on watchdog decides how it is asked: writes
are heard only for quiet directories, since a busy one costs most of a core in events and is looked at anyway.
"""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from watchdog.events import (
    DirCreatedEvent,
    DirDeletedEvent,
    DirMovedEvent,
    FileCreatedEvent,
    FileDeletedEvent,
    FileModifiedEvent,
    FileMovedEvent,
    FileSystemEventHandler,
)
from watchdog.observers import Observer

from shipper import telemetry

if TYPE_CHECKING:
    from collections.abc import Collection

    from watchdog.events import FileSystemEvent
    from watchdog.observers.api import ObservedWatch

_NAMES = [FileCreatedEvent, FileDeletedEvent, FileMovedEvent, DirCreatedEvent, DirDeletedEvent, DirMovedEvent]
_NAMES_AND_WRITES = [*_NAMES, FileModifiedEvent]


@dataclass(slots=True)
class Hints:
    """What was heard since the last question.

    Attributes:
        written: paths of files that were written.
        stirred: directories in which names came, went or changed.
    """

    written: set[str] = field(default_factory=set)
    stirred: set[str] = field(default_factory=set)


class Watcher(FileSystemEventHandler):
    """Listens to directories, each without what lies below it."""

    def __init__(self, wake: threading.Event) -> None:
        """Set `wake` whenever something is heard."""
        self._wake = wake
        self._lock = threading.Lock()
        self._hints = Hints()
        self._watches: dict[str, tuple[ObservedWatch, bool]] = {}
        self._deaf: set[str] = set()
        self._observer = Observer()
        self._observer.start()

    def watch(self, directories: Collection[str], busy: Collection[str]) -> None:
        """Listen to exactly these directories from now on; to the `busy` ones not for writes.

        A directory that cannot be listened to is told once and left to the scans (hazard 2.2).
        """
        for directory in [known for known in self._watches if known not in directories]:
            self._stop(directory)
        self._deaf &= set(directories)
        for directory in directories:
            wanted = directory not in busy
            known = self._watches.get(directory)
            if directory in self._deaf or (known is not None and known[1] == wanted):
                continue
            if known is not None:
                self._stop(directory)
            self._start(directory, writes=wanted)

    def hears(self, directory: str) -> bool:
        """Tell whether hints come from a directory at all."""
        return directory in self._watches

    def take(self) -> Hints:
        """Give what was heard since the last call."""
        with self._lock:
            taken, self._hints = self._hints, Hints()
        return taken

    def close(self) -> None:
        """Stop listening."""
        self._observer.stop()
        self._observer.join()

    def on_any_event(self, event: FileSystemEvent) -> None:
        """Note one event; called by watchdog's thread."""
        path = os.fsdecode(event.src_path)
        with self._lock:
            if event.event_type == "modified":
                self._hints.written.add(path)
            else:
                self._hints.stirred.add(os.path.dirname(path))
                if event.dest_path:
                    self._hints.stirred.add(os.path.dirname(os.fsdecode(event.dest_path)))
        self._wake.set()

    def _start(self, directory: str, *, writes: bool) -> None:
        try:
            heard = _NAMES_AND_WRITES if writes else _NAMES
            self._watches[directory] = (self._observer.schedule(self, directory, event_filter=heard), writes)
        except OSError as error:
            if os.path.isdir(directory):
                self._deaf.add(directory)
                telemetry.directory_not_watched(directory, error.strerror or str(error))

    def _stop(self, directory: str) -> None:
        watch, _ = self._watches.pop(directory)
        self._observer.unschedule(watch)
