"""A prompt for the commands of this project: reads requests from standard input, runs each, tells how it ended.

Starting Python and importing everything takes a second, and the pages have dozens of commands. So each runs in a
process that is forked from this one, which has imported it all: `python -m MODULE` in everything else.
"""

import json
import os
import runpy
import sys
import traceback
import warnings
from importlib import import_module
from pathlib import Path


def main() -> None:
    """A line asks for a process, `{"words": [module, ...], "directory", "variables", "output"}`, or what became of one.

    The answer is the number of the process, or its exit code.
    """
    import_module("manyreads.__main__")
    for line in sys.stdin:
        request = json.loads(line)
        if isinstance(request, int):
            print(os.waitstatus_to_exitcode(os.waitpid(request, 0)[1]), flush=True)
            continue
        child = os.fork()
        if not child:
            os._exit(_run(**request))
        print(child, flush=True)


def _run(words: list[str], directory: str, variables: dict[str, str], output: str) -> int:
    with Path(output).open("w", encoding="utf-8", buffering=1) as file, open(os.devnull, "rb") as nothing:
        for descriptor, source in ((0, nothing.fileno()), (1, file.fileno()), (2, file.fileno())):
            os.dup2(source, descriptor)
        os.chdir(directory)
        os.environ.clear()
        os.environ.update(variables)
        code = _code(words)
        sys.stdout.flush()
        sys.stderr.flush()
    return code


def _code(words: list[str]) -> int:
    sys.argv = words
    try:
        with warnings.catch_warnings():
            # A module that another one has imported is run once more.
            warnings.simplefilter("ignore", RuntimeWarning)
            runpy.run_module(words[0], run_name="__main__", alter_sys=True)
    except SystemExit as end:
        if isinstance(end.code, str):
            print(end.code, file=sys.stderr)
        return end.code if isinstance(end.code, int) else int(bool(end.code))
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


if __name__ == "__main__":
    main()
