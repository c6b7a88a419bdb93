"""The rate limit: alone, and as a client meets it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from shipper.cloudmonitor.emulator import AccessKey, Emulator, Settings
from shipper.cloudmonitor.emulator.limiter import Limiter
from tests.cloudmonitor.emulator.upload import BODY, upload, upload_headers


@given(st.integers(1, 5), st.lists(st.floats(0, 0.6), max_size=60))
def test_no_second_holds_more_than_allowed(qps: int, pauses: list[float]) -> None:
    """Whatever the pauses, no window of one second lets more through, and none is refused without need."""
    limiter = Limiter(qps)
    moment = 100.0
    admitted: list[float] = []
    for pause in pauses:
        moment += pause
        recent = sum(moment - earlier < 1.0 for earlier in admitted)
        assert limiter.admit("account", moment) == (recent < qps)
        if recent < qps:
            admitted.append(moment)


def test_limit_of_zero_lets_all_through() -> None:
    """0 means no limit."""
    limiter = Limiter(0)
    assert all(limiter.admit("account", 1.0) for _ in range(1000))


def test_twenty_requests_a_second_then_rate_limit() -> None:
    """The 21st request in a second is refused with 403 and the words clients look for; a second later all is well."""
    moments = [50.0]
    with Emulator(monotonic=lambda: moments[-1]) as emulator:
        for _ in range(20):
            assert upload(emulator).outcome == (200, "200")
        reply = upload(emulator)
        assert reply.outcome == (403, "403")
        assert "rate limit" in reply.json["msg"]
        moments.append(51.0)
        assert upload(emulator).outcome == (200, "200")
        stats = emulator.stats()
        assert (stats.requests, stats.accepted, stats.throttled, stats.violations) == (22, 21, 1, 0)
        assert stats.refused == {403: 1}


def test_limit_is_shared_by_the_keys_of_one_account_only() -> None:
    """Two keys of an account use up one limit; another account has its own; strangers use up none."""
    keys = (
        AccessKey("a1", "s", account="a"),
        AccessKey("a2", "s", account="a"),
        AccessKey("b", "s"),
    )
    with Emulator(Settings(keys=keys, qps=2), monotonic=lambda: 1.0) as emulator:
        codes = [
            upload(emulator, BODY, upload_headers(key_id=key, secret=secret)).status
            for key, secret in [
                ("a1", "wrong"),
                ("a1", "s"),
                ("a2", "s"),
                ("a1", "s"),
                ("b", "s"),
                ("b", "s"),
                ("b", "s"),
            ]
        ]
    assert codes == [403, 200, 200, 403, 200, 200, 403]
    assert emulator.stats().throttled == 2
