"""The engine thread: takes a batch, runs it, answers, again. It alone touches the queues and the device.

    event loop                       engine thread
    submit / cancel  -- inbox -->    lanes (queues by length), burst guard, packer, grid
    deliver, release <-- results --  outcomes and retired works, in bulk

The loop never waits for the engine, and the engine waits for nothing but work.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable, Sequence

from phalanx_contract import metrics as names
from phalanx_grid.execution.threads import use_threads
from phalanx_server.engine.health import Health
from phalanx_server.engine.lanes import Lane, Lanes
from phalanx_server.engine.self_check import check_device
from phalanx_server.engine.turn import Turn, choose, compute
from phalanx_server.engine.work import Cancel, Message, Orders, Results, Stop, Submit, Work
from phalanx_server.errors import EngineFailed, Unavailable
from phalanx_server.metrics import Metrics
from phalanx_server.settings import Settings, cores

log = logging.getLogger(__name__)


class Engine:
    """Runs batches on a thread of its own from `start` to `stop`.

    `post` is called on the engine thread with what is finished, and has to hand it to the event loop.
    New `orders` are given by assignment: a batch reads them once, at its start.
    """

    def __init__(self, settings: Settings, metrics: Metrics, *, post: Callable[[Results], None]) -> None:
        self.orders = Orders()
        self.health = Health(stall_s=settings.stall_s)
        self._settings, self._metrics, self._post = settings, metrics, post
        self._inbox: queue.SimpleQueue[Message] = queue.SimpleQueue()
        self._lanes = Lanes()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="engine", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def submit(self, works: Sequence[Work]) -> None:
        """Queue the texts of one request; each is answered at most once, and retired exactly once."""
        self._count_waiting(works, sign=1)
        self._inbox.put(Submit(works))

    def cancel(self, works: Sequence[Work]) -> None:
        """Drop those of the works that have not started; they are retired without an answer."""
        self._inbox.put(Cancel(works))

    def stop(self, timeout_s: float = 10.0) -> None:
        """Finish what waits, then end the thread."""
        self._inbox.put(Stop())
        self._thread.join(timeout_s)

    @property
    def alive(self) -> bool:
        """Whether the thread runs."""
        return self._thread.is_alive()

    def problem(self) -> str:
        """Why the engine cannot be trusted with requests; empty while all is well."""
        return self.health.problem(time.monotonic()) if self.alive else "the engine thread has ended"

    def _run(self) -> None:
        use_threads(self._settings.threads or cores())
        while not (self._stopping and self._lanes.next() is None):
            self._lanes.keep((*self.orders.models, *self.orders.candidates))
            self._absorb(wait=self._lanes.next() is None)
            if (lane := self._lanes.next()) is not None:
                self._turn(lane)

    def _absorb(self, *, wait: bool) -> None:
        """Take all messages; with nothing to do, wait for one, and look after the device meanwhile."""
        try:
            self._take(self._inbox.get(timeout=self._settings.self_check_s) if wait else self._inbox.get_nowait())
        except queue.Empty:
            if wait:
                self._check()
            return
        while not self._inbox.empty():
            self._take(self._inbox.get_nowait())

    def _take(self, message: Message) -> None:
        if isinstance(message, Stop):
            self._stopping = True
        elif isinstance(message, Submit):
            for work in message.works:
                self._lanes.of(work.model).add(work)
        else:
            dropped = [work for work in message.works if self._lanes.of(work.model).cancel(work)]
            self._count_waiting(dropped, sign=-1)
            self._post(Results(retired=dropped))

    def _turn(self, lane: Lane) -> None:
        """One batch of a lane, or none if all that waits there is too late."""
        late = lane.claim(lane.room.expire(time.monotonic()))
        if late:
            self._count_waiting(late, sign=-1)
            error = Unavailable("the request waited longer than its time limit", retry_after_s=1.0)
            self._post(Results([(work, error) for work in late], late))
        if lane.room:
            turn = choose(lane, self._lanes, self.orders, self._settings, now_s=time.monotonic())
            self._count_waiting(turn.works, sign=-1)
            self._guarded(turn)

    def _guarded(self, turn: Turn) -> None:
        """Run a batch; whatever goes wrong hurts its own texts alone."""
        self.health.begin(time.monotonic())
        try:
            compute(turn, self._metrics, self._post)
        except Exception as error:
            log.exception("a batch of %s failed", turn.lane.model.name)
            failed = EngineFailed(f"the batch failed: {type(error).__name__}: {error}")
            self._post(Results([(work, failed) for work in turn.works], turn.works))
            self._check()
        else:
            self.health.passed()
            self._post(Results(retired=turn.works))

    def _check(self) -> None:
        self.health.begin(time.monotonic())
        problem = check_device(self.orders.models)
        if problem:
            log.error("self-check failed: %s", problem)
            self.health.failed(problem)
        else:
            self.health.passed()

    def _count_waiting(self, works: Sequence[Work], *, sign: int) -> None:
        """All of one request or of one batch, so of one ensemble."""
        if works:
            tokens = sum(work.item.tokens for work in works)
            self._metrics.add(names.QUEUE_TOKENS, works[0].item.ensemble, by=sign * tokens)
