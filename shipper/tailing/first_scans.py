"""Whether a source was looked at before: that decides where a file without a checkpoint begins (spec, section 3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shipper.tailing.globs import path_pattern

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from shipper.config.model import SourceTable
    from shipper.events import Node


class FirstScans:
    """The globs of each source whose first scan is complete, in the store and since this process began."""

    def __init__(self, scanned: Mapping[str, Sequence[str]]) -> None:
        """Begin with what the store says.

        Args:
            scanned: globs by source name.
        """
        self._scanned = {name: tuple(globs) for name, globs in scanned.items()}
        self._begun: set[str] = set()
        self._to_record: dict[str, tuple[str, ...]] = {}
        self._first: dict[str, set[Node]] = {}

    def begin(self, source: SourceTable, found: Iterable[Node]) -> bool:
        """Note a scan; tells whether it is this process's first one of the source."""
        if source.name in self._begun:
            return False
        self._begun.add(source.name)
        self._first[source.name] = set(found)
        self._to_record[source.name] = source.paths
        return True

    def was_there(self, source: SourceTable, node: Node) -> bool:
        """Tell whether the first scan in this process found a file: it is not one that came since."""
        return node in self._first.get(source.name, ())

    def is_unknown(self, source: SourceTable) -> bool:
        """Tell whether no process has looked at a source before."""
        return source.name not in self._scanned

    def is_old(self, source: SourceTable) -> bool:
        """Tell whether all files of the first scan have their checkpoints in the store."""
        return self._scanned.get(source.name) == source.paths

    def begins_at_end(self, source: SourceTable, path: str, node: Node) -> bool:
        """Tell whether `start_at = "end"` applies to a file without a checkpoint."""
        if source.start_at != "end" or not self.was_there(source, node):
            return False
        return not any(path_pattern(glob).fullmatch(path) for glob in self._scanned.get(source.name, ()))

    def to_record(self, waiting: Collection[Node]) -> dict[str, tuple[str, ...]]:
        """Give what the store is to know; a source some of whose first files still wait counts as never seen."""
        return {
            name: globs
            for name, globs in self._to_record.items()
            if not any(node in self._first.get(name, ()) for node in waiting)
        }

    def recorded(self, scanned: Mapping[str, tuple[str, ...]]) -> None:
        """Note that the store knows."""
        for name, globs in scanned.items():
            self._scanned[name] = globs
            if self._to_record.get(name) == globs:
                del self._to_record[name]

    def keep(self, names: Collection[str]) -> None:
        """Begin anew with all sources but these."""
        self._begun &= set(names)
        for name in set(self._first) - self._begun:
            del self._first[name]
            self._to_record.pop(name, None)
