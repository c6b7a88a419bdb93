"""Where `shipper init` writes: new files only, which the agent's user can read and nobody else."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from shipper.errors import ShipperError

if TYPE_CHECKING:
    import pwd
    from collections.abc import Mapping
    from pathlib import Path


def write_new(files: Mapping[Path, str], user: pwd.struct_passwd | None) -> None:
    """Write files that are not there yet, in their order, and the directories that they need.

    Args:
        files: their texts; secrets may be added to them.
        user: whom the agent runs as, if that is not who asks: then they belong to its group.

    Raises:
        ShipperError: one cannot be written.
    """
    for file, text in files.items():
        try:
            _make_directory(file.parent, user)
            file.touch(mode=0o600, exist_ok=False)
            file.write_text(text, encoding="utf-8")
            _hand_over(file, 0o640, user)
        except OSError as error:
            raise ShipperError(f"{file}: cannot be written: {error.strerror}") from None


def _make_directory(directory: Path, user: pwd.struct_passwd | None) -> None:
    missing = [each for each in (directory, *directory.parents) if not each.is_dir()]
    for each in reversed(missing):
        each.mkdir()
        _hand_over(each, 0o750, user)


def _hand_over(path: Path, mode: int, user: pwd.struct_passwd | None) -> None:
    if user is not None:
        os.chown(path, -1, user.pw_gid)
        path.chmod(mode)
