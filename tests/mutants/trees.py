"""Copies of the tree in which faults are tried: built once, then anew for one changed file.

The library is linked as a shared one, so that a fault costs one compilation and one link, not a link of every test. Tests
that wrap functions of the C library (tests/unit/flags.mk) are linked statically, when a fault concerns them."""
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SANITIZE = "-fsanitize=address,undefined -fno-sanitize-recover=all"
ENVIRONMENT = {"ASAN_OPTIONS": "detect_leaks=0", "LC_ALL": "C.UTF-8"}
LEAST_S = 10  # a test that takes ten times its time, and no less than this, hangs


def run(command, cwd, seconds, extra=None):
    """(status, output); a status of None: it did not end in time, and its whole group was killed."""
    process = subprocess.Popen(command, cwd=cwd, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, process_group=0,
                               env={**os.environ, **ENVIRONMENT, **(extra or {})})
    try:
        output, _ = process.communicate(timeout=seconds)
        return process.returncode, output.decode(errors="replace")
    except subprocess.TimeoutExpired:
        return None, ""
    finally:
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        process.wait()


def copy_tree(to):
    """What git has or would take, without build/."""
    names = subprocess.run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT, check=True,
                           stdout=subprocess.PIPE).stdout.decode().split("\0")
    for name in filter(None, names):
        source, target = ROOT / name, to / name
        if source.is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target)


def make(directory, flags, *targets):
    command = ["make", "--no-print-directory", "-j2", "V=1", f"CFLAGS=-O0 -g0 -w {flags}", f"LDFLAGS={flags}", *targets]
    status, output = run(command, directory, 1800)
    if status != 0:
        raise SystemExit(f"mutants: the tree does not build:\n{output[-2000:]}")
    return output


class Tree:
    """One copy, for one fault at a time."""

    def __init__(self, directory, tests):
        self.directory, self.out = directory, directory / "build/release"
        copy_tree(directory)
        log = make(directory, f"-fPIC {SANITIZE}", "unit-build", "program")
        self.compile = {}
        for line in log.replace("\\\n", " ").splitlines():
            found = re.search(r" -c -o (\S+) (supervisor/\S+\.c) ", line)
            if found:
                final = f"build/release/obj/{found[2][:-2]}.o"
                self.compile[found[2]] = (shlex.split(line.split(" && mv ")[0].replace(found[1], final)), final)
        self.objects = [o for _, o in self.compile.values() if not o.endswith("supervisor/main.o")]
        flags = (directory / "tests/unit/flags.mk").read_text()
        self.wrapped = {m[1]: re.findall(r"\w+", m[2]) for m in
                        re.finditer(r"^ldflags_(test_\w+) := \$\(call wrap,([\w ]+)\)", flags, re.M)}
        self.libraries = shlex.split(subprocess.run(["pkg-config", "--libs", "libcurl", "jansson", "libuv", "sqlite3",
                                                     "libcgroup", "inih", "cmocka"], check=True,
                                                    stdout=subprocess.PIPE).stdout.decode()) + ["-lm", "-ldl"]
        helpers = [str(p.relative_to(directory)) for p in sorted((self.out / "obj/tests/unit").glob("*.o"))
                   if not p.name.startswith("test_")]
        self.inputs = {t: [f"build/release/obj/tests/unit/{t}.o", *helpers] for t in tests}
        self.link_library()
        for test in tests:
            if test not in self.wrapped:
                self.gcc("-o", f"build/release/tests/{test}", *self.inputs[test], "-Lbuild/release", "-lsupervisor",
                         f"-Wl,-rpath,{self.out}")

    def gcc(self, *arguments):
        status, output = run(["gcc", *SANITIZE.split(), "-fuse-ld=gold" if shutil.which("ld.gold") else "-O0", *arguments,
                              *self.libraries], self.directory, 300)
        if status != 0:
            raise RuntimeError(output)

    def link_library(self):
        self.gcc("-shared", "-o", "build/release/libsupervisor.so", *self.objects)

    def link_wrapped(self, test):
        self.gcc(*(f"-Wl,--wrap={name}" for name in self.wrapped[test]), "-o", f"build/release/tests/{test}",
                 *self.inputs[test], *self.objects)

    def compiles(self, file):
        status, _ = run(self.compile[file][0], self.directory, 300)
        return status == 0

    def test(self, name, usual_s):
        """Whether this unit test still passes; why it does not is the fault's doing."""
        status, _ = run([f"build/release/tests/{name}"], self.directory, max(LEAST_S, 10 * usual_s))
        return status == 0

    def set(self, fault, text):
        (self.directory / fault.file).write_text(fault.apply(text))

    def restore(self, fault, text):
        (self.directory / fault.file).write_text(text)
        self.compiles(fault.file)


class Coverage:
    """Which unit tests run which lines, and how long each test takes: counted once, by gcov."""

    def __init__(self, directory):
        copy_tree(directory)
        make(directory, "--coverage", "unit-build")
        self.tests, self.lines, self.broken = {}, {}, []
        out = directory / "build/release"
        for program in sorted((out / "tests").glob("test_*")):
            if program.suffix:
                continue
            counted = directory / "counted" / program.name
            counted.mkdir(parents=True)
            began = time.monotonic()
            status, output = run([str(program)], directory, 300,
                            {"GCOV_PREFIX": str(counted), "GCOV_PREFIX_STRIP": str(len(directory.parts) - 1)})
            if status != 0:
                self.broken.append(f"{program.name}:\n{output[-1000:]}")
                continue
            self.tests[program.name] = time.monotonic() - began
            self.read(directory, counted, program.name)
            shutil.rmtree(counted)

    def read(self, directory, counted, test):
        data = sorted(counted.rglob("*.gcda"))
        for d in data:  # gcov wants the notes beside the data
            note = d.with_suffix(".gcno")
            note.symlink_to(directory / note.relative_to(counted))
        for at in range(0, len(data), 64):
            output = subprocess.run(["gcov", "--json-format", "--stdout", *map(str, data[at:at + 64])], cwd=directory,
                                    stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False).stdout
            for document in output.splitlines():
                for file in json.loads(document)["files"]:
                    for line in file["lines"]:
                        if line["count"]:
                            self.lines.setdefault((file["file"], line["line_number"]), set()).add(test)

    def tests_of(self, fault, text):
        """Those that run the fault's line or, where that has no code of its own (a constant, a condition's second
        line), the nearest one before or after it; the quickest first."""
        n_lines = text.count("\n") + 1
        for distance in range(8):
            for line in (fault.line - distance, fault.line + distance):
                found = self.lines.get((fault.file, line)) if 0 < line <= n_lines else None
                if found:
                    return sorted(found, key=self.tests.get)
        return []

    def tests_of_file(self, file):
        found = set().union(*(tests for (name, _), tests in self.lines.items() if name == file))
        return sorted(found, key=self.tests.get)
