"""A pytest plugin of tests/prove/sanitized: notes each start of the program, with its words, in the file DRIVEN."""

import json
import os
import subprocess

import program

begin = subprocess.Popen.__init__


def noted(self, arguments, *more, **options):
    words = [str(word) for word in arguments] if isinstance(arguments, (list, tuple)) else [str(arguments)]
    if str(program.PROGRAM) in words:
        with open(os.environ["DRIVEN"], "a") as file:
            file.write(json.dumps(words[words.index(str(program.PROGRAM)) + 1:]) + "\n")
    begin(self, arguments, *more, **options)


subprocess.Popen.__init__ = noted
