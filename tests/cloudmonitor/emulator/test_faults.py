"""Every fault, seen from the client's side, and the words that ask for them."""

from __future__ import annotations

import http.client
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shipper.cloudmonitor.emulator import Emulator, Fault, Settings, parse_faults
from shipper.cloudmonitor.emulator.faults import FaultPlan
from tests.cloudmonitor.emulator.upload import BODY, connect, exchange, upload, upload_headers


def always(fault: Fault, slow: float = 4.0) -> Emulator:
    return Emulator(Settings(qps=0, faults={fault: 1.0}, slow=slow))


def test_500_is_an_error_and_accepts_nothing() -> None:
    """HTTP 500 with code 500; nothing is stored and no violation is recorded."""
    with always(Fault.ERROR) as emulator:
        assert upload(emulator).outcome == (500, "500")
        assert emulator.events() == ()
        assert emulator.violations == ()
        assert emulator.stats().faults == {"500": 1}


def test_throttle_looks_like_the_rate_limit() -> None:
    """403 with the words of the rate limit; nothing is stored."""
    with always(Fault.THROTTLE) as emulator:
        reply = upload(emulator)
        assert reply.outcome == (403, "403")
        assert "rate limit" in reply.json["msg"]
        assert emulator.events() == ()
        assert emulator.stats().throttled == 0


def test_reset_ends_the_connection_before_acceptance() -> None:
    """The connection is reset, no answer comes, nothing is stored."""
    with always(Fault.RESET) as emulator:
        with pytest.raises(ConnectionResetError):
            upload(emulator)
        assert emulator.events() == ()


def test_acklost_accepts_and_says_nothing() -> None:
    """The events are stored, then the connection is closed without an answer."""
    with always(Fault.ACKLOST) as emulator:
        with pytest.raises(http.client.RemoteDisconnected):
            upload(emulator)
        assert len(emulator.events()) == 1


def test_slow_accepts_first_and_answers_later() -> None:
    """The events are there while the client still waits; then the answer is a success."""
    accepted = threading.Event()
    with Emulator(Settings(faults={Fault.SLOW: 1.0}, slow=0.3), on_accept=lambda _: accepted.set()) as emulator:
        connection = connect(emulator)
        try:
            connection.request("POST", "/event/custom/upload", BODY, upload_headers())
            assert accepted.wait(20)
            connection.sock.settimeout(0.05)
            with pytest.raises(TimeoutError):
                connection.sock.recv(1)
        finally:
            connection.close()
        assert upload(emulator).outcome == (200, "200")


def test_a_stop_does_not_wait_for_slow_answers() -> None:
    """Stopping lets a delayed answer go at once."""
    accepted = threading.Event()
    emulator = Emulator(Settings(faults={Fault.SLOW: 1.0}, slow=3600), on_accept=lambda _: accepted.set())
    codes: list[str] = []
    with emulator:
        client = threading.Thread(target=lambda: codes.append(upload(emulator).json["code"]))
        client.start()
        assert accepted.wait(20)
    client.join(20)
    assert codes == ["200"]


def test_html_is_a_proxys_page() -> None:
    """HTTP 200 with HTML instead of JSON; nothing is stored."""
    with always(Fault.HTML) as emulator:
        reply = upload(emulator)
        assert (reply.status, reply.headers["Content-Type"]) == (200, "text/html")
        assert reply.body.startswith(b"<html>")
        assert emulator.events() == ()


def test_ok_not_200_has_the_truth_in_its_body() -> None:
    """HTTP 200 whose code is 500; nothing is stored."""
    with always(Fault.NOT_OK) as emulator:
        assert upload(emulator).outcome == (200, "500")
        assert emulator.events() == ()


def test_206_accepts() -> None:
    """Code 206; the events are stored."""
    with always(Fault.PARTIAL) as emulator:
        assert upload(emulator).outcome == (200, "206")
        assert len(emulator.events()) == 1


def test_connection_survives_answered_faults() -> None:
    """After an answered fault the same connection serves the next request."""
    with always(Fault.ERROR) as emulator:
        connection = connect(emulator)
        try:
            codes = [
                exchange(connection, "POST", "/event/custom/upload", upload_headers(), BODY).status for _ in range(3)
            ]
        finally:
            connection.close()
    assert codes == [500, 500, 500]


def test_faults_do_not_hide_violations() -> None:
    """A request against the contract is refused as such and recorded, whatever faults are asked for."""
    with always(Fault.RESET) as emulator:
        assert upload(emulator, b"{}").outcome == (400, "400")
        assert len(emulator.violations) == 1
        assert emulator.stats().faults == {}


def test_seed_repeats_the_same_day() -> None:
    """The same seed gives the same answers in the same order."""

    def day() -> list[int]:
        settings = Settings(qps=0, faults={Fault.ERROR: 0.3, Fault.THROTTLE: 0.3}, seed=7)
        with Emulator(settings) as emulator:
            return [upload(emulator).status for _ in range(20)]

    first = day()
    assert set(first) == {200, 403, 500}
    assert day() == first


@given(st.integers(), st.lists(st.sampled_from(list(Fault)), min_size=1, max_size=3, unique=True))
def test_faults_come_as_often_as_asked(seed: int, kinds: list[Fault]) -> None:
    """Only faults that were asked for are drawn; with a probability of 1 in all, every request has one."""
    plan = FaultPlan({kind: 1 / len(kinds) for kind in kinds}, seed)
    drawn = {plan.draw() for _ in range(50)}
    assert drawn <= set(kinds) | {None}
    assert FaultPlan({kinds[0]: 1.0}, seed).draw() is kinds[0]
    assert FaultPlan({}, seed).draw() is None


def test_specification_is_read() -> None:
    """Every kind can be asked for, with blanks and zeros as people write them."""
    assert parse_faults("") == {}
    assert parse_faults("500:0.1, throttle:.05,") == {Fault.ERROR: 0.1, Fault.THROTTLE: 0.05}
    every = ",".join(f"{fault.value}:0.125" for fault in Fault)
    assert parse_faults(every) == dict.fromkeys(Fault, 0.125)


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("500:2", "'500:2'"),
        ("500:-0.1", "0 to 1"),
        ("500:nan", "0 to 1"),
        ("500:often", "0 to 1"),
        ("500", "0 to 1"),
        ("500:", "0 to 1"),
        ("foo:0.1", "unknown kind of fault 'foo'"),
        ("foo:0.1", "500, throttle, reset, acklost, slow, html, ok-not-200, 206"),
        (":0.1", "unknown"),
        ("500:0.1,500:0.2", "twice"),
        ("500:0.6,reset:0.6", "together"),
    ],
)
def test_wrong_specification_is_one_clear_error(text: str, word: str) -> None:
    """What cannot be meant is refused with words that tell what was expected."""
    with pytest.raises(ValueError, match=r"\w") as caught:
        parse_faults(text)
    assert word in str(caught.value)
