"""Private words in the repository's prose, for each of which the field has a word (docs/tasks/glossary.md).

usage: words.py [FILE...]

Prints each line of the files that contains one, with the word to use in its place. Without FILE: all tracked sources, pages, scripts
and settings. Exit code: 0 if there is none, 1 if there is one. Identifiers with underscores and names within hyphens do not count.
"""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
KINDS = ("*.hpp", "*.cpp", "*.py", "*.md", "*.sh", "*.toml", "*.js", "scripts/*", "deploy/*")
# Regular expression of what not to write → what to write.
WORDS = {
    "anew": "again",
    "as good as": "practically",
    "company": "coalesce, batch",
    "hears? out|heard out|hearing out": "let finish; lingering close",
    "judge?ments?": "decision; authentication",
    "lets? go|letting go": "evict, release, close",
    "mends|mended|mending": "fix, repair, correct",
    "seldom": "rarely",
    "somebody|somebody's": "the role: client, caller, user, operator, attacker",
    "(?:take|takes|taken|taking|took) up(?! to)": "resume (a session); process (a message); occupy",
    "twice is once": "idempotent",
    "whoever": "the role: client, caller, user, operator, attacker",
}
# Not prose, or about these words.
ALLOWED = ("tests/fuzz/corpus/", "scripts/lib/words.py", "tests/integration/scripts/test_words.py")
FORBIDDEN = re.compile(r"(?<![\w-])(?:" + "|".join(f"({words})" for words in WORDS) + r")(?![\w-])", re.IGNORECASE)


def tracked():
    names = subprocess.run(["git", "ls-files", "-z", *KINDS], cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True).stdout
    return [ROOT / name for name in names.split("\0") if name and not name.startswith(ALLOWED)]


def findings(files):
    for file in files:
        try:
            lines = file.read_text().splitlines()
        except (UnicodeDecodeError, FileNotFoundError, IsADirectoryError):
            continue  # a picture, or removed and not committed yet
        shown = file.relative_to(ROOT) if file.is_relative_to(ROOT) else file
        for number, line in enumerate(lines, 1):
            for found in FORBIDDEN.finditer(line):
                yield f"{shown}:{number}: '{found[0]}': write {list(WORDS.values())[found.lastindex - 1]}"


def main():
    found = list(findings([Path(name).resolve() for name in sys.argv[1:]] or tracked()))
    print("".join(f"{line}\n" for line in found), end="")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
