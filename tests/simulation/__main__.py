"""`python -m tests.simulation --seconds N --seed S`: random worlds until the time is over; prints what was run."""

from __future__ import annotations

import argparse
import logging
import random
import sys
import time
from collections import Counter

from shipper.agent import commits
from tests.simulation.world import ACTIONS, World, act, settings_of


def say(text: str) -> None:
    """Say a line at once."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def run(seed: int, steps: int, done: Counter[str]) -> None:
    """Run one world."""
    chance = random.Random(seed)
    world = World(**settings_of(seed))
    try:
        for _ in range(steps):
            name = chance.choices(list(ACTIONS), list(ACTIONS.values()))[0]
            done[name] += 1
            act(world, name, chance.randrange(1000))
        world.finish()
        done["worlds"] += 1
        done["lines"] += world.logs.written
        done["lines that nobody could read"] += len(world.logs.at_risk)
        done["events"] += world.delivered.total()
    finally:
        world.close()


def main() -> int:
    """Run worlds; gives 1 when one of them lost or repeated something."""
    parser = argparse.ArgumentParser("python -m tests.simulation", description=__doc__)
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument("--seed", type=int, default=None, help="begin with this world (default: any)")
    parser.add_argument("--steps", type=int, default=120, help="actions in each world")
    parser.add_argument("--worlds", type=int, default=10**9)
    options = parser.parse_args()
    seed = random.SystemRandom().randrange(10**6) if options.seed is None else options.seed
    say(f"seed {seed}")
    logging.getLogger("shipper").setLevel(logging.CRITICAL)
    commits.STORE_RETRY = 0.0
    done: Counter[str] = Counter()
    until = time.monotonic() + options.seconds
    failed = 0
    while time.monotonic() < until and done["worlds"] + failed < options.worlds:
        try:
            run(seed, options.steps, done)
        except Exception as error:  # noqa: BLE001  whatever a world dies of is a finding
            failed += 1
            say(f"world {seed}: {error}; again: python -m tests.simulation --seed {seed} --worlds 1")
        seed += 1
    say(", ".join(f"{amount} {name}" for name, amount in done.most_common()))
    say(f"{failed} worlds failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
