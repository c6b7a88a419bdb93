"""A shipper that is ready: it has delivered a line, and has nothing more to do."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeVar

from tests.bench.measuring import Bench, Work
from tests.bench.shippers import Shipper
from tests.bench.workloads import matching_line

ShipperT = TypeVar("ShipperT", bound=Shipper)
QUIET = "quiet.log"


@contextmanager
def ready(bench: Bench, kind: type[ShipperT], work: Work) -> Iterator[ShipperT]:
    """Run one on the measured core; the line that it has delivered has the serial 0, and lies in `QUIET`."""
    root = bench.place(kind.name)
    rules = work.chosen()
    shipper = kind(root, rules, bench.sink.port)
    bench.sink.reset()
    (shipper.logs / QUIET).write_bytes(matching_line(rules[0], 0))
    shipper.start(bench.cores.measured)
    try:
        bench.sink.wait_for(1)
        yield shipper
    finally:
        shipper.stop()
    shutil.rmtree(root)
