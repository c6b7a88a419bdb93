"""The RPC API's signatures, against published and computed answers (API reference, section 12.3)."""

from __future__ import annotations

import hashlib

import pytest

from shipper.cloudmonitor.rpc_signing import (
    canonical_request,
    form,
    payload_digest,
    percent_encode,
    v2_signature,
    v2_string_to_sign,
    v3_signature,
)

EVENT = {
    "EventInfo.1.EventName": "磁盘告警",
    "EventInfo.1.Content": "磁盘 / 使用率 91%，请处理",
    "EventInfo.1.GroupId": "0",
    "EventInfo.1.Time": "20210827T143355.000+0800",
    "RegionId": "cn-hangzhou",
}


def test_v2_published() -> None:
    """R1: the documentation's DescribeRegions."""
    parameters = {
        "AccessKeyId": "testid",
        "Action": "DescribeRegions",
        "Format": "XML",
        "SignatureMethod": "HMAC-SHA1",
        "SignatureNonce": "3ee8c1b8-83d3-44af-a94f-4e0ad82fd6cf",
        "SignatureVersion": "1.0",
        "Timestamp": "2016-02-23T12:46:24Z",
        "Version": "2014-05-26",
    }
    assert v2_signature("testsecret", v2_string_to_sign("GET", parameters)) == "OLeaidS1JvxuMvnyHOwuJ+uX5qY="


def test_v3_published() -> None:
    """R2: the documentation's RunInstances."""
    headers = {
        "host": "ecs.cn-shanghai.aliyuncs.com",
        "x-acs-action": "RunInstances",
        "x-acs-content-sha256": payload_digest(b""),
        "x-acs-date": "2023-10-26T10:22:32Z",
        "x-acs-signature-nonce": "3156853299f313e23d1673dc12e1703d",
        "x-acs-version": "2014-05-26",
    }
    query = {"ImageId": "win2019_1809_x64_dtc_zh-cn_40G_alibase_20230811.vhd", "RegionId": "cn-shanghai"}
    canonical = canonical_request("POST", query, headers, headers, payload_digest(b""))

    digest = hashlib.sha256(canonical.encode()).hexdigest()
    assert digest == "7ea06492da5221eba5297e897ce16e55f964061054b7695beedaac1145b1e259"
    assert v3_signature("YourAccessKeySecret", canonical) == (
        "06563a9e1b43f5dfe96b81484da74bceab24a1d853912eee15083a6f0f3283c0"
    )


@pytest.mark.parametrize(
    ("method", "expected"), [("GET", "WsFe7wQxwmS9QlOUvAvlC73RDK4="), ("POST", "EmAs0run5gKqlr3RkBT5IHZMMVQ=")]
)
def test_v2_of_an_event(method: str, expected: str) -> None:
    """R3: Chinese text."""
    parameters = EVENT | {
        "Action": "PutCustomEvent",
        "Format": "JSON",
        "Version": "2019-01-01",
        "AccessKeyId": "testkey",
        "SignatureMethod": "HMAC-SHA1",
        "SignatureVersion": "1.0",
        "SignatureNonce": "00000000-0000-0000-0000-000000000001",
        "Timestamp": "2021-08-27T06:33:55Z",
    }
    assert v2_signature("testsecret", v2_string_to_sign(method, parameters)) == expected


@pytest.mark.parametrize(
    ("token", "digest", "expected"),
    [
        (
            "",
            "27c78de69322f9781c0605b5cc1af63f9293b9b213b67680dd4fac6a8502f0d1",
            "da6f69fa9c97e3d47c300067e6767b0d01c1474f272f47ee5f58c1f431e47ede",
        ),
        (
            "CAIStesttoken==",
            "4c8951a7046f983db5a2feee115b1bcdbc8533554b3ef79ba19bf6344122c7bc",
            "c604d51fc8ed10ed7843ec8282b28514234904850e4d81b708625d5fb32eca0a",
        ),
    ],
    ids=["lasting key", "STS"],
)
def test_v3_of_an_event(token: str, digest: str, expected: str) -> None:
    """R4: the event's parameters in the query, an empty body."""
    headers = {
        "host": "metrics.cn-hangzhou.aliyuncs.com",
        "x-acs-action": "PutCustomEvent",
        "x-acs-content-sha256": payload_digest(b""),
        "x-acs-date": "2021-08-27T06:33:55Z",
        "x-acs-signature-nonce": "00000000000000000000000000000001",
        "x-acs-version": "2019-01-01",
    }
    if token:
        headers["x-acs-security-token"] = token
    canonical = canonical_request("POST", EVENT, headers, headers, payload_digest(b""))

    assert hashlib.sha256(canonical.encode()).hexdigest() == digest
    assert v3_signature("testsecret", canonical) == expected


def test_encoding_follows_rfc_3986() -> None:
    """A blank is %20, a tilde stays, a star and a plus do not (section 8.4)."""
    assert percent_encode("a b~*+/%") == "a%20b~%2A%2B%2F%25"
    assert form({"b": "2", "a": "="}) == "a=%3D&b=2"
