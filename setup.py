"""Compiles the modules that every statement passes through, when MANYREADS_COMPILE=1 asks for it.

Without that nothing here does anything, and the wheel is for every platform. Needs a C compiler, and mypy with the
project's dependencies in the environment that builds: `pip install --no-build-isolation`. docs/performance.md has the
commands and what is gained.
"""

import os
import sys

from setuptools import setup

# A compiled class can't be the base of one that is not.
COMPILED = {
    "proxy/admin": "traffic",
    "proxy/backend": "connection tracked translated",
    "proxy/routing": "balance named pins policy reading repeatable reported seen state told twins variables",
    "proxy/session": "bulk client presence",
    "proxy/session/core": "diagnostics inbox lastran laststatement machine outcomes passage phases prepared "
    "remedies request requests sentence statements steps transactionlog wholereply",
    "proxy/session/running": "delivery entry lending links losses metadata preludes promotion recovery repetition "
    "replay runner sending servers turn twin visibility waiting",
    "proxy/session/shared": "counting",
    "proxy/sql": "cache effects lexer meaning statement tally",
    "proxy/wire": "definitions errors exchange framing openings replygrammar rowdigest",
    "topology": "freshness",
}


def modules() -> list[str]:
    """Their files, relative to this one's directory."""
    return [f"{package}/{name}.py" for package, names in COMPILED.items() for name in names.split()]


def extensions() -> list[object]:
    """What setuptools is to build."""
    # What a wheel is called and needs is asked for before it is built.
    if os.environ.get("MANYREADS_COMPILE") != "1" or not {"bdist_wheel", "build_ext"} & set(sys.argv):
        return []
    try:
        from mypyc.build import mypycify
    except ImportError:
        raise SystemExit(
            "MANYREADS_COMPILE=1 needs mypy where the wheel is built: "
            "pip install 'mypy>=1.15' 'setuptools>=77', then pip install --no-build-isolation"
        ) from None
    made = mypycify(modules(), opt_level=os.environ.get("MANYREADS_OPT_LEVEL", "3"), debug_level="0")
    for extension in made:
        # Python's own flags ask for warnings, and looking for them in code that nobody wrote takes gcc the most time.
        extension.extra_compile_args += ["-Wno-all", "-w"]
    return list(made)


if __name__ == "__main__":
    setup(ext_modules=extensions())
