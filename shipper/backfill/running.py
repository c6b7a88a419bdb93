"""Puts the parts of a backfill together: what earlier runs and the agent did, readers, the job, the sink."""

from __future__ import annotations

import dataclasses
import os
from contextlib import ExitStack, closing
from itertools import chain
from typing import TYPE_CHECKING, Protocol

from shipper.agent.send_slots import Party, SendSlots
from shipper.agent.uploader import Uploader
from shipper.backfill.job import Job, Progress
from shipper.backfill.judging import Judging
from shipper.backfill.planning import plan
from shipper.backfill.reading import Reader
from shipper.backfill.selection import STDIN, families
from shipper.backfill.sinks import Delivery
from shipper.backfill.store import LOCK, STORE
from shipper.backfill.workers import read_here, read_with_workers
from shipper.cloudmonitor import batching
from shipper.cloudmonitor.connecting import connect
from shipper.errors import StateError
from shipper.outbox.delivered import id_of
from shipper.outbox.lock import StateLock
from shipper.outbox.reader import StoreReader
from shipper.outbox.store import Store

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Generator, Sequence

    from shipper.backfill.job import Sink
    from shipper.backfill.selection import Selected
    from shipper.backfill.tasks import Orders, Part
    from shipper.config.model import Config
    from shipper.events import LimitState

_WORTH_A_PROCESS = 16 * 1024 * 1024


class Show(Protocol):
    """Shows how far a backfill is."""

    def __call__(self, progress: Progress, waiting: Callable[[], int] | None) -> Callable[[], None]:
        """Begin; `waiting` tells how many events are still to be sent, where any are. Gives what is called often."""


@dataclasses.dataclass(frozen=True, slots=True)
class Wishes:
    """What somebody asked for.

    Attributes:
        files: that are read.
        orders: how.
        jobs: processes; None for as many as are worth it.
        most: events that are wanted; None for all.
        restart: whether what earlier runs did is forgotten.
    """

    files: Sequence[Selected]
    orders: Orders
    jobs: int | None = None
    most: int | None = None
    restart: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class Ended:
    """How a backfill that sends has ended.

    Attributes:
        is_complete: whether everything was read and settled, or as much as was asked for.
        delivered: events that the service took.
        waiting: events that wait in the store.
        refused: events that the service refused, which are dead letters now.
    """

    is_complete: bool
    delivered: int
    waiting: int
    refused: int


@dataclasses.dataclass(frozen=True, slots=True)
class Earlier:
    """What earlier runs and the agent did, as far as it can be read.

    Attributes:
        orders: with how far earlier runs came.
        known: ids of events that were delivered, or wait.
        limits: what thresholds and throttles remembered.
        unreadable: why something cannot be read, for people.
    """

    orders: Orders
    known: frozenset[bytes] = frozenset()
    limits: Sequence[LimitState] = ()
    unreadable: tuple[str, ...] = ()


def deliver(config: Config, wishes: Wishes, stop: threading.Event, show: Show) -> tuple[Job, Ended, tuple[str, ...]]:
    """Read and send.

    Args:
        config: the configuration.
        wishes: what is asked for.
        stop: set to end early.
        show: see `Show`.

    Returns:
        The job, how it ended, and what could not be looked at beforehand.

    Raises:
        ShipperError: the store, or what reads the files, fails.
    """
    orders, store_table = wishes.orders, config.store
    with ExitStack() as opened:
        client = connect(config)
        opened.callback(client.close)
        opened.enter_context(closing(StateLock(config.state_path, *LOCK)))
        store = Store(config.state_path, batching.encode, STORE, remember=store_table.remember_delivered)
        opened.enter_context(closing(store))
        if wishes.restart:
            store.forget_backfills()
        known, unreadable = _delivered_by_agent(config, orders)
        if not orders.again and store_table.remember_delivered:
            known |= set(store.delivered.ids())
        waiting = store.waiting_ids()
        known |= set(filter(None, map(id_of, waiting)))
        orders = dataclasses.replace(orders, passes=tuple(store.passes.all()))
        refused_before = store.dead_letters.count()
        uploader = Uploader(
            store,
            client,
            config.cloudmonitor,
            max_dead_letters=store_table.max_dead_letters,
            slots=SendSlots(config.state_path, Party.BACKFILL),
            most=wishes.most,
        )
        progress = Progress()
        tick = show(progress, lambda: store.waiting_count)
        delivery = Delivery(store, uploader, stop, tick)
        # what waits from before is of what was asked for
        most = None if wishes.most is None else max(0, wishes.most - len(waiting))
        job = Job(orders, delivery, known=frozenset(known), most=most, progress=progress)
        progress.is_cut = most == 0
        is_read = False
        try:
            is_read = most != 0 and _run(job, orders, wishes, stop, tick)
        finally:
            delivery.finish(config.drain_timeout)
        is_complete = (is_read or progress.is_cut) and (not store.waiting_count or uploader.has_enough)
        if is_read and orders.again:
            # the next one that is to send again begins anew
            store.passes.forget(_all_rules(orders, wishes.files))
        refused = max(0, store.dead_letters.count() - refused_before)
        sent = progress.events + len(waiting) - store.waiting_count - refused
        return job, Ended(is_complete, sent, store.waiting_count, refused), unreadable


def rehearse(wishes: Wishes, sink: Sink, earlier: Earlier, stop: threading.Event, show: Show) -> tuple[Job, bool]:
    """Read, and send nothing; gives the job, and whether all was read, or as much as was asked for."""
    job = Job(earlier.orders, sink, known=earlier.known, most=wishes.most)
    is_read = _run(job, earlier.orders, wishes, stop, show(job.progress, None))
    return job, is_read or job.progress.is_cut


def look_back(config: Config, orders: Orders) -> Earlier:
    """Look at what earlier runs did, without changing anything."""
    known, unreadable = _delivered_by_agent(config, orders)
    if not (config.state_path / STORE).exists():
        return Earlier(orders, frozenset(known), (), unreadable)
    try:
        with closing(StoreReader(config.state_path, STORE)) as reader:
            if not orders.again and config.store.remember_delivered:
                known |= set(reader.delivered())
            orders = dataclasses.replace(orders, passes=tuple(reader.passes()))
            return Earlier(orders, frozenset(known), reader.limits(), unreadable)
    except StateError as error:
        return Earlier(orders, frozenset(known), (), (*unreadable, str(error)))


def _delivered_by_agent(config: Config, orders: Orders) -> tuple[set[bytes], tuple[str, ...]]:
    """Give the ids of what the agent delivered, and why they cannot be read."""
    if orders.again or not config.store.remember_delivered or not (config.state_path / "shipper.db").exists():
        return set(), ()
    try:
        with closing(StoreReader(config.state_path)) as reader:
            return set(reader.delivered()), ()
    except StateError as error:
        return set(), (f"what the agent delivered cannot be told, so it may be sent again: {error}",)


def _run(job: Job, orders: Orders, wishes: Wishes, stop: threading.Event, tick: Callable[[], None]) -> bool:
    files = [selected for selected in wishes.files if selected.path != STDIN]
    job.progress.files_total = len(wishes.files)
    job.progress.bytes_total = sum(selected.size for selected in files)
    tasks = plan(families(files))
    jobs = wishes.jobs or (_cores() if job.progress.bytes_total >= _WORTH_A_PROCESS else 1)
    parts: Generator[Part | None, None, None]
    if min(jobs, len(tasks)) > 1:
        keep_order = any(rule.threshold is not None or rule.throttle is not None for rule in orders.rules)
        parts = read_with_workers(orders, tasks, jobs, keep_order=keep_order)
    else:
        parts = read_here(Reader(orders), tasks)
    streams = [selected for selected in wishes.files if selected.path == STDIN]
    piped = chain.from_iterable(Reader(orders).read_stream(selected) for selected in streams)
    with closing(parts):
        return job.run(chain(parts, piped), stop, tick)


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _all_rules(orders: Orders, files: Sequence[Selected]) -> set[bytes]:
    judging = Judging(orders)
    return {digest for selected in files for digest in judging.rules_of(selected)}
