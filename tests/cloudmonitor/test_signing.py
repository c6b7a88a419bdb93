"""The signature against every vector of the API reference, section 12."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shipper.cloudmonitor.signing import canonical_headers, canonical_resource, content_md5, sign_string, signature

UPLOAD = "/event/custom/upload"
DATE = "Fri, 27 Aug 2021 06:33:55 GMT"
B1 = '[{"content":"disk / is 91% full","groupId":0,"name":"disk_full","time":"20210827T143355.000+0800"}]'
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
V4 = (
    '[{"dimensions":{"key":"value"},"groupId":12345,"metricName":"TestMetric","period":60,'
    '"time":"20210827T143329.213+0800","type":0,"values":{"value":10}}]'
)


def upload_headers(md5: str | None) -> dict[str, str]:
    headers = {
        "Content-Type": "application/json",
        "Date": DATE,
        "x-cms-api-version": "1.0",
        "x-cms-ip": "192.0.2.10",
        "x-cms-signature": "hmac-sha1",
        "Host": "metrichub-cms-cn-hangzhou.aliyuncs.com",
        "User-Agent": "any",
        "Content-Length": "99",
    }
    return headers | ({"Content-MD5": md5} if md5 else {})


@pytest.mark.parametrize(
    ("target", "last_line", "expected"),
    [
        ("/metric/custom/upload", "/metric/custom/upload", "1DC19ED63F755ACDE203614C8A1157EB1097E922"),
        (
            "/metric/custom/upload?name=hcj&employeeId=11",
            "/metric/custom/upload?employeeId=11&name=hcj",
            "D9F6DDC52C035D7F28418226DA91B3E9C4380556",
        ),
    ],
    ids=["V1", "V2"],
)
def test_published_vectors_of_the_official_clients(target: str, last_line: str, expected: str) -> None:
    """The vectors that official clients test themselves with come out the same, with and without a query."""
    headers = {
        "Content-MD5": "0B9BE351E56C90FED853B32524253E8B",
        "Content-Type": "application/json",
        "Date": "Tue, 11 Dec 2018 21:05:51 +0800",
        "x-cms-api-version": "1.0",
        "x-cms-ip": "127.0.0.1",
        "x-cms-signature": "hmac-sha1",
    }
    text = sign_string("POST", target, headers)
    assert text.splitlines()[-1] == last_line
    assert signature("testsecret", text) == expected


def test_published_vector_of_the_agent() -> None:
    """V3: lower-case MD5, text/plain and further x-cms headers are signed as they are sent."""
    headers = {
        "Content-MD5": "c9f165a6811a00647eb10f50f4bc314d",
        "Content-Type": "text/plain",
        "Date": "Tue, 13 Oct 2020 16:50:55 GMT",
        "x-cms-agent-instance": "host-abcdef1234",
        "x-cms-agent-version": "3.4.6",
        "x-cms-api-version": "1.1",
        "x-cms-host": "staragent-fenghua-coding",
        "x-cms-ip": "10.137.71.4",
        "x-cms-signature": "hmac-sha1",
    }
    text = sign_string("POST", "/metric/v2/put/testNamespace", headers)
    assert signature("5EB63746049CBB568BC0DBD56F453799", text) == "FC30FFFE4F5A52BEF4BABB06D6D7E43462F16141"


def test_documented_md5() -> None:
    """V4: the body printed in the documentation has the length and the MD5 printed beside it."""
    assert len(V4.encode()) == 151
    assert content_md5(V4.encode()) == "215614AA47799058C009D3E20B19B83A"


def test_documented_base16() -> None:
    """V5: digests are written in upper-case base 16, as the agent's own vector shows it."""
    assert b"~12%^&*(/event/custom/upload".hex().upper() == "7E3132255E262A282F6576656E742F637573746F6D2F75706C6F6164"
    assert content_md5(b"").isupper()


@pytest.mark.parametrize(
    ("body", "size", "characters", "md5", "expected"),
    [
        (B1, 99, 99, "046C80AA9EC6C6B58EB32362DD26AD84", "2D0D104FCA2275352A5E1793600F426F14AC1135"),
        (B2, 118, 92, "DA792158A849B0621F3A344C003AF697", "B74F4989A2D96F5C0E6176BE558FDF3C09F7101E"),
        (B3, 157, 157, "1BFC0B4E4E11C98A20AB33B70893BC6F", "0D14C4C4857E297D95D4CC683984B2D4D2616087"),
        (B4, 94, 94, "03231E1F61F10472B940463F5780B4D1", "C19D464D0D13FD147CF4095F3C6CA8AF834BA686"),
        (B5, 180, 180, "8DBBB55DFB4F65660D88D119CCAA02B0", "7FCADA1BBA2F6CD73F504E82D59231362E08422A"),
    ],
    ids=["E1", "E2", "E2b", "E7", "E9"],
)
def test_bodies(body: str, size: int, characters: int, md5: str, expected: str) -> None:
    """Body length, MD5 and signature are the reference's for each of its bodies."""
    assert (len(body.encode()), len(body)) == (size, characters)
    assert content_md5(body.encode()) == md5
    assert signature("testsecret", sign_string("POST", UPLOAD, upload_headers(md5))) == expected


def test_sign_string_in_full() -> None:
    """E1: the text that is signed is the reference's, byte for byte."""
    text = sign_string("POST", UPLOAD, upload_headers(content_md5(B1.encode())))
    assert text == (
        "POST\n046C80AA9EC6C6B58EB32362DD26AD84\napplication/json\nFri, 27 Aug 2021 06:33:55 GMT\n"
        "x-cms-api-version:1.0\nx-cms-ip:192.0.2.10\nx-cms-signature:hmac-sha1\n/event/custom/upload"
    )
    assert len(text.encode()) == 173
    assert hashlib.sha1(text.encode()).hexdigest() == "0e153619d081b6763f44158f7115f4d6b31f1c99"


def test_query_is_sorted() -> None:
    """E3: parameters of the target are signed in the order of their names."""
    text = sign_string("POST", f"{UPLOAD}?name=hcj&employeeId=11", upload_headers(content_md5(B1.encode())))
    assert text.endswith("\n/event/custom/upload?employeeId=11&name=hcj")
    assert signature("testsecret", text) == "1D7C925C9562456C8FE25A36D60D51AB0067AD7A"


def test_sts_headers_are_signed() -> None:
    """E4: a token's two headers are signed in their sorted places."""
    headers = upload_headers(content_md5(B1.encode()))
    headers |= {"x-cms-security-token": "CAIStesttoken==", "x-cms-caller-type": "token"}
    text = sign_string("POST", UPLOAD, headers)
    assert text.splitlines()[4:9] == [
        "x-cms-api-version:1.0",
        "x-cms-caller-type:token",
        "x-cms-ip:192.0.2.10",
        "x-cms-security-token:CAIStesttoken==",
        "x-cms-signature:hmac-sha1",
    ]
    assert signature("testsecret", text) == "297FD64B0C9FDF4B4F2B75E7794C1EF52787C171"


def test_put_with_lower_case_md5() -> None:
    """E5: another verb and a lower-case MD5 are signed as they are sent."""
    text = sign_string("PUT", UPLOAD, upload_headers("046c80aa9ec6c6b58eb32362dd26ad84"))
    assert signature("testsecret", text) == "86485F8CC5643CA0DFF3514A00EED7A6F30ACCA3"


def test_headers_are_folded() -> None:
    """E6: names in any case and values with blanks around them are folded; x-acs headers are signed too."""
    headers = {
        "content-md5": content_md5(B1.encode()),
        "CONTENT-TYPE": "application/json",
        "date": DATE,
        "X-CMS-API-Version": " 1.0 ",
        "X-Cms-Signature": "hmac-sha1",
        "X-CMS-IP": "192.0.2.10",
        "X-ACS-Trace": "abc",
    }
    assert canonical_headers(headers).splitlines()[0] == "x-acs-trace:abc"
    text = sign_string("POST", UPLOAD, headers)
    assert signature("testsecret", text) == "DCA79488F6E446B131FCCADB2CB37F39FB36D0C4"


def test_no_body() -> None:
    """E8: without a body the MD5 line is empty."""
    text = sign_string("POST", UPLOAD, upload_headers(None))
    assert text.startswith("POST\n\napplication/json\n")
    assert signature("testsecret", text) == "7157FE7CF8BDD25F47F51E89888248F5BEF95F07"


@given(st.lists(st.from_regex(r"[a-z]{1,4}=[^&?\n]{0,6}", fullmatch=True), unique_by=lambda p: p.partition("=")[0]))
def test_query_order_does_not_matter(parameters: list[str]) -> None:
    """Parameters in any order sign the same, and their texts are not changed."""
    forward = canonical_resource(f"/p?{'&'.join(parameters)}")
    assert forward == canonical_resource(f"/p?{'&'.join(reversed(parameters))}")
    assert sorted(forward.removeprefix("/p?").split("&")) == sorted(parameters or [""])


@given(st.dictionaries(st.text(min_size=1, max_size=20), st.text(max_size=20)))
def test_foreign_headers_are_never_signed(headers: dict[str, str]) -> None:
    """Only x-cms-* and x-acs-* headers are folded into the signature."""
    foreign = {name: value for name, value in headers.items() if not name.strip().lower().startswith("x-")}
    assert canonical_headers(foreign) == ""
