"""The page at `/`: the last events as they arrive, and the counts.

It shows log lines, so it is careful: no resource from elsewhere, a Content-Security-Policy that allows exactly
this script and this style, text only ever inserted as text, a `Host` that must be ours (against DNS rebinding),
and a token where the settings ask for one (spec, section 7).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import ipaddress
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import orjson

from shipper.cloudmonitor.emulator.service import Answer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from shipper.cloudmonitor.emulator.service import Service

_MAX_EVENTS = 200
_MAX_CONTENT = 2000

_STYLE = """
:root { color-scheme: light dark; --line: #8884; --soft: #667; --mark: #0a7ea4; }
@media (prefers-color-scheme: dark) { :root { --soft: #9aa; --mark: #5ec8e8; } }
* { box-sizing: border-box; }
body { font: 15px/1.45 system-ui, sans-serif; margin: 0 auto; max-width: 70rem; padding: 1rem; }
h1 { font-size: 1.2rem; margin: 0 0 .5rem; }
#counts { color: var(--soft); margin: 0 0 1rem; font-variant-numeric: tabular-nums; }
#state.off { color: #c33; font-weight: 600; }
ol { list-style: none; margin: 0; padding: 0; }
li { border-top: 1px solid var(--line); padding: .5rem 0; }
.name { color: var(--mark); font-weight: 600; margin-right: .6rem; overflow-wrap: anywhere; }
.meta { color: var(--soft); font-size: .85rem; font-variant-numeric: tabular-nums; }
pre { font: 13px/1.4 ui-monospace, monospace; margin: .2rem 0 0; white-space: pre-wrap; overflow-wrap: anywhere; }
"""

_SCRIPT = """
"use strict";
const list = document.getElementById("events");
const counts = document.getElementById("counts");
const state = document.getElementById("state");
const token = new URLSearchParams(location.search).get("token");
let after = 0;
function element(tag, kind, text) {
  const made = document.createElement(tag);
  made.className = kind;
  made.textContent = text;
  return made;
}
function show(event) {
  const item = document.createElement("li");
  item.append(element("span", "name", event.name));
  const group = event.groupId ? " · group " + event.groupId : "";
  item.append(element("span", "meta", event.time + group));
  item.append(element("pre", "", event.content));
  list.prepend(item);
  while (list.childElementCount > 500) list.lastElementChild.remove();
}
async function poll() {
  try {
    const headers = token ? { Authorization: "Bearer " + token } : {};
    const answer = await fetch("/events.json?after=" + after, { headers, cache: "no-store" });
    if (!answer.ok) throw new Error("status " + answer.status);
    const news = await answer.json();
    if (news.last < after) { list.replaceChildren(); after = 0; }
    else { news.events.forEach(show); after = news.last; }
    const c = news.counts;
    counts.textContent = c.events + " events in " + c.accepted + " accepted requests · "
      + c.throttled + " throttled · " + c.violations + " against the contract · " + c.faults + " injected faults";
    state.textContent = news.last ? "" : "Waiting for the first event.";
    state.className = "";
  } catch (error) {
    state.textContent = "The emulator does not answer.";
    state.className = "off";
  }
  setTimeout(poll, 1000);
}
poll();
"""

_PAGE = f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>CloudMonitor emulator</title>
<link rel="icon" href="data:,">
<style>{_STYLE}</style>
</head>
<body>
<h1>CloudMonitor emulator</h1>
<p id="counts"></p>
<p id="state" role="status"></p>
<ol id="events" aria-label="Events, the newest first"></ol>
<noscript>This page needs JavaScript; the same is at /events.json.</noscript>
<script>{_SCRIPT}</script>
</body>
</html>
""".encode()


def _hash(text: str) -> str:
    return "'sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() + "'"


SECURITY_HEADERS = {
    "Content-Security-Policy": (
        f"default-src 'none'; script-src {_hash(_SCRIPT)}; style-src {_hash(_STYLE)}; connect-src 'self'; "
        "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
"""Sent with every answer to a GET."""


class Page:
    """Answers GET requests.

    Args:
        service: what is shown.
        host: the address or name that is listened on.
        token: what the page asks for; None for none.
    """

    def __init__(self, service: Service, host: str, token: str | None) -> None:
        self._service = service
        self._host = host.lower()
        self._token = token

    def answer(self, target: str, headers: Mapping[str, str]) -> Answer:
        """Answer one GET; header names are in lower case."""
        if not self._is_our_name(headers.get("host", "")):
            return self._service.reject(403, "the Host header is not the address that this emulator listens on")
        try:
            url = urlsplit(target)
        except ValueError:
            return self._service.reject(400, "the request target is not a URL")
        query = parse_qs(url.query)
        if not self._is_allowed(query.get("token", [""])[0], headers.get("authorization", "")):
            return self._service.reject(403, "the page needs its token: open the link that was shown at start")
        if url.path == "/":
            return Answer(200, _PAGE, "text/html; charset=utf-8")
        if url.path == "/events.json":
            after = query.get("after", ["0"])[0]
            if not (after.isascii() and after.isdigit() and len(after) <= 18):
                return self._service.reject(400, "after must be the number of an event")
            return Answer(200, self._events(int(after)))
        return self._service.reject(
            404, "nothing is here; the page is at /, events are uploaded to /event/custom/upload"
        )

    def _is_our_name(self, host: str) -> bool:
        """Accept our address and localhost; where we listen on all addresses any address, but still no other name."""
        try:
            name = (urlsplit(f"//{host}").hostname or "").lower()
        except ValueError:
            return False
        if name in (self._host, "localhost"):
            return bool(name)
        try:
            address = ipaddress.ip_address(name)
        except ValueError:
            return False
        return address.is_loopback or is_wildcard(self._host)

    def _is_allowed(self, given: str, authorization: str) -> bool:
        if self._token is None:
            return True
        scheme, _, bearer = authorization.partition(" ")
        if scheme.lower() == "bearer":
            given = bearer
        return hmac.compare_digest(given.encode(), self._token.encode())

    def _events(self, after: int) -> bytes:
        stats = self._service.stats()
        events = [
            {
                "number": number,
                "received": receipt.received,
                "request_id": receipt.request_id,
                "name": event.name,
                "groupId": event.group_id,
                "time": event.time,
                "content": event.content if len(event.content) <= _MAX_CONTENT else event.content[:_MAX_CONTENT] + "…",
            }
            for receipt in self._service.receipts(after)
            for number, event in enumerate(receipt.events, receipt.first)
            if number > after
        ]
        return orjson.dumps(
            {
                "last": events[-1]["number"] if events else min(after, stats.events),
                "events": events[-_MAX_EVENTS:],
                "counts": {
                    "requests": stats.requests,
                    "accepted": stats.accepted,
                    "events": stats.events,
                    "throttled": stats.throttled,
                    "violations": stats.violations,
                    "faults": sum(stats.faults.values()),
                },
            }
        )


def is_wildcard(host: str) -> bool:
    """Say whether listening on this host means listening on every address."""
    try:
        return ipaddress.ip_address(host).is_unspecified
    except ValueError:
        return host == ""
