"""scripts/up in the emulated machine: the Compose file, the supervisor inside its container, cgroup v2."""

import os
import subprocess
import time

import intents
import wait
from engine import ROOT
from ollama import Ollama
from sizes import GIB, MIB

STATE = "/data/compose-state"


def script(name, engine):
    variables = {k: v for k, v in os.environ.items() if not k.startswith("SUPERVISOR_")}
    variables |= {"DOCKER_HOST": engine.url, "OLLAMA_IMAGE": "supervisor-standin:latest", "OLLAMA_MEMORY": "3g",
                  "SUPERVISOR_STATE": STATE}
    done = subprocess.run([ROOT / "scripts" / name], env=variables, stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, timeout=600, check=False)
    assert done.returncode == 0, f"scripts/{name}: {done.returncode}\n{done.stdout}{done.stderr}"
    return done.stdout


def test_compose_file_with_the_supervisor_inside_heals(engine, built):
    engine.tag("0.33", "supervisor-standin", "latest")
    try:
        said = script("up", engine)
        assert STATE in said and "status" in said
        one = Ollama.found(engine, "ollama")
        started = one.started_at()
        one.leak(2 * GIB)  # within the grace; the hold of a minute comes after it
        wait.until(lambda: one.started_at() != started, 150,
                   lambda: f"the container is restarted\n{engine.api.logs('supervisor')[-3000:]}", every=1)
        one.wait_until_it_answers()
        wait.until(lambda: one.held() < 100 * MIB, 20, "it holds less than 100 MiB")
        wait.until(lambda: "msg=healed" in engine.api.logs("supervisor"), 30,
                   lambda: engine.api.logs("supervisor")[-3000:])
        time.sleep(3)
        assert [row["step"] for row in intents.rows(STATE, "restart")] == ["restart"] and one.stop_signals() == 1
    finally:
        script("down", engine)
