"""The programs that a benchmark runs: bench/NAME/needs.toml, as

programs = ["nuropb-meshd", …]   targets of the build
peers = true                     if it needs third-party programs from PyPI (scripts/lib/peers.sh)

A benchmark only finds the programs in its list, so an incomplete list is noticed at once."""

import tomllib
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory


@dataclass(frozen=True)
class Needs:
    programs: tuple
    peers: bool


def of(folder):
    file = Path(folder) / "needs.toml"
    try:
        found = tomllib.loads(file.read_text())
    except (OSError, ValueError) as error:
        raise ValueError(f"{file}: {error}") from error
    unknown = set(found) - {"programs", "peers"}
    programs = found.get("programs")
    if unknown or not isinstance(programs, list) or not all(isinstance(name, str) for name in programs) or not isinstance(found.get("peers", False), bool):
        raise ValueError(f"{file}: wanted are programs = [...] and, perhaps, peers = true")
    return Needs(tuple(programs), found.get("peers", False))


def of_all(folders):
    """The needs of several benchmarks, each program once."""
    each = [of(folder) for folder in folders]
    return Needs(tuple(dict.fromkeys(name for needs in each for name in needs.programs)), any(needs.peers for needs in each))


@contextmanager
def programs_in(built, needs):
    """A folder that contains only these programs of the folder `built`."""
    with TemporaryDirectory(prefix="nuropb-bench-bin-") as folder:
        for name in needs.programs:
            for file in (name, f"{name}.so"):
                if (built / file).exists():
                    (Path(folder) / file).symlink_to(built / file)
        yield folder
