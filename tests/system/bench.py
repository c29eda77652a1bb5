"""A workplace of one test or one module: a state directory, containers, daemons; all gone at its end."""

import pathlib
import shutil
import signal
import tempfile
import time

import program
import wait
from ollama import Ollama

PACE = 2 if wait.INSIDE_GUEST else 1  # all takes longer in the emulated machine
INTERVAL, POLL, HOLD = PACE * 0.5, PACE * 1.0, PACE * 3.0
BUSY = 5.0  # the window of docs/judgement.md, fact 6
QUICK = {"supervisor.interval": f"{INTERVAL:g}s", "supervisor.poll": f"{POLL:g}s", "leak.hold": f"{HOLD:g}s",
         "leak.orphan_hold": f"{HOLD:g}s", "leak.grace": "1s", "remedy.backoff": "1s", "remedy.stop_grace": "5s"}
# How full the machine under the tests is, is no test's business but those of the host's pressure.
CALM = {"pressure.action_warn": "99.8%", "pressure.action_optimize": "99.9%", "pressure.action_unload": "",
        "pressure.action_kill_switch": ""}
# Daemons side by side would want the same port; tests of the API have one each, on a port of the kernel's.
UNHEARD = {"http.listen": "off"}


def in_time(hold=HOLD, interval=INTERVAL, poll=POLL, busy=BUSY):
    """Seconds from the last byte leaked to the verdict: the hold, or the busy window until the work of
    leaking has left it, where that is longer; then two samples and a poll."""
    return max(busy, hold) + 2 * interval + poll


class Bench:
    """`settings` go into its configuration file, below labels, environment and command line; `label`
    keeps its containers from other benches' eyes."""

    def __init__(self, engine, settings=None, label=None):
        self.engine, self.label = engine, label or "supervisor.enable"
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="sv-bench-"))
        self.state = self.directory / "state"
        self.settings = CALM | UNHEARD | (QUICK if settings is None else settings)
        if label:
            self.settings |= {"docker.label": label, "docker.image": "found-by-label-alone"}
        self.containers, self.daemons = [], []

    def ollama(self, name="ollama", mode="enforce", **options):
        """A container; mode None: without the label, so that only its image tells what it is."""
        labels = options.pop("labels", {})
        if mode:
            labels = {self.label: "true"} | labels
        if mode == "observe":
            labels |= {"supervisor.mode": "observe"}
        container = Ollama(self.engine, name, labels=labels, **options)
        self.containers.append(container)
        return container

    def configure(self, settings=None):
        """Writes its settings, and these on top, as an INI file; gives its path."""
        sections = {}
        for key, value in (self.settings | (settings or {})).items():
            section, name = key.split(".", 1)
            sections.setdefault(section, []).append(f"{name} = {value}")
        file = self.directory / "supervisor.ini"
        file.write_text("".join(f"[{s}]\n" + "\n".join(lines) + "\n" for s, lines in sections.items()))
        return file

    def options(self, settings=None, state=None):
        return ["-c", self.configure(settings), "--host", self.engine.url, "--state", state or self.state]

    def daemon(self, *containers, env=None, state=None, wrapper=(), **settings):
        """A daemon, waited for until it supervises `containers`. A setting's dot is written __; `wrapper` is the
        beginning of its command line."""
        pairs = {k.replace("__", "."): v for k, v in settings.items()}
        daemon = program.Daemon(self.options(pairs, state), env, wrapper=wrapper)
        self.daemons.append(daemon)
        daemon.wait("started", 10)
        for container in containers:
            daemon.wait("supervising", 10, container=container.name)
        return daemon

    def supervisor(self, *arguments, env=None, timeout=60, **settings):
        """A one-shot command on this bench's engine and state."""
        pairs = {k.replace("__", "."): v for k, v in settings.items()}
        return program.run(*self.options(pairs), *arguments, env=env, timeout=timeout)

    def close(self):
        for daemon in self.daemons:
            if daemon.alive():
                # Leaks are seen at an end in good order.
                daemon.end(signal.SIGTERM if program.sanitized() else signal.SIGKILL)
            print(daemon.text())  # pytest shows it if the test failed
        try:
            for container in self.containers:
                container.remove()
        finally:  # also where the engine is away
            shutil.rmtree(self.directory, ignore_errors=True)


class Bystander:
    """A container of the bench that nothing is wrong with, with a loaded model, beside those that are healed."""

    def __init__(self, bench):
        self.bench, self.one = bench, bench.ollama("bystander", models="own=24M", memory_limit=256 << 20,
                                                   env={"OLLAMA_KEEP_ALIVE": "1h"})
        self.one.load("own")
        self.before = self.one.life()

    def is_untouched(self):
        said = "\n".join(daemon.text("bystander") for daemon in self.bench.daemons)
        assert self.one.life() == self.before and self.one.stop_signals() == 0, said
        assert self.one.loaded() == ["own"], said
        for daemon in self.bench.daemons:
            for msg in ("acting", "would act"):
                assert not daemon.find(msg, container="bystander"), said


def outlive_grace(seconds=1.5):
    """Lets containers grow older than the grace of QUICK."""
    time.sleep(seconds)
