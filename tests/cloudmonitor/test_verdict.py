"""What every answer means for the batch: the rules of the spec, section 6, and the messages of the API reference."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shipper.cloudmonitor.verdict import (
    EXCERPT_CHARACTERS,
    Answer,
    Verdict,
    judge,
    read_answer,
    settle_unclear,
)

A, R, S, P, C, U = (
    Verdict.ACCEPTED,
    Verdict.RETRY,
    Verdict.SLOW_DOWN,
    Verdict.SPLIT,
    Verdict.ACCOUNT,
    Verdict.UNCLEAR,
)


@pytest.mark.parametrize(
    ("status", "code", "message", "expected"),
    [
        # accepted
        (200, "200", "", A),
        (200, "206", "reach Max time series num", A),
        (200, "206", "not allowed original value, please upgrade service", A),
        (200, "206", "type is invalid", A),
        (206, "206", "", A),
        (206, "200", "", A),
        # a code other than 200 wins over HTTP 200
        (200, "400", "syntax error", P),
        (200, "403", "cannot upload event, please use ram to auth", C),
        (200, "403", "rate limit", S),
        (200, "413", "", P),
        (200, "429", "", S),
        (200, "500", "", R),
        (200, "302", "", C),
        # HTTP 200 without a code that anybody understands
        (200, "", "", R),
        (206, "", "", R),
        (200, "Success", "", R),
        (200, "0200", "", R),
        (200, "201", "", R),
        # the body is at fault
        (400, "400", "content is missing", P),
        (400, "", "", P),
        (413, "", "", P),
        # too fast
        (403, "403", "request rate limit exceeded", S),
        (403, "403", "Request was denied due to user flow control.", S),
        (403, "403", "Request was denied due to api flow control.", S),
        (403, "403", "Throttled", S),
        (403, "403", "Too many requests", S),
        (403, "403", "exceeds QPS", S),
        (403, "403", "speed limit", S),
        (408, "", "", S),
        (429, "429", "", S),
        (429, "", "", S),
        # account
        (403, "403", "cannot upload event, please use ram to auth", C),
        (403, "403", "cannot upload, please use ram to auth", C),
        (403, "403", "Specified signature is not matched with our calculation.", C),
        (403, "403", "Specified access key is not found.", C),
        (403, "403", "AccessKeyId unknown", C),
        (403, "403", "security token is malformed", C),
        (403, "403", "Specified time stamp or date value is expired.", C),
        (403, "403", "Forbidden", C),
        (403, "403", "access denied", C),
        (403, "403", "You are not authorized to do this", C),
        (403, "403", "verification failed", C),
        (301, "", "", C),
        (302, "200", "", C),
        (307, "", "", C),
        *((status, "", "", C) for status in (401, 404, 405, 407, 415, 451)),
        (401, "200", "", C),
        # 403 of unknown meaning
        (403, "403", "no", U),
        (403, "", "", U),
        (403, "200", "", U),
        # the more precise of two refusals
        (400, "403", "rate limit", S),
        (403, "400", "bad time", P),
        (404, "500", "", R),
        # a broken gateway stands before what its body says
        (500, "500", "", R),
        (500, "200", "", R),
        (502, "400", "", R),
        (503, "206", "", R),
        (504, "", "", R),
        # everything else
        *((status, "", "", R) for status in (100, 201, 202, 204, 402, 406, 409, 410, 422, 431, 500, 503, 599)),
        # a gateway that says its code in words
        (400, "Throttling.User", "Request was denied due to user flow control.", S),
        (400, "Throttling.Api", "Request was denied due to api flow control.", S),
        (400, "Throttling", "", S),
        (400, "SignatureDoesNotMatch", "Specified signature is not matched with our calculation.", C),
        (403, "SignatureDoesNotMatch", "", C),
        (404, "InvalidAccessKeyId.NotFound", "Specified access key is not found.", C),
        (400, "InvalidAccessKeyId.Inactive", "", C),
        (400, "InvalidTimeStamp.Expired", "Specified time stamp or date value is expired.", C),
        (400, "InvalidTimeStamp.Format", "", C),
        (400, "SignatureNonceUsed", "Specified signature nonce was used already.", R),
        (400, "MissingContent", "", P),
        (400, "InvalidParameter.Name", "", P),
        (403, "Forbidden.RAM", "", C),
        (403, "NoPermission", "", C),
        (500, "InternalError", "The request processing has failed due to some unknown error.", R),
        (503, "ServiceUnavailable", "", R),
    ],
)
def test_every_answer_has_its_meaning(status: int, code: str, message: str, expected: Verdict) -> None:
    """Each status, code and known message is judged as the spec says."""
    assert judge(Answer(status, code, message)) is expected


@given(st.integers(100, 599), st.text(max_size=20), st.text(max_size=60))
def test_only_code_200_or_206_over_http_200_accepts(status: int, code: str, message: str) -> None:
    """No other answer ever lets events leave the store."""
    if judge(Answer(status, code, message)) is Verdict.ACCEPTED:
        assert status in {200, 206}
        assert code in {"200", "206"}


def test_words_of_an_unreadable_403_are_heard() -> None:
    """A 403 in plain text is judged by its text."""
    assert judge(read_answer(403, {}, b"rate limit exceeded")) is Verdict.SLOW_DOWN
    assert judge(read_answer(403, {}, b"<h1>Access Denied</h1>")) is Verdict.ACCOUNT


def test_unclear_is_throttling_three_times_then_the_account() -> None:
    """A 403 of unknown meaning slows down three times in a row, and is then a condition of the account."""
    settled = [settle_unclear(Verdict.UNCLEAR, number) for number in (1, 2, 3, 4, 5)]
    assert settled == [S, S, S, C, C]
    assert all(settle_unclear(verdict, 9) is verdict for verdict in Verdict if verdict is not Verdict.UNCLEAR)


@pytest.mark.parametrize(
    ("body", "code", "message", "request_id"),
    [
        (b'{"code":"200","msg":""}', "200", "", ""),
        (b'{"code":200}', "200", "", ""),
        (b'{"code":"400","msg":"bad","requestId":"R-1"}', "400", "bad", "R-1"),
        (b'{"Code":"NoPermission","Message":"no","RequestId":"R-2","HostId":"h"}', "NoPermission", "no", "R-2"),
        (b'{"code":true}', "", "", ""),
        (b'{"code":null}', "", "", ""),
        (b'{"code":["200"]}', "", "", ""),
        (b'[{"code":"200"}]', "", "", ""),
        (b"", "", "", ""),
        (b"<html>", "", "", ""),
        (b"\xff\xfe", "", "", ""),
    ],
)
def test_reading_a_body(body: bytes, code: str, message: str, request_id: str) -> None:
    """The service's envelope and its gateway's are read; anything else has no code."""
    answer = read_answer(200, {}, body)
    assert (answer.code, answer.message, answer.request_id) == (code, message, request_id)
    assert bool(answer.excerpt) == (not code and bool(body))


def test_a_foreign_body_is_kept_as_an_excerpt() -> None:
    """A proxy's page is kept up to 200 characters."""
    answer = read_answer(200, {}, b"<html>" + b"x" * 1000)
    assert answer.excerpt == "<html>" + "x" * (EXCERPT_CHARACTERS - 6) + "…"


def test_the_signed_text_is_masked() -> None:
    """What an answer echoes of the signed text (which holds key id and token) goes into no message."""
    body = b'{"code":"403","msg":"signature wrong, server string to sign is:POST x-cms-security-token:SECRET"}'
    assert read_answer(403, {}, body).message == "signature wrong, server string to sign [masked]"
    assert "SECRET" not in read_answer(403, {}, b"<StringToSign>POST SECRET").excerpt


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Fri, 27 Aug 2021 06:33:55 GMT", datetime(2021, 8, 27, 6, 33, 55, tzinfo=UTC)),
        ("Mon, 3 Jan 2011 00:00:00 GMT", datetime(2011, 1, 3, tzinfo=UTC)),
        ("Tue, 11 Dec 2018 21:05:51 +0800", datetime(2018, 12, 11, 13, 5, 51, tzinfo=UTC)),
        ("soon", None),
        ("", None),
    ],
)
def test_server_date(text: str, expected: datetime | None) -> None:
    """The server's `Date` is read as an aware time, or not at all."""
    found = read_answer(200, {"Date": text}, b"").server_date
    assert found == expected
    if found is not None:
        assert isinstance(found.utcoffset(), timedelta)


@given(st.integers(100, 599), st.text(max_size=60), st.binary(max_size=300))
def test_no_answer_breaks_the_reader(status: int, date: str, body: bytes) -> None:
    """Whatever comes over the network becomes an answer and a verdict."""
    assert judge(read_answer(status, {"Date": date}, body)) in Verdict


@given(
    st.from_regex(r"[A-Z][a-z]{2}, [0-9]{1,4} [A-Z][a-z]{2} [0-9]{1,12} [0-9:.]{1,20} [-+A-Z0-9]{0,12}", fullmatch=True)
)
def test_no_date_breaks_the_reader(date: str) -> None:
    """A `Date` that almost looks like one is read or ignored."""
    found = read_answer(200, {"Date": date}, b"").server_date
    assert found is None or found.tzinfo is not None
