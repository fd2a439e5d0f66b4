"""docs/reference/threat-model.md: every boundary has an attacker, a defence, and tests that exist."""

from support.paths import ROOT
from support.shown_by import missing_tests

PAGE = ROOT / "docs" / "reference" / "threat-model.md"
ROWS = [line for line in PAGE.read_text().splitlines() if line.startswith("| ") and not line.startswith(("| boundary", "| ---"))]


def test_every_boundary_is_shown_by_tests_that_exist():
    assert len(ROWS) > 10
    for row in ROWS:
        boundary, attacker, assets, holds, _, shown = (cell.strip() for cell in row.split("|")[1:7])
        assert boundary and attacker and assets and holds, row
        assert missing_tests(shown) == [], row
