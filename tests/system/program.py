"""The built program as a person runs it: one-shot commands, and the daemon with its log."""

import dataclasses
import os
import pathlib
import pty
import signal
import subprocess
import threading
import time

import logfmt
import wait
from engine import ROOT

PROGRAM = pathlib.Path(os.environ.get("SUPERVISOR_PROGRAM", ROOT / "build/supervisor"))


def sanitized():
    """Whether it is a build with the sanitizers, which takes memory and time of its own."""
    return b"__asan_init" in PROGRAM.read_bytes()


def environment(extra=None):
    """A clean one: the caller's SUPERVISOR_* and DOCKER_HOST must not leak into a test."""
    kept = {k: v for k, v in os.environ.items() if k in ("PATH", "HOME", "LANG", "TMPDIR") or k.endswith("SAN_OPTIONS")}
    return kept | {"TERM": "xterm"} | (extra or {})


@dataclasses.dataclass
class Outcome:
    command: list
    code: int
    out: str
    err: str
    took: float

    def __str__(self):
        return f"$ {' '.join(map(str, self.command))}\nexit {self.code} after {self.took:.2f} s\n{self.out}{self.err}"


def run(*arguments, env=None, timeout=60, cwd=None):
    command = [str(PROGRAM), *map(str, arguments)]
    start = time.monotonic()
    done = subprocess.run(command, env=environment(env), stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, timeout=timeout, cwd=cwd, check=False)
    return Outcome(command, done.returncode, done.stdout, done.stderr, time.monotonic() - start)


def run_on_terminal(*arguments, env=None, timeout=60, columns=80):
    """The same with stdout on a terminal; gives the exit code and what appeared there."""
    import fcntl
    import struct
    import termios
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    child = subprocess.Popen([PROGRAM, *map(str, arguments)], env=environment(env), stdin=subprocess.DEVNULL,
                             stdout=slave, stderr=subprocess.PIPE)
    os.close(slave)
    text = b""
    try:
        while True:
            try:
                piece = os.read(master, 65536)
            except OSError:  # the other end is closed
                break
            if not piece:
                break
            text += piece
        child.wait(timeout)
        child.stderr.close()
    finally:
        os.close(master)
        if child.poll() is None:
            child.kill()
            child.wait()
    return child.returncode, text.decode(errors="replace").replace("\r\n", "\n")


class Daemon:
    """`supervisor … run`, or another lasting command. Its log is read by a thread, each line with the
    moment it came."""

    def __init__(self, arguments, env=None, command=("run",), wrapper=()):
        self.command = [*wrapper, str(PROGRAM), *map(str, [*arguments, *command])]
        self.records, self.lines, self.foreign = [], [], []
        self.began = time.monotonic()
        self.process = subprocess.Popen(self.command, env=environment(env), stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
                                        errors="replace", start_new_session=True)
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()

    def _read(self):
        for line in self.process.stderr:
            now = time.monotonic()
            self.lines.append(line.rstrip("\n"))
            record = logfmt.parse(line)
            if record is None:
                self.foreign.append(line)
            else:
                record.at = now
                self.records.append(record)

    def find(self, msg=None, after=0.0, **fields):
        """All lines with this msg and these fields that came after the moment `after`."""
        return [r for r in self.records if r.at > after and r.matches(msg, fields)]

    def wait(self, msg, timeout, after=0.0, **fields):
        """The first such line, waited for."""
        def seen():
            found = self.find(msg, after, **fields)
            if not found and self.process.poll() is not None:
                self.thread.join(2)
                found = self.find(msg, after, **fields)
                assert found, f"the daemon ended with {self.process.returncode} before {msg} {fields}\n{self.text(fields.get('container'))}"
            return found
        return wait.until(seen, timeout, lambda: f"{msg} {fields}\n{self.text(fields.get('container'))}")[0]

    def text(self, container=None):
        """Its command and its log; with a container only what concerns it, or all of them."""
        lines = self.lines if container is None else [
            line for line in self.lines if f"container={container} " in line or " container=" not in line]
        return f"$ {' '.join(self.command)}\n" + "\n".join(lines)

    def alive(self):
        return self.process.poll() is None

    def send(self, number):
        self.process.send_signal(number)

    def end(self, number=signal.SIGTERM, timeout=10):
        """Ends it; gives its exit status and how long it took."""
        start = time.monotonic()
        if self.alive():
            self.process.send_signal(number)
        try:
            code = self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise
        took = time.monotonic() - start
        self.thread.join(5)
        self.process.stderr.close()
        return code, took
