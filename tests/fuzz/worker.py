"""One process that fuzzes one target: `python -m tests.fuzz.worker TARGET [libFuzzer's arguments]`."""

import shlex
import sys

import atheris


def main() -> None:
    """Does not return: libFuzzer ends the process."""
    name, *arguments = sys.argv[1:]
    with atheris.instrument_imports(include=["proxy"]):
        from tests.fuzz.targets import TARGETS
    # Merging, libFuzzer has a shell run its own command again, which begins with this.
    command = f"{shlex.quote(sys.executable)} -m tests.fuzz.worker {name}"
    atheris.Setup([command, *arguments], TARGETS[name])
    atheris.Fuzz()


if __name__ == "__main__":
    main()
