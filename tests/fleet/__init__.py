"""Agents that know nothing of each other share one account's limit, in virtual time, with the real pacing."""
