"""`supervisor explain`: the ledger adds up to what is held; verdicts, and what was ruled out."""

import json
import socket
import threading
import time

import pytest

import memory
from bench import in_time, outlive_grace
from sizes import GIB, MIB


def explain(bench, *arguments):
    done = bench.supervisor("explain", "--json", *arguments)
    assert done.code == 0 and len(done.out.splitlines()) == 1, done
    return json.loads(done.out)


def parts(one, name):
    return [p for p in one["ledger"] if p["part"] == name]


def total(one):
    return sum(p["bytes"] for p in one["ledger"] if p["held"])


def answer_once(listener, text):
    with listener.accept()[0] as asked:
        asked.sendall(text)


@pytest.fixture
def loaded(bench):
    one = bench.ollama("loaded", models="small=300M:64M", memory_limit=2 * GIB,
                       env={"LLAMA_ARG_CACHE_RAM": "128", "OLLAMA_NUM_PARALLEL": "2"})
    one.load("small")
    return one


def test_parts_add_up_to_what_is_held(bench, loaded):
    said = explain(bench)
    assert said["source"] == "look"
    one = said["containers"][0]
    assert one["name"] == "loaded" and one["limit"] == 2 * GIB
    assert total(one) == one["held"]
    assert abs(one["held"] - loaded.held()) < 4 * MIB
    weights, cache = parts(one, "weights")[0], parts(one, "prompt-cache")[0]
    assert weights["model"].startswith("small") and weights["pid"] in loaded.runners()
    assert cache["from"] == "estimate" and cache["bound"] == 128 * MIB and 0 <= cache["bytes"] <= 128 * MIB
    of_runner = sum(p["bytes"] for p in one["ledger"] if p["held"] and p.get("pid") == weights["pid"])
    status = open(f"/proc/{weights['pid']}/status").read()
    anon = int(status.split("RssAnon:")[1].split()[0]) * 1024
    assert abs(of_runner - anon) < 4 * MIB
    assert abs(parts(one, "residual")[0]["bytes"]) < 8 * MIB
    assert parts(one, "server")[0]["from"] == "/proc"
    assert abs(parts(one, "page-cache")[0]["bytes"] - memory.page_cache(loaded.id)) < 4 * MIB
    why = {r["verdict"]: r["why"] for r in one["ruled_out"]}
    assert why["idle-leak"] == "a model is loaded"
    assert why["orphan-runner"] == "every runner is one of a listed model"
    assert "answers" in why["unreachable"]
    assert why["no-limit"] == "it has a limit of 2.0 GiB"
    standing = {v["verdict"] for v in one["verdicts"]}
    assert len(standing | set(why)) >= 20 and not standing & set(why)


def test_text_fits_eighty_columns(bench, loaded):
    text = bench.supervisor("explain", "loaded")
    assert text.code == 0 and text.err == "", text
    assert max(map(len, text.out.splitlines())) <= 80, text
    for words in ("weights", "small", "= held", "page-cache", "ruled out", "idle-leak", "/proc", "cgroup"):
        assert words in text.out, f"{words}\n{text}"


def test_leak_is_the_servers_own_and_a_daemon_knows_more(bench):
    one = bench.ollama("leaky", mode="observe", labels={"supervisor.leak.threshold": "128M", "supervisor.leak.baseline": "64M"})
    daemon = bench.daemon(one)
    outlive_grace()
    one.leak(300 * MIB)
    daemon.wait("verdict raised", in_time() + 5, container="leaky", verdict="idle-leak")
    said = explain(bench, "leaky")
    assert said["source"] == "daemon"
    one_said = said["containers"][0]
    assert total(one_said) == one_said["held"]
    assert parts(one_said, "server")[0]["bytes"] >= 300 * MIB
    verdicts = {v["verdict"]: v for v in one_said["verdicts"]}
    assert verdicts["idle-leak"]["state"] == "raised" and verdicts["idle-leak"]["evidence"]["serve"] >= 300 * MIB
    assert "idle-leak" not in {r["verdict"] for r in one_said["ruled_out"]}


def test_beside_a_daemon_that_does_not_say_what_it_ruled_out(bench):
    """An older one: that is unknown then, and no word that the container does not run."""
    one = bench.ollama("told-less")
    daemon = bench.daemon(one)
    daemon.wait("first look", 10)
    with socket.socket(socket.AF_UNIX) as asked:
        asked.connect(str(bench.state / "supervisor.sock"))
        state = json.loads(b"".join(iter(lambda: asked.recv(1 << 20), b"")))
    daemon.end()
    assert state["containers"][0].pop("ruled_out")
    with socket.socket(socket.AF_UNIX) as older:
        older.bind(str(bench.state / "supervisor.sock"))
        older.listen()
        threading.Thread(target=answer_once, args=(older, json.dumps(state).encode() + b"\n"), daemon=True).start()
        said = bench.supervisor("explain", "told-less")
    assert said.code == 0 and "unknown: the daemon is an older one" in said.out and "does not run" not in said.out, said


def test_what_was_learned_is_shown(bench):
    one = bench.ollama("learned", models="tiny=64M")
    daemon = bench.daemon(one)
    one.load("tiny")
    time.sleep(4)
    daemon.end()
    learned = parts(explain(bench)["containers"][0], "learned")
    assert len(learned) == 1 and learned[0]["seen"] == 1 and learned[0]["bytes"] >= 64 * MIB, learned
    assert "within the last hour it held" in bench.supervisor("explain").out


def test_orphan_is_a_part_of_its_own(bench):
    one = bench.ollama("orphaned", mode="observe")
    one.orphan(200 * MIB)
    said = explain(bench)["containers"][0]
    orphan = parts(said, "runner")[0]
    assert orphan["bytes"] >= 200 * MIB and orphan["pid"] in one.runners()
    assert total(said) == said["held"]


def test_unknown_container_is_refused(bench, loaded):
    refused = bench.supervisor("explain", "laoded")
    assert refused.code == 2 and "did you mean loaded?" in refused.err and len(refused.err.splitlines()) == 1, refused
