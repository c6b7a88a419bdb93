"""What a rule is, in a few bytes: who judged a content once by a rule need not do so again, until the rule changes."""

from __future__ import annotations

import json
from hashlib import blake2b
from typing import TYPE_CHECKING

from shipper.outbox.passes import DIGEST_BYTES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from shipper.backfill.span import Span
    from shipper.config.model import SourceTable
    from shipper.matching.rule import Rule
    from shipper.matching.rulebook import Rulebook

_OF_NO_ACCOUNT = frozenset({"test", "description", "sources"})


def rule_texts(rulebook: Rulebook) -> dict[str, str]:
    """Give by rule id everything that decides what the rule makes of a record, as it is written."""
    return {
        rule.id: _text(rule, document.values["rule"][number])
        for rule, (document, number) in zip(rulebook.rules, rulebook.places, strict=True)
    }


def judgement_digest(rule_text: str, source: SourceTable, span: Span, again: int) -> bytes:
    """Give what tells one way to judge a content from another.

    Args:
        rule_text: of the rule.
        source: how the content becomes records.
        span: which events are wanted.
        again: 1 for a run that sends again what was delivered; its progress is its own.
    """
    lines = source.multiline
    how = [source.encoding, source.format, str(source.zone), source.max_line_bytes]
    how += [lines.start, lines.preset, lines.max_lines]
    text = json.dumps([rule_text, how, span.describe(), again])
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=DIGEST_BYTES).digest()


def _text(rule: Rule, written: Mapping[str, object]) -> str:
    keys = {key: value for key, value in written.items() if key not in _OF_NO_ACCOUNT}
    # names in patterns and the redactions of other files are not in what is written here
    found = [rule.match.pattern, [each.pattern for each in rule.ignore]]
    redacted = [[each.pattern.pattern, each.replace] for each in rule.redact]
    return json.dumps([keys, found, redacted], sort_keys=True, default=str)
