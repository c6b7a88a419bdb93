"""A status as JSON with stable keys (docs/status.md), and back."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import orjson

from shipper.agent.status import (
    Delivery,
    Files,
    Finding,
    Health,
    Process,
    Queue,
    Reload,
    RuleHits,
    RuleQueue,
    Status,
)
from shipper.events import FileIdentity, Loss
from shipper.printable import printable_path
from shipper.tailing.condition import FileCondition, FileState


def to_json(status: Status, *, indent: bool = False) -> bytes:
    """Give a status as JSON; `from_json` reads it."""
    files = status.files
    whole = {
        "health": status.health,
        "findings": [replace(each, reason=printable_path(each.reason)) for each in status.findings],
        "process": status.process,
        "reload": status.reload
        and replace(
            status.reload,
            refused=_printable(status.reload.refused),
            configuration=_printable(status.reload.configuration),
        ),
        "rules": status.rules,
        "files": files
        and {
            "count": files.count,
            "states": {state.value: count for state, count in files.states.items()},
            "lag": files.lag,
            "lag_seconds": files.lag_seconds,
            "held_deleted_bytes": files.held_deleted_bytes,
            "listed": [_file(condition) for condition in files.listed],
        },
        "queue": status.queue,
        "delivery": status.delivery and replace(status.delivery, last_error=_printable(status.delivery.last_error)),
        "losses": status.losses,
        "bytes_read": status.bytes_read,
        "dead_letters": status.dead_letters,
        "unjudged": status.unjudged,
        "told_at": status.told_at,
    }
    return orjson.dumps(whole, option=orjson.OPT_UTC_Z | (orjson.OPT_INDENT_2 if indent else 0))


def from_json(text: bytes) -> Status:
    """Read what `to_json` wrote; keys that a later version added are passed over.

    Raises:
        ValueError: it is something else, or of a version that is too different.
    """
    try:
        whole = orjson.loads(text)
        files, process, delivery, rules = (whole[key] for key in ("files", "process", "delivery", "rules"))
        reload = whole["reload"]
        return Status(
            findings=tuple(
                Finding(Health(each["health"]), each["what"], each["reason"], _time(each["since"]))
                for each in whole["findings"]
            ),
            process=process
            and Process(
                process["version"],
                process["pid"],
                datetime.fromisoformat(process["started_at"]),
                process["intake_age"],
                process["uploader_age"],
                process["scanner"],
            ),
            reload=reload
            and Reload(
                reload["rules"], datetime.fromisoformat(reload["at"]), reload["refused"], reload["configuration"]
            ),
            rules=None
            if rules is None
            else tuple(
                RuleHits(
                    each["id"],
                    each["matched"],
                    each["ignored"],
                    each["timed_out"],
                    each["judged"],
                    each["seconds"],
                    every_line=each["every_line"],
                    shadow=each["shadow"],
                    below=each["below"],
                    held=each["held"],
                    redaction_failed=each["redaction_failed"],
                    last=_time(each["last"]),
                )
                for each in rules
            ),
            files=files
            and Files(
                {FileState(state): count for state, count in files["states"].items()},
                files["lag"],
                files["lag_seconds"],
                files["held_deleted_bytes"],
                tuple(_condition(each) for each in files["listed"]),
            ),
            queue=_queue(whole["queue"]),
            delivery=delivery
            and Delivery(
                delivery["delivered"],
                delivery["refused"],
                delivery["failed"],
                delivery["throttled"],
                _time(delivery["accepted_at"]),
                delivery["rate"],
                delivery["last_error"],
                _time(delivery["failed_at"]),
                delivery["clock_offset"],
            ),
            losses=tuple(Loss(each["what"], each["reason"], each["amount"]) for each in whole["losses"]),
            bytes_read=whole["bytes_read"],
            dead_letters=whole["dead_letters"],
            unjudged=whole["unjudged"],
            told_at=_time(whole["told_at"]),
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{error!r} in the answer") from None


def _file(condition: FileCondition) -> dict[str, object]:
    identity = condition.identity
    changed_at = condition.changed_at
    return {
        "path": printable_path(condition.path),
        "sources": condition.sources,
        "state": condition.state,
        "reason": printable_path(condition.reason),
        "offset": condition.offset,
        "size": condition.size,
        "lag": condition.lag,
        "changed_at": None if changed_at is None else datetime.fromtimestamp(changed_at, UTC),
        "device": identity and identity.device,
        "inode": identity and identity.inode,
        "generation": identity and identity.generation,
        "is_deleted": condition.is_deleted,
    }


def _condition(each: dict[str, Any]) -> FileCondition:
    changed_at = _time(each["changed_at"])
    return FileCondition(
        each["path"],
        tuple(each["sources"]),
        FileState(each["state"]),
        each["reason"],
        each["offset"],
        each["size"],
        None if changed_at is None else changed_at.timestamp(),
        None if each["inode"] is None else FileIdentity(each["device"], each["inode"], each["generation"]),
        each["is_deleted"],
    )


def _queue(each: dict[str, Any]) -> Queue:
    rules = tuple(RuleQueue(rule["rule"], rule["events"], rule["bytes"], rule["folded"]) for rule in each["rules"])
    return Queue(each["events"], each["bytes"], each["limit"], rules)


def _printable(text: str | None) -> str | None:
    """Give text that JSON can hold: it may name a file whose name is no UTF-8 (hazard 10.3)."""
    return None if text is None else printable_path(text)


def _time(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
