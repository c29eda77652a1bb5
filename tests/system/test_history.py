"""What happened is remembered: events, samples, learned footprints; without harm to anything else."""

import contextlib
import json
import os
import signal
import sqlite3
import subprocess
import time

import pytest

import intents
import program
import wait
from bench import QUICK, Bench, in_time, outlive_grace
from sizes import MIB
from test_crash import fill, tiny_disk

LOW = {"supervisor.leak.threshold": "64M", "supervisor.leak.threshold_percent": "0", "supervisor.leak.baseline": "32M"}
LEAK = 160 * MIB


def events(bench, *arguments):
    """What `supervisor events --json` says, as dictionaries."""
    done = bench.supervisor("events", "--json", *arguments)
    assert done.code == 0, done
    found = [json.loads(line) for line in done.out.splitlines()]
    return [e for e in found if e.get("verdict") != "no-limit"]  # true of all of these containers


def rows(state, sql, *values):
    with contextlib.closing(sqlite3.connect(f"file:{state}/history.db?mode=ro", uri=True, timeout=5)) as db:
        return db.execute(sql, values).fetchall()


def heal(bench, one, daemon):
    outlive_grace()
    leaked = one.leak(LEAK)
    daemon.wait("healed", in_time() + 20, after=leaked, container=one.name)


def test_healed_leak_is_told_afterwards(bench):
    one = bench.ollama("told", labels=LOW)
    other = bench.ollama("bystander", labels=LOW)
    daemon = bench.daemon(one, other)
    heal(bench, one, daemon)
    wait.until(lambda: "healed" in [e["event"] for e in events(bench, "told")], 5, "the last event is written")
    before_death = events(bench, "told")
    daemon.end(signal.SIGKILL)
    kinds = [e["event"] for e in before_death]
    assert kinds[0] == "found"
    order = [kinds.index(k) for k in ("raised", "acting", "died", "cleared", "started", "healed")]
    assert order == sorted(order), kinds
    raised, healed = (next(e for e in before_death if e["event"] == k) for k in ("raised", "healed"))
    assert raised["verdict"] == "idle-leak" and raised["numbers"]["held"] >= LEAK
    assert healed["step"] == "restart" and healed["numbers"]["before"] >= LEAK
    assert healed["numbers"]["after"] < 100 * MIB and healed["numbers"]["took_s"] > 0
    assert healed["container_id"] == one.id
    assert [e["id"] for e in before_death] == sorted(e["id"] for e in before_death)
    assert not [e for e in events(bench, "bystander") if e["event"] not in ("found",)]
    assert events(bench, "told") == before_death, "the daemon's death changed what is remembered"

    second = bench.daemon(one)  # remembers on
    second.end()
    after = events(bench)
    assert [e["event"] for e in after].count("supervisor-started") == 2
    assert [e["event"] for e in after].count("supervisor-ended") == 1, "the killed one could not say so"
    assert [e for e in after if e["id"] <= before_death[-1]["id"] and e.get("container") == "told"] == before_death


def test_table_and_filters(bench):
    one = bench.ollama("a-name-that-is-longer-than-its-column", labels=LOW)
    daemon = bench.daemon(one)
    heal(bench, one, daemon)
    began = time.time()
    one.remove()
    daemon.wait("container gone", 10)
    daemon.end()
    text = bench.supervisor("events")
    assert text.code == 0 and text.err == "", text
    lines = text.out.splitlines()
    assert lines[0].split() == ["TIME", "CONTAINER", "WHAT"]
    assert max(map(len, lines)) <= 80, text
    for words in ("idle-leak raised", "healed by restart", "MiB ->", "was removed", "supervisor started"):
        assert words in text.out, f"{words}\n{text}"
    assert len(bench.supervisor("events", "--limit", "3").out.splitlines()) > 3
    by_id = events(bench, one.id[:12])
    assert by_id and {e["container"] for e in by_id} == {one.name}
    late = events(bench, "--since", time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(began)))
    assert "gone" in [e["event"] for e in late] and "found" not in [e["event"] for e in late]
    assert events(bench, "--since", "1h") == events(bench)
    assert "nothing happened to nobody" in bench.supervisor("events", "nobody").out
    for bad in (("--since", "yesterday"), ("--limit", "0"), ("--limit", "many")):
        refused = bench.supervisor("events", *bad)
        assert refused.code == 2 and bad[1] in refused.err and len(refused.err.splitlines()) == 1, refused


def test_without_history_engine_or_daemon(bench):
    none = bench.supervisor("events", "--host", "unix:///nowhere/docker.sock")
    assert none.code == 0 and "there is no history" in none.out and len(none.out.splitlines()) == 1, none
    none = bench.supervisor("events", "--json")
    assert none.code == 0 and none.out == "" and "there is no history" in none.err, none


def test_follow_shows_what_comes(bench):
    one = bench.ollama("followed", labels=LOW)
    daemon = bench.daemon(one)
    follower = subprocess.Popen([program.PROGRAM, *map(str, bench.options()), "events", "--json", "--follow"],
                                stdout=subprocess.PIPE, text=True, env=program.environment())
    try:
        assert json.loads(follower.stdout.readline())["event"] == "supervisor-started"
        one.engine.api.call("POST", f"/containers/{one.id}/kill")
        daemon.wait("container died", 10)
        seen = []
        while "died" not in seen:
            seen.append(json.loads(follower.stdout.readline())["event"])
        assert seen[0] == "found" and set(seen) <= {"found", "raised", "ollama-lost", "died"}, seen
    finally:
        follower.terminate()
        follower.wait(5)
        follower.stdout.close()


def test_samples_and_footprints(bench):
    one = bench.ollama("sampled", labels=LOW, models="tiny=64M", env={"OLLAMA_KV_CACHE_TYPE": "q8_0", "OLLAMA_NUM_PARALLEL": "2"})
    daemon = bench.daemon(one)
    one.load("tiny")
    time.sleep(8)
    one.generate("tiny", tokens=50)
    time.sleep(2)
    daemon.end()  # a clean end writes what is there
    seconds = rows(bench.state, "SELECT held, page_cache, memory_limit, models, cpu, boottime_s FROM seconds ORDER BY id")
    assert 8 <= len(seconds) <= 14, seconds
    assert max(row[0] for row in seconds) >= 64 * MIB and max(row[3] for row in seconds) >= 64 * MIB
    steps = [b[5] - a[5] for a, b in zip(seconds, seconds[1:])]
    assert all(0.4 <= step <= 2.5 for step in steps), steps
    minutes = rows(bench.state, "SELECT samples, held, held_max, models_max FROM minutes")
    assert len(minutes) == 1 and minutes[0][0] == len(seconds)
    assert minutes[0][2] == max(row[0] for row in seconds) and minutes[0][1] <= minutes[0][2]
    footprint = rows(bench.state, "SELECT model, context, parallel, kv_type, held, seen FROM footprints")
    assert len(footprint) == 1, footprint
    model, _, parallel, kv_type, held, seen = footprint[0]
    assert model.startswith("tiny") and parallel == 2 and kv_type == "q8_0" and held >= 64 * MIB and seen == 1
    assert rows(bench.state, "SELECT loads FROM uses") == [(1,)]
    second = bench.daemon(one)  # finds the same runner: no second load
    time.sleep(3)
    second.end()
    assert rows(bench.state, "SELECT loads FROM uses") == [(1,)]


def test_full_disk_stops_the_history_alone(engine, built):
    bench = Bench(engine, QUICK | {"leak.hold": "2s"}, label="historyfull.enable")
    try:
        with tiny_disk(bench.directory / "tiny", "16M") as disk:
            bench.state = disk / "state"
            one = bench.ollama("full", labels=LOW)
            daemon = bench.daemon(one)
            wait.until(lambda: [e["event"] for e in events(bench)][-1:] == ["found"], 5, "the first events")
            outlive_grace()  # the room for intents is taken
            fill(disk)
            started = one.started_at()
            heal(bench, one, daemon)  # its intent had room set aside
            assert one.started_at() != started and len(intents.rows(bench.state, "restart")) == 1
            assert len(daemon.find("history not written")) == 1, daemon.text()
            assert not daemon.find("history written again")
            os.unlink(disk / "ballast")
            daemon.wait("history written again", 15)
            told = wait.until(lambda: (k := [e["event"] for e in events(bench, "full")]) and "healed" in k and k, 5, "what came meanwhile")
            assert [k for k in told if k in ("raised", "acting", "healed")] == ["raised", "acting", "healed"], told
            daemon.end()
    finally:
        bench.close()


def test_corrupt_history_is_set_aside(bench):
    one = bench.ollama("spoilt", labels=LOW)
    bench.daemon(one).end()
    assert events(bench)
    with open(bench.state / "history.db", "r+b") as file:
        file.write(os.urandom(4096))
    (bench.state / "history.db-wal").unlink()
    told = bench.supervisor("events")
    assert told.code == 3 and "it is corrupt" in told.err and len(told.err.splitlines()) == 1, told
    daemon = bench.daemon(one)
    daemon.wait("history begun anew", 5)
    wait.until(lambda: "found" in [e["event"] for e in events(bench)], 5, "a new history")
    assert list(bench.state.glob("history.db.corrupt-*Z"))
    heal(bench, one, daemon)
    daemon.end()


def test_what_commands_do_is_remembered(bench):
    one = bench.ollama("by-hand", models="tiny=64M")
    one.load("tiny")
    done = bench.supervisor("unload", "tiny")
    assert done.code == 0, done
    kinds = [(e["event"], e["step"]) for e in events(bench)]
    assert kinds == [("acting", "unload"), ("healed", "unload")], kinds
    assert events(bench)[1]["numbers"]["before"] > events(bench)[1]["numbers"]["after"]


@pytest.mark.slow
def test_samples_go_when_they_are_old(bench):
    """Seconds that are older than they may be go with the next minute's write."""
    one = bench.ollama("thinned", labels=LOW)
    daemon = bench.daemon(one, history__keep_samples="5s")
    time.sleep(64)
    daemon.end()
    seconds = rows(bench.state, "SELECT min(boottime_s), max(boottime_s), count(*) FROM seconds")[0]
    assert seconds[1] - seconds[0] <= 6 and seconds[2] >= 3, seconds
    minutes = [n for n, in rows(bench.state, "SELECT samples FROM minutes")]
    assert len(minutes) == 2 and minutes[0] >= 50, minutes
