"""Faults of what the daemon stands on, at a moment that is chosen exactly: the wall clock, the state directory, and the
daemon itself, stopped where it enters a stage of a remedy. Those of the engine are proxy.py's."""

import contextlib
import os
import shutil
import signal
import struct
import subprocess
import threading

import pytest

from engine import ROOT

SHIM = ROOT / "build/shim/wallclock.so"
HOUR, DAY, YEAR = 3600, 86400, 365 * 86400


# ---- the wall clock of one daemon (tests/shim/wallclock.c); the engine's stays

class WallClock:
    def __init__(self, directory):
        self.file = directory / "wallclock"
        self.set(0)
        assert SHIM.exists(), f"{SHIM} is not there: run make shims first"
        sanitizer = ":".join(filter(None, (os.environ.get("ASAN_OPTIONS"), "verify_asan_link_order=0")))
        self.env = {"LD_PRELOAD": str(SHIM), "WALLCLOCK": str(self.file), "ASAN_OPTIONS": sanitizer}

    def set(self, seconds):
        """So many seconds ahead of the machine's (below 0: behind), from now on."""
        with open(self.file, "r+b" if self.file.exists() else "wb") as file:
            file.write(struct.pack("q", int(seconds * 1e9)))


# ---- the state directory

@contextlib.contextmanager
def tiny_disk(directory, size="8M"):
    directory.mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tiny", directory], check=True)
    try:
        yield directory
    finally:
        subprocess.run(["umount", "-l", directory], check=True)


def fill(directory):
    with open(directory / "ballast", "wb", buffering=0) as file:
        with contextlib.suppress(OSError):
            while True:
                file.write(bytes(4096))


@contextlib.contextmanager
def failing_disk(directory):
    """An ext4 of its own, which errors() turns read-only under those who write there; skipped where none can be mounted."""
    directory.mkdir(parents=True)
    image = directory.with_suffix(".img")
    with open(image, "wb") as file:
        file.truncate(16 << 20)
    subprocess.run(["mkfs.ext4", "-q", image], check=True)
    mounted = subprocess.run(["mount", "-o", "loop", image, directory], capture_output=True, text=True, check=False)
    if mounted.returncode:
        pytest.skip(f"this machine mounts no image: {mounted.stderr.strip()}")
    try:
        yield directory
    finally:
        while os.path.ismount(directory):
            subprocess.run(["umount", "-l", directory], check=True)


def errors(directory):
    """As the kernel does after an error of the disk: read-only at once, whoever has files open there."""
    subprocess.run(["mount", "-o", "remount,abort", directory], check=True)
    with contextlib.suppress(OSError):
        (directory / "probe").touch()
        raise AssertionError(f"{directory} can still be written")


def another_disk(directory):
    """In its place, with what could be read of it."""
    kept = directory.with_name("kept")
    shutil.copytree(directory, kept, ignore=shutil.ignore_patterns("*.sock"))
    subprocess.run(["mount", "-t", "tmpfs", "another", directory], check=True)
    shutil.copytree(kept, directory, dirs_exist_ok=True)


def corrupt(state):
    """Other bytes over all of the database, as a broken disk gives."""
    for name in ("supervisor.db", "supervisor.db-wal"):
        with open(state / name, "r+b") as file:
            file.write(b"\xa5" * os.fstat(file.fileno()).st_size)


def move_away(state):
    for name in ("supervisor.db", "supervisor.db-wal", "supervisor.db-shm"):
        (state / name).rename(state / f"away-{name}")


# ---- a bind source that is there, or that nobody can make

def take_source(source):
    shutil.rmtree(source)
    os.symlink("nowhere", source)  # so that the engine cannot make it, either


def give_source(source):
    if os.path.islink(source):
        os.unlink(source)
        source.mkdir()


# ---- the daemon, stopped where it enters a stage

GDB_SCRIPT = """
import gdb, os, sys
def say(text):
    print(text, file=sys.stderr, flush=True)
gdb.execute("handle all nostop noprint pass")
gdb.execute("set height 0")
try:
    gdb.execute("attach {pid}", to_string=True)
    at = gdb.Breakpoint("{function}")
    at.condition = '{condition}'
    say("STOPPER set")
    gdb.execute("continue", to_string=True)
    say("STOPPER there")
    sys.stdin.readline()
    at.delete()
    gdb.execute("detach", to_string=True)
except gdb.error as error:
    say("STOPPER " + str(error))
"""


class Stopper:
    """The process stops in `function` once `condition` (of gdb, by the function's own names) is true, and stays so until
    go() or kill(). It runs without a debugger until then and after that."""

    def __init__(self, pid, function, condition, directory):
        self.pid, script = pid, directory / f"stop-{pid}.py"
        script.write_text(GDB_SCRIPT.format(pid=pid, function=function, condition=condition))
        self.said, self.set, self.there = [], threading.Event(), threading.Event()
        self.gdb = subprocess.Popen(
            ["gdb", "-q", "-nx", "-batch", "-iex", "set debuginfod enabled off", "-iex", "set auto-load off",
             "-iex", "set auto-solib-add off", f"/proc/{pid}/exe", "-x", script],
            stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, start_new_session=True)
        threading.Thread(target=self._read, daemon=True).start()
        if not self.set.wait(60):
            self.close()
            raise AssertionError(f"gdb did not stop process {pid} in {function}: {self.said}")

    def _read(self):
        for line in self.gdb.stderr:
            self.said.append(line.rstrip())
            if line.startswith("STOPPER set"):
                self.set.set()
            elif line.startswith("STOPPER there"):
                self.there.set()

    def wait(self, timeout, text):
        assert self.there.wait(timeout), f"it was not stopped within {timeout} s: {self.said}\n{text()}"

    def go(self):
        """It goes on."""
        with contextlib.suppress(OSError, ValueError):
            self.gdb.stdin.write("\n")
            self.gdb.stdin.close()
        self.gdb.wait(20)

    def kill(self):
        """It dies where it stands."""
        os.kill(self.pid, signal.SIGKILL)
        self.go()

    def close(self):
        """Whatever it does; the process goes on."""
        if self.gdb.poll() is None:
            self.gdb.terminate()  # it detaches
            try:
                self.gdb.wait(5)
            except subprocess.TimeoutExpired:
                self.gdb.kill()
                self.gdb.wait()


def stages():
    """The names of the stages, in order, from the table's own enumeration; "lock" …"""
    text = (ROOT / "supervisor/act/run.h").read_text()
    names = text[text.index("enum stage {"):].split("}", 1)[0].split()
    return [name.strip(",").removeprefix("STAGE_").lower() for name in names if name.startswith("STAGE_")]


def stop_at(daemon, stage, container, step, directory):
    """The daemon, stopped where a run of `step` about that container enters that stage."""
    return Stopper(daemon.process.pid, "run_enter", f"stage == STAGE_{stage.upper()}"
                   f" && $_streq(run->name, \"{container}\") && $_streq(run->step->name, \"{step}\")", directory)
