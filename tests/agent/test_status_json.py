"""A status goes through JSON whatever names and reasons it holds."""

from __future__ import annotations

import dataclasses
import re
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from shipper.agent.status import Delivery, Finding, Health, Queue, Reload, Status, summarise
from shipper.agent.status_json import from_json, to_json
from shipper.tailing.condition import FileCondition, FileState

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
HALF = re.compile("[\ud800-\udfff]")


@given(text=st.text(st.characters(categories=("Cs", "L", "Cc")) | st.just("\\")))
def test_half_characters_are_written_out(text: str) -> None:
    """The name of a file may be no UTF-8, and reasons name files; all else comes back as it was (hazard 10.3)."""
    files = summarise([FileCondition(f"/{text}", ("app",), FileState.SKIPPED, f"a copy of {text}")], NOW)
    status = Status(
        findings=(Finding(Health.DEGRADED, "files", text),),
        process=None,
        reload=Reload(1, NOW, text, text),
        rules=None,
        files=files,
        queue=Queue(0, 0, 1, ()),
        delivery=Delivery(0, 0, 0, 0, None, last_error=text),
        losses=(),
        bytes_read=0,
        dead_letters=0,
        unjudged=0,
        told_at=NOW,
    )

    told = from_json(to_json(status))

    assert told.files is not None
    file = told.files.listed[0]
    assert file.path == f"/{file.reason.removeprefix('a copy of ')}" == f"/{told.findings[0].reason}"
    if not HALF.search(text):
        assert told == dataclasses.replace(status, files=dataclasses.replace(files, listed=told.files.listed))
        assert file.path == f"/{text}"
