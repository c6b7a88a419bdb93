"""The last rules that were in force, kept in the state directory for a start at which the files are broken."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from shipper.agent import private_file
from shipper.config.reader import Document, parse_document

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

NAME = "rules.good.json"


class LastGood:
    """One file: name and text of each rule file, in the order in which they judge."""

    def __init__(self, directory: Path) -> None:
        """Remember where; the state directory need not be there yet."""
        self._file = directory / NAME

    def keep(self, documents: Sequence[Document]) -> None:
        """Keep rule files; a crash leaves these or those before. Raises `OSError`."""
        # rules may hold what others must not read
        texts = [(document.file, document.text) for document in documents]
        private_file.replace(self._file, json.dumps(texts).encode())

    def read(self) -> list[Document] | None:
        """Give the rule files as they were kept; None when none were, or what was kept is of no use."""
        try:
            kept = [parse_document(str(name), str(text)) for name, text in json.loads(self._file.read_bytes())]
        except (OSError, ValueError, TypeError):
            return None
        documents = [found for found in kept if isinstance(found, Document)]
        return documents if len(documents) == len(kept) else None
