# SPDX-License-Identifier: Apache-2.0
"""What auditd runs: the loop, and the only clock.

The loop reads stdin, hands the bytes to the engine and the engine's documents to the sink, and never waits for
anything else: signals, journal and output have a thread each, which wake it through a pipe. Each turn reads the clock
once.

No mistake of configuration, disk or journal ends the process, since every exit uses up one of the ten restarts that
auditd grants in its life. It ends at the end of stdin, or at TERM from its parent after stdin has been emptied.
"""

from __future__ import annotations

import json
import os
import select
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Optional

from . import auditlog
from . import config as configuration
from .auditlog import AuditLog
from .config import Config
from .diagnostics import ERROR, INFO, Log, quote
from .engine import Engine
from .errors import ConfigError, MalditoError
from .follower import Follower, ReadToEnd, Start
from .imitations import Imitated
from .intake import Intake
from .lock import Lock
from .model import Loss
from .premises import Premises, first_line
from .recovery import recover
from .saved import Change, Recovered, Saved
from .signals import Signals
from .sinks import OFF, Lost, Mark, Sink
from .statefile import StateFile

NAME = "audisp-maldito"
RUN_DIR = "/run/audisp-maldito"

CHUNK = 256 * 1024
"""More than the socket of stdin holds, so one read empties it."""

COMPLAIN_SECONDS = 60.0
"""How often a bad configuration is complained of while it is not in force."""

LOG_RETRY_SECONDS = 5.0
JOURNAL_PATIENCE = 0.02
"""At the end of stdin: how long for the journal's last entries. auditd 4.2 leaves about 20 ms more."""

BEGIN_PATIENCE = 0.1
"""At the end of stdin: how long for what the last process left."""

CLOSE_SECONDS = 1.0
"""For the queue at the end. An idle disk needs a few milliseconds; auditd waits for us, or systemd kills us."""

SWEEP_SECONDS = 10.0
"""How soon the state is written anew again."""

STALLED_SECONDS = 0.1
"""Next look at what is overdue although nothing can be done about it (a journal that does not answer)."""


class Plugin:
    """One run, from the first to the last byte of stdin."""

    def __init__(self, config_path: Optional[str], log: Log, journal: Optional[str] = None) -> None:
        self._config_path = config_path
        self._clock = time.monotonic
        self._log = log
        self._woken, self._waker = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._signals = Signals(self.wake)
        self._bad_config: Optional[str] = None
        self._complain_at = 0.0
        self._asked_at: Optional[float] = None
        self._config = self._load() or Config()
        self._boot_id = _boot_id()
        self._premises = Premises(log)
        self._policy = self._premises.policy(self._config)
        self._journal_directory = journal
        self._audit_log = self._open_log()
        self._engine = Engine(self._policy, boot_id=self._boot_id)
        self._engine.keep_ledger()
        self._intake = Intake(self._engine, self._tell, log, self.wake)
        self._follower: Optional[Follower] = None
        self._cursor_saved: Optional[str] = None
        self._recovered: Optional[Recovered] = None
        self._sweep: Optional[Iterator[Change]] = None
        self._sweep_at = 0.0
        lock = Lock(self._config.state_dir)
        self._sink = Sink(self._config.output, lock, log, self._clock, self.wake, recall=self._recall)

    def wake(self) -> None:
        """Make the loop turn; from any thread."""
        with suppress(BlockingIOError):
            os.write(self._waker, b"\0")

    def run(self) -> None:
        """Until the end of stdin, or TERM from the parent."""
        poll = select.poll()
        poll.register(0, select.POLLIN)
        poll.register(self._woken, select.POLLIN)
        buffer = memoryview(bytearray(CHUNK))
        wait: Optional[float] = 0.0
        while True:
            ready = [fd for fd, _ in poll.poll(None if wait is None else wait * 1000)]
            now = self._clock()
            if self._premises.changed(now):
                self._engine.reconfigure(self._premises.policy(self._config))
            if self._woken in ready and self._wakened(now):
                self._drain(buffer)
                break
            if 0 in ready:
                size = os.readv(0, [buffer])
                if not size:
                    break
                self._intake.take(buffer[:size], now)
            wait = self._wait(self._turn(now), now)
        self._close()

    def _recall(self, held: bool) -> Optional[StateFile]:
        """What was left to go on with; by the writer's thread, before it writes."""
        state = StateFile(self._config.state_dir, self._boot_id, self._log) if held else None
        output = self._config.output
        self._recovered = (
            recover(state, output, self._boot_id, self._log) if held and output != OFF else Recovered(Saved())
        )
        self.wake()
        return state

    def _begin(self, recovered: Recovered, now: float) -> None:
        """Go on where the last process ended."""
        self._recovered = None
        start = Start(recovered.losses_from or now, recovered.journal)
        self._follower = Follower(
            self._policy.sshd_paths, self._boot_id, self._log, self._clock, self.wake,
            self._journal_directory, start, self._policy.sshd_units,
        )  # fmt: skip
        self._cursor_saved = recovered.journal
        self._tell(self._engine.restore(recovered, now))
        self._intake.begin(self._audit_log, now)

    def _tell(self, documents: list[bytes]) -> None:
        """Have documents written, and then kept what they changed."""
        self._sink.put(documents)
        change = self._engine.changes()
        if self._follower is not None and self._follower.position != self._cursor_saved:
            self._cursor_saved = change["journal"] = self._follower.position
        if change:
            self._sink.mark(Mark(json.dumps(change, separators=(",", ":")).encode()))

    def _keep_anew(self, now: float) -> None:
        """Write the state anew, a slice a turn, when its file has grown."""
        if self._sweep is None:
            if self._sink.grown and now >= self._sweep_at:
                self._sweep_at = now + SWEEP_SECONDS
                self._sweep = self._engine.everything()
                self._sink.mark(Mark(b"", anew=True, begin=True))
            return
        change = next(self._sweep, None)
        if change is not None:
            self._sink.mark(Mark(json.dumps(change, separators=(",", ":")).encode(), anew=True))
        else:
            self._sweep = None
            last = {**self._engine.whereabouts(), "journal": self._cursor_saved, "whole": True}
            self._sink.mark(Mark(json.dumps(last, separators=(",", ":")).encode(), anew=True, replace=True))

    def _wakened(self, now: float) -> bool:
        """What the threads have; True: the parent wants us to end."""
        with suppress(BlockingIOError):
            os.read(self._woken, 4096)
        if self._recovered is not None:
            self._begin(self._recovered, now)
        self._journal(now)
        end = False
        for number, sender in self._signals.take():
            if number == signal.SIGHUP:
                self._reload()
            elif sender == os.getppid():
                end = True
            else:
                self._log.say(f"TERM from process {sender}, which is not the parent: ignored", about="TERM")
        return end

    def _journal(self, now: float) -> None:
        if self._follower is None or self._intake.shedding:
            return
        for found in self._follower.take():
            if isinstance(found, ReadToEnd):
                self._asked_at = None
                self._tell(self._engine.journal_read(found.at, now))
            elif isinstance(found, Imitated):
                self._engine.forged(found.uid, found.exe, found.entries)
            elif isinstance(found, Loss):
                self._tell(self._engine.lost_elsewhere(found))
            else:
                self._tell(self._engine.sshd(found, now))

    def _turn(self, now: float) -> Optional[float]:
        """What time brings; when there is next something to do."""
        engine, intake, sink = self._engine, self._intake, self._sink
        if sink.full and intake.can_wait and not intake.shedding:
            intake.shed()
        elif intake.shedding and sink.has_room:
            intake.resume()
        more = intake.turn(now, room=not sink.full)
        intake.expire(now)
        deadline = engine.deadline(now)
        if deadline is not None and deadline <= now:
            self._tell(engine.tick(now))
            deadline = engine.deadline(now)
        if self._asked_at is None and self._follower is not None and engine.journal_wanted(now):
            self._asked_at = now
            self._follower.ask()
        for subject, line in engine.notices():
            self._log.say(line, about=subject)
        lost = sink.lost()
        if lost is not None:
            self._report(lost)
        self._keep_anew(now)
        if more or self._sweep is not None:
            return now
        return min((time for time in (deadline, intake.deadline()) if time is not None), default=None)

    def _wait(self, deadline: Optional[float], now: float) -> Optional[float]:
        if deadline == now:
            return 0.0
        times = [] if deadline is None else [deadline - now if deadline > now else STALLED_SECONDS]
        if self._log.waiting:
            self._log.retry()
            times.append(LOG_RETRY_SECONDS)
        if self._bad_config is not None:
            if now >= self._complain_at:
                self._complain_at = now + COMPLAIN_SECONDS
                self._log.say(f"{self._bad_config}; mend it and reload auditd: it is not in force", priority=ERROR)
            times.append(self._complain_at - now)
        return min(times, default=None)

    def _report(self, lost: Lost) -> None:
        self._log.say(f"{lost.documents} documents were lost: {lost.reason}", about="lost", priority=ERROR)
        self._tell(self._engine.lost(lost.first or "unknown", lost.last or "unknown", lost.documents, lost.reason))

    def _reload(self) -> None:
        """HUP: what can be read anew is; a bad configuration leaves the one before in force."""
        self._bad_config = None
        self._config = self._load() or self._config
        self._policy = self._premises.policy(self._config)
        self._engine.reconfigure(self._policy)
        if self._follower is not None:
            self._follower.believe(self._policy.sshd_paths)
        self._sink.follow(self._config.output)
        self._log.say("HUP: configuration read, output looked up", priority=INFO)

    def _load(self) -> Optional[Config]:
        path = self._config_path
        if path is None:
            path = configuration.DEFAULT_PATH
            if not os.path.lexists(path):
                return None
        try:
            return configuration.load(path)
        except ConfigError as error:
            self._bad_config = str(error)
            self._complain_at = 0.0
            return None

    def _drain(self, buffer: memoryview) -> None:
        """What auditd had written before it told us to end."""
        poll = select.poll()
        poll.register(0, select.POLLIN)
        while poll.poll(0):
            size = os.readv(0, [buffer])
            if not size:
                return
            self._intake.take(buffer[:size], self._clock())

    def _close(self) -> None:
        """Write what is decided, and leave. What is not is in the state, or has to be told now."""
        self._begun(self._clock() + BEGIN_PATIENCE)
        now = self._clock()
        self._intake.end(now)
        if not self._sink.keeps_state:
            if self._engine.deadline(now) is not None:
                self._last_entries(now + JOURNAL_PATIENCE)
            self._tell(self._engine.close(self._clock()))
            self._turn(self._clock())
        elif self._audit_log is None:
            self._tell(self._engine.end(now))
        unwritten = self._sink.close(CLOSE_SECONDS)
        if unwritten:
            self._log.say(f"ended with {unwritten} bytes of documents unwritten", priority=ERROR)

    def _begun(self, until: float) -> None:
        """A stream that ends when it has hardly begun: it is still to be found out where we stand."""
        poll = select.poll()
        poll.register(self._woken, select.POLLIN)
        now = self._clock()
        while (self._follower is None or self._intake.waiting) and now < until:
            poll.poll((until - now) * 1000)
            now = self._clock()
            self._wakened(now)
            self._turn(now)

    def _open_log(self) -> Optional[AuditLog]:
        """auditd's own log, for what is missed: opened while that is still allowed."""
        try:
            path = auditlog.configured(self._config.auditd_conf)
            if path is None:
                return None
            log = AuditLog(path)
            log.open()
        except (OSError, ValueError) as error:
            self._log.say(f"audit.log cannot be read ({error}): what is missed cannot be told later", priority=ERROR)
            return None
        return log

    def _last_entries(self, until: float) -> None:
        """Somebody's name may be in what journald has and we have not."""
        if self._follower is None:
            return
        self._asked_at = self._clock()
        self._follower.ask()
        poll = select.poll()
        poll.register(self._woken, select.POLLIN)
        while self._asked_at is not None and self._clock() < until:
            poll.poll(max(0.0, until - self._clock()) * 1000)
            with suppress(BlockingIOError):
                os.read(self._woken, 4096)
            self._journal(self._clock())


def run(config_path: Optional[str] = None) -> int:
    """Be the plugin; the exit code."""
    if os.isatty(0):
        raise ConfigError("stdin", "is a terminal, and auditd's records are wanted; `maldito replay` reads a log")
    with suppress(OSError):
        os.mkdir(RUN_DIR, 0o755)
    with suppress(OSError), open("/proc/self/comm", "w") as comm:
        comm.write(NAME)
    Plugin(config_path, Log(time.monotonic)).run()
    return 0


def main(argv: list[str]) -> None:
    """What the launcher calls. The process ends here: its threads may hang in a file system, and would keep it."""
    log = Log(time.monotonic)
    try:
        status = run(argv[0] if argv else None)
    except MalditoError as error:
        log.say(str(error), priority=ERROR)
        status = error.exit_code
    except BaseException as error:  # noqa: BLE001  a mistake of ours: stderr is /dev/null, and it must be heard of
        where = error.__traceback__
        while where is not None and where.tb_next is not None:
            where = where.tb_next
        at = f"{os.path.basename(where.tb_frame.f_code.co_filename)}:{where.tb_lineno}" if where else "?"
        log.say(f"ended by {type(error).__name__} at {at}: {quote(str(error))}", priority=ERROR)
        status = 1
    os._exit(status)


def _boot_id() -> str:
    """As journald writes it, without dashes."""
    return (first_line("/proc/sys/kernel/random/boot_id") or "").replace("-", "")
