"""The end of a log tells how it is to be read; what is no text is no log."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shipper.cli.proposing.log_sample import Sample, read_sample, sample_of
from shipper.tailing.files import UnreadableError

CHINESE = "2026-11-23 10:00:00 ERROR 支付失败：账户余额不足，请联系客服\n"


@pytest.mark.parametrize(
    ("data", "encoding", "odd"),
    [
        (b"plain\n", "utf-8", False),
        (CHINESE.encode(), "utf-8", False),
        (CHINESE.encode()[:-3], "utf-8", False),
        (CHINESE.encode("gb18030"), "gb18030", False),
        (CHINESE.encode("gb18030")[:-3] + b"\n" + CHINESE.encode("gb18030") * 3, "gb18030", False),
        ("Größe überschritten, à côté\n".encode("latin-1") * 9, "utf-8", True),
        (CHINESE.encode() + CHINESE.encode("gb18030"), "utf-8", True),
        ("\ufeff" + CHINESE, "utf-16-le", False),
        ("", "utf-8", False),
    ],
)
def test_encodings(data: bytes | str, encoding: str, odd: bool) -> None:
    """A line that is being written may end in the middle of a character."""
    raw = data if isinstance(data, bytes) else data.encode("utf-16-le")
    found = sample_of(raw, raw[:6])
    assert (found.is_text, found.encoding, found.odd_bytes) == (True, encoding, odd)


@pytest.mark.parametrize(
    ("trace", "preset"),
    [
        ("\tat com.example.Cart.pay(Cart.java:12)", "java"),
        ("\tat java.base/java.lang.Thread.run(Thread.java:840)", "java"),
        ("\tat jdk.internal.reflect.X.invoke0(Native Method)", "java"),
        ("    at Object.<anonymous> (/srv/shop/pay.js:3:9)", "java"),
        ("Traceback (most recent call last):", "python"),
        ("goroutine 1 [running]:", "go"),
        ("\tfrom /srv/shop/pay.rb:3:in `pay'", "ruby"),
        ("   at Shop.Cart.Pay(String user) in /src/Cart.cs:line 12", "dotnet"),
        ("   at System.Threading.Tasks.Task.Execute()", "dotnet"),
        (" at last, nothing", None),
        ("we are at Cart.java:12", None),
    ],
)
def test_stack_traces(trace: str, preset: str | None) -> None:
    assert sample_of(f"ERROR x\n{trace}\nINFO y\n".encode(), b"ERROR ").preset == preset


@pytest.mark.parametrize(
    ("line", "form"),
    [
        ('{"log":"x\\n","stream":"stdout","time":"2026-11-23T10:00:00Z"}', "docker"),
        ("2026-11-23T10:00:00.1Z stderr F x", "cri"),
        ('{"level":"info","n":1}', "json"),
        ("[1]", "plain"),
    ],
)
def test_formats(line: str, form: str) -> None:
    data = f"{line}\n".encode() * 5
    assert sample_of(data, data[:6]).form == form


def test_what_is_no_text(tmp_path: Path) -> None:
    """Binary files and compressed ones; other things than files are refused."""
    (tmp_path / "packed").write_bytes(b"\x1f\x8b\x08\x00")
    assert not read_sample(str(tmp_path / "packed")).is_text
    assert not sample_of(bytes(range(256)) * 9, bytes(6)).is_text
    with pytest.raises(UnreadableError):
        read_sample(str(tmp_path))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le", "utf-32-be"])
def test_the_end_of_a_long_log(tmp_path: Path, encoding: str) -> None:
    """It begins with a line's beginning."""
    mark = "" if encoding == "utf-8" else "\ufeff"
    (tmp_path / "long.log").write_bytes((mark + CHINESE * 20_000).encode(encoding))
    found = read_sample(str(tmp_path / "long.log"), 301_234)
    assert found.encoding == encoding
    assert found.data.decode(encoding).startswith(CHINESE)
    assert len(found.data) > 300_000


@given(st.binary(max_size=300), st.booleans())
def test_whatever_there_is(data: bytes, is_whole: bool) -> None:
    """No content is too odd to be judged."""
    found = sample_of(data, data[:6], is_whole=is_whole)
    assert isinstance(found, Sample)
    assert found.data in data
