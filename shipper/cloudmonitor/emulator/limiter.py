"""The service's limit of requests: so many in any second, for one account (API reference, section 6)."""

from __future__ import annotations

from collections import deque


class Limiter:
    """Counts the requests of each account in a sliding window of one second.

    A request that is refused is not counted, so that a client which keeps asking still gets its share.

    Args:
        qps: requests that are let through in any one second; 0 for no limit.
    """

    def __init__(self, qps: int) -> None:
        self._qps = qps
        self._admitted: dict[str, deque[float]] = {}

    def admit(self, account: str, moment: float) -> bool:
        """Say whether a request may pass, and count it if so.

        Args:
            account: one of the known accounts; each is remembered.
            moment: seconds on a clock that never goes back.
        """
        if self._qps == 0:
            return True
        admitted = self._admitted.setdefault(account, deque(maxlen=self._qps))
        if len(admitted) == self._qps and moment - admitted[0] < 1.0:
            return False
        admitted.append(moment)
        return True
