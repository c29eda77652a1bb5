"""record and replay: what was judged live is judged again, offline, from the recording."""

import json
import time

import pytest

import program
from bench import HOLD, INTERVAL, in_time, outlive_grace
from engine import ROOT
from sizes import GIB, MIB

RECORDINGS = sorted((ROOT / "tests/recordings/memory").glob("*.jsonl"))
BITE = ["--set", "leak.hold=1s", "--set", "leak.threshold=32M", "--set", "leak.threshold_percent=0"]
# They have no received bytes, which is unknown and so no leak: without that rule they must stand on their own.
BITE_HARDER = [*BITE, "--set", "leak.busy_received=0", "--set", "leak.orphan_hold=1s", "--set", "leak.grace=0s",
               "--set", "leak.baseline=0"]


def replay(path, *options):
    """The lines of a replay, as dictionaries."""
    done = program.run(*options, "replay", path)
    assert done.code == 0, done
    return [json.loads(line) for line in done.out.splitlines()]


def test_there_are_recordings():
    assert len(RECORDINGS) >= 17


@pytest.mark.parametrize("options", [[], BITE, BITE_HARDER], ids=["as-it-is", "biting", "biting-harder"])
@pytest.mark.parametrize("path", RECORDINGS, ids=lambda p: p.stem)
def test_nothing_in_the_recordings_of_real_servers_is_acted_on(path, options):
    lines = replay(path, *options)
    assert [line for line in lines if "action" in line] == []


def a_leak(seconds, leaked=2 * GIB, quiet_s=40):
    """A real idle server's world, again and again, with a leak after `quiet_s`: worlds as JSON lines."""
    with open(RECORDINGS[0].parent / "ollama-0.33-two-models.jsonl") as file:
        first = json.loads(file.readline())
    lines = []
    for step in range(seconds):
        world = json.loads(json.dumps(first))
        wall = time.gmtime(1795232907 + step)
        world |= {"time": time.strftime("%Y-%m-%dT%H:%M:%S.296Z", wall), "monotonic": first["monotonic"] + step}
        container = world["containers"][0]
        container["received"] = 4096  # what they lack
        if step >= quiet_s:
            container["cgroup"]["anon"] += leaked
            container["cgroup"]["usage"] += leaked
            container["processes"][0]["rss_anon"] += leaked
        lines.append(json.dumps(world))
    return lines


def test_leak_in_a_recording_is_raised_after_its_hold_and_acted_on(tmp_path):
    path = tmp_path / "leak.jsonl"
    path.write_text("\n".join(a_leak(115)) + "\n")
    lines = replay(path)
    begun = json.loads(path.read_text().splitlines()[40])["monotonic"]
    raised = [line for line in lines if line.get("verdict") == "idle-leak" and line["state"] == "raised"]
    assert len(raised) == 1
    assert 60 <= raised[0]["monotonic"] - begun <= 60 + 2 * 1 + 2
    assert raised[0]["remedy"] == "restart" and raised[0]["evidence"]["held"] >= 2 * GIB
    action = next(line for line in lines if "action" in line)
    assert (action["container"], action["action"], action["why"]) == ("ollama", "restart", "idle-leak")
    longer = replay(path, "--set", "leak.hold=90s")
    assert [line for line in longer if line.get("verdict") == "idle-leak"] == []


def test_gap_in_a_recording_restarts_the_hold(tmp_path):
    lines = a_leak(115)
    del lines[80:85]
    path = tmp_path / "gap.jsonl"
    path.write_text("\n".join(lines) + "\n")
    assert [line for line in replay(path) if "action" in line] == []


def test_replay_is_the_same_every_time(tmp_path):
    path = tmp_path / "leak.jsonl"
    path.write_text("\n".join(a_leak(115)) + "\n")
    assert replay(path) == replay(path)


def test_recording_of_a_live_run_gives_the_same_verdicts(bench, tmp_path):
    """A daemon that only tells, so that what it saw stays to be seen by the recorder."""
    bench.settings |= {"leak.threshold": "128M", "leak.threshold_percent": "0", "leak.baseline": "64M"}
    c = {name: bench.ollama(name, mode=mode) for name, mode in
         (("leaking", "enforce"), ("orphaned", "enforce"), ("seen", "observe"), ("healthy", "enforce"))}
    path = tmp_path / "live.jsonl"
    recorder = program.Daemon(bench.options(), command=["record", "-o", path])
    time.sleep(INTERVAL / 2)  # else each would see the other's question to Ollama, asked in the same moment
    daemon = bench.daemon(*c.values(), env={"SUPERVISOR_MODE": "observe"})
    try:
        outlive_grace()
        c["leaking"].leak(300 * MIB)
        c["seen"].leak(300 * MIB)
        c["orphaned"].orphan(300 * MIB)
        for name in ("leaking", "orphaned", "seen"):
            daemon.wait("would act", in_time() + 5, container=name)
        time.sleep(HOLD)
    finally:
        recorder.end(15)
    lines = replay(path, "-c", bench.configure())
    replayed = {(v["container"], v["verdict"]): v for v in lines if v.get("state") == "raised"}
    live = {(r["container"], r["verdict"]): r for r in daemon.find("verdict raised")}
    assert sorted(replayed) == sorted(live)
    for subject, record in live.items():
        assert abs(replayed[subject]["since"] - float(record["since"])) < 1.5, subject
    acted = {(a["container"], a["action"]) for a in lines if "action" in a}
    assert ("leaking", "restart") in acted
    assert {container for container, _ in acted} == {"leaking", "orphaned"}
