"""What is told of the delivery: answers, pace, the clock that requests are signed with."""

from __future__ import annotations

import logging

from shipper.telemetry import journal


def events_delivered(amount: int) -> None:
    """Count events that the service accepted."""
    journal.count("events_delivered", amount)
    journal.count("requests_accepted")


def event_refused(rule: str, event_id: str, code: str, message: str) -> None:
    """Tell that the service refused one event for good: it is kept as a dead letter."""
    journal.count("events_refused")
    journal.tell(
        logging.ERROR,
        "event_refused",
        f"The service refused an event of rule '{rule}' (id {event_id}) with {code}: {message} "
        "It is kept among the dead letters.",
        rule=rule,
        event_id=event_id,
        answer=code,
    )


def refusals_taken_back(count: int, words: str) -> None:
    """Tell that events which were refused one after the other are kept: it is the account that is refused."""
    said = (
        f"{count} different events of several rules were refused in a row with the same words ({words}): it is taken "
        "for a refusal of the account, and they wait again."
    )
    journal.tell(logging.WARNING, "refusals_taken_back", said, events=count, reason=words)


def events_redated(count: int) -> None:
    """Count events older than `max_event_age` that were sent with the present time."""
    journal.count("events_redated", count)


def send_slots_unavailable(path: str, reason: str) -> None:
    """Tell that agent and backfill cannot share the account's requests; each finds its own share then."""
    said = f"The send slots in {path} cannot be shared: {reason}. Agent and backfill each find their own pace."
    journal.tell(logging.WARNING, "send_slots_unavailable", said, path=path, reason=reason)


def off_by(seconds: float) -> str:
    """Say how far this host's clock is off one that is so many seconds ahead of it: `7 s behind`, `7 s ahead of`."""
    return f"{abs(seconds):.0f} s {'behind' if seconds > 0 else 'ahead of'}"


def clock_off(seconds: float) -> None:
    """Tell that this host's clock is far from the service's, and that requests are signed with the service's."""
    said = (
        f"This host's clock is {off_by(seconds)} the service's: set it. "
        "Requests are signed with the service's time meanwhile."
    )
    journal.tell(logging.WARNING, "clock_off", said, seconds=seconds)


def clock_right() -> None:
    """Tell that this host's clock agrees with the service's again."""
    journal.tell(logging.INFO, "clock_right", "This host's clock agrees with the service's again.")


def accepted_with_remark(code: str, message: str) -> None:
    """Tell that a request was accepted with another code than 200 (API reference, section 5.4, rule 7)."""
    sentence = f"The service accepted a request with code {code}: {message}"
    journal.tell(logging.WARNING, "accepted_with_remark", sentence, answer=code)


def request_failed() -> None:
    """Count a request that was not accepted."""
    journal.count("requests_failed")


def slowed_down(rate: float, words: str) -> None:
    """Tell that the service took requests for too fast: so an agent finds its share of the account's quota."""
    journal.tell(
        logging.INFO,
        "slowed_down",
        f"The service asks for fewer requests ({words}); at most {rate:.2g} a second for now.",
        rate=rate,
        reason=words,
    )


def request_throttled() -> None:
    """Count a request that the service took for too fast."""
    journal.count("requests_throttled")


def delivery_failing(words: str, untold: int) -> None:
    """Tell that events cannot be delivered now; they are kept.

    Args:
        words: why.
        untold: how often trouble came and went since the last line about it.
    """
    sentence = f"Events cannot be delivered now and are kept: {words}.{_in_between(untold)}"
    journal.tell(logging.WARNING, "delivery_failing", sentence, reason=words, untold=untold)


def delivery_recovered(failures: int, untold: int) -> None:
    """Tell that events are delivered again, see `delivery_failing`."""
    sentence = f"Events are delivered again after {failures} failed requests.{_in_between(untold)}"
    journal.tell(logging.INFO, "delivery_recovered", sentence, failures=failures, untold=untold)


def _in_between(untold: int) -> str:
    return f" Short trouble that came and went since the last line about it: {untold} times." if untold else ""


def delivery_waits_for_store(reason: str) -> None:
    """Tell that an answer could not be noted in the store; the events may be sent again."""
    journal.count("store_failures")
    journal.tell(logging.ERROR, "delivery_waits_for_store", f"Delivery waits: {reason}.", reason=reason)
