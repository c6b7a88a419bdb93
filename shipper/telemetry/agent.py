"""What is told of the agent itself and of who asks it."""

from __future__ import annotations

import logging

from shipper.telemetry import journal


def agent_started(rules: int, sources: int, endpoint: str) -> None:
    """Tell that the agent runs."""
    sentence = f"Started: {rules} rules, {sources} sources, events go to {endpoint}."
    journal.tell(logging.INFO, "agent_started", sentence, rules=rules, sources=sources, endpoint=endpoint)


def agent_stopping(waiting: int) -> None:
    """Tell that reading has ended and the outbox is being sent."""
    journal.tell(logging.INFO, "agent_stopping", f"Stopping: {waiting} events wait to be sent.", waiting=waiting)


def agent_stopped(delivered: int, waiting: int) -> None:
    """Tell how it ended."""
    left = f"; {waiting} wait in the store for the next start" if waiting else ""
    sentence = f"Stopped: {delivered} events were delivered{left}."
    journal.tell(logging.INFO, "agent_stopped", sentence, delivered=delivered, waiting=waiting)


def loop_failed(name: str) -> None:
    """Tell that one of the loops met an error nobody foresaw; the agent ends so that its supervisor restarts it."""
    journal.count("loops_failed")
    journal.log.error(
        "%s", f"The {name} loop failed; the agent stops.", exc_info=True, extra={"code": "loop_failed", "fields": {}}
    )


def emulator_store_failed(reason: str) -> None:
    """Tell that the emulator could not keep events and answered 500; the client keeps them."""
    journal.count("emulator_store_failures")
    journal.tell(
        logging.ERROR,
        "emulator_store_failed",
        f"The emulator cannot write its store ({reason}); it answers 500 until it can.",
        reason=reason,
    )


def emulator_failed(error: BaseException) -> None:
    """Tell of a mistake of our own in the emulator: a connection ended without its answer."""
    journal.count("emulator_failures")
    journal.log.error(
        "The emulator failed on a request.", exc_info=error, extra={"code": "emulator_failed", "fields": {}}
    )


def http_listens(address: str) -> None:
    """Tell where metrics and health can be asked for."""
    journal.tell(logging.INFO, "http_listens", f"Metrics and health are served on http://{address}/.", address=address)


def http_failed(error: BaseException) -> None:
    """Tell of a mistake of our own: a question over HTTP ended without its answer."""
    journal.count("http_failures")
    journal.log.error(
        "A question over HTTP could not be answered.", exc_info=error, extra={"code": "http_failed", "fields": {}}
    )


def control_unavailable(path: str, reason: str) -> None:
    """Tell that the agent cannot be asked how it is; it works all the same."""
    journal.tell(
        logging.WARNING,
        "control_unavailable",
        f"The socket {path} cannot be made ({reason}); `shipper status` shows what the store knows.",
        path=path,
        reason=reason,
    )


def control_failed(reason: str) -> None:
    """Count a question on the agent's socket that was broken off, by who asked or for want of descriptors."""
    journal.count("questions_failed")
    journal.tell(
        logging.DEBUG, "control_failed", f"A question on the agent's socket ended early: {reason}.", reason=reason
    )


def control_broken(error: BaseException) -> None:
    """Tell of a mistake of our own: a question on the agent's socket that could not be answered."""
    journal.count("questions_failed")
    journal.log.error("The agent failed on a question.", exc_info=error, extra={"code": "control_broken", "fields": {}})
