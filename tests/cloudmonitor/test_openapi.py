"""The RPC client and the emulator's side of it, written apart from the same reference."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shipper.cloudmonitor import CustomEvent
from shipper.cloudmonitor.aging import redated
from shipper.cloudmonitor.client import Client
from shipper.cloudmonitor.emulator import (
    DEFAULT_KEY_ID,
    DEFAULT_KEY_SECRET,
    AccessKey,
    Emulator,
    Settings,
    parse_faults,
)
from shipper.cloudmonitor.emulator.contract import Acceptance, Refusal, Request
from shipper.cloudmonitor.emulator.rpc_contract import RpcContract
from shipper.cloudmonitor.endpoints import rpc_endpoint
from shipper.cloudmonitor.openapi import MAX_QUERY, OpenApiClient
from shipper.cloudmonitor.verdict import Verdict, judge
from shipper.errors import RefusedError
from tests.cloudmonitor.recording import RecordingServer, reply

NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1).filter(lambda name: name.strip())


@pytest.fixture
def client(emulated: Emulator) -> Iterator[OpenApiClient]:
    with OpenApiClient(emulated.url, DEFAULT_KEY_ID, DEFAULT_KEY_SECRET) as made:
        yield made


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(NAMES, st.text(st.characters()), st.integers(0, 2**63 - 1)), min_size=1, max_size=5))
def test_events_of_any_content_arrive(
    emulated: Emulator, client: OpenApiClient, events: list[tuple[str, str, int]]
) -> None:
    """In the query or as a form: unchanged, but for lone surrogates."""
    client.put_events([CustomEvent(name, content, group_id) for name, content, group_id in events])
    arrived = emulated.receipts()[-1].events

    assert [(event.name, event.content, event.group_id) for event in arrived] == [
        (name, re.sub("[\ud800-\udfff]", "\ufffd", content), group_id) for name, content, group_id in events
    ]
    assert emulated.violations == ()


def test_a_full_call_of_large_events_arrives(emulated: Emulator, client: OpenApiClient) -> None:
    """Too long for a target: it travels as a form, signed all the same; an event over all limits is cut before."""
    client.put_events([CustomEvent("n", f"{number}" * 1000) for number in range(50)])
    assert len(emulated.receipts()[-1].events) == 50
    with pytest.raises(ValueError, match="takes 1 to 50 events, not 51"):
        client.put_events([CustomEvent("n", "c")] * 51)
    with pytest.raises(ValueError, match="takes 500,000 bytes"):
        client.put_events([CustomEvent("n", "告" * 1200)] * 50)
    assert client.limits.take([client.encode(CustomEvent("n", "告" * 1200))] * 50) == 45
    assert emulated.violations == ()


def test_a_call_on_the_wire() -> None:
    """As the official clients put it: POST, parameters in the query, a nonce of its own each time (section 8.4)."""
    server = RecordingServer()
    server.answer = reply(200, b'{"Code":"200","Message":"success","RequestId":"R-1"}')
    with OpenApiClient(server.url, "testkey", "testsecret", security_token="TOKEN") as client:
        answer = client.put_event("磁盘告警", "a b~*+&=%", group_id=5, time="20210827T143355.000+0800")
        client.put_event("n", "x" * MAX_QUERY)
    server.stop()
    first, second = server.requests

    assert answer.request_id == "R-1"
    method, target, _ = first.line.split(" ")
    assert method == "POST"
    assert "Content=a%20b~%2A%2B%26%3D%25&" in target
    assert parse_qs(urlsplit(target).query) == {
        "EventInfo.1.EventName": ["磁盘告警"],
        "EventInfo.1.Content": ["a b~*+&=%"],
        "EventInfo.1.GroupId": ["5"],
        "EventInfo.1.Time": ["20210827T143355.000+0800"],
    }
    assert first.body == b""
    assert first.header("x-acs-security-token") == "TOKEN"
    assert first.header("x-acs-action") == "PutCustomEvent"
    assert second.line.startswith("POST / ")
    assert b"EventInfo.1.EventName=n" in second.body
    assert first.header("x-acs-signature-nonce") != second.header("x-acs-signature-nonce")


@pytest.mark.parametrize(
    ("key", "client_key", "verdict", "word"),
    [
        (AccessKey("id", "secret"), ("nobody", "secret", ""), Verdict.ACCOUNT, "InvalidAccessKeyId.NotFound"),
        (AccessKey("id", "secret"), ("id", "wrong", ""), Verdict.ACCOUNT, "SignatureDoesNotMatch"),
        (AccessKey("id", "secret", permitted=False), ("id", "secret", ""), Verdict.ACCOUNT, "Forbidden.RAM"),
        (
            AccessKey("id", "secret", tokens=frozenset({"T"})),
            ("id", "secret", "U"),
            Verdict.ACCOUNT,
            "InvalidSecurityToken.MismatchWithAccessKey",
        ),
        (AccessKey("id", "secret", tokens=frozenset({"T"})), ("id", "secret", "T"), Verdict.ACCEPTED, "200"),
    ],
    ids=["unknown key", "wrong secret", "no permission", "wrong token", "token"],
)
def test_who_asks(key: AccessKey, client_key: tuple[str, str, str], verdict: Verdict, word: str) -> None:
    """The gateway's words are judged for what they are, and hold no secret."""
    key_id, secret, token = client_key
    with (
        Emulator(Settings(keys=(key,))) as emulator,
        OpenApiClient(emulator.url, key_id, secret, security_token=token) as client,
    ):
        answer = client.deliver([client.encode(CustomEvent("n", "c"))])
    assert (judge(answer), answer.code) == (verdict, word)
    assert "x-acs" not in answer.message


def test_a_wrong_clock(emulated: Emulator) -> None:
    """An hour off is refused, and the next call is dated with the service's time."""
    late = datetime.now(UTC) - timedelta(hours=1)
    with OpenApiClient(emulated.url, DEFAULT_KEY_ID, DEFAULT_KEY_SECRET, clock=late.timestamp) as client:
        answer = client.deliver([client.encode(CustomEvent("n", "c"))])
        assert (judge(answer), answer.code) == (Verdict.ACCOUNT, "InvalidTimeStamp.Expired")
        client.put_event("n", "c")


@pytest.mark.parametrize(
    ("faults", "verdict"),
    [
        ("throttle:1", Verdict.SLOW_DOWN),
        ("500:1", Verdict.RETRY),
        ("ok-not-200:1", Verdict.RETRY),
        ("html:1", Verdict.RETRY),
        ("206:1", Verdict.ACCEPTED),
    ],
)
def test_faults_and_the_quota(faults: str, verdict: Verdict) -> None:
    """Each fault in the RPC API's own form is judged for what it is."""
    with (
        Emulator(Settings(faults=parse_faults(faults))) as emulator,
        OpenApiClient(emulator.url, DEFAULT_KEY_ID, DEFAULT_KEY_SECRET) as client,
    ):
        assert judge(client.deliver([client.encode(CustomEvent("n", "c"))])) is verdict


def test_both_transports_share_the_quota() -> None:
    """It is the account's."""
    with (
        Emulator(Settings(qps=2)) as emulator,
        OpenApiClient(emulator.url, DEFAULT_KEY_ID, DEFAULT_KEY_SECRET) as rpc,
        Client(emulator.url, DEFAULT_KEY_ID, DEFAULT_KEY_SECRET) as upload,
    ):
        rpc.put_event("n", "c")
        upload.put_event("n", "c")
        with pytest.raises(RefusedError, match=r"Throttling\.User"):
            rpc.put_event("n", "c")


NOW = datetime(2026, 11, 26, 14, 29, 36, tzinfo=UTC)
OFFICIAL_V3 = Request(
    "POST",
    "/?EventInfo.1.Content=%E7%AC%AC%E4%B8%80+line%0Anext&EventInfo.1.EventName=%E7%A3%81%E7%9B%98%E5%91%8A%E8%AD%A6"
    "&EventInfo.1.GroupId=0&EventInfo.1.Time=1630046035000&EventInfo.2.Content=second+%F0%9F%98%80"
    "&EventInfo.2.EventName=LoginFailed",
    {
        "host": "127.0.0.1:42787",
        "x-acs-version": "2019-01-01",
        "x-acs-action": "PutCustomEvent",
        "user-agent": "AlibabaCloud (Linux; x86_64) Python/3.11.7 Core/0.4.3 TeaDSL/2",
        "x-acs-date": "2026-11-26T14:29:36Z",
        "x-acs-signature-nonce": "7299b423a63a5feb34d9574ee00ec2da",
        "accept": "application/json",
        "x-acs-content-sha256": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "x-acs-credentials-provider": "static_ak",
        "authorization": "ACS3-HMAC-SHA256 Credential=testkey,SignedHeaders=accept;host;user-agent;x-acs-action;"
        "x-acs-content-sha256;x-acs-credentials-provider;x-acs-date;x-acs-signature-nonce;x-acs-version,"
        "Signature=662bcd358c685863a8178da8eef20f07af6017b336b530e0b70aa696427ecf6f",
    },
    b"",
)
OFFICIAL_V2 = Request(
    "POST",
    "/?EventInfo.1.GroupId=0&EventInfo.1.Time=1630046035000&EventInfo.1.EventName="
    "%E7%A3%81%E7%9B%98%E5%91%8A%E8%AD%A6&EventInfo.1.Content=%E7%AC%AC%E4%B8%80%20line%0Anext"
    "&EventInfo.2.EventName=LoginFailed&EventInfo.2.Content=second%20%F0%9F%98%80&Version=2019-01-01"
    "&Action=PutCustomEvent&Format=JSON&RegionId=cn-hangzhou&Timestamp=2026-11-26T14%3A29%3A35Z"
    "&SignatureMethod=HMAC-SHA1&SignatureType=&SignatureVersion=1.0&SignatureNonce=cda4c379317d06db184f0fb859958697"
    "&AccessKeyId=testkey&Signature=nhfOqsuHB2f0j5QuKnIkZoSfgec%3D",
    {"x-acs-action": "PutCustomEvent", "x-acs-version": "2019-01-01"},
    b"",
)


@pytest.mark.parametrize("request_", [OFFICIAL_V3, OFFICIAL_V2], ids=["V3", "V2"])
def test_what_official_clients_sent_is_accepted_once(request_: Request) -> None:
    """Recorded from the official Python SDKs (alibabacloud_cms20190101, aliyun-python-sdk-cms)."""
    contract = RpcContract([AccessKey("testkey", "testsecret")])
    judged = contract.judge(request_, NOW)

    assert isinstance(judged, Acceptance)
    assert [(e.name, e.content, e.group_id) for e in judged.events] == [
        ("磁盘告警", "第一 line\nnext", 0),
        ("LoginFailed", "second 😀", 0),
    ]
    assert judged.events[0].time == "20210827T063355.000+0000"
    again = contract.judge(request_, NOW)
    assert isinstance(again, Refusal)
    assert again.word == "SignatureNonceUsed"


@pytest.mark.parametrize(
    ("change", "word"),
    [
        (("Action=PutCustomEvent", "Action=PutEvent"), "SignatureDoesNotMatch"),
        (("&SignatureMethod=HMAC-SHA1", ""), "InvalidParameter"),
        (("&Timestamp=2026-11-26T14%3A29%3A35Z", ""), "MissingTimestamp"),
        (("AccessKeyId=testkey", "AccessKeyId=other"), "InvalidAccessKeyId.NotFound"),
    ],
)
def test_what_is_not_as_it_was_signed(change: tuple[str, str], word: str) -> None:
    """A changed parameter is noticed."""
    changed = Request("POST", OFFICIAL_V2.target.replace(*change), OFFICIAL_V2.headers, b"")
    judged = RpcContract([AccessKey("testkey", "testsecret")]).judge(changed, NOW)

    assert isinstance(judged, Refusal)
    assert judged.word == word


def test_endpoints() -> None:
    """Public hosts by region; of VPC hosts the documentation names two."""
    assert rpc_endpoint("cn-hangzhou") == "https://metrics.cn-hangzhou.aliyuncs.com"
    assert rpc_endpoint("us-west-1") == "https://metrics.us-west-1.aliyuncs.com"
    with pytest.raises(ValueError, match="did you mean 'cn-hangzhou'"):
        rpc_endpoint("cn-hangzou")
    with pytest.raises(ValueError, match="say 'endpoint' outright"):
        rpc_endpoint("cn-hangzhou", "vpc")


def test_a_target_that_is_too_long_is_refused_in_the_caller_s_form(emulated: Emulator) -> None:
    """Whoever puts everything into the query meets the server's limit, and can read the answer."""
    answer = requests.post(f"{emulated.url}/?Action=PutCustomEvent&EventInfo.1.Content={'x' * 70_000}", timeout=10)

    assert answer.status_code == 414
    assert answer.json()["Code"] == "414"


def test_what_a_damaged_store_left_of_an_event_is_refused(client: OpenApiClient) -> None:
    """It ends nobody's loop, and becomes a dead letter like any event that the service does not take."""
    for payload in (b'{"content":"x","na', b"\xff", b"{}"):
        assert client.limits.take([payload]) == 1
        answer = client.deliver([payload])
        assert judge(answer) is Verdict.SPLIT
        assert redated(payload, datetime.now(UTC), timedelta(seconds=1)) is None
