"""A host of a test's own: real files, and of the real processes those that the test started."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from shipper.cli.proposing.host_logs import Place
from shipper.cli.proposing.known_programs import Known

HOLD = "import sys; files = [open(name, mode) for mode, name in zip(sys.argv[1::2], sys.argv[2::2])]; print(); input()"


@dataclass
class OwnHost:
    """`/var/log`, other directories and a `/proc` below a temporary directory."""

    root: Path
    known: list[Known] = field(default_factory=list)

    def __post_init__(self) -> None:
        for directory in ("var/log", "proc"):
            (self.root / directory).mkdir(parents=True)

    @property
    def place(self) -> Place:
        return Place(tuple(self.known), self.root / "proc", (), str(self.root / "var/log"))

    def log(self, name: str, content: bytes | str = b"") -> Path:
        file = self.root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
        return file

    @contextlib.contextmanager
    def holding(self, *files: Path, mode: str = "a") -> Iterator[int]:
        """A process that holds files open; gives its number."""
        arguments = [each for file in files for each in (mode, str(file))]
        held = subprocess.Popen([sys.executable, "-c", HOLD, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert held.stdin is not None
        assert held.stdout is not None
        assert held.stdout.readline() == b"\n"
        (self.root / "proc" / str(held.pid)).symlink_to(f"/proc/{held.pid}")
        try:
            yield held.pid
        finally:
            held.communicate(b"\n", timeout=30)
