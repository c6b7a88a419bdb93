"""Every row of the contract (API reference, section 16), asked by hand-signed requests over real HTTP."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import TYPE_CHECKING

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shipper.cloudmonitor.emulator import AccessKey, Emulator, ReportedEvent, Settings
from shipper.cloudmonitor.emulator.contract import Acceptance, Contract, Refusal, Request
from tests.cloudmonitor.emulator.upload import BODY, TARGET, events_body, upload, upload_headers

if TYPE_CHECKING:
    from collections.abc import Iterator

VECTOR_NOW = datetime(2021, 8, 27, 6, 33, 55, tzinfo=UTC)
VECTOR_DATE = "Fri, 27 Aug 2021 06:33:55 GMT"
KEYS = (
    AccessKey("testkey", "testsecret"),
    AccessKey("temporary", "testsecret", tokens=frozenset({"CAIStesttoken=="})),
    AccessKey("nobody", "testsecret", permitted=False),
)
EVENT = {"name": "n", "content": "c"}


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    with Emulator(Settings(keys=KEYS, qps=0)) as made:
        yield made


def refused(emulator: Emulator, body: bytes, headers: dict[str, str], **how: str) -> tuple[int, str]:
    """Send a request that must be refused; give its status and words, having checked the answer's shape."""
    reply = upload(emulator, body, headers, **how)
    assert reply.headers["Content-Type"] == "application/json"
    assert set(reply.json) == {"code", "msg", "requestId"}
    assert reply.json["code"] == str(reply.status)
    assert emulator.events() == ()
    assert [violation.message for violation in emulator.violations] == [reply.json["msg"]]
    return reply.status, reply.json["msg"]


B1 = BODY.decode()
B2 = '[{"content":"磁盘 / 使用率 91%，请处理","groupId":0,"name":"磁盘告警","time":"20210827T143355.000+0800"}]'
B3 = (
    r'[{"content":"\u78c1\u76d8 / \u4f7f\u7528\u7387 91%\uff0c\u8bf7\u5904\u7406","groupId":0,'
    r'"name":"\u78c1\u76d8\u544a\u8b66","time":"20210827T143355.000+0800"}]'
)
B4 = '[{"content":"a","groupId":"0","name":"n1","time":"1630046035000"},{"content":"b","name":"n2"}]'
B5 = (
    '[{"content":"123,abc","groupId":100,"name":"Event_0","regionId":"N/A","status":"INFO",'
    '"time":"20210827T143355.000+0800","trace":"00000000-0000-4000-8000-000000000001","ver":"1.0"}]'
)
MD5 = "046C80AA9EC6C6B58EB32362DD26AD84"
DISK = ReportedEvent("disk_full", "disk / is 91% full", 0, "20210827T143355.000+0800")
CHINESE = ReportedEvent("磁盘告警", "磁盘 / 使用率 91%，请处理", 0, "20210827T143355.000+0800")
FOLDED = {"X-CMS-API-Version": "1.0 ", "X-Cms-Signature": "hmac-sha1", "X-CMS-IP": "192.0.2.10", "X-ACS-Trace": "abc"}
TOKEN = {"x-cms-caller-type": "token", "x-cms-security-token": "CAIStesttoken=="}
PLAIN = {"x-cms-api-version": "1.0", "x-cms-ip": "192.0.2.10", "x-cms-signature": "hmac-sha1"}


@pytest.mark.parametrize(
    ("method", "target", "body", "md5", "own", "signature", "events"),
    [
        ("POST", "", B1, MD5, PLAIN, "2D0D104FCA2275352A5E1793600F426F14AC1135", (DISK,)),
        (
            "POST",
            "",
            B2,
            "DA792158A849B0621F3A344C003AF697",
            PLAIN,
            "B74F4989A2D96F5C0E6176BE558FDF3C09F7101E",
            (CHINESE,),
        ),
        (
            "POST",
            "",
            B3,
            "1BFC0B4E4E11C98A20AB33B70893BC6F",
            PLAIN,
            "0D14C4C4857E297D95D4CC683984B2D4D2616087",
            (CHINESE,),
        ),
        ("POST", "?name=hcj&employeeId=11", B1, MD5, PLAIN, "1D7C925C9562456C8FE25A36D60D51AB0067AD7A", (DISK,)),
        ("POST", "", B1, MD5, PLAIN | TOKEN, "297FD64B0C9FDF4B4F2B75E7794C1EF52787C171", (DISK,)),
        ("PUT", "", B1, MD5.lower(), PLAIN, "86485F8CC5643CA0DFF3514A00EED7A6F30ACCA3", (DISK,)),
        ("POST", "", B1, MD5, FOLDED, "DCA79488F6E446B131FCCADB2CB37F39FB36D0C4", (DISK,)),
        (
            "POST",
            "",
            B4,
            "03231E1F61F10472B940463F5780B4D1",
            PLAIN,
            "C19D464D0D13FD147CF4095F3C6CA8AF834BA686",
            (
                ReportedEvent("n1", "a", 0, "20210827T063355.000+0000"),
                ReportedEvent("n2", "b", 0, "20210827T063355.000+0000"),
            ),
        ),
        (
            "POST",
            "",
            B5,
            "8DBBB55DFB4F65660D88D119CCAA02B0",
            PLAIN,
            "7FCADA1BBA2F6CD73F504E82D59231362E08422A",
            (ReportedEvent("Event_0", "123,abc", 100, "20210827T143355.000+0800"),),
        ),
    ],
    ids=["E1", "E2", "E2b", "E3", "E4", "E5", "E6", "E7", "E9"],
)
def test_vectors_are_accepted(
    method: str,
    target: str,
    body: str,
    md5: str,
    own: dict[str, str],
    signature: str,
    events: tuple[ReportedEvent, ...],
) -> None:
    """Each vector of section 12.2, sent with its published signature at its time, is accepted with its events."""
    key = AccessKey(
        "testkey", "testsecret", tokens=frozenset({"CAIStesttoken=="} if TOKEN.items() <= own.items() else ())
    )
    with Emulator(Settings(keys=(key,)), now=lambda: VECTOR_NOW) as emulator:
        headers = {
            "Authorization": f"testkey:{signature}",
            "Content-MD5": md5,
            "Content-Type": "application/json",
            "Date": VECTOR_DATE,
            "Content-Length": str(len(body.encode())),
        }
        reply = upload(emulator, body.encode(), headers | own, method=method, target=TARGET + target)
        assert reply.outcome == (200, "200")
        assert reply.json["msg"] == ""
        assert reply.headers["Date"] == VECTOR_DATE  # the server's clock, by which a client may judge its own
        assert emulator.events() == events
        assert emulator.violations == ()


def test_vector_without_a_body_has_a_good_signature_and_nothing_to_report() -> None:
    """E8, which has no body, passes the signature and is refused for its body alone."""
    headers = PLAIN | {
        "Authorization": "testkey:7157FE7CF8BDD25F47F51E89888248F5BEF95F07",
        "Content-Type": "application/json",
        "Date": VECTOR_DATE,
        "Content-Length": "0",
    }
    with Emulator(now=lambda: VECTOR_NOW) as emulator:
        status, message = refused(emulator, b"", headers)
    assert (status, "JSON array" in message) == (400, True)


@pytest.mark.parametrize(
    ("authorization", "word"),
    [
        (None, "signature"),
        ("", "signature"),
        ("testkey", "signature"),
        (":" + "A" * 40, "signature"),
        ("stranger:" + "A" * 40, "AccessKey"),
        ("testkey:" + "A" * 40, "signature"),
        ("testkey:" + "A" * 39 + "é", "signature"),
    ],
)
def test_who_asks_is_verified(emulator: Emulator, authorization: str | None, word: str) -> None:
    """No, malformed, unknown or wrong credentials are refused with 403 and the word that tells them apart."""
    headers = upload_headers()
    del headers["Authorization"]
    if authorization is not None:
        headers["Authorization"] = authorization
    status, message = refused(emulator, BODY, headers)
    assert status == 403
    assert word in message


def test_signature_is_upper_case(emulator: Emulator) -> None:
    """A right signature in lower case, which no client sends, is refused."""
    headers = upload_headers()
    key_id, _, signature = headers["Authorization"].partition(":")
    headers["Authorization"] = f"{key_id}:{signature.lower()}"
    status, message = refused(emulator, BODY, headers)
    assert (status, "upper-case" in message) == (403, True)


@pytest.mark.parametrize("name", ["Content-MD5", "Content-Type", "Date", "x-cms-ip", "x-cms-api-version"])
def test_signature_covers_the_literal_headers(emulator: Emulator, name: str) -> None:
    """A signed header whose text is changed after signing, if only in its letters' case or a digit, is noticed."""
    headers = upload_headers()
    headers[name] = headers[name].swapcase() if name != "x-cms-ip" else "192.0.2.11"
    if name == "x-cms-api-version":
        headers[name] = "1.00"
    status, message = refused(emulator, BODY, headers)
    assert (status, "signature" in message) == (403, True)


def test_refusal_shows_what_was_signed_but_no_secret() -> None:
    """A wrong signature is answered with the server's string to sign, in which the token is masked."""
    with Emulator(Settings(keys=KEYS)) as emulator:
        headers = upload_headers(key_id="temporary", secret="wrong", change=TOKEN)
        status, message = refused(emulator, BODY, headers)
    assert status == 403
    assert f"POST\n{headers['Content-MD5']}\napplication/json\n" in message
    assert "CAIStesttoken" not in message
    assert "testsecret" not in message


@pytest.mark.parametrize(
    ("key_id", "change"),
    [
        ("testkey", TOKEN),
        ("temporary", TOKEN | {"x-cms-security-token": "expired"}),
        ("temporary", {"x-cms-security-token": "CAIStesttoken=="}),
        ("temporary", {"x-cms-caller-type": "token"}),
        ("temporary", {}),
    ],
    ids=["lasting key", "unknown token", "no caller type", "no token", "no headers"],
)
def test_security_token_is_verified(emulator: Emulator, key_id: str, change: dict[str, str]) -> None:
    """A token that is not known, or comes without its other header, is refused with the word token."""
    status, message = refused(emulator, BODY, upload_headers(key_id=key_id, change=change))
    assert (status, "token" in message) == (403, True)


def test_user_without_permission_is_refused_in_the_services_words(emulator: Emulator) -> None:
    """A user whose policy does not allow it gets the documented message."""
    status, message = refused(emulator, BODY, upload_headers(key_id="nobody"))
    assert (status, message) == (403, "cannot upload event, please use ram to auth")


@pytest.mark.parametrize("minutes", [-16, 16])
def test_date_far_off_is_refused(emulator: Emulator, minutes: int) -> None:
    """A date more than fifteen minutes off is refused, on either side."""
    date = format_datetime(datetime.now(UTC) + timedelta(minutes=minutes), usegmt=True)
    status, message = refused(emulator, BODY, upload_headers(date=date))
    assert (status, "date" in message) == (403, True)


@pytest.mark.parametrize(
    "date",
    [
        None,
        "",
        "Fri, 27 Aug 2021 14:33:55 +0800",
        "Fri, 27 Aug 2021 06:33:55 CST",
        "周五, 27 8月 2021 06:33:55 GMT".encode().decode("latin-1"),
        "Fri, 32 Aug 2021 06:33:55 GMT",
        "2021-08-27T06:33:55Z",
    ],
)
def test_date_is_in_gmt_with_english_names(date: str | None) -> None:
    """A missing date, another zone, another language or another format is refused with the word date."""
    with Emulator(now=lambda: VECTOR_NOW) as emulator:
        status, message = refused(emulator, BODY, upload_headers(change={"Date": date}))
    assert (status, "date" in message) == (403, True)


@pytest.mark.parametrize("date", ["Tue, 3 Aug 2021 06:33:55 GMT", "Tue, 03 Aug 2021 06:33:55 GMT"])
def test_day_of_month_has_one_or_two_digits(date: str) -> None:
    """Both spellings of the day are accepted, and the allowed skew can be set."""
    with Emulator(Settings(skew=60), now=lambda: datetime(2021, 8, 3, 6, 34, 55, tzinfo=UTC)) as emulator:
        assert upload(emulator, headers=upload_headers(date=date)).outcome == (200, "200")


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"Content-Type": None}, "Content-Type"),
        ({"Content-Type": "application/json; charset=utf-8"}, "Content-Type"),
        ({"Content-Type": "text/plain"}, "Content-Type"),
        ({"x-cms-api-version": None}, "x-cms-api-version"),
        ({"x-cms-api-version": "1.1"}, "x-cms-api-version"),
        ({"x-cms-signature": None}, "x-cms-signature"),
        ({"x-cms-signature": "hmac-sha256"}, "x-cms-signature"),
        ({"x-cms-ip": None}, "x-cms-ip"),
        ({"x-cms-ip": ""}, "x-cms-ip"),
        ({"Content-MD5": None}, "Content-MD5"),
        ({"Content-MD5": "0" * 32}, "Content-MD5"),
        ({"Content-MD5": "4S2xZaGpeTDVy+kuEe2VGQ=="}, "Content-MD5"),
    ],
)
def test_headers_are_verified(emulator: Emulator, change: dict[str, str | None], word: str) -> None:
    """A header that is missing or has another value, though rightly signed, is refused by its name."""
    status, message = refused(emulator, BODY, upload_headers(change=change))
    assert (status, word in message) == (400, True)


def test_body_longer_than_content_length_is_refused(emulator: Emulator) -> None:
    """Characters counted instead of bytes: the body is cut where the header says, and its MD5 does not fit."""
    status, message = refused(emulator, BODY, upload_headers(change={"Content-Length": str(len(BODY) - 1)}))
    assert (status, "Content-MD5" in message) == (400, True)


@pytest.mark.parametrize("length", [None, "many", "-1", "9" * 11])
def test_content_length_is_needed(emulator: Emulator, length: str | None) -> None:
    """Without a usable length nothing is read and nothing accepted."""
    status, message = refused(emulator, BODY, upload_headers(change={"Content-Length": length}))
    assert (status, "Content-Length" in message) == (400, True)


@pytest.mark.parametrize(
    ("body", "word"),
    [
        (b"", "JSON array"),
        (b"not json", "JSON array"),
        (b'{"name":"n","content":"c"}', "JSON array"),
        (b'"[]"', "JSON array"),
        (b"[]", "JSON array"),
        (b"[" * 5000, "JSON array"),
        (b'\xef\xbb\xbf[{"name":"n","content":"c"}]', "JSON array"),
        (b'[{"name":"n","content":"\xff"}]', "JSON array"),
        (events_body(*[EVENT] * 101), "100 events"),
        (events_body({"name": "n", "content": "x" * 500_000}), "500 KB"),
        (events_body({"name": "n", "content": "x" * 2_000_000}), "500 KB"),
        (events_body("n"), "object"),
        (events_body(EVENT, {"content": "c"}), "event 2: name"),
        (events_body({"name": "", "content": "c"}), "name"),
        (events_body({"name": " \u3000\t", "content": "c"}), "name"),
        (events_body({"name": 7, "content": "c"}), "name"),
        (events_body({"name": "n"}), "content"),
        (events_body({"name": "n", "content": None}), "content"),
        (events_body({"name": "n", "content": {"a": 1}}), "content"),
        *[
            (events_body(EVENT | {"groupId": group}), "groupId")
            for group in (None, "", "x", "1.0", 1.5, -1, True, 2**63, "9" * 20)
        ],
        *[
            (events_body(EVENT | {"time": time}), "time")
            for time in (
                None,
                "",
                "yesterday",
                "2021-08-27T14:33:55+08:00",
                "20210827T143355+0800",
                "20210827T143355.000",
                "20210827T143355.000Z",
                "20210827T143355.00+0800",
                "20210832T143355.000+0800",
                "20210229T143355.000+0800",
                "20210827T243355.000+0800",
                "20210827T143355.000+0860",
                "２0210827T143355.000+0800",
                1.5,
                -1,
                True,
                10**15,
                10**18,
            )
        ],
    ],
)
def test_bodies_are_verified(emulator: Emulator, body: bytes, word: str) -> None:
    """A body that is no array of good events is refused with the name of what is wrong, none of it accepted."""
    status, message = refused(emulator, body, upload_headers(body, change={"Content-MD5": None} if not body else None))
    assert status == 400
    assert word in message


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"groupId": 27147}, (27147, None)),
        ({"groupId": "27147"}, (27147, None)),
        ({"groupId": 2**63 - 1}, (2**63 - 1, None)),
        ({"time": "20171023T180923.456+0800"}, (0, "20171023T180923.456+0800")),
        ({"time": "20171023T180923.456-0330"}, (0, "20171023T180923.456-0330")),
        ({"time": 1630046035123}, (0, "20210827T063355.123+0000")),
        ({"time": "1630046035123"}, (0, "20210827T063355.123+0000")),
        ({"level": "CRITICAL", "nested": {"a": [1]}}, (0, None)),
    ],
)
def test_optional_fields_are_taken_in_every_known_form(
    emulator: Emulator, fields: dict[str, object], expected: tuple[int, str | None]
) -> None:
    """Groups and times are accepted as every known client sends them; unknown fields are tolerated."""
    body = events_body(EVENT | fields)
    assert upload(emulator, body).outcome == (200, "200")
    (event,) = emulator.events()
    group, time = expected
    assert event.group_id == group
    assert time is None or event.time == time


def test_the_limits_themselves_are_allowed(emulator: Emulator) -> None:
    """Exactly 100 events, and exactly 500,000 bytes, are accepted."""
    assert upload(emulator, events_body(*[EVENT] * 100)).outcome == (200, "200")
    frame = len(events_body({"name": "n", "content": ""}))
    body = events_body({"name": "n", "content": "x" * (500_000 - frame)})
    assert len(body) == 500_000
    assert upload(emulator, body).outcome == (200, "200")
    assert emulator.stats().events == 101


def test_other_paths_and_methods_are_refused(emulator: Emulator) -> None:
    """An upload to another path is 404, another method is refused too; both in the service's shape."""
    reply = upload(emulator, target="/metric/custom/upload")
    assert reply.outcome == (404, "404")
    assert upload(emulator, method="DELETE").outcome == (501, "501")
    assert emulator.stats().accepted == 0


JUDGE = Contract([AccessKey("testkey", "testsecret")])


@given(
    st.lists(
        st.tuples(
            st.text(st.characters(exclude_categories=["Cs"]), min_size=1).filter(lambda name: not name.isspace()),
            st.text(st.characters(exclude_categories=["Cs"])),
        ),
        min_size=1,
        max_size=5,
    )
)
def test_names_and_contents_of_any_characters_are_taken_unchanged(events: list[tuple[str, str]]) -> None:
    """Whatever text a log holds comes out of the contract as it went in."""
    body = events_body(*({"name": name, "content": content} for name, content in events))
    headers = {name.lower(): value for name, value in upload_headers(body, date=VECTOR_DATE).items()}
    judgement = JUDGE.judge(Request("POST", TARGET, headers, body), VECTOR_NOW)
    assert isinstance(judgement, Acceptance)
    assert [(event.name, event.content) for event in judgement.events] == events


@given(
    st.binary(max_size=200)
    | st.recursive(
        st.none()
        | st.booleans()
        | st.integers(-(2**63), 2**63)
        | st.floats(allow_nan=False)
        | st.text("ab", max_size=3),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from(["name", "content", "groupId", "time", "x"]), inner)
        ),
    ).map(orjson.dumps)
)
def test_any_body_gets_a_judgement(body: bytes) -> None:
    """No body, however odd, does more than be accepted or refused with 400."""
    headers = {name.lower(): value for name, value in upload_headers(body, date=VECTOR_DATE).items()}
    judgement = JUDGE.judge(Request("POST", TARGET, headers, body), VECTOR_NOW)
    assert not isinstance(judgement, Refusal) or judgement.code == 400
