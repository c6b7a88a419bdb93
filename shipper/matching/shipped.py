"""Where the rule packs that come with the product lie: beside the package when installed, in `rules/` in a checkout."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).parent.parent


def shipped_rule_files() -> list[Path]:
    """Give the shipped rule files, by name."""
    for directory in (_PACKAGE / "shipped_rules", _PACKAGE.parent / "rules"):
        if directory.is_dir():
            return sorted(directory.glob("*.toml"))
    return []
