"""The log that the tests of rotation write: numbered lines, in generations, and what must become of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.kernel.agent import Agent
from tests.kernel.rotations import Rotation, prepare

LINES = 40


class Log:
    """The log `app.log`, its writer and its generations."""

    def __init__(self, logs: Path, rotation: Rotation) -> None:
        self.logs = logs
        self.rotation = rotation
        self.generations: list[list[int]] = [[]]
        prepare(logs, rotation)

    @property
    def written(self) -> list[int]:
        """All numbers ever written."""
        return [number for generation in self.generations for number in generation]

    def write(self) -> None:
        """Append numbered lines, and some that no rule wants."""
        first = len(self.written)
        numbers = range(first, first + LINES)
        self.generations[-1] += numbers
        with (self.logs / "app.log").open("a") as file:
            file.writelines(f"ERROR {number:08}\nanother line\n" for number in numbers)

    def turn(self, in_gap: Callable[[], None] = lambda: None) -> None:
        """Rotate once; `in_gap` is called at every gap."""
        for _ in self.rotation.turn(self.logs, len(self.generations) - 1):
            in_gap()
        self.generations.append([])

    def check(self, agent: Agent) -> None:
        """Every line exactly once, and those of a generation in their order."""
        times = agent.times()
        missing = [number for number in self.written if not times[number]]
        assert not missing, f"{len(missing)} lines are missing: {missing[0]} to {missing[-1]}"
        twice = sorted(number for number, count in times.items() if count > 1)
        assert not twice, f"{len(twice)} lines came twice: {twice[0]} to {twice[-1]}"
        assert set(times) == set(self.written)
        for generation in self.generations:
            members = set(generation)
            assert [number for number, _ in agent.delivered if number in members] == generation
