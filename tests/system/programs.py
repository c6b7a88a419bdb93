"""The programs that these tests need and that are not Python."""

from __future__ import annotations

import shutil

import pytest


def program(name: str) -> str:
    """Give a program's path, or skip the test."""
    path = shutil.which(name, path="/usr/sbin:/usr/bin:/sbin:/bin")
    if path is None:
        pytest.skip(f"{name} is not installed (Debian's package of the same name)")
    return path
