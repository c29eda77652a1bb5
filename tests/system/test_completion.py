"""Completion in real shells, and the manual page as the formatters read it."""

import json
import re
import shutil
import socket
import subprocess

import pytest

import program
import shells

SHELLS = ("bash", "zsh", "fish")


@pytest.fixture(params=SHELLS)
def shell(request, tmp_path, built):
    if not shells.there(request.param):
        pytest.skip(f"this machine lacks {request.param}")
    (tmp_path / "a b.jsonl").touch()
    (tmp_path / "deep").mkdir()
    one = shells.start(request.param, tmp_path)
    yield one
    one.close()


def commands():
    """The commands of the help text."""
    text = program.run("--help").out.split("Commands:\n")[1].split("\n\n")[0]
    return sorted(re.findall(r"^  (\S+)  ", text, re.M))


def options(command):
    """The options of a command's help text."""
    return sorted(set(re.findall(r"^ {2,6}(?:-\w, )?(--[\w-]+)", program.run("help", command).out, re.M)))


def test_commands_and_options_are_those_of_the_help(shell):
    everything = commands()
    assert len(everything) >= 13
    assert shell.candidates("") == everything
    for command in everything:
        assert shell.candidates(f"{command} --") == options(command), command
    assert shell.candidates("help ") == everything


def test_words_are_completed(shell):
    expected = {
        "statu": ["status"],
        "rep": ["replay"],
        "--mode obs": ["--mode", "observe"],
        "-c x --host y fix-ollama --dry": ["-c", "x", "--host", "y", "fix-ollama", "--dry-run"],
        "completion z": ["completion", "zsh"],
        "config ch": ["config", "check"],
        "config check a": ["config", "check", "a b.jsonl"],
        "replay a": ["replay", "a b.jsonl"],
        "record -o a": ["record", "-o", "a b.jsonl"],
        "--state de": ["--state", "deep"],
        "run --set leak.thr": None,
        "--set leak.hol": ["--set", "leak.hold="],
        "--set supervisor.mode=enf": ["--set", "supervisor.mode=enforce"],
        "status --watch 5 --js": ["status", "--watch", "5", "--json"],
    }
    for line, words in expected.items():
        if words:
            assert [word.rstrip("/") for word in shell.completed(line)] == words, line
        else:
            assert shell.candidates(line) == ["leak.threshold=", "leak.threshold_percent="], line
    values = {word.rpartition("=")[2] for word in shell.candidates("--set models.single=")}
    assert {"off", "on"} == values - {"a b.jsonl", "deep/", "completion.fish"}, values  # fish adds files behind any =
    assert shell.candidates("config ") == ["check", "show"]
    assert shell.candidates("completion ") == list(sorted(SHELLS))


def test_an_equals_sign_is_as_good_as_a_space(shell):
    assert shell.completed("--mode=obs") == ["--mode=observe"]
    if not isinstance(shell, shells.Fish):  # fish shows the value with its option in some versions, without in others
        assert shell.completed("--set=supervisor.log=js") == ["--set=supervisor.log=json"]


@pytest.mark.parametrize("name", SHELLS)
def test_containers_are_those_of_the_engine(name, bench, tmp_path):
    if not shells.there(name):
        pytest.skip(f"this machine lacks {name}")
    bench.ollama("first-one")
    one = shells.start(name, tmp_path, {"DOCKER_HOST": bench.engine.url})
    try:
        assert one.completed("fix-ollama firs") == ["fix-ollama", "first-one"]
        assert one.completed("unload m --container firs") == ["unload", "m", "--container", "first-one"]
    finally:
        one.close()


def test_an_engine_that_hangs_or_is_away_holds_nobody_up(tmp_path, built):
    words = ("complete", "--", "--host", f"unix://{tmp_path}/engine", "fix-ollama", "")
    away = program.run(*words)
    assert (away.code, away.out, away.err) == (0, "", ""), away
    with socket.socket(socket.AF_UNIX) as engine:
        engine.bind(f"{tmp_path}/engine")
        engine.listen()  # and never a word
        hung = program.run(*words, timeout=30)
    assert (hung.code, hung.out, hung.err) == (0, "", "") and hung.took >= 0.9, hung
    for line in (("--bad",), ("-c", "/nowhere", "explain", ""), ("nothing", ""), ("release", "x", ""), ("load", "")):
        bad = program.run("complete", "--", *line)
        assert bad.code == 0 and bad.err == "", bad
        assert (bad.out != "") == (line == ("--bad",)), bad  # which may become another option


def test_what_is_typed_at_the_word_itself(shell):
    assert shell.completed("record --output=a") == ["record", "--output=a b.jsonl"]
    assert shell.completed("record -oa") == ["record", "-oa b.jsonl"]
    assert shell.completed("fix-ollama --hold 5s --dr") == ["fix-ollama", "--hold", "5s", "--dry-run"]
    for line in ("status --json --js", "load qw", "nothing x", "explain --json=x"):  # given already; no list can name it; no command
        assert shell.candidates(line) in ([], line.split(" ")[-1:]), line


def test_options_are_named_behind_an_unknown_command(built):
    done = program.run("complete", "--", "nosuch", "--x")
    assert done.code == 0 and "--config\t" in done.out, done


def test_an_unknown_shell_is_refused(built):
    done = program.run("completion", "zhs")
    assert done.code == 2 and "did you mean zsh?" in done.err and done.out == "", done


def test_the_manual_page_is_well_formed(tmp_path, built):
    page = tmp_path / "supervisor.8"
    made = subprocess.run([program.ROOT / "scripts/manual", program.PROGRAM], env=program.environment({"SOURCE_DATE_EPOCH": "86400"}),
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False)
    assert made.returncode == 0 and '.TH SUPERVISOR 8 1970-01-02 "supervisor ' in made.stdout, made
    page.write_text(made.stdout)
    for section in ("NAME", "SYNOPSIS", "DESCRIPTION", "COMMANDS", "OPTIONS", "CONFIGURATION", "ENVIRONMENT", "FILES",
                    "EXIT STATUS", "SIGNALS", "LABELS", "EXAMPLES", "SEE ALSO"):
        assert f"\n.SH {section}\n" in made.stdout, section
    for command in commands():
        assert f"\n.SS {command}".replace("-", "\\-") in made.stdout, command
    for setting in json.loads(program.run("config", "show", "--json").out)["memory"]:
        assert f"\n\\fBmemory.{setting}\\fP" in made.stdout, setting
    seen = 0
    for tool, *arguments in (("mandoc", "-T", "lint"), ("groff", "-ww", "-man", "-z"), ("man", "--warnings=w", "-l")):
        if not shutil.which(tool):
            continue
        seen += 1
        formatted = subprocess.run([tool, *arguments, page], env=program.environment({"MANWIDTH": "78", "LC_ALL": "C.UTF-8"}),
                                   stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False)
        assert formatted.returncode == 0 and not formatted.stderr, (tool, formatted.stderr)
        assert tool == "man" or not formatted.stdout, (tool, formatted.stdout)
        if tool == "man":
            assert "--dry-run" in formatted.stdout and "leak.threshold 1g" in formatted.stdout
    if not seen:
        pytest.skip("this machine lacks mandoc, groff and man")
