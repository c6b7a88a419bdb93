"""A fleet and one account in virtual time: real pacers, three ways to count a limit, jitter, outages; seeded."""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from shipper.cloudmonitor.emulator.limiter import Limiter
from shipper.cloudmonitor.pacing import Pacer, backoff

QPS = 20
JITTER = 0.05
"""Seconds that a request takes to arrive, at most; each its own."""

Admit = Callable[[float], bool]


def sliding() -> Admit:
    """No more than the limit in any second: what our emulator does."""
    limiter = Limiter(QPS)
    return lambda now: limiter.admit("account", now)


def fixed() -> Admit:
    """No more than the limit in each second of the service's clock."""
    second, count = -1, 0

    def admit(now: float) -> bool:
        nonlocal second, count
        if int(now) != second:
            second, count = int(now), 0
        count += 1
        return count <= QPS

    return admit


def bucket() -> Admit:
    """Tokens for one second at most; one comes each twentieth of a second."""
    tokens, filled = float(QPS), 0.0

    def admit(now: float) -> bool:
        nonlocal tokens, filled
        tokens, filled = min(float(QPS), tokens + (now - filled) * QPS), now
        if tokens < 1:
            return False
        tokens -= 1
        return True

    return admit


LIMITERS: dict[str, Callable[[], Admit]] = {"sliding": sliding, "fixed": fixed, "bucket": bucket}


@dataclass
class Agent:
    """One agent that always has a batch to send, while it is active."""

    pacer: Pacer
    accepted: int = 0
    failures: int = 0
    last_accepted: float = 0.0
    longest: float = 0.0
    is_active: bool = True


@dataclass
class Count:
    """What happened since the last `World.count`.

    Attributes:
        seconds: how long.
        accepted: requests that the service took.
        refused: requests beyond the limit.
        lost: requests that got no answer.
        shares: accepted requests of each active agent.
        longest: seconds that an agent was without an accepted request, the worst of all.
    """

    seconds: float
    accepted: int = 0
    refused: int = 0
    lost: int = 0
    shares: list[int] = field(default_factory=list)
    longest: float = 0.0

    @property
    def used(self) -> float:
        """Share of the quota that accepted requests used."""
        return self.accepted / self.seconds / QPS

    @property
    def refused_share(self) -> float:
        """Share of the answered requests that were refused."""
        return self.refused / max(1, self.accepted + self.refused)

    @property
    def jain(self) -> float:
        """Jain's index of fairness: 1 when all got the same, 1/n when one got all."""
        squares = sum(share * share for share in self.shares)
        return sum(self.shares) ** 2 / (len(self.shares) * squares) if squares else 0.0

    @property
    def starvation(self) -> float:
        """`longest` in fair intervals, those of an agent with its even part of the quota."""
        return self.longest * QPS / len(self.shares)


class World:
    """A fleet before one account.

    Args:
        agents: how many.
        limiter: one of `LIMITERS`.
        seed: decides everything that is random.
        rates: what the pacers found in an earlier run; None for agents that start for the first time.
    """

    def __init__(self, agents: int, limiter: str, seed: int, rates: Sequence[float] | None = None) -> None:
        self._chance = random.Random(seed)
        self._admit = LIMITERS[limiter]()
        self._events: list[tuple[float, int, bool]] = []  # time, agent, whether its request arrives
        self.now = 0.0
        self.agents: list[Agent] = []
        self._since = Count(0.0)
        self._began = 0.0
        self.join(agents, rates)

    def join(self, agents: int, rates: Sequence[float] | None = None) -> None:
        """Let so many more agents start at this moment."""
        for number in range(agents):
            rate = None if rates is None else rates[number]
            self.agents.append(Agent(Pacer(QPS, random=self._chance.random, rate=rate), last_accepted=self.now))
            heapq.heappush(self._events, (self.now, len(self.agents) - 1, False))

    def rest(self, agents: Sequence[Agent]) -> None:
        """Let these have nothing to send from now on."""
        for agent in agents:
            agent.is_active = False

    def wake(self, agents: Sequence[Agent]) -> None:
        """Let these have batches again."""
        chosen = {id(agent) for agent in agents}
        for number, agent in enumerate(self.agents):
            if id(agent) in chosen and not agent.is_active:
                agent.is_active, agent.last_accepted = True, self.now
                heapq.heappush(self._events, (self.now, number, False))

    def run(self, seconds: float, *, is_down: bool = False) -> None:
        """Let time pass; with `is_down`, every request that arrives gets no answer."""
        end = self.now + seconds
        while self._events and self._events[0][0] < end:
            self.now, number, is_arrival = heapq.heappop(self._events)
            agent = self.agents[number]
            if is_arrival:
                heapq.heappush(self._events, (self.now + self._answer(agent, is_down), number, False))
            elif agent.is_active:
                wait = agent.pacer.wait(self.now)
                if wait > 0:
                    heapq.heappush(self._events, (self.now + wait, number, False))
                else:
                    agent.pacer.sent(self.now)
                    heapq.heappush(self._events, (self.now + self._chance.random() * JITTER, number, True))
        self.now = end

    def count(self) -> Count:
        """Give what happened since this was last called."""
        found = self._since
        found.seconds = self.now - self._began
        for agent in self.agents:
            if agent.is_active:
                found.shares.append(agent.accepted)
                found.longest = max(found.longest, agent.longest, self.now - max(agent.last_accepted, self._began))
            agent.accepted, agent.longest = 0, 0.0
        self._since, self._began = Count(0.0), self.now
        return found

    def _answer(self, agent: Agent, is_down: bool) -> float:
        """Answer a request; gives the seconds that the agent waits before it asks its pacer again."""
        if is_down:
            self._since.lost += 1
            agent.failures += 1
            return backoff(agent.failures - 1, self._chance.random)
        agent.failures = 0
        if self._admit(self.now):
            agent.pacer.accepted(self.now)
            self._since.accepted += 1
            agent.accepted += 1
            agent.longest = max(agent.longest, self.now - max(agent.last_accepted, self._began))
            agent.last_accepted = self.now
        else:
            agent.pacer.throttled(self.now)
            self._since.refused += 1
        return 0.0
