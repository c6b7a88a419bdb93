"""Agent and backfill share the account's requests."""

from __future__ import annotations

import stat
from itertools import pairwise
from pathlib import Path

import pytest

from shipper.agent.send_slots import FILE, Party, SendSlots

INTERVAL = 0.05


class Sharing:
    """Two parties with something to send, in virtual time; each asks again when it was told to."""

    def __init__(self, directory: Path) -> None:
        self.slots = {party: SendSlots(directory, party) for party in Party}
        self.sent: list[tuple[float, Party]] = []

    def run(self, wants: dict[Party, tuple[float, float]], rare: Party | None = None) -> None:
        """`wants` says from when to when each has something to send; the `rare` one a request each second."""
        asks = {party: begins for party, (begins, _) in wants.items()}
        while asks:
            party = min(asks, key=lambda each: asks[each])
            now = asks[party]
            if now >= wants[party][1]:
                del asks[party]
                continue
            more = party is not rare
            wait = self.slots[party].claim(1000.0 + now, INTERVAL, more=more)
            assert 0 <= wait <= max(INTERVAL, 0.05)
            if not wait:
                self.sent.append((now, party))
            asks[party] = now + (wait or (INTERVAL if more else 1.0))

    def count(self, party: Party, begin: float = 0.0, end: float = 1e9) -> int:
        return sum(each is party and begin <= at < end for at, each in self.sent)


@pytest.fixture
def sharing(tmp_path: Path) -> Sharing:
    return Sharing(tmp_path)


def test_who_is_alone_has_all_slots(sharing: Sharing) -> None:
    """The file costs a lone agent, or a lone backfill, nothing of its pace."""
    sharing.run({Party.AGENT: (0.0, 10.0)})
    assert sharing.count(Party.AGENT) == 200
    sharing.run({Party.BACKFILL: (20.0, 30.0)})
    assert sharing.count(Party.BACKFILL) == 200


def test_the_agent_goes_first_and_the_backfill_has_one_slot_in_ten(sharing: Sharing) -> None:
    """While both have more to send than there are slots; together they keep the pace of one."""
    sharing.run({Party.AGENT: (0.0, 60.0), Party.BACKFILL: (0.0, 60.0)})
    agent, backfill = sharing.count(Party.AGENT), sharing.count(Party.BACKFILL)

    assert backfill / (agent + backfill) == pytest.approx(0.1, abs=0.02)
    times = [at for at, _ in sharing.sent]
    assert min(later - at for at, later in pairwise(times[1:])) >= INTERVAL - 1e-9
    assert agent + backfill >= 0.45 * 60 / INTERVAL


def test_the_agent_s_rare_events_do_not_wait_for_a_backfill(sharing: Sharing) -> None:
    """A backfill takes what the agent leaves: nearly all, and the agent's request is the next one."""
    sharing.run({Party.AGENT: (0.0, 60.0), Party.BACKFILL: (0.0, 60.0)}, rare=Party.AGENT)
    assert sharing.count(Party.AGENT) >= 55


def test_who_died_is_not_waited_for(sharing: Sharing) -> None:
    """A claim ends by itself after two seconds."""
    slots = sharing.slots
    for now in range(9):
        assert slots[Party.AGENT].claim(100.0 + now, INTERVAL, more=False) == 0
    slots[Party.BACKFILL].claim(109.0, INTERVAL, more=False)
    slots[Party.AGENT].claim(109.5, INTERVAL, more=True)
    # it waits for a slot, and is gone
    assert slots[Party.BACKFILL].claim(109.51, INTERVAL, more=True) > 0
    assert slots[Party.AGENT].claim(112.0, INTERVAL, more=False) == 0


def test_what_one_finds_is_the_other_s_rate(sharing: Sharing) -> None:
    """Told once."""
    agent, backfill = sharing.slots[Party.AGENT], sharing.slots[Party.BACKFILL]
    agent.found(1.0, 5.0)
    assert backfill.other_rate(2.0) == 5.0
    assert backfill.other_rate(3.0) is None
    assert agent.other_rate(3.0) is None
    backfill.found(4.0, 2.5)
    assert agent.other_rate(5.0) == 2.5
    # of before the last boot
    assert SendSlots(sharing.slots[Party.AGENT]._path.parent, Party.AGENT).other_rate(3.0) is None


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"last": "x", "since": [], "agent": 1e300, "rate": -1}'])
def test_a_spoilt_file_is_begun_anew(tmp_path: Path, content: bytes) -> None:
    """And is private whoever made it first."""
    (tmp_path / FILE).write_bytes(content)
    slots = SendSlots(tmp_path, Party.BACKFILL)
    assert slots.claim(5.0, INTERVAL, more=False) == 0
    assert slots.other_rate(6.0) is None
    (tmp_path / FILE).unlink()
    slots.claim(7.0, INTERVAL, more=True)
    assert stat.S_IMODE((tmp_path / FILE).stat().st_mode) == 0o600


def test_a_file_that_cannot_be_used_keeps_nobody_from_sending(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Told once; each finds its own share of the quota then."""
    (tmp_path / FILE).mkdir()
    slots = SendSlots(tmp_path, Party.AGENT)
    assert [slots.claim(float(now), INTERVAL, more=True) for now in range(3)] == [0, 0, 0]
    assert slots.other_rate(5.0) is None
    slots.found(6.0, 1.0)
    assert caplog.text.count("cannot be shared") == 1
