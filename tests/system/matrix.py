"""One cell of the fault matrix: a remedy on a container of its own, stopped where it enters a stage; a fault there, which
is over after some seconds; and what must be true in the end, whatever it was."""

import contextlib
import itertools
import re
import signal
import sqlite3
import time

import cpu
import faults
import intents
import memory
import proxy
import wait
from bench import QUICK, Bench, in_time, outlive_grace
from engine_api import EngineError
from faults import DAY, HOUR, YEAR
from sizes import GIB, MIB

LEAK, LASTS = 120 * MIB, 5.0  # what is leaked; how long a fault lasts
STOPPED_IN, SETTLED = in_time() + 30, 90  # until the remedy is there; until nothing is open: tries, graces and rests of one or two
HALF = "50000 100000"  # of a core
ENDS = ("healed", "throttled", "memory.high applied", "page cache reclaimed", "not healed", "remedy dropped", "remedy pending", "remedy taken up", "limit applied", "CRITICAL ALERT")
SETTINGS = QUICK | {"leak.threshold": "64M", "leak.threshold_percent": "0", "leak.baseline": "32M", "remedy.stop_grace": "3s",
                    "remedy.budget_per_hour": "6"}
SLOWLY = {"SIMOLLAMA_STOP_DELAY_MS": 1500}  # so that what is done twice is done while the first one is under way


# ---- remedies: how a container falls ill, and what well is

class Remedy:
    settings, options, signals = {}, {}, 0  # of the daemon; of the container; how often it may be told to stop
    asks = True  # the engine, for its deed
    stages = frozenset(faults.stages())  # that it enters

    def made(self, one):
        """It is there, and well."""

    def begin(self, cell):
        self.fall_ill(cell.one)

    def after(self, one):
        """The daemon has ended."""

    def well(self, one):
        return one.running() and one.held() < 64 * MIB


class Restart(Remedy):
    signals = 1

    def fall_ill(self, one):
        one.leak(LEAK)


class Kill(Remedy):
    asks = False

    def fall_ill(self, one):
        one.orphan(LEAK)


class Unload(Remedy):
    asks = False
    options = {"models": "first=80M,second=80M", "labels": {"supervisor.single": "on"}, "env": {"OLLAMA_KEEP_ALIVE": "1h"}}

    def fall_ill(self, one):
        one.load("first")
        one.load("second")

    def well(self, one):
        return one.running() and len(one.loaded()) <= 1


class Limit(Remedy):
    options = {"labels": {"supervisor.memory": "1g"}, "memory_limit": GIB}

    def fall_ill(self, one):
        one.engine.api.call("POST", f"/containers/{one.id}/update", {"Memory": 3 * GIB, "MemorySwap": 3 * GIB})

    def well(self, one):
        return one.inspect()["HostConfig"]["Memory"] == GIB


class Stop(Remedy):
    settings = {"pressure.action_warn": "1%", "pressure.action_optimize": "1.1%", "pressure.action_kill_switch": "1.3%",
                "leak.threshold": "16G"}
    signals = 1

    def fall_ill(self, one):
        with contextlib.suppress(OSError):  # beside others that fill the host it is stopped before all of it is there
            one.sim("leak", {"bytes": memory.hundredth_of_host() * 3 // 2}, timeout=10)  # less would relieve nothing

    def well(self, one):
        return not one.running()


class Throttle(Remedy):
    """By its quota; memory.high is version 2's (inside/test_matrix.py)."""
    asks = False
    options = {"labels": {"supervisor.priority": "low"}}
    stages = Remedy.stages - {"check"}

    def begin(self, cell):
        cell.bench.settings |= {"pressure.level_medium": "1", "pressure.level_high": "1.2", "pressure.level_critical": "1.4"}
        cell.bench.configure()
        cell.bench.daemons[-1].send(signal.SIGHUP)

    def well(self, one):
        return one.running() and cpu.quota(one.id) == HALF

    def after(self, one):
        assert not one.running() or cpu.quota(one.id) == cpu.NONE, "it stays throttled, and nobody is there to give it back"


class High(Remedy):
    asks = False
    options = {"labels": {"supervisor.memory.high": "900m"}}

    def file(self, one):
        return memory.directory(one.id) / "memory.high"

    def made(self, one):
        self.file(one).write_text(str(900 * MIB))

    def fall_ill(self, one):
        self.file(one).write_text("max")

    def well(self, one):
        return one.running() and self.file(one).read_text().strip() == str(900 * MIB)


class Reclaim(Remedy):
    """Once in five minutes, so that what was lost may come much later."""
    asks = False
    settings = {"pressure.action_warn": "1%", "pressure.action_optimize": "1.1%"}

    def fall_ill(self, one):
        one.fill("/weights", 400 * MIB)


REMEDIES = {"restart": Restart(), "kill": Kill(), "unload": Unload(), "limit": Limit(), "stop": Stop(), "throttle": Throttle()}
if memory.V2:
    REMEDIES |= {"high": High(), "reclaim": Reclaim()}


# ---- faults: before the yield with the daemon stopped, after it when the fault has lasted. A 404 is none: it is the
# engine's word that the container is gone

def killed(cell):
    cell.killed = True
    yield


def killed_while_it_asks(cell):
    """Its request to the engine is under way, where the remedy has one."""
    cell.killed_asking = cell.proxy.rule("POST", cell.one.id, proxy.PASS, times=1)
    yield


def engine_gone(cell):
    cell.proxy.gone()
    yield
    cell.proxy.back()


def engine_answers(status):
    def fault(cell):
        rule = cell.proxy.answer(status, cell.one.id)
        yield
        cell.proxy.off(rule)
    return fault


def engine_answers_all(cell):
    rule = cell.proxy.answer(503, ".*")
    yield
    cell.proxy.off(rule)


def engine_does(act, method=".*", **options):
    def fault(cell):
        rule = cell.proxy.rule(method, cell.one.id, act, **options)
        yield
        cell.proxy.off(rule)
    return fault


def answer_lost(cell):
    rule = cell.proxy.lose(f"{cell.one.id}/", times=1)
    yield
    cell.proxy.off(rule)


def disk_full(cell):
    faults.fill(cell.disk)
    yield
    (cell.disk / "ballast").unlink()


def disk_read_only(cell):
    faults.errors(cell.disk)
    yield
    faults.another_disk(cell.disk)


def database_corrupt(cell):
    faults.corrupt(cell.bench.state)
    yield


def database_moved(cell):
    faults.move_away(cell.bench.state)
    yield


def wall_clock(seconds):
    """It is set, and set right again."""
    def fault(cell):
        cell.clock.set(seconds)
        yield
        cell.clock.set(0)
    return fault


def wall_clock_stays(seconds):
    def fault(cell):
        cell.clock.set(seconds)
        yield
    return fault


def person_stops(cell):
    with contextlib.suppress(EngineError):
        cell.one.engine.api.raw("POST", f"/containers/{cell.one.id}/stop", query={"t": 3})
    cell.signals_of_others = 1
    cell.stays_stopped, cell.starts = True, cell.one.starts()
    yield


def recreated(cell):
    cell.one.remove()
    cell.old, cell.one = cell.one, cell.make()
    yield


def start_refused(cell):
    faults.take_source(cell.source)
    cell.may_be_left = True
    yield


DISKS = {"disk full": faults.tiny_disk, "disk read-only": faults.failing_disk}
FAULTS = {"killed": killed, "killed while it asks": killed_while_it_asks, "engine gone": engine_gone, "engine 400": engine_answers(400),
          "engine 500": engine_answers(500), "engine 503": engine_answers(503), "engine 503 to all": engine_answers_all,
          "engine hangs": engine_does(proxy.HANG), "engine closes": engine_does(proxy.CLOSE),
          "engine slow": engine_does(proxy.PASS, delay=2.0), "answer lost": answer_lost,
          "cut off while it asks": engine_does(proxy.LEAVE, method="POST", times=1), "disk full": disk_full,
          "disk read-only": disk_read_only, "database corrupt": database_corrupt,
          "database moved": database_moved, "person stops it": person_stops, "recreated": recreated,
          "start refused": start_refused}
for name, seconds in (("hour", HOUR), ("day", DAY), ("year", YEAR)):
    FAULTS |= {f"clock {name} ahead": wall_clock_stays(seconds), f"clock {name} behind": wall_clock_stays(-seconds),
               f"clock {name} ahead and back": wall_clock(seconds), f"clock {name} behind and back": wall_clock(-seconds)}


def all_cells():
    """(remedy, stage, fault) of all that there are."""
    for remedy, stage, fault in itertools.product(REMEDIES, faults.stages(), FAULTS):
        if stage in REMEDIES[remedy].stages and (fault != "start refused" or remedy == "restart"):
            yield remedy, stage, fault


class FaultyBench(Bench):
    """Its daemons see the engine through the proxy, and have a wall clock of their own."""

    def __init__(self, engine, settings, label):
        super().__init__(engine, settings, label)
        self.proxy = proxy.EngineProxy(engine.socket, self.directory)
        self.clock = faults.WallClock(self.directory)

    def options(self, settings=None, state=None):
        options = super().options(settings, state)
        options[options.index("--host") + 1] = self.proxy.url
        return options

    def close(self):
        super().close()
        self.proxy.close()


class Cell:
    def __init__(self, engine, number, remedy, stage, fault):
        self.step, self.remedy, self.stage, self.fault = remedy, REMEDIES[remedy], stage, fault
        self.engine, self.name = engine, f"cell-{number}-{remedy}"
        self.killed = self.stays_stopped = self.may_be_left = False
        self.killed_asking = None
        self.signals_of_others, self.starts, self.old, self.said = 0, None, None, []
        self.bench = FaultyBench(engine, SETTINGS | self.remedy.settings, f"cell{number}.enable")
        self.proxy, self.clock = self.bench.proxy, self.bench.clock
        self.source = self.bench.directory / "models"

    def run(self):
        with contextlib.ExitStack() as stack:
            stack.callback(self.bench.close)
            if self.fault in DISKS:
                self.disk = stack.enter_context(DISKS[self.fault](self.bench.directory / "disk"))
                self.bench.state = self.disk / "state"
            self.source.mkdir()
            self.one = self.make()
            daemon = self.daemon()
            outlive_grace()
            stopper = faults.stop_at(daemon, self.stage, self.name, self.step, self.bench.directory)
            stack.callback(stopper.close)
            self.remedy.begin(self)
            stopper.wait(STOPPED_IN, daemon.text)
            began = time.monotonic()
            with self.happens():
                if self.killed:
                    stopper.kill()
                else:
                    stopper.go()
                if self.killed_asking:
                    self.killed_asking.done.wait(20 if self.remedy.asks and self.stage not in ("check", "end") else 0)
                    time.sleep(proxy.BEGUN)
                if self.killed or self.killed_asking:
                    daemon.end(9)
                    daemon = self.daemon()
                time.sleep(LASTS)
            self.settles(daemon)
            self.nothing_twice(daemon)
            self.nothing_silent(daemon, began)
            self.nothing_for_ever(daemon)

    @contextlib.contextmanager
    def happens(self):
        steps = FAULTS[self.fault](self)
        next(steps)
        yield
        next(steps, None)

    def make(self):
        options = dict(self.remedy.options)
        options["env"] = SLOWLY | options.get("env", {})
        binds = [f"{self.source}:/source"] if self.fault == "start refused" else []
        one = self.bench.ollama(self.name, binds=binds, **options)
        self.remedy.made(one)
        return one

    def daemon(self):
        return self.bench.daemon(self.one, env=self.clock.env)

    # ---- what must be true in the end

    def state(self):
        return f"{self.step} x {self.stage} x {self.fault}: {self.one.inspect()['State']}\n{self.rows()}\n" \
            + "\n".join(d.text() for d in self.bench.daemons)

    def rows(self):
        try:
            return intents.rows(self.bench.state)
        except sqlite3.Error as error:
            return [{"state": intents.OPEN, "step": str(error)}]

    def closed(self):
        return all(row["state"] != intents.OPEN for row in self.rows())

    def left(self, daemon):
        """We stopped it and it cannot be started: that stands, and is told."""
        raised = daemon.find("verdict raised", container=self.name, verdict="stopped-by-us")
        return self.may_be_left and raised and not daemon.find("verdict cleared", container=self.name, verdict="stopped-by-us")

    def fine(self, daemon):
        if self.stays_stopped:
            return not self.one.running()
        if self.old:
            return self.one.running()  # nothing is wrong with the new one
        return self.remedy.well(self.one) or self.left(daemon)

    def settles(self, daemon):
        """Nothing lost."""
        def settled():
            with contextlib.suppress(OSError, AssertionError):
                return self.closed() and self.fine(daemon)
            return False
        wait.until(settled, SETTLED, lambda: f"settled: {self.state()}", every=0.3)
        if self.left(daemon):
            faults.give_source(self.source)
            self.one.start()
            daemon.wait("verdict cleared", 10, container=self.name, verdict="stopped-by-us")
            return
        time.sleep(in_time())  # what would be done twice would be done now
        assert daemon.alive() and self.closed() and self.fine(daemon), self.state()

    def nothing_twice(self, daemon):
        signals, starts = self.one.stop_signals(), self.one.starts()
        allowed = 0 if self.old else self.remedy.signals + self.signals_of_others
        assert signals <= allowed, f"{signals} signals: {self.state()}"
        if self.stays_stopped:
            assert starts == self.starts, f"started what a person had stopped: {self.state()}"
        elif not self.may_be_left:
            assert starts <= (2 if self.step == "restart" and not self.old else 1), f"{starts} starts: {self.state()}"

    def nothing_silent(self, daemon, began):
        """All that was begun has an end that was told; all rows have their outcome; a fault has left a line."""
        said = [r for r in daemon.records if r["msg"] in ENDS and r.get("container") in (self.name, None)]
        acting = daemon.find("acting", container=self.name)
        assert len(said) >= len(acting), f"{len(acting)} begun, {len(said)} ended: {self.state()}"
        for row in self.rows():
            assert row["state"] == intents.DONE or row["outcome"], f"no word on its end: {row}\n{self.state()}"
        if self.remedy.signals and not self.old and not self.stays_stopped:
            assert any(row["state"] != intents.DROPPED for row in self.rows() if row["step"] == self.step), \
                f"it was done, and what is written down says that it was not: {self.state()}"
        assert daemon.find(after=began), f"not a word: {self.state()}"
        for record in daemon.records:  # a number of seconds that no clock of this test has
            for number in re.findall(r"(\d{5,}) s\b", record.get("why", "")):
                raise AssertionError(f"{number} s: {self.state()}")

    def nothing_for_ever(self, daemon):
        """Its questions to the engine are those of an idle daemon again: a list and an inspect a minute, and as much for each
        container that somebody makes or starts meanwhile."""
        moment = time.monotonic()
        time.sleep(4)
        asked = self.proxy.since(moment)
        others = [e for e in self.engine.events.seen[-500:] if e["at"] > moment - 2]
        assert len(asked) <= 6 + 2 * len(others), f"{asked}\n{self.state()}"
        code, took = daemon.end()
        assert code == 0 and took < 5, f"exit {code} after {took:.1f} s: {self.state()}"
        self.remedy.after(self.one)
