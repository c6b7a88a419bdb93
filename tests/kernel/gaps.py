"""Cases that the product is known to fail: each is to be taken out when it is mended."""

from __future__ import annotations

import pytest

KNOWN: dict[str, str] = {}


def known(name: str) -> list[pytest.MarkDecorator]:
    """Give the mark of a case that is known to fail."""
    return [pytest.mark.xfail(strict=True, reason=KNOWN[name])] if name in KNOWN else []
