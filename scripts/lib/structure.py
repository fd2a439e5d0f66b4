"""The structure of the C++ sources, as CONTRIBUTING.md promises it: one direction of includes between rooms, and one class, one job.

usage: structure.py            prints a line for each fault, and ends with exit code 1 if there is one

scripts/lib/structure.toml says which room may include which, and which classes are known to be too large. A room is a folder, or the
files of a folder without its sub-folders.
"""

import re
import sys
import tomllib
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SHIPPED = ("common", "shm", "edge", "meshd")
MOST_MEMBERS, MOST_METHODS = 25, 45

INCLUDE = re.compile(r'^#include "([^"]+)"', re.MULTILINE)
COMMENT_OR_TEXT = re.compile(r'//[^\n]*|/\*.*?\*/|R"\((?:.|\n)*?\)"|"(?:[^"\\\n]|\\.)*"|(?<![0-9A-Fa-f])\'(?:[^\'\\\n]|\\.)+\'', re.DOTALL)
CLASS = re.compile(r"\bclass (?:\[\[\w+\]\] )?(\w+)(?: final)?(?: : [^{};]*)?\s*\{")
DEFINITION = re.compile(r"^[\w:<>,&* \[\]]*?\b(?:(\w+)::)+~?(\w+)\([^;{}]*\)[^;{}]*\{", re.MULTILINE)


def sources(root, endings=(".hpp", ".cpp")):
    return sorted(file for folder in SHIPPED for file in (root / folder).rglob("*") if file.suffix in endings)


def room_of(path, rooms):
    """The room with the longest name that has this file: "edge/relay/x.cpp" is in "edge/relay", "edge/x.cpp" in "edge"."""
    found = [room for room in rooms if path.startswith(room + "/")]
    return max(found, key=len, default=None)


def include_faults(root, rooms):
    """`rooms`: {room: [rooms that it may include]}; a room may include itself."""
    for file in sources(root):
        path = file.relative_to(root).as_posix()
        room = room_of(path, rooms)
        if room is None:
            continue
        text = file.read_text(encoding="utf-8")
        for found in INCLUDE.finditer(text):
            other = room_of(found[1], rooms)
            if other is not None and other != room and other not in rooms[room]:
                line = text.count("\n", 0, found.start()) + 1
                yield f"{path}:{line}: {room} may not include {other} ({found[1]})"


def body_from(text, opening):
    """The text between the brace at `opening` and its counterpart."""
    depth = 0
    for at in range(opening, len(text)):
        if text[at] == "{":
            depth += 1
        elif text[at] == "}":
            depth -= 1
            if depth == 0:
                return text[opening + 1:at]
    return text[opening + 1:]


def statements(body):
    """What stands at the first level of a class: declarations, with what is in braces left out."""
    out, depth, current = [], 0, ""
    for letter in body:
        if letter == "{":
            depth += 1
        elif letter == "}":
            depth -= 1
            if depth == 0 and ")" in current and not current.rstrip().endswith("="):
                out.append(current)  # a method with its body
                current = ""
        elif depth == 0:
            if letter == ";":
                out.append(current)
                current = ""
            else:
                current += letter
    return [re.sub(r"\b(public|private|protected):", "", one).strip() for one in out]


def sizes(text):
    """{class: (data members, methods)} of the classes in a header. A data member's name ends with an underscore, as the style has it."""
    text = COMMENT_OR_TEXT.sub(lambda found: " " if found[0].startswith("/") else '""', text)
    out = {}
    for found in CLASS.finditer(text):
        members = methods = 0
        for one in statements(body_from(text, found.end() - 1)):
            if re.match(r"(using|friend|typedef|struct|class|enum|static_assert|template\s*<[^>]*>\s*friend)\b", one) or not one:
                continue
            if re.search(r"\b\w+_(\[\w*\])?(\s*=.*)?$", one, re.DOTALL) and not re.search(r"\b\w+\s*\([^)]*\)\s*(const|noexcept|override)?$", one):
                if not one.startswith("static constexpr"):
                    members += 1
            elif "(" in one:
                methods += 1
        out[found[1]] = (members, methods)
    return out


def size_faults(root, known):
    """`known`: classes that are too large, each with the reason. One that is not too large any more is a fault as well."""
    seen = set()
    for file in sources(root, (".hpp",)):
        for name, (members, methods) in sizes(file.read_text(encoding="utf-8")).items():
            if members <= MOST_MEMBERS and methods <= MOST_METHODS:
                continue
            seen.add(name)
            if name not in known:
                yield f"{file.relative_to(root)}: class {name} has {members} data members and {methods} methods; at most {MOST_MEMBERS} and {MOST_METHODS} are one job"
    for name in sorted(set(known) - seen - {"_"}):
        yield f"scripts/lib/structure.toml: class {name} is listed as too large, and is not"


def scattered_faults(root, known):
    """Classes whose methods are defined in several .cpp files."""
    where = defaultdict(set)
    declared = {name for file in sources(root, (".hpp",)) for name in sizes(file.read_text(encoding="utf-8"))}
    for file in sources(root, (".cpp",)):
        text = COMMENT_OR_TEXT.sub(" ", file.read_text(encoding="utf-8"))
        for found in DEFINITION.finditer(text):
            if found[1] in declared:
                where[file.parent, found[1]].add(file.relative_to(root).as_posix())
    scattered = {name: files for (_, name), files in where.items() if len(files) > 1}
    for name, files in sorted(scattered.items()):
        if name not in known:
            yield f"class {name} is defined in {len(files)} files: {', '.join(sorted(files))}"
    for name in sorted(set(known) - set(scattered)):
        yield f"scripts/lib/structure.toml: class {name} is listed as defined in several files, and is not"


def faults(root=ROOT):
    table = tomllib.loads((root / "scripts" / "lib" / "structure.toml").read_text(encoding="utf-8"))
    yield from include_faults(root, table["rooms"])
    yield from size_faults(root, table.get("large", {}))
    yield from scattered_faults(root, table.get("scattered", {}))


if __name__ == "__main__":
    found = list(faults())
    print("\n".join(found)) if found else None
    sys.exit(1 if found else 0)
