"""The rules that judge one source's text, with their plan, which is renewed when the text turns out otherwise. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shipper.matching.plan import SAMPLE_BYTES, plan_for

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from shipper.matching.plan import Plan
    from shipper.matching.rule import Rule
    from shipper.matching.spelling import AnySpelling

LEAST_SAMPLE = 64 * 1024
"""The first plan is made of so much, for nothing is planned well before; each later one of `SAMPLE_BYTES`."""

DRIFT_BYTES = 4 * 1024 * 1024
MOST_PATIENCE = 1024 * 1024 * 1024

BEARABLE = 1e-3
"""Share of the lines that may be judged in vain: going through them costs less than the scan."""


class Lane:
    """See above.

    Attributes:
        rules: that apply, each with the place of the origin that it applies to.
        has_final: whether one of them is final.
        plan: see `plan_for`; None before the first text.
    """

    def __init__(
        self,
        rules: Sequence[tuple[Rule, int]],
        spelling: AnySpelling | None,
        distrusted: Collection[str],
    ) -> None:
        """Plan nothing yet: the first text gives a sample.

        Args:
            rules: see above.
            spelling: of the text's encoding, see `plan_for`.
            distrusted: ids of rules that judge every record; `plan_anew` when there are more.
        """
        self.rules = tuple(rules)
        self.has_final = any(rule.final for rule, _ in rules)
        self.plan: Plan | None = None
        self._spelling = spelling
        self._distrusted = distrusted
        self._sample: list[bytes] | None = []
        self._least_sample = LEAST_SAMPLE
        self._patience = DRIFT_BYTES
        self._is_provisional = True
        self._seen = self._in_vain = 0

    def see(self, data: bytes) -> Plan:
        """Look at text that is about to be judged, and give the plan for it: some of it may be needed for one."""
        if self._sample is not None:
            self._sample.append(data[:SAMPLE_BYTES])
            if sum(map(len, self._sample)) >= self._least_sample:
                sample, self._sample = b"".join(self._sample), None
                self._is_provisional = len(sample) < SAMPLE_BYTES
                self._least_sample = SAMPLE_BYTES
                return self._make(sample)
        return self.plan or self._make(b"")

    def note(self, size: int, in_vain: int) -> None:
        """Note how many records of so many bytes were judged in vain: many more than planned are a drift.

        What was planned of little text may be planned badly, so it is planned again where many are judged in vain.
        """
        self._seen += size
        self._in_vain += in_vain
        if self.plan is None or self._sample is not None or self._seen < self._patience:
            return
        rate = self._in_vain / max(self._seen / self.plan.line_bytes, 1.0)
        if rate > BEARABLE and (self._is_provisional or rate > 2 * self.plan.rate):
            # text that no plan suits is not planned for again and again
            self._patience = min(self._patience * 2, MOST_PATIENCE)
            self._sample = []
        self._seen = self._in_vain = 0

    def plan_anew(self) -> None:
        """Plan again, with the next text that is large enough for a sample, and until then without one."""
        self.plan, self._sample = None, []

    def _make(self, sample: bytes) -> Plan:
        self._seen = self._in_vain = 0
        self.plan = plan_for([rule for rule, _ in self.rules], self._spelling, sample, always=self._distrusted)
        return self.plan
