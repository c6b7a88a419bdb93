"""The followed files of which a new one may be the copy, found by their first bytes: there may be thousands of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shipper.tailing.surroundings import log_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from shipper.events import Node
    from shipper.tailing.followed import Followed

_KEY_BYTES = 32
HEAD_BYTES = 64


class Originals:
    """Files that have their names still; those that were closed meanwhile are left out."""

    def __init__(self, followed: Iterable[Followed], open_files: Mapping[Node, Followed]) -> None:
        """Begin with some files; `open_files` tells which are open at the moment of a question."""
        self._open = open_files
        self._by_key: dict[bytes, list[Followed]] = {}
        self._short: list[Followed] = []
        self._by_path: dict[str, Followed] = {}
        for each in followed:
            self.add(each)

    def add(self, followed: Followed) -> None:
        """Add a file.

        One of which nothing was read yet, or nothing of what it holds now, is looked into; one that cannot be may begin
        with anything.
        """
        self._by_path[followed.path] = followed
        head = b"" if followed.held else followed.tailer.head
        if not head:
            try:
                head = followed.tailer.file.read_at(0, HEAD_BYTES)
            except OSError:
                # whoever reads it next says so
                head = b""
        if len(head) < _KEY_BYTES:
            self._short.append(followed)
        else:
            self._by_key.setdefault(head[:_KEY_BYTES], []).append(followed)

    def beginning_with(self, head: bytes) -> Iterator[Followed]:
        """Give the files that may begin with some bytes."""
        same = [self._by_key.get(head[:_KEY_BYTES], ())] if len(head) >= _KEY_BYTES else self._by_key.values()
        for group in (*same, self._short):
            for followed in group:
                if self._is_open(followed) and (followed.held or followed.tailer.may_begin_with(head)):
                    yield followed

    def log_of(self, path: str) -> Followed | None:
        """Give the log that a file was rotated from, as far as its name tells."""
        log = log_of(path)
        followed = self._by_path.get(log) if log != path else None
        return followed if followed is not None and self._is_open(followed) else None

    def _is_open(self, followed: Followed) -> bool:
        return self._open.get(followed.node) is followed
