"""Real shells on a terminal of their own, with the completion as the program prints it, and keys that are pressed.

The completion asks the program that the line names: the built one comes first in PATH."""

import os
import pty
import re
import select
import shutil
import subprocess
import time

import program

# The line that is there when Enter is pressed is told, not carried out.
STARTS = {
    "bash": (["bash", "--norc", "--noprofile", "-i"], r"""
source "$SCRIPT"
bind 'set enable-bracketed-paste off' 'set completion-query-items 0' 'set page-completions off'
bind '"\C-t": insert-completions'
supervisor() { printf '{%s}' "$@" end; echo; }
"""),
    "zsh": (["zsh", "-f", "-i"], r"""
unsetopt zle_bracketed_paste prompt_sp 2>/dev/null; unset zle_bracketed_paste
autoload -Uz compinit && compinit -u -D
source "$SCRIPT"
zle -C every complete-word _generic
zstyle ':completion:every:*' completer _all_matches _complete
zstyle ':completion:every:*' insert true
bindkey '^T' every
supervisor() { printf '{%s}' "$@" end; echo; }
"""),
}


def environment(env):
    """A clean one, in which `supervisor` is the built program."""
    found = program.environment(env)
    return found | {"PATH": f"{program.PROGRAM.parent}:{found['PATH']}"}


class Shell:
    """One of STARTS, in a directory, with these variables."""

    def __init__(self, name, directory, env=None):
        self.name, script, rc = name, directory / f"completion.{name}", directory / f"start.{name}"
        script.write_text(program.run("completion", name).out)
        argv, start = STARTS[name]
        rc.write_text(start)
        self.text = ""
        self.master, slave = pty.openpty()
        env = environment(env) | {"SCRIPT": str(script), "PS1": "> ", "HOME": str(directory),
                                  "TERM": "dumb" if name == "bash" else "vt100", "COLUMNS": "200"}
        self.process = subprocess.Popen(argv, stdin=slave, stdout=slave, stderr=slave, env=env, cwd=directory,
                                        start_new_session=True)
        os.close(slave)
        self.wait(r"> ")
        self.press(f". {rc}; echo started-$((40 + 2))\n")
        self.wait(r"started-42.*> ")

    def press(self, keys):
        os.write(self.master, keys.encode())

    def wait(self, pattern, timeout=20):
        """What appeared until the pattern did."""
        end = time.monotonic() + timeout
        while not (found := re.search(pattern, self.text, re.S)):
            ready, _, _ = select.select([self.master], [], [], max(0, end - time.monotonic()))
            assert ready, f"{self.name}: no {pattern!r} in {self.text!r}"
            self.text += os.read(self.master, 65536).decode(errors="replace")
        self.text = self.text[found.end():]
        return found

    def words(self, line, key):
        """The words of the line after the key and Enter."""
        self.press(f"supervisor {line}{key}\n")
        told = self.wait(r"((?:\{[^{}]*\})*)\{end\}").group(1)
        return re.findall(r"\{([^{}]*)\}", told)

    def completed(self, line):
        """The line after Tab, as a shell reads it."""
        return self.words(line, "\t")

    def candidates(self, line):
        """All that could stand at the end of the line."""
        before = len(line.split(" ")) - 1
        return sorted(self.words(line, "\x14")[before:])

    def close(self):
        self.process.kill()
        self.process.wait()
        os.close(self.master)


class Fish:
    """fish says itself what it would complete."""

    def __init__(self, _name, directory, env=None):
        self.script = directory / "completion.fish"
        self.script.write_text(program.run("completion", "fish").out)
        self.directory, self.env = directory, environment(env) | {"HOME": str(directory)}

    def candidates(self, line):
        done = subprocess.run(["fish", "--no-config", "-c", f"source {self.script}; complete -C $argv[1]",
                               f"supervisor {line}"], cwd=self.directory, env=self.env, stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0 and not done.stderr, done
        return sorted(line.split("\t")[0] for line in done.stdout.splitlines())

    def completed(self, line):
        found = self.candidates(line)
        assert len(found) == 1, f"{line!r}: {found}"
        words = line.split(" ")
        return [*words[:-1], found[0]]

    def close(self):
        pass


def there(name):
    return shutil.which(name) is not None


def start(name, directory, env=None):
    return (Fish if name == "fish" else Shell)(name, directory, env)
