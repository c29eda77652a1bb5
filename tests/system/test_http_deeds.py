"""What is asked for by HTTP is done by the daemon, by the ways of its own remedies."""

import contextlib
import re
import threading
import time

import pytest

import wait
from api import ANYWHERE, READ_TOKEN, TOKEN, Api, follows_its_description
from sizes import MIB


@pytest.fixture
def one(bench):
    return bench.ollama("one", models="tiny=16M,small=48M,huge=600M", memory_limit=400 * MIB, env={"OLLAMA_KEEP_ALIVE": "1h"})


@pytest.fixture
def daemon(bench, one):
    return bench.daemon(one, **{k.replace(".", "__"): v for k, v in ANYWHERE.items()})


@pytest.fixture
def api(daemon):
    return Api(daemon)


@pytest.fixture
def post(api):
    description = api.get("/openapi.json")

    def post(path, body=None, **options):
        answer = api.ask("POST", path, body or {}, timeout=60, **options)
        follows_its_description(description, "POST", path, answer)
        return answer
    return post


def test_load_and_unload(post, one, api, daemon):
    loaded = post("/api/v1/load", {"model": "small"})
    assert loaded.status == 200 and one.loaded() == ["small"], loaded
    result, = loaded.json()["results"]
    assert result["result"] == "done" and result["runner"] > 40 * MIB and loaded.json()["state"] == "done"
    again = post("/api/v1/load", {"model": "small"})
    assert again.status == 200 and "already" in again.json()["results"][0]["text"], again

    unloaded = post("/api/v1/unload", {"model": "small"})
    assert unloaded.status == 200 and one.loaded() == [], unloaded
    result, = unloaded.json()["results"]
    assert result["before"] - result["after"] > 40 * MIB and unloaded.json()["freed"] == result["before"] - result["after"]
    assert post("/api/v1/unload", {"model": "small"}).json()["results"][0]["text"] == "it is not loaded"
    daemon.wait("operation ended", 5, what="unload", failed="0")
    events = wait.until(lambda: [e for e in api.get("/api/v1/events?container=one")["events"] if e["event"] == "healed"], 5, "the event")
    assert events[0]["step"] == "unload"
    assert api.metrics()['supervisor_remedies_total{step="unload",outcome="healed"}'] == 1


def test_flush_unloads_all(post, one):
    one.load("tiny")
    one.load("small")
    wait.until(lambda: len(one.loaded()) == 2, 5, "both")
    time.sleep(1.5)  # the daemon's poll
    flushed = post("/api/v1/flush")
    assert flushed.status == 200 and one.loaded() == []
    assert {r["model"] for r in flushed.json()["results"]} == {"tiny:latest", "small:latest"}


def test_what_does_not_fit_is_refused_with_the_number(post, one):
    refused = post("/api/v1/load", {"model": "huge"})
    assert refused.status == 409 and refused.json()["state"] == "failed" and one.loaded() == []
    result, = refused.json()["results"]
    assert result["result"] == "refused" and result["missing"] > 100 * MIB, result


def test_busy_model_is_told_and_not_interrupted(post, one):
    one.load("small")
    with one.streaming("small") as lines:
        wait.until(lambda: lines, 10, "an answer")
        time.sleep(1.5)
        pending = post("/api/v1/unload", {"model": "small"})
        assert pending.status == 409 and pending.json()["results"][0]["result"] == "pending", pending
        n = len(lines)
        wait.until(lambda: len(lines) > n, 5, "the answer goes on")


def test_client_that_leaves_does_not_undo_it(api, one, daemon):
    connection = api.connection()
    connection.request("POST", "/api/v1/load", '{"model": "small"}', {"Content-Type": "application/json"})
    daemon.wait("operation asked for", 5, what="load")
    connection.close()
    daemon.wait("operation ended", 30, what="load", failed="0")
    assert one.loaded() == ["small"]
    operation, = api.get("/api/v1/operations")
    assert operation["what"] == "load" and operation["state"] == "done" and operation["who"].startswith("127.0.0.1:")


def test_who_does_not_wait_looks_later(post, api, one, bench):
    begun = post("/api/v1/load", {"model": "tiny"}, Prefer="respond-async", token=TOKEN)
    assert begun.status == 202 and begun.json()["state"] == "under-way"
    operation = wait.until(lambda: (o := api.get(f"/api/v1/operations/{begun.json()['id']}"))["state"] != "under-way" and o, 30, "its end")
    assert operation["state"] == "done" and operation["who"] == "me" and one.loaded() == ["tiny"]
    asked = wait.until(lambda: (e := [e for e in api.get("/api/v1/events")["events"] if e["event"].startswith("asked")])[1:] and e, 5, "both")
    assert [(e["event"], e["step"], e["text"][:5]) for e in asked] == [("asked", "load", "by me"), ("asked-ended", "load", "by me")]
    assert "load asked for by the API: by me" in bench.supervisor("events").out
    assert api.ask("GET", "/api/v1/operations/99").status == 404


def test_only_admins_force_by_whatever_path(api, one):
    """The older path takes any member of its body as a hint: `force` is none."""
    refused = api.ask("POST", "/llm/production/memory/load/huge", {"force": True, "priority": "high"}, timeout=60)
    assert refused.status == 409 and refused.json()["results"][0]["result"] == "refused", refused
    assert one.loaded() == [] and not one.inspect()["State"]["OOMKilled"]


def test_what_is_loaded_is_asked_anew(post, one):
    for _ in range(3):  # right behind the daemon's poll, or shortly before it
        one.load("small")
        gone = post("/api/v1/unload", {"model": "small"})
        assert gone.status == 200 and one.loaded() == [] and gone.json()["results"][0]["text"].startswith("unloaded"), gone
        one.load("tiny")
        flushed = post("/api/v1/flush")
        assert flushed.status == 200 and one.loaded() == [] and flushed.json()["freed"] > 0, flushed


def test_idle_ones_go_before_busy_ones_which_are_waited_for(bench):
    busy, idle = ["b1", "b2", "b3", "b4"], ["z1", "z2"]
    many = bench.ollama("many", models=",".join(n + "=16M" for n in idle + busy),
                        env={"OLLAMA_KEEP_ALIVE": "1h", "OLLAMA_MAX_LOADED_MODELS": "8"})
    daemon = bench.daemon(many, **{k.replace(".", "__"): v for k, v in ANYWHERE.items()})
    api = Api(daemon)
    for name in idle + busy:
        many.load(name)
        time.sleep(0.05)
    with contextlib.ExitStack() as stack:
        streams = [stack.enter_context(many.streaming(name)) for name in busy]
        wait.until(lambda: all(streams), 20, "their answers")
        time.sleep(3)
        flushed = api.ask("POST", "/api/v1/flush", {}, timeout=120)
        results = [(r["model"].removesuffix(":latest"), r["result"]) for r in flushed.json()["results"]]
        assert sorted(results[:2]) == [("z1", "done"), ("z2", "done")], results
        assert sorted(results[2:]) == [(n, "pending") for n in busy] and flushed.status == 409, flushed


def test_nobody_locks_the_admin_out(api, one, bench, daemon):
    """Who has no token does the same only once at a time, holds not all that may be open, and erases no admin's deed."""
    root = Api(daemon, path=bench.state / "http.sock")
    one.load("tiny")
    with one.streaming("tiny") as lines:
        wait.until(lambda: lines, 10, "an answer")
        time.sleep(2)
        statuses = [api.ask("POST", "/api/v1/flush", {}, Prefer="respond-async").status for _ in range(3)]
        assert statuses == [202, 429, 429]
        loads = [api.ask("POST", "/api/v1/load", {"model": "none-of-that-name"}, Prefer="respond-async").status for _ in range(20)]
        assert 429 in loads and loads[0] == 202, loads
        assert root.ask("POST", "/api/v1/preload", {}, Prefer="respond-async").status == 202
    wait.until(lambda: not [o for o in api.get("/api/v1/operations") if o["state"] == "under-way"], 60, "their end")
    for _ in range(20):
        api.ask("POST", "/api/v1/preload", {}, timeout=30)
    assert root.ask("POST", "/api/v1/restart", {"container": "one"}, timeout=60).status == 200
    asked = wait.until(lambda: (e := [e for e in api.get("/api/v1/events?limit=1000")["events"] if e.get("step") == "restart"
                                      and e["event"].startswith("asked")])[1:] and e, 10, "both")
    assert all("over the socket" in e["text"] for e in asked)
    daemon.wait("operation ended", 5, what="restart")


def test_restart_needs_the_admin(post, one, api):
    life = one.started_at()
    for options in ({}, {"token": READ_TOKEN}):
        answer = post("/api/v1/restart", {"container": "one"}, **options)
        assert answer.status in (401, 403), answer
    for body in ({"model": "tiny", "force": True},):
        assert post("/api/v1/unload", body).status == 403 and post("/api/v1/load", body).status == 403
    assert api.ask("POST", "/api/v1/unload", {"model": "tiny"}, token=READ_TOKEN).status == 403
    assert one.started_at() == life
    restarted = post("/api/v1/restart", {"container": "one"}, token=TOKEN)
    assert restarted.status == 200 and one.started_at() != life, restarted


def test_container_that_is_removed_ends_its_restart(post, one):
    answers, life = [], one.started_at()
    thread = threading.Thread(target=lambda: answers.append(post("/api/v1/restart", {"container": "one"}, token=TOKEN)))
    thread.start()
    wait.until(lambda: one.started_at() != life, 20, "its new life")
    one.remove()
    thread.join(12)
    assert answers and answers[0].status == 502, answers
    text = answers[0].json()["results"][0]["text"]  # the removal kills it first: a look in between sees that
    assert re.search("removed meanwhile$|has ended or was stopped: it is left so$", text), text


def test_foreign_pages_change_nothing(api, one):
    one.load("tiny")
    for fields in ({"Origin": "http://evil.example"}, {"Sec_Fetch_Site": "cross-site"}, {"Referer": "http://evil.example/x"}):
        assert api.ask("POST", "/api/v1/flush", {}, **fields).status == 403, fields
    assert one.loaded() == ["tiny"]
    assert api.ask("POST", "/api/v1/flush", {}, Origin=f"http://127.0.0.1:{api.port}").status == 200


@pytest.mark.parametrize("path, body, status", [
    ("/api/v1/load", {}, 422), ("/api/v1/load", {"model": ""}, 422), ("/api/v1/load", {"model": 3}, 422),
    ("/api/v1/load", {"model": "x", "keep_alive_s": 0}, 422), ("/api/v1/unload", {"model": "x", "cat": 1}, 422),
    ("/api/v1/flush", {"container": "nobody"}, 404), ("/api/v1/load", {"model": "none-of-that-name"}, 502)])
def test_what_cannot_be_meant(post, path, body, status):
    assert post(path, body).status == status


def test_names_that_are_cut_leave_the_result(post):
    for name in ("ж" * 127, "a" + "ж" * 127, "aa" + "語" * 84):
        result, = post("/api/v1/load", {"model": name}).json()["results"]
        assert result["result"] == "failed" and result["text"]


def test_many_at_once(post, one):
    """Of those that ask for the same at the same time each is answered, and nothing is done twice."""
    answers = []
    threads = [threading.Thread(target=lambda: answers.append(post("/api/v1/load", {"model": "tiny"}))) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    statuses = sorted(a.status for a in answers)
    assert len(statuses) == 20 and set(statuses) <= {200, 429} and statuses.count(200) >= 16, statuses
    assert one.loaded() == ["tiny"]


def test_several_containers(bench, api, one):
    other = bench.ollama("other", models="tiny=16M")
    wait.until(lambda: {c["name"] for c in api.get("/api/v1/world")["containers"]} == {"one", "other"}, 10, "both")
    refused = api.ask("POST", "/api/v1/load", {"model": "tiny"})
    assert refused.status == 422 and "container" in refused.json()["detail"]
    wait.until(lambda: api.ask("POST", "/api/v1/load", {"model": "tiny", "container": "other"}, timeout=60).status == 200, 15, "loaded")
    assert other.loaded() == ["tiny"] and one.loaded() == []
    assert api.ask("POST", "/api/v1/flush", {}, timeout=60).status == 200 and other.loaded() == []
