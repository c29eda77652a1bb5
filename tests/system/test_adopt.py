"""adopt and abandon: a container without a label is healed, because a person said so."""

import fcntl
import json
import os
import shutil
import signal

import pytest

import faults
import intents
import wait
from bench import Bench, in_time, outlive_grace
from sizes import GIB, MIB
from test_whose import shell_image  # noqa: F401

SMALL = {"leak.threshold": "64M", "leak.threshold_percent": "0", "leak.baseline": "32M", "leak.hold": "1s"}
LEAK = 160 * MIB


def row(bench, name):
    state = json.loads(bench.supervisor("status", "--json").out)
    return next(c for c in state["containers"] if c["name"] == name)


def mode(bench, name):
    one = row(bench, name)
    return one["mode"], one["mode_why"]


def test_what_was_only_observed_is_healed_once_adopted(bench, bystander):
    one = bench.ollama("theirs", mode=None)
    bench.settings |= SMALL
    daemon = bench.daemon(one)
    outlive_grace()
    one.leak(LEAK)
    daemon.wait("would act", in_time(), container="theirs")
    assert one.stop_signals() == 0 and mode(bench, "theirs") == ("observe", "found by image")
    done = bench.supervisor("adopt", "theirs")
    assert done.code == 0 and done.out.startswith("theirs: adopted: from now on it is healed") and "supervisor abandon theirs" in done.out, done
    daemon.wait("healed", in_time() + 15, container="theirs")
    assert one.stop_signals() == 1 and mode(bench, "theirs") == ("enforce", "adopted")
    assert "adopted already" in bench.supervisor("adopt", "theirs").out
    assert bench.supervisor("adopt").out == "theirs: adopted, made from ollama/ollama\n"
    kinds = [json.loads(line)["event"] for line in bench.supervisor("events", "theirs", "--json").out.splitlines()]
    assert kinds.count("adopted") == 1, kinds
    bystander.is_untouched()

    # Another daemon on the state directory knows; and what is made anew under the name is the same one.
    assert daemon.end(signal.SIGKILL)[0] == -signal.SIGKILL
    one.remove()
    again = bench.ollama("theirs", mode=None)
    daemon = bench.daemon(again)
    assert daemon.find("supervising", container="theirs")[0]["why"] == "adopted", daemon.text()
    outlive_grace()
    done = bench.supervisor("abandon", "theirs", "--json")
    assert done.code == 0 and [(r["container"], r["result"]) for r in json.loads(done.out)] == [("theirs", "abandoned")], done
    again.leak(LEAK)
    daemon.wait("would act", in_time() + 4, container="theirs")
    assert again.stop_signals() == 0 and mode(bench, "theirs") == ("observe", "found by image")
    done = bench.supervisor("abandon", "theirs")
    assert done.code == 1 and "was not adopted" in done.err, done


def test_of_another_image_it_is_another_one(bench):
    one = bench.ollama("renewed", mode=None)
    state = bench.state / "adopted"
    assert bench.supervisor("adopt", "renewed").code == 0
    assert state.read_text() == "renewed ollama/ollama\n" and state.stat().st_mode & 0o777 == 0o600
    state.write_text("renewed other/ollama\n")
    assert mode(bench, "renewed") == ("observe", "found by image")
    state.write_text("renewed ollama/ollama\nhalf")
    assert mode(bench, "renewed") == ("observe", "found by image; who is adopted cannot be read")
    done = bench.supervisor("adopt", "renewed")
    assert done.code == 1 and str(state) in done.err and state.read_text().endswith("half"), done
    assert one.stop_signals() == 0


@pytest.mark.parametrize("labels, said", [
    ({"supervisor.enable": "false"}, "supervisor.enable says false"), ({"supervisor.enable": "perhaps"}, "supervisor.enable says perhaps"),
    ({"supervisor.mode": "observe"}, "supervisor.mode says observe")])
def test_a_label_is_its_owners_word(bench, labels, said):
    bench.ollama("labelled", mode=None, labels=labels)
    done = bench.supervisor("adopt", "labelled")
    assert done.code == 1 and said in done.err and not (bench.state / "adopted").exists(), done
    bench.state.mkdir(mode=0o700, exist_ok=True)
    (bench.state / "adopted").write_text("labelled ollama/ollama\n")
    (bench.state / "adopted").chmod(0o600)
    state = json.loads(bench.supervisor("status", "--json").out)
    assert [c["mode"] for c in state["containers"] if c["name"] == "labelled"] in ([], ["observe"]), state


def test_the_configuration_wins_and_what_is_not_there_is_said(bench):
    bench.ollama("watched", mode=None)
    done = bench.supervisor("adopt", "watched", supervisor__mode="observe")
    assert done.code == 1 and "mode is observe" in done.err and not (bench.state / "adopted").exists(), done
    done = bench.supervisor("adopt", "watchd")
    assert done.code != 0 and "did you mean watched" in done.err, done
    assert bench.supervisor("adopt").out == "no container is adopted\n"


def test_one_that_only_its_adoption_finds(engine, built):
    """Its image is no known one: without the name nobody would look at it."""
    bench = Bench(engine, settings=None)
    bench.settings |= {"docker.image": "found-by-nothing"} | SMALL
    try:
        one = bench.ollama("unseen", mode=None, memory_limit=GIB)
        daemon = bench.daemon()
        assert not daemon.find("supervising", container="unseen")
        assert bench.supervisor("adopt", "unseen").code == 0
        daemon.wait("supervising", 10, container="unseen")
        outlive_grace()
        one.leak(LEAK)
        daemon.wait("healed", in_time() + 15, container="unseen")
        assert one.stop_signals() == 1
    finally:
        bench.close()


@pytest.mark.skipif(not shutil.which("gdb"), reason="this machine lacks gdb")
def test_after_abandon_nothing_is_begun_and_what_was_begun_is_told(bench):
    """It is abandoned after the last look at it and before the intent; then after the intent and before the deed."""
    one = bench.ollama("left", mode=None)
    bench.settings |= SMALL
    assert bench.supervisor("adopt", "left").code == 0
    daemon = bench.daemon(one)
    outlive_grace()
    stopper = faults.stop_at(daemon, "commit", "left", "restart", bench.directory)
    try:
        one.leak(LEAK)
        stopper.wait(40, daemon.text)
        done = bench.supervisor("abandon", "left")
        assert done.code == 0 and done.out == "left: abandoned: from now on it is only observed\n", done
        stopper.go()
    finally:
        stopper.close()
    daemon.wait("remedy dropped", 5, container="left", why="it is adopted no longer")
    wait.until(lambda: mode(bench, "left") == ("observe", "found by image"), 5, daemon.text)
    assert not daemon.find("acting", container="left") and one.stop_signals() == 0, daemon.text()
    assert [row["state"] for row in intents.rows(bench.state)] == [intents.DROPPED]

    stopper = faults.stop_at(daemon, "deed", "left", "restart", bench.directory)
    try:
        assert bench.supervisor("adopt", "left").code == 0
        stopper.wait(40, daemon.text)
        done = bench.supervisor("abandon", "left")
        assert done.code == 0 and done.out.endswith("only observed; what was begun before is followed to its end: restart\n"), done
        stopper.go()
    finally:
        stopper.close()
    daemon.wait("healed", 30, container="left")
    assert one.stop_signals() == 1 and len(daemon.find("acting", container="left")) == 1, daemon.text()


def test_nobody_can_hang_it_and_no_bad_database_keeps_it(bench):
    """No container is needed, and by name no engine."""
    state = bench.state
    state.mkdir(mode=0o755)
    (state / "adopted").write_text("a ollama/ollama\nb ollama/ollama\n")
    (state / "adopted").chmod(0o600)
    (state / "supervisor.db").write_bytes(os.urandom(64 << 10))
    anybodys = os.open(state, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(anybodys, fcntl.LOCK_EX)
        done = bench.supervisor("adopt", timeout=10)
        assert done.code == 0 and done.out == "a: adopted, made from ollama/ollama\nb: adopted, made from ollama/ollama\n", done
        done = bench.supervisor("--host", "unix:///nowhere.sock", "abandon", "a", timeout=10)
        assert done.code == 0 and "a: abandoned: from now on it is only observed; what was begun before cannot be read" in done.out, done
        assert (state / "adopted").read_text() == "b ollama/ollama\n"
    finally:
        os.close(anybodys)
    with open(state / "locks" / "adopted.lock", "w", opener=lambda path, flags: os.open(path, flags, 0o600)) as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert bench.supervisor("adopt").out == "b: adopted, made from ollama/ollama\n"
        done = bench.supervisor("abandon", "b", timeout=20)
        assert done.code == 1 and "who is adopted is being changed by another supervisor" in done.err and done.took > 4, done
    assert (state / "adopted").read_text() == "b ollama/ollama\n"


def test_what_is_no_ollama_is_taken_by_force_alone_and_an_id_is_as_good_as_a_name(bench, shell_image):
    bench.engine.api.call("POST", f"/images/{shell_image}/tag", query={"repo": "mydb", "tag": "1"})
    one = bench.ollama("database", mode=None, answers=False, image="mydb:1", memory_limit=GIB,
                       body={"Entrypoint": ["/bin/sh", "-c", "trap : TERM; while :; do sleep 1; done"]})
    done = bench.supervisor("adopt", "database")
    assert done.code == 1 and "no Ollama answers in it" in done.err and "mydb:1" in done.err and "adopt --force database" in done.err, done
    assert bench.supervisor("adopt").out == "no container is adopted\n"
    done = bench.supervisor("adopt", "--force", one.id[:12])
    assert done.code == 0 and done.out.startswith("database: adopted"), done
    assert "adopted already" in bench.supervisor("adopt", "database").out
    done = bench.supervisor("abandon", "0" * 12)
    assert done.code == 1 and "was not adopted" in done.err, done
    bench.engine.api.call("POST", f"/containers/{one.id}/kill")
    done = bench.supervisor("abandon", one.id[:12])
    assert done.code == 0 and done.out == "database: abandoned: from now on it is only observed\n", done
    assert bench.supervisor("adopt").out == "no container is adopted\n"
