"""What a benchmark runs: bench/NAME/needs.toml, as

programs = ["nuropb-meshd", …]   targets of the build
peers = true                     where it takes others' programs from PyPI (scripts/lib/peers.sh)

A benchmark finds only the programs that it names, so a list can't be too short for long."""

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
    """What several need together, each program once."""
    each = [of(folder) for folder in folders]
    return Needs(tuple(dict.fromkeys(name for needs in each for name in needs.programs)), any(needs.peers for needs in each))


@contextmanager
def programs_in(built, needs):
    """A folder with these programs of the folder `built`, and no others."""
    with TemporaryDirectory(prefix="nuropb-bench-bin-") as folder:
        for name in needs.programs:
            for file in (name, f"{name}.so"):
                if (built / file).exists():
                    (Path(folder) / file).symlink_to(built / file)
        yield folder
