"""A file in the state directory that is replaced as a whole, and that others cannot read."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def replace(file: Path, data: bytes) -> None:
    """Write a file, 0600; a crash leaves this content or the one before. Raises `OSError`."""
    growing = file.with_name(f"{file.name}.part")
    growing.unlink(missing_ok=True)
    descriptor = os.open(growing, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as part:
        part.write(data)
        part.flush()
        os.fsync(part.fileno())
    growing.replace(file)
