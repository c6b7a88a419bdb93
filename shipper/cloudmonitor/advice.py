"""What an answer of the service means, and what to do about it: the table that logs, `status` and the documents share.

Source: API reference, sections 5.2, 5.3 and 10.5. Pure.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from shipper.cloudmonitor.verdict import Answer


@dataclass(frozen=True, slots=True)
class Advice:
    """One row.

    Attributes:
        words: parts of a code or message, in lower case, any of which it is known by; none: by its status alone.
        statuses: HTTP statuses, or numbers of the body's code, with which it comes; none: any.
        meaning: what it says.
        action: what to do.
    """

    words: tuple[str, ...]
    statuses: tuple[int, ...]
    meaning: str
    action: str


_PERMISSION = "allow the actions cms:PutCustomEvent and cms:PutEvent on * to the RAM user or role of this key"
_ROLE = (
    "see that the role still exists and may be taken; a role's token that the upload refuses is taken by "
    'transport = "openapi"'
)
ADVICE = (
    Advice(
        ("rate limit", "flow control", "throttl", "too many", "qps", "speed limit"),
        (),
        "the account's requests of one second are used up, by all of its hosts together",
        "nothing: the agent slows down by itself; a rule that makes very many events wants a throttle",
    ),
    Advice(("ram to auth", "forbidden.ram", "nopermission"), (), "this key may not report events", _PERMISSION),
    Advice(("securitytoken", "security token", "token"), (), "the token of a temporary key is not taken", _ROLE),
    Advice(
        ("timestamp", "time stamp", "date header", "date is", "the date"),
        (),
        "this host's clock is wrong",
        "set the clock (NTP); until then requests are signed with the service's time",
    ),
    Advice(
        ("invalidaccesskeyid", "access key", "accesskey"),
        (),
        "the AccessKey id is not known, or is disabled",
        "check access_key_id; keys are made and enabled in the RAM console",
    ),
    Advice(
        ("signature",),
        (),
        "the secret is not that of the AccessKey id",
        "check the secret: pasted whole, without blanks, of this id; and that no proxy changes requests",
    ),
    Advice(("authori", "denied", "forbidden", "verification"), (), "this key may not report events", _PERMISSION),
    Advice((), (407,), "the proxy wants a login", "put it into 'proxy' as http://user:password@host:port"),
    Advice((), (301, 302, 303, 307, 308), "something between sends requests elsewhere", "check endpoint and proxy"),
    Advice(
        (),
        (404, 405, 415, 451),
        "this is not where events are uploaded, or something between does not let them through",
        "check endpoint, region, network and proxy; metrichub hosts are for uploads, metrics hosts for "
        'transport = "openapi"',
    ),
    Advice((), (401, 403), "the service refuses this key, and does not say why", _PERMISSION),
    Advice(
        (),
        (400, 413, 414),
        "the event itself is refused",
        "look at it with shipper dead-letters; mend the rule, then send it again with shipper dead-letters retry",
    ),
    Advice(
        (),
        (500, 502, 503, 504),
        "the service, or something between, is unwell",
        "nothing: it is tried again; if it lasts, see the service's status page",
    ),
)


def advise(answer: Answer) -> Advice | None:
    """Give the row that fits an answer; None when none does."""
    said = f"{answer.code} {answer.message} {answer.excerpt if not answer.code else ''}".lower()
    number = int(answer.code) if answer.code.isascii() and answer.code.isdigit() and answer.status == 200 else None
    for row in ADVICE:
        known_by_words = any(word in said for word in row.words) if row.words else True
        if known_by_words and (not row.statuses or (number or answer.status) in row.statuses):
            # of an accepted answer the words are only remarks
            return row if (number or answer.status) != 200 else None
    return None
