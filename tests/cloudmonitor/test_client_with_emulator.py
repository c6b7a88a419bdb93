"""The client and the emulator, written apart from the same reference, understand each other."""

from __future__ import annotations

import re
import socket

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shipper.cloudmonitor import Client, CustomEvent, batching
from shipper.cloudmonitor.emulator import DEFAULT_KEY_ID, DEFAULT_KEY_SECRET, AccessKey, Emulator, Settings
from shipper.cloudmonitor.openapi import OpenApiClient
from shipper.cloudmonitor.verdict import Verdict, judge
from shipper.errors import RefusedError

NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1).filter(lambda name: name.strip())


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(NAMES, st.text(st.characters()), st.integers(0, 2**63 - 1)), min_size=1, max_size=5))
def test_events_of_any_content_arrive(emulated: Emulator, events: list[tuple[str, str, int]]) -> None:
    """Events of any content are accepted and arrive unchanged, but for lone surrogates."""
    with Client(emulated.url, DEFAULT_KEY_ID, DEFAULT_KEY_SECRET) as client:
        client.put_events([CustomEvent(name, content, group_id) for name, content, group_id in events])
    arrived = emulated.receipts()[-1].events
    assert [(event.name, event.content, event.group_id) for event in arrived] == [
        (name, re.sub("[\ud800-\udfff]", "\ufffd", content), group_id) for name, content, group_id in events
    ]
    assert emulated.violations == ()


def test_the_largest_request_is_accepted(emulated: Emulator) -> None:
    """A body of exactly the limits, cut events included, breaks no rule."""
    with Client(emulated.url, DEFAULT_KEY_ID, DEFAULT_KEY_SECRET) as client:
        payload = client.encode(CustomEvent("n", "告" * 400_000))
        assert judge(client.send(batching.body([payload]))) is Verdict.ACCEPTED
        client.put_events([CustomEvent("n", "x" * 4900)] * 100)
    assert emulated.violations == ()


def test_a_token_is_accepted() -> None:
    """Temporary keys are signed as the service's own clients sign them."""
    key = AccessKey("id", "secret", tokens=frozenset({"TOKEN"}))
    with Emulator(Settings(keys=(key,))) as emulator:
        with Client(emulator.url, "id", "secret", security_token="TOKEN") as client:
            client.put_event("n", "c")
        assert emulator.stats().events == 1


@pytest.mark.parametrize(("key_id", "secret"), [("nobody", DEFAULT_KEY_SECRET), (DEFAULT_KEY_ID, "wrong")])
def test_wrong_keys_are_an_account_condition(emulated: Emulator, key_id: str, secret: str) -> None:
    """An unknown key and a wrong secret are refused, and judged as something that the operator must mend."""
    with Client(emulated.url, key_id, secret) as client:
        assert judge(client.send(b'[{"name":"n","content":"c"}]')) is Verdict.ACCOUNT
        with pytest.raises(RefusedError) as caught:
            client.put_event("n", "c")
    assert caught.value.code == "403"
    assert caught.value.request_id


@pytest.mark.parametrize("kind", [Client, OpenApiClient])
def test_ipv6(kind: type[Client]) -> None:
    """An address in brackets is signed and reached like any other."""
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError as error:
        pytest.skip(f"no IPv6 on this host: {error}")
    with (
        Emulator(Settings(host="::1")) as emulator,
        kind(emulator.url, DEFAULT_KEY_ID, DEFAULT_KEY_SECRET) as client,
    ):
        client.put_event("n", "c")
        assert emulator.stats().events == 1
