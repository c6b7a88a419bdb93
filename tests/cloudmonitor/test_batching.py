"""Events on the wire: limits, cuts, and texts of any kind."""

from __future__ import annotations

import re
import subprocess
import sys
from datetime import UTC, datetime

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shipper.cloudmonitor import batching
from shipper.events import Event

TIME = "20171023T144439.948+0800"
ANY_TEXT = st.text(st.characters())  # with lone surrogates
# a repeated fragment makes texts that are large and still cheap to shrink
FRAGMENTS = st.text(st.sampled_from(["a", '"', "\\", "\n", "\x01", "é", "告", "😀", "\ud800"]), min_size=1, max_size=9)
CUT = re.compile(r"(?s)(.*)… \[cut (\d+) bytes\]")


def replaced(text: str) -> str:
    return re.sub("[\ud800-\udfff]", "\ufffd", text)


def event(name: str = "n", content: str = "c", group_id: int = 0) -> Event:
    moment = datetime(2021, 8, 27, 6, 33, 55, tzinfo=UTC)
    return Event(name, content, group_id, moment, rule="r", path="/x", offset=0, id="0" * 32)


def test_wire_form() -> None:
    """An event is a compact JSON object in raw UTF-8, its keys in the order of the reference's bodies."""
    assert (
        batching.encode(event("磁盘告警", '91% "full"', 27147))
        == '{"content":"91% \\"full\\"","groupId":27147,"name":"磁盘告警","time":"20210827T063355.000+0000"}'.encode()
    )


def test_body_of_the_reference() -> None:
    """The reference's body B2 comes out byte for byte."""
    payload = batching.encode_whole("磁盘告警", "磁盘 / 使用率 91%，请处理", 0, "20210827T143355.000+0800")
    assert (
        batching.body([payload])
        == (
            '[{"content":"磁盘 / 使用率 91%，请处理","groupId":0,"name":"磁盘告警","time":"20210827T143355.000+0800"}]'
        ).encode()
    )


@given(ANY_TEXT, ANY_TEXT, st.integers(0, 2**63 - 1))
def test_any_text_survives(name: str, content: str, group_id: int) -> None:
    """Every text arrives unchanged but for lone surrogates, which become U+FFFD."""
    found = orjson.loads(batching.encode(event(name, content, group_id)))
    assert found == {
        "name": replaced(name),
        "content": replaced(content),
        "groupId": group_id,
        "time": "20210827T063355.000+0000",
    }


@settings(max_examples=60, deadline=None)
@given(FRAGMENTS, st.integers(480_000, 520_000), st.integers(0, 3))
def test_content_is_cut_to_one_request(fragment: str, size: int, extra: int) -> None:
    """A large event is cut at a character, as late as possible, and names exactly the bytes that are missing."""
    content = "x" * extra + fragment * (size // len(fragment.encode("utf-8", "surrogatepass")))
    whole = replaced(content)
    payload = batching.encode_bounded("name", content, 7, TIME)
    assert len(batching.body([payload])) <= batching.MAX_BYTES
    found = orjson.loads(payload)
    assert (found["name"], found["groupId"], found["time"]) == ("name", 7, TIME)
    if len(batching.body([batching.encode_whole("name", content, 7, TIME)])) <= batching.MAX_BYTES:
        assert found["content"] == whole
        return
    cut = CUT.fullmatch(found["content"])
    assert cut is not None
    head, missing = cut[1], int(cut[2])
    assert whole.startswith(head)
    assert len(head.encode()) + missing == len(whole.encode())
    # one character more, six bytes of JSON at most, and a digit less in the mark would not have fitted
    assert len(batching.body([payload])) > batching.MAX_BYTES - 8


@settings(max_examples=30, deadline=None)
@given(FRAGMENTS, st.integers(490_000, 600_000), st.sampled_from([0, 1, 30, 1000, 600_000]))
def test_a_name_too_large_is_cut_first(fragment: str, size: int, content_size: int) -> None:
    """Whatever name and content there are, the result fits, is JSON, and each cut is exact."""
    name = fragment * (size // len(fragment.encode("utf-8", "surrogatepass")))
    content = "告" * content_size
    payload = batching.encode_bounded(name, content, 0, TIME)
    assert len(batching.body([payload])) <= batching.MAX_BYTES
    found = orjson.loads(payload)
    for text, original in ((found["name"], replaced(name)), (found["content"], content)):
        if text == original:
            continue
        cut = CUT.fullmatch(text)
        assert cut is not None
        assert original.startswith(cut[1])
        assert len(cut[1].encode()) + int(cut[2]) == len(original.encode())


@pytest.mark.parametrize("over", [0, 1])
def test_exactly_one_request(over: int) -> None:
    """An event of exactly the limit is not cut; a byte more is."""
    frame = len(batching.body([batching.encode_whole("n", "", 0, TIME)]))
    content = "x" * (batching.MAX_BYTES - frame + over)
    found = orjson.loads(batching.encode_bounded("n", content, 0, TIME))
    assert (found["content"] == content) is (over == 0)
    assert len(batching.body([batching.encode_bounded("n", content, 0, TIME)])) == batching.MAX_BYTES


def take(sizes: list[int]) -> int:
    """Each payload says its size, so that none has to have it."""
    limits = batching.Limits(batching.MAX_EVENTS, batching.MAX_BYTES, int)
    return limits.take(str(size).encode() for size in sizes)


@given(st.lists(st.integers(1, batching.MAX_BYTES - 2), max_size=130) | st.lists(st.integers(1, 9000), max_size=300))
def test_take_fills_a_request(sizes: list[int]) -> None:
    """As many events as the limits allow are taken, and at least one of any."""

    def body_size(count: int) -> int:
        return 2 + sum(sizes[:count]) + max(0, count - 1)

    count = take(sizes)
    assert count <= batching.MAX_EVENTS
    assert body_size(count) <= batching.MAX_BYTES
    if count < len(sizes):
        assert count == batching.MAX_EVENTS or body_size(count + 1) > batching.MAX_BYTES
    assert (count > 0) == bool(sizes)


def test_take_never_stalls_on_an_event_over_the_limit() -> None:
    """An event that alone is too large is taken by itself, for the service to refuse."""
    assert take([batching.MAX_BYTES * 2, 5]) == 1
    assert take([5, batching.MAX_BYTES * 2]) == 1


@given(st.lists(st.tuples(ANY_TEXT, ANY_TEXT), min_size=1, max_size=8))
def test_a_body_is_the_array_of_its_events(pairs: list[tuple[str, str]]) -> None:
    """Encoded events joined to a body parse back to the same events in order, at the size that was counted."""
    payloads = [batching.encode(event(name, content)) for name, content in pairs]
    body = batching.body(payloads)
    assert len(body) == 2 + sum(map(len, payloads)) + len(payloads) - 1
    assert [(each["name"], each["content"]) for each in orjson.loads(body)] == [
        (replaced(name), replaced(content)) for name, content in pairs
    ]


def test_the_pure_modules_load_no_http_library() -> None:
    """Commands that send nothing do not pay for the HTTP library."""
    code = (
        "import sys, shipper.cloudmonitor.batching, shipper.cloudmonitor.verdict; sys.exit('requests' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], timeout=60).returncode == 0
