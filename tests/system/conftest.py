"""No agent outlives its test."""

from tests.e2e.host import no_leaked_agent

__all__ = ["no_leaked_agent"]
