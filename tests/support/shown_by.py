"""Pages that name the tests of their claims."""

import re

from support.paths import ROOT


def missing_tests(cell):
    """The tests that a cell names and that are not in the tree, or the cell itself if it names none. A file's name may have a folder
    before it, where two files share the name."""
    named = re.findall(r"`([\w/]+\.py)::(\w+)`", cell)
    missing = [] if named else [cell]
    for file, test in named:
        found = list((ROOT / "tests").rglob(file))
        if len(found) != 1 or not re.search(rf"^(async )?def {test}\(", found[0].read_text(), re.MULTILINE):
            missing.append(f"{file}::{test}")
    return missing
