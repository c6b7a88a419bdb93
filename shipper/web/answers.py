"""What the agent answers over HTTP, path by path; `server` has checked before who asks (spec, section 7)."""

from __future__ import annotations

import dataclasses
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Any

import orjson

from shipper.agent.letter_facts import letter_facts, place_facts
from shipper.agent.machine import this_host
from shipper.agent.status import Health
from shipper.agent.status_json import to_json
from shipper.errors import ShipperError
from shipper.matching.rule_text import ARRAYS, TABLES, keys_text, rule_text
from shipper.outbox.reader import StoreReader
from shipper.printable import printable, printable_path
from shipper.web.excerpt import Excerpt
from shipper.web.log_tail import log_tail
from shipper.web.metrics import CONTENT_TYPE, exposition
from shipper.web.page import page
from shipper.web.trial import Trial

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from shipper.agent.supervisor import Agent
    from shipper.web.history import History
    from shipper.web.workshop import Workshop

TEXT = "text/plain; charset=utf-8"
JSON = "application/json"
MOST_LETTERS = 500
_ALIVE = frozenset({"intake", "uploader"})
"""Findings that say that a loop stands still: only a restart helps."""


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked for.

    Attributes:
        path: without its query.
        query: the first value of each name.
        body: what was sent along; of a GET nothing.
        is_gone: tells whether nobody waits for the answer any more.
    """

    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    is_gone: Callable[[], bool] = bool

    def number(self, name: str) -> int | None:
        """Give a number of the query.

        Raises:
            ShipperError: it is none.
        """
        text = self.query.get(name)
        if text is None:
            return None
        if not (text.isascii() and text.isdigit() and len(text) < 19):
            raise ShipperError(f"'{name}' must be a number")
        return int(text)

    def table(self) -> dict[str, Any]:
        """Give the body, a JSON object.

        Raises:
            ShipperError: it is something else.
        """
        try:
            value = orjson.loads(self.body)
        except orjson.JSONDecodeError:
            value = None
        if not isinstance(value, dict):
            raise ShipperError("the body must be a JSON object")
        return value


@dataclass(frozen=True, slots=True)
class Answer:
    """Status, content type, body, and further headers."""

    status: int
    kind: str
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Site:
    """What there is to tell of: an agent, its last hour, and where rules are tried."""

    agent: Agent
    history: History
    workshop: Workshop


def _healthz(site: Site, _: Request) -> Answer:
    """Tell whether both loops make progress: where they do not, a restart may help."""
    # the loops' own progress says it; as below
    found = site.agent.survey.status(with_files=False).findings
    return _verdict([finding.reason for finding in found if finding.what in _ALIVE])


def _readyz(site: Site, _: Request) -> Answer:
    """Tell whether the agent does its work: what `shipper status` exits with 0 for."""
    # which files may not be read is known from their last scans: no probe waits for a loop that is busy
    found = site.agent.survey.status(with_files=False).findings
    return _verdict([finding.reason for finding in found if finding.health is Health.UNHEALTHY])


def _verdict(reasons: list[str]) -> Answer:
    if not reasons:
        return Answer(200, TEXT, b"ok\n")
    return Answer(503, TEXT, "".join(f"{printable(reason)}\n" for reason in reasons).encode("utf-8", "replace"))


def _metrics(site: Site, _: Request) -> Answer:
    return Answer(200, CONTENT_TYPE, exposition(site.agent.survey.status()))


def _status(site: Site, request: Request) -> Answer:
    """Give what `shipper status --json` prints; of files only those that `glob` matches, and at most `files`."""
    glob, most = request.query.get("glob", ""), request.number("files")
    status = site.agent.survey.status([glob] if glob else [])
    if most is not None and status.files is not None:
        some = dataclasses.replace(status.files, listed=status.files.listed[:most])
        status = dataclasses.replace(status, files=some)
    return Answer(200, JSON, to_json(status))


def _history(site: Site, _: Request) -> Answer:
    return _json(site.history.minutes(site.agent.survey.status()))


def _events(site: Site, request: Request) -> Answer:
    made, events = site.agent.recent.after(request.number("after") or 0)
    return _json({"after": made, "events": events})


def _rules(site: Site, _: Request) -> Answer:
    """Give each rule that is in force: as its file has it, as the workshop takes it, and how many tests it has."""
    return _json(list(_rule_facts(site)))


def _rule_facts(site: Site) -> Iterator[dict[str, Any]]:
    book = site.agent.rulebook
    tests = Counter(case.rule.id for case in book.cases)
    for rule, (document, number) in zip(book.rules, book.places, strict=True):
        # dates and times as text, which a rule takes as well
        values = orjson.loads(orjson.dumps(document.values["rule"][number]))
        further = {name: values[name] for name in (*TABLES, *ARRAYS, "match_timeout") if name in values}
        tried = further.pop("test", [])
        yield {
            "id": rule.id,
            "description": values.get("description", ""),
            "file": printable_path(document.file),
            "line": document.locator.find(("rule", number)).line,
            "tests": tests[rule.id],
            "shadow": rule.shadow,
            "form": {name: value for name, value in values.items() if name not in further and name != "test"}
            | ({"test": tried} if tried else {}),
            "more": keys_text(further),
            "toml": rule_text(values),
            "grok": document.values.get("grok", {}),
        }


def _letters(site: Site, _: Request) -> Answer:
    with closing(StoreReader(site.agent.config.state_path)) as reader:
        letters = [letter_facts(each) for each in islice(reader.dead_letters(), MOST_LETTERS)]
        places = [place_facts(each) for each in reader.unjudged()[:MOST_LETTERS]]
        counts = {"letters": reader.dead_letter_count(), "places": reader.unjudged_count()}
    return _json({"letters": letters, "places": places, "counts": counts})


def _change_letters(site: Site, request: Request) -> Answer:
    """Do what the body says: `{"do": "retry" or "drop", "ids": [NUMBER...]}`, of all with `"ids": null`."""
    asked = request.table()
    if "ids" not in asked:
        raise ShipperError("'ids' must say which: a list of numbers, or null for all")
    return Answer(200, JSON, site.agent.change_dead_letters(asked))


def _try_rule(site: Site, request: Request) -> Answer:
    """Try a rule on lines: `{"rule": {...}, "more": TOML, "grok": {...}}` with `lines` or with `file` and `end`."""
    agent, asked = site.agent, request.table()
    rule, grok, more = asked.get("rule"), asked.get("grok") or {}, asked.get("more") or ""
    lines, file, end = asked.get("lines") or "", asked.get("file"), asked.get("end")
    texts_are_right = isinstance(more, str) and isinstance(lines, str) and isinstance(file, str | None)
    if not (
        isinstance(rule, dict) and isinstance(grok, dict) and texts_are_right and (end is None or type(end) is int)
    ):
        raise ShipperError("'rule' and 'grok' must be objects, 'more', 'lines' and 'file' texts, 'end' a number")
    config = agent.config
    tail = None
    if file is not None:
        conditions = agent.survey.files()
        if conditions is None:
            raise ShipperError("the reading loop did not answer in time; try again")
        tail = log_tail(config, conditions, file, end)
    trial = Trial(
        rule=rule,
        more=more,
        grok=grok,
        excerpt=Excerpt(lines.encode("utf-8", "replace"), "pasted") if tail is None else tail.excerpt,
        sources=config.source,
        # who pastes a line has it, and sees what would be sent; of a file nothing is shown that any rule covers
        redact=agent.rulebook.redact if tail is None else agent.rulebook.redactions(),
        host=this_host(config),
        match_timeout=config.match_timeout,
        group_id=config.cloudmonitor.group_id,
    )
    answer = site.workshop.run(trial, request.is_gone)
    at = b"null" if tail is None else b"%d" % tail.end
    return Answer(200, JSON, b'{"end":%s,%s' % (at, answer[1:]))


def _page(_: Site, __: Request) -> Answer:
    body, headers = page()
    return Answer(200, "text/html; charset=utf-8", body, headers)


def _json(value: object) -> Answer:
    return Answer(200, JSON, orjson.dumps(value))


GET: Mapping[str, Callable[[Site, Request], Answer]] = {
    "/": _page,
    "/healthz": _healthz,
    "/readyz": _readyz,
    "/metrics": _metrics,
    "/status": _status,
    "/api/history": _history,
    "/api/events": _events,
    "/api/rules": _rules,
    "/api/dead-letters": _letters,
}
POST: Mapping[str, Callable[[Site, Request], Answer]] = {
    "/api/dead-letters": _change_letters,
    "/api/workshop": _try_rule,
}

ANSWERED_AT_ONCE = frozenset({"/", "/healthz", "/readyz", "/api/workshop"})
"""Paths whose answers cost next to nothing, and trials, of which few run anyway."""
