"""`supervisor fix-ollama`: audits, heals as far as needed, verifies, and says what it did."""

import json
import re
import socket
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from bench import outlive_grace
from ollama import PORT
from sizes import GIB, MIB

SMALL = {"leak.threshold": "128M", "leak.threshold_percent": "0", "leak.baseline": "64M"}


@pytest.fixture
def fix(bench):
    bench.settings |= SMALL
    return lambda *arguments, **more: bench.supervisor("fix-ollama", *arguments, **more)


def untouched(one, started):
    return one.started_at() == started and one.stop_signals() == 0


def test_healthy_container(bench, fix):
    one = bench.ollama("healthy", models="small=200M")
    one.load("small")
    outlive_grace()
    started = one.started_at()
    done = fix("healthy")
    assert done.code == 0 and "nothing to heal" in done.out, done
    assert untouched(one, started) and one.loaded() == ["small"]


def test_leak_is_healed_with_its_numbers(bench, fix):
    one = bench.ollama("leaky")
    outlive_grace()
    one.leak(2 * GIB)
    started = one.started_at()

    dry = fix("leaky", "--dry-run")
    assert "idle-leak" in dry.out and "restart" in dry.out, dry
    assert untouched(one, started), dry

    done = fix("leaky")
    assert done.code == 0, done
    assert one.started_at() != started and one.stop_signals() == 1
    assert one.held() < 100 * MIB
    assert "idle-leak" in done.out and "%" in done.out, done
    assert re.search(r"2\.\d+ (GiB|GB)", done.out) and re.search(r"\d+(\.\d+)? (MiB|MB|KiB)", done.out), done
    assert 5 <= done.took < 25, done
    again = fix("leaky")
    assert again.code == 0 and "nothing to heal" in again.out, again


def test_server_that_has_just_started_is_waited_for(bench, fix):
    """Its grace is longer than the command watches otherwise (hold and 12 s)."""
    bench.settings |= {"leak.grace": "25s"}
    one = bench.ollama("young")
    one.leak(300 * MIB)
    started = one.started_at()
    done = fix("young")
    assert done.code == 0 and "idle-leak" in done.out, done
    assert one.started_at() != started and one.stop_signals() == 1, done
    assert 25 < done.took < 50, done


def test_hold_option_and_no_name(bench, fix):
    """Without a name: the enforce containers; the others are told with the command that would do it."""
    one = bench.ollama("mine")
    other = bench.ollama("theirs", mode=None)
    outlive_grace()
    one.leak(300 * MIB)
    other.leak(300 * MIB)
    started = other.started_at()
    done = fix("--hold", "7s")
    assert done.code == 0 and done.took >= 7, done
    assert one.stop_signals() == 1 and one.held() < 100 * MIB
    assert untouched(other, started)
    assert "fix-ollama theirs" in done.out + done.err, done
    named = fix("theirs")
    assert named.code == 0 and other.stop_signals() == 1, named  # named is the person's word


def test_only_ollama_there_is(bench, fix):
    one = bench.ollama("only", mode=None)
    outlive_grace()
    one.leak(300 * MIB)
    done = fix()
    assert done.code == 0 and one.stop_signals() == 1, done


def test_leak_in_a_busy_container(bench, fix):
    one = bench.ollama("busy")
    outlive_grace()
    one.leak(300 * MIB)
    started = one.started_at()
    with one.inbound():
        time.sleep(1)
        done = fix("busy")
        assert done.code == 1 and "busy" in done.out + done.err, done
    assert untouched(one, started)


def test_request_under_way_is_nothing_to_heal(bench, fix):
    one = bench.ollama("streaming", models="small=300M")
    one.load("small")
    started = one.started_at()
    with one.streaming("small"):
        time.sleep(1)
        done = fix("streaming")
        assert done.code == 0 and "nothing to heal" in done.out, done
    assert untouched(one, started) and one.loaded() == ["small"]


def test_force_overrides_a_foreign_connection(bench, fix):
    one = bench.ollama("pooled")
    outlive_grace()
    one.leak(300 * MIB)
    started = one.started_at()
    with socket.create_connection((one.address, PORT)):
        done = fix("pooled")
        assert done.code == 1 and "--force" in done.out + done.err, done
        assert untouched(one, started)
        forced = fix("pooled", "--force")
        assert forced.code == 0 and one.stop_signals() == 1, forced


def test_json(bench, fix):
    one = bench.ollama("machine-read")
    outlive_grace()
    healthy = fix("machine-read", "--json")
    assert healthy.code == 0 and json.loads(healthy.out), healthy
    one.leak(300 * MIB)
    done = fix("machine-read", "--json")
    assert done.code == 0 and one.stop_signals() == 1, done
    said = json.dumps(json.loads(done.out))
    assert "idle-leak" in said and "restart" in said


def test_orphan_dies_alone(bench, fix):
    one = bench.ollama("orphaned")
    outlive_grace()
    one.orphan(300 * MIB)
    started = one.started_at()
    done = fix("orphaned", leak__orphan_hold="5s", timeout=90)
    assert done.code == 0 and "orphan-runner" in done.out, done
    assert untouched(one, started) and one.runners() == [] and one.held() < 100 * MIB


def test_model_that_stops_meanwhile_and_an_orphan(bench, fix):
    """It is there for the orphan, and sees the other model's time end: that has a hold of its own."""
    one = bench.ollama("two", models="big=100M")
    one.load("big")
    one.set(stuck_unload=1)
    outlive_grace()
    one.orphan(60 * MIB)
    started = one.started_at()
    with ThreadPoolExecutor(1) as pool:
        fixing = pool.submit(fix, "two", leak__orphan_hold="25s", leak__stuck_hold="4s", timeout=120)
        time.sleep(3)
        one.post("/api/generate", {"model": "big", "keep_alive": 0})
        done = fixing.result()
    assert done.code == 0 and re.search("stuck-stopping.*orphan-runner", done.out, re.DOTALL), done
    assert untouched(one, started) and one.runners() == [] and one.held() < 60 * MIB


def test_orphan_that_a_client_may_wait_for_is_no_healthy_container(bench, fix):
    """Also where as many models are listed as runners live, because one model has none."""
    one = bench.ollama("waited-for", version="0.24", models="big=40M")
    one.load("big")
    one.orphan(60 * MIB)
    one.ghost("big")
    started = one.started_at()
    outlive_grace()
    with socket.create_connection((one.address, PORT), 5):
        done = fix("waited-for", leak__orphan_hold="4s")
    assert done.code == 1 and "stands still while a client waits" in done.err, done
    assert untouched(one, started) and len(one.runners()) == 1


@pytest.mark.parametrize("arguments", [[], ["--force"]])
def test_unreachable_ollama_is_unknown(bench, fix, arguments):
    one = bench.ollama("mute")
    outlive_grace()
    one.leak(300 * MIB)
    one.set(hang=True)
    started = one.started_at()
    done = fix("mute", *arguments)
    assert done.code == 1 and "does not answer" in done.out + done.err, done
    assert untouched(one, started), done
    assert "--force" not in done.out + done.err, f"advises what does not help\n{done}"


def test_beside_a_daemon_only_one_restarts(bench, fix):
    one = bench.ollama("shared", env={"SIMOLLAMA_STOP_DELAY_MS": 2000})
    daemon = bench.daemon(one, leak__hold="5s")
    outlive_grace()
    one.leak(300 * MIB)
    done = fix("shared", "--hold", "5s")  # both come to their verdict at the same moment
    assert done.code in (0, 1), done
    daemon.wait("verdict cleared", 20, container="shared", verdict="idle-leak")
    time.sleep(3)
    assert one.stop_signals() == 1 and one.starts() == 2, f"{done}\n{daemon.text()}"
