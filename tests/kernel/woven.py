"""A file system on which programs go on while the agent looks: between any two of its calls something may happen.

What a thread and a lucky moment show once in a thousand runs, a seed shows each time.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Self

from shipper.tailing.files import HostFiles, Listing, LogFile

if TYPE_CHECKING:
    import random
    from collections.abc import Iterator


class Weaver:
    """Lets a program make its next steps at moments that a seed chooses.

    It begins when the agent has opened the first file: what was rotated before is nobody's.

    Attributes:
        over: the program has come to its end.
        awake: the agent has opened a file.
    """

    def __init__(self, program: Iterator[object], chance: random.Random, likelihood: float) -> None:
        """`likelihood`: of a step at each call; after one follows another with the same likelihood."""
        self._program = program
        self._chance = chance
        self._likelihood = likelihood
        self.over = False
        self.awake = False

    def call(self) -> None:
        """The agent is about to ask the file system for something."""
        while self.awake and not self.over and self._chance.random() < self._likelihood:
            self.step()

    def step(self) -> None:
        """Go one step on."""
        for _ in self._program:
            return
        self.over = True


class WovenFile(LogFile):
    """An open file; whoever asks it something may find the world changed before the answer."""

    weaver: Weaver

    def woven(self, weaver: Weaver) -> Self:
        """Be so from now on."""
        self.weaver = weaver
        return self

    def read_at(self, offset: int, length: int) -> bytes:
        """Read."""
        self.weaver.call()
        return super().read_at(offset, length)

    def reaches(self, offset: int) -> bool:
        """Look."""
        self.weaver.call()
        return super().reaches(offset)

    def status(self) -> os.stat_result:
        """Look."""
        self.weaver.call()
        return super().status()


class WovenFiles(HostFiles):
    """The host's files."""

    def __init__(self, weaver: Weaver) -> None:
        self._weaver = weaver

    def list(self, directory: str) -> Listing:
        """List."""
        self._weaver.call()
        return super().list(directory)

    def status(self, path: str, *, follow: bool = True) -> os.stat_result:
        """Look."""
        self._weaver.call()
        return super().status(path, follow=follow)

    def open(self, path: str) -> LogFile:
        """Open."""
        self._weaver.call()
        opened = WovenFile.open(path).woven(self._weaver)
        self._weaver.awake = True
        return opened
