"""Where traces are recorded: a private engine, containers with the stand-in for Ollama, and `supervisor record`.

Each trace is a function that makes its container well or ill and writes down what it did at the moment it did it. Many run
side by side, as far as their memory goes; one recorder sees them all, and each trace gets its own container's part."""

import contextlib
import json
import pathlib
import shutil
import tempfile
import threading
import time
import traceback

import form
import program
import wait
from engine import Engine
from ollama import Ollama
from sizes import MIB

CASES = {}
SMALL = {"supervisor.leak.threshold": "128m", "supervisor.leak.threshold_percent": "0"}


def now():
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def recorded(memory, lasts, settings=None, alone=False, labels=None, env=None, cases=CASES, **options):
    """Names a trace. memory: MiB that it takes at most; lasts: about how many seconds; settings: those of the recorder and of
    the judge; alone: a recorder of its own; cases: where it belongs; the rest: the container (class Ollama). Labels are seen
    by the judge, too."""
    def take(function):
        cases[function.__name__.replace("_", "-")] = {
            "function": function, "memory": memory, "lasts": lasts, "settings": settings or {}, "alone": alone, "env": env,
            "options": options | {"labels": SMALL if labels is None else labels}}
        return function
    return take


class Recorder:
    """`supervisor record` of the containers that have its label."""

    def __init__(self, ward, label, settings):
        self.path, self.label = ward.directory / f"{label}.jsonl", label
        settings = {"docker.label": label, "docker.image": "found-by-label-alone"} | settings
        file = ward.directory / f"{label}.ini"
        sections = {}
        for key, value in settings.items():
            section, name = key.split(".", 1)
            sections.setdefault(section, []).append(f"{name} = {value}\n")
        file.write_text("".join(f"[{s}]\n" + "".join(lines) for s, lines in sections.items()))
        options = ["-c", file, "--host", ward.engine.url, "--state", ward.directory / f"{label}.state"]
        self.daemon = program.Daemon(options, command=["record", "-o", self.path])
        wait.until(lambda: self.path.exists() and self.path.read_text() or not self.daemon.alive(), 60, "the first look")

    def stop(self, seconds):
        """It does not look for so long."""
        self.daemon.send(19)
        time.sleep(seconds)
        self.daemon.send(18)

    def worlds(self, moment):
        """All until that moment, which it is given time to see."""
        ends = now() + 30
        while now() < ends:
            assert self.daemon.alive(), f"{self.daemon.process.returncode}: {self.daemon.text()}"
            with open(self.path) as file:
                whole = [line for line in file if line.endswith("\n")]
            if whole and json.loads(whole[-1])["monotonic"] >= moment:
                return map(json.loads, whole)
            time.sleep(1)
        raise AssertionError(f"nothing was recorded for 30 s: {self.daemon.text()}")

    def end(self):
        code, _ = self.daemon.end(15)
        assert code == 0, f"{code}: {self.daemon.text()}"


class Trace:
    """What a trace's function is given."""

    def __init__(self, ward, name, case, recorder):
        self.ward, self.name, self.case, self.recorder = ward, name, case, recorder
        self.remarks, self.ids, self.began, self.ended = [], [], now(), None
        self.make()

    def make(self):
        """The container, or another one of the same name."""
        options = dict(self.case["options"])
        options["labels"] = options["labels"] | {self.recorder.label: "true"}
        self.box = Ollama(self.ward.engine, self.name, env=self.case["env"], **options)
        self.ids.append(self.box.id)

    def did(self, text):
        self.remarks.append(form.did(text, now()))

    def rest(self, seconds):
        time.sleep(seconds)

    @contextlib.contextmanager
    def true(self, verdict, since=None, hold=None, **more):
        """That verdict is true from here (or the moment `since`) to the end of the block."""
        begin = since or now()
        yield
        self.remarks.append(form.truth(verdict, begin, now(), hold, **more))

    def leak(self, mib):
        self.did(f"the server leaks {mib} MiB")
        self.box.leak(mib * MIB)

    def orphan(self, mib):
        self.did(f"a runner of {mib} MiB is forgotten")
        self.box.orphan(mib * MIB)

    def load(self, model="big", **options):
        self.did(f"load {model} {options or ''}".strip())
        self.box.post("/api/generate", {"model": model, **options}, timeout=400)

    def unload(self, model="big"):
        self.did(f"unload {model}")
        self.box.unload(model)

    def ask(self, prompt, model="big", tokens=1, **options):
        self.box.post("/api/generate", {"model": model, "prompt": prompt, "stream": False,
                                        "options": {"num_predict": tokens}, **options})

    def prompts(self, seconds, pause=1.0, model="big"):
        """Distinct prompts, one after the other."""
        self.did(f"distinct prompts for {seconds} s")
        ends, i = now() + seconds, 0
        while now() < ends:
            i += 1
            self.ask(f"prompt {i}", model)
            time.sleep(pause)

    def lines(self, worlds):
        """Its part of a recording."""
        mine = []
        for world in worlds:
            if self.began <= world["monotonic"] <= self.ended:
                kept = [c for c in world["containers"] if c["id"] in self.ids]
                if kept or mine:
                    mine.append(world | {"containers": kept})
        about = " ".join((self.case["function"].__doc__ or "").split())
        return form.ordered(form.header(self.ward.prefix + self.name, "recorded", about, self.case["settings"]), mine, self.remarks)


class Ward:
    """memory: MiB for all traces of a moment; beside: how many they may be; kind: the directory of the corpus; made: is
    given each file's path."""

    def __init__(self, memory, beside, kind="recorded", prefix="", parent=None, made=lambda path: None):
        self.memory, self.beside, self.kind, self.prefix, self.made = memory, beside, kind, prefix, made
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="sv-traces-"))
        self.engine, self.recorders, self.changed, self.failed = Engine(parent=parent), {}, threading.Condition(), []
        self.labels = 0

    def __enter__(self):
        self.engine.start()
        return self

    def __exit__(self, *_):
        for recorder in self.recorders.values():
            if recorder.daemon.alive():
                recorder.daemon.end(9)
        self.engine.close()
        shutil.rmtree(self.directory, ignore_errors=True)

    def recorder(self, name, case):
        key = name if case["alone"] else json.dumps(case["settings"], sort_keys=True)
        with self.changed:
            if key not in self.recorders:
                self.labels += 1
                self.recorders[key] = Recorder(self, f"trace.set{self.labels}", case["settings"])
            return self.recorders[key]

    def run(self, name, case):
        trace = None
        try:
            trace = Trace(self, name, case, self.recorder(name, case))
            case["function"](trace)
            trace.ended = now()
            self.made(form.write(self.kind, trace.lines(trace.recorder.worlds(trace.ended))))
            print(f"{name}: {trace.ended - trace.began:.0f} s", flush=True)
        except Exception:
            self.failed.append(name)
            print(f"{name}: FAILED\n{traceback.format_exc()}", flush=True)
        finally:
            if trace:
                trace.box.remove()
            with self.changed:
                self.memory += case["memory"]
                self.beside += 1
                self.changed.notify_all()

    def record(self, cases):
        """All of them."""
        threads = []
        for version in {c["options"].get("version", "0.33") for c in cases.values()}:
            self.engine.image(version)
        for name, case in sorted(cases.items(), key=lambda item: -item[1]["lasts"]):
            with self.changed:
                self.changed.wait_for(lambda case=case: self.beside > 0 and self.memory >= case["memory"])
                self.memory -= case["memory"]
                self.beside -= 1
            threads.append(threading.Thread(target=self.run, args=(name, case)))
            threads[-1].start()
            time.sleep(0.5)
        for thread in threads:
            thread.join()
        for recorder in self.recorders.values():
            recorder.end()
        self.recorders.clear()
