"""Twenty containers under one daemon, three of them ill at different times, the others at work all the while, and a
restart of the engine in the middle: with --live-restore, where they run on, and without, where all of them end."""

import contextlib
import http.client
import os
import pathlib
import threading
import time
import types
from concurrent.futures import ThreadPoolExecutor

import pytest

import intents
import wait
from bench import HOLD, QUICK, Bench, in_time, outlive_grace
from engine import Engine
from sizes import MIB

HEALTHY, LEAK = 17, 150 * MIB
LIMIT = 512 * MIB  # all have one, so that no-limit is nobody's verdict
STUCK = 2.0  # the hold of stuck-stopping there, by a label
AWAY = 8.0  # seconds without an engine: longer than any hold here, so that a guess would be made by then
BACK, RETRY = 2.0, 2.0  # the daemon takes up a returned engine; what the missing engine held up is begun again
SETTINGS = QUICK | {"leak.threshold": "64M", "leak.threshold_percent": "0", "leak.baseline": "32M",
                    "leak.unreachable_hold": "3s", "leak.unreachable_restart": "6s"}
VERDICTS = {"leaking": "idle-leak", "orphaned": "orphan-runner", "stuck": "stuck-stopping"}
STEPS = {"leaking": "restart", "orphaned": "kill", "stuck": "kill"}
OWN_MEMORY, OWN_CPU = 8 * MIB, 0.05  # of the daemon: RssAnon; cores, for 40 looks and 20 questions a second


class Client(threading.Thread):
    """Works with one container: `keep` stays loaded, `come` is loaded, asked and unloaded again and again."""

    def __init__(self, one):
        super().__init__(daemon=True)
        self.one, self.done, self.failed = one, 0, []  # failed: (when it ended, what was said)
        self.leaving, self.may_go_on, self.waits = threading.Event(), threading.Event(), threading.Event()
        self.may_go_on.set()

    def steps(self):
        asked = {"prompt": "x", "stream": False, "options": {"num_predict": 2}}
        bodies = ({"model": "come"}, {"model": "come"} | asked, {"model": "keep"} | asked, {"model": "come", "keep_alive": 0})
        return [lambda: self.one.get("/api/ps", timeout=10),
                *(lambda body=body: self.one.post("/api/generate", body, timeout=10) for body in bodies)]

    def run(self):
        while not self.leaving.is_set():
            for step in self.steps():
                if not self.may_go_on.is_set():
                    self.waits.set()
                    self.may_go_on.wait()
                    self.waits.clear()
                try:
                    step()
                    self.done += 1
                except (OSError, AssertionError, http.client.HTTPException) as error:
                    self.failed.append((time.monotonic(), repr(error)))
                self.leaving.wait(0.4)

    def end(self):
        self.leaving.set()
        self.may_go_on.set()
        self.join(30)


class Own(threading.Thread):
    """What the daemon itself takes: its RssAnon at most, and its CPU."""

    def __init__(self, pid):
        super().__init__(daemon=True)
        self.path, self.ending, self.rss_anon = pathlib.Path(f"/proc/{pid}"), threading.Event(), 0
        self.sanitized = "libasan" in (self.path / "maps").read_text()
        self.began, self.cpu_before = time.monotonic(), self.cpu()
        self.start()

    def cpu(self):
        times = (self.path / "stat").read_text().rpartition(")")[2].split()
        return (int(times[11]) + int(times[12])) / os.sysconf("SC_CLK_TCK")

    def run(self):
        while not self.ending.wait(0.5) and self.path.exists():
            status = (self.path / "status").read_text()
            self.rss_anon = max(self.rss_anon, int(status.split("RssAnon:")[1].split()[0]) * 1024)

    def end(self):
        self.ending.set()
        self.join()
        return (self.cpu() - self.cpu_before) / (time.monotonic() - self.began)


def life(one):
    """With `keep` as the only model that is loaded."""
    one.load("keep")
    return one.life()


def life_with_keep_alone(one, keep):
    """The same, without other runners than `keep`'s, if that still lives."""
    started, serve, runners = one.life()
    return started, serve, [runner for runner in runners if runner in keep]


def all_of(containers, what):
    with ThreadPoolExecutor(5) as pool:
        return dict(zip(containers, pool.map(what, containers.values())))


def engine_goes(story):
    """And comes back after AWAY. Where the containers ended with it, their clients wait until all answer again."""
    story.down = time.monotonic()
    done = {name: client.done for name, client in story.clients.items()}
    story.engine.leave()
    if story.live:
        fall_stuck(story)
    else:
        for client in story.clients.values():
            client.may_go_on.clear()
        for client in story.clients.values():
            assert client.waits.wait(25)
    story.daemon.wait("engine lost", BACK, after=story.down)
    time.sleep(max(0.0, story.down + AWAY - time.monotonic()))
    began = time.monotonic()
    story.engine.start()
    story.starting, story.up = began, time.monotonic()
    story.meanwhile = {name: client.done - done[name] for name, client in story.clients.items()}
    story.daemon.wait("engine back", BACK + 1, after=story.down)
    if not story.live:
        all_of(story.containers, lambda one: one.wait_until_it_answers())
        story.lives = all_of(story.healthy, life)
        for client in story.clients.values():
            client.may_go_on.set()
    story.answered = time.monotonic()


def fall_stuck(story):
    one = story.containers["stuck"]
    one.set(stuck_unload=1)
    one.post("/api/generate", {"model": "come", "keep_alive": 0})
    story.ill["stuck"] = time.monotonic()


def course(story):
    """What happens, in order."""
    c, daemon = story.containers, story.daemon
    story.ill["leaking"] = c["leaking"].leak(LEAK)
    daemon.wait("healed", in_time() + 15, container="leaking")
    c["leaking"].wait_until_it_answers()
    story.ill["orphaned"] = c["orphaned"].orphan(LEAK)
    engine_goes(story)
    story.nothing_until = story.starting if story.live else time.monotonic() + in_time() + RETRY
    if not story.live:
        time.sleep(in_time() + RETRY)  # the orphan ended with its container: nothing is to be healed
        c["stuck"].load("come")
        fall_stuck(story)
        story.ill["orphaned"] = c["orphaned"].orphan(LEAK)
    for name in ("orphaned", "stuck"):
        daemon.wait("healed", in_time() + 15, after=story.down, container=name)
    time.sleep(in_time() + RETRY)  # what was done twice would be done now


@pytest.fixture(scope="module", params=["live-restore", "all-end"])
def story(request, built):
    live = request.param == "live-restore"
    with contextlib.ExitStack() as ends:
        engine = Engine(options=["--live-restore"] if live else [])
        ends.callback(engine.close)
        bench = Bench(engine.start(), SETTINGS)
        ends.callback(bench.close)

        def make(name):
            labels = {"supervisor.leak.stuck_hold": f"{STUCK:g}s"} if name == "stuck" else {}
            return bench.ollama(name, models="keep=12M,come=12M", restart="always", memory_limit=LIMIT, labels=labels)
        engine.image()
        containers = all_of({n: n for n in [*VERDICTS, *(f"healthy-{i}" for i in range(HEALTHY))]}, make)
        healthy = {n: one for n, one in containers.items() if n not in VERDICTS}
        story = types.SimpleNamespace(live=live, engine=engine, bench=bench, containers=containers, healthy=healthy, ill={})
        story.lives = all_of({n: one for n, one in containers.items() if n != "leaking"}, life)
        containers["stuck"].load("come")
        story.clients = {n: Client(one) for n, one in healthy.items()}
        story.daemon = bench.daemon(*containers.values())
        outlive_grace()
        own = Own(story.daemon.process.pid)
        for client in story.clients.values():
            ends.callback(client.end)
            client.start()
        course(story)
        story.own_cpu, story.own = own.end(), own
        for client in story.clients.values():
            client.end()
        yield story


def raised(story, name):
    return story.daemon.wait("verdict raised", 1, after=story.ill[name] - 1, container=name, verdict=VERDICTS[name])


@pytest.mark.slow
@pytest.mark.parametrize("name", VERDICTS)
def test_ill_one_is_seen_in_time_and_healed_once(story, name):
    hold = STUCK if name == "stuck" else HOLD
    record = raised(story, name)
    took = record.at - story.ill[name]
    print(f"{name}: raised after {took:.1f} s")
    assert float(record["hold_s"]) == hold and took <= in_time(hold), f"{took:.1f} s\n{story.daemon.text(name)}"
    if name != "stuck":
        assert record.at - story.containers[name].leaking_since >= hold
    (healed,) = story.daemon.find("healed", container=name)
    assert healed["step"] == STEPS[name] and healed["verdict"] == VERDICTS[name]
    since = max(record.at, story.up + BACK) if record.at > story.down else record.at
    assert healed.at - since <= RETRY + 6, story.daemon.text(name)
    for msg, count in (("acting", 1), ("remedy dropped", 0)):  # nor was it tried in vain while the engine was away
        assert len(story.daemon.find(msg, container=name)) == count, story.daemon.text(name)


def test_each_deed_is_written_down_once(story):
    ids = {story.containers[name].id: name for name in story.containers}
    done = sorted((ids[row["container"]], row["verdict"], row["step"], row["state"]) for row in intents.rows(story.bench.state))
    assert done == sorted((name, VERDICTS[name], STEPS[name], intents.DONE) for name in VERDICTS)


def test_ill_ones_got_no_more_than_they_needed(story):
    engines = 0 if story.live else 1  # an engine without --live-restore tells all of them to stop
    c = story.containers
    assert {n: one.stop_signals() for n, one in c.items()} == {n: engines + (n == "leaking") for n in c}
    assert c["leaking"].held() < 64 * MIB
    for name in ("orphaned", "stuck"):
        assert c[name].held() < 64 * MIB + LEAK / 2
    if story.live:
        for name in ("orphaned", "stuck"):
            assert c[name].life() == story.lives[name], "more than the ill runner"


def test_nothing_is_done_without_an_engine_nor_to_what_ended_with_it(story):
    for msg in ("acting", "remedy dropped", "would act"):
        assert not [r for r in story.daemon.find(msg, after=story.down) if r.at < story.nothing_until], story.daemon.text()


def test_healthy_ones_are_untouched(story):
    for name, one in story.healthy.items():
        assert life_with_keep_alone(one, story.lives[name][2]) == story.lives[name], name
        assert not story.daemon.find("acting", container=name) and not story.daemon.find("would act", container=name)
    assert not [r for r in story.daemon.records if r.get("container") in story.healthy and r.msg.startswith("verdict")], \
        story.daemon.text()


def test_no_request_failed_but_for_the_engine(story):
    for name, client in story.clients.items():
        assert client.done >= 30, f"{name} was asked {client.done} times"
        bad = [f for f in client.failed if story.live or not story.down <= f[0] <= story.answered]
        assert bad == [], name
        assert not story.live or story.meanwhile[name] >= 5, f"{name} was not asked while the engine was away"


def test_daemon_itself_stays_small(story):
    print(f"RssAnon {story.own.rss_anon / MIB:.1f} MiB, {100 * story.own_cpu:.1f} % of a core")
    assert 0 < story.own_cpu <= OWN_CPU
    assert story.daemon.alive() and (story.own.sanitized or 0 < story.own.rss_anon <= OWN_MEMORY)
    assert story.daemon.foreign == []
