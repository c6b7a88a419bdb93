"""What an answer means, and what to do: each known message (API reference, sections 5.2 and 5.3)."""

from __future__ import annotations

import pytest

from shipper.cloudmonitor.advice import ADVICE, advise
from shipper.cloudmonitor.verdict import Answer


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (Answer(403, "403", "cannot upload event, please use ram to auth"), "cms:PutCustomEvent"),
        (Answer(403, "Forbidden.RAM", "User not authorized"), "cms:PutCustomEvent"),
        (Answer(403, "NoPermission", ""), "cms:PutCustomEvent"),
        (Answer(403, "403", "rate limit exceeded"), "slows down by itself"),
        (Answer(400, "Throttling.User", "Request was denied due to user flow control."), "slows down by itself"),
        (
            Answer(400, "SignatureDoesNotMatch", "Specified signature is not matched with our calculation."),
            "the secret",
        ),
        (Answer(404, "InvalidAccessKeyId.NotFound", "Specified access key is not found."), "access_key_id"),
        (Answer(400, "InvalidTimeStamp.Expired", "Specified time stamp or date value is expired."), "NTP"),
        (Answer(403, "403", "the date header is more than 15 minutes off"), "NTP"),
        (Answer(400, "InvalidSecurityToken.Expired", "the token"), "openapi"),
        (Answer(403, "403", "the security token is not known or has expired"), "openapi"),
        (Answer(403, "403", "no"), "cms:PutCustomEvent"),
        (Answer(407), "'proxy'"),
        (Answer(302), "endpoint and proxy"),
        (Answer(404, excerpt="not found"), "metrichub"),
        (Answer(400, "400", "name is wrong"), "dead-letters"),
        (Answer(413), "dead-letters"),
        (Answer(503), "tried again"),
        (Answer(200, "500", "internal error"), "tried again"),
        (Answer(200, "403", "what nobody has seen"), "cms:PutCustomEvent"),
    ],
)
def test_each_known_answer_has_a_meaning_and_something_to_do(answer: Answer, expected: str) -> None:
    """In the words of whoever has to do it."""
    advice = advise(answer)
    assert advice is not None
    assert expected in advice.action or expected in advice.meaning


@pytest.mark.parametrize("answer", [Answer(200, "200"), Answer(200, "200", "token bucket"), Answer(206), Answer(599)])
def test_what_needs_no_advice(answer: Answer) -> None:
    """An accepted answer, whatever its words, and what nobody knows."""
    assert advise(answer) is None


def test_every_row_can_be_reached() -> None:
    """No row stands behind one that says the same."""
    for row in ADVICE:
        status = row.statuses[0] if row.statuses else 403
        assert advise(Answer(status, "", excerpt=row.words[0] if row.words else "")) is row
