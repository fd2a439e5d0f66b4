"""docs/reference/faults.md: every row names a test, and that test exists."""

from support.paths import ROOT
from support.shown_by import missing_tests

PAGE = (ROOT / "docs" / "reference" / "faults.md").read_text().split("\n## Overload for a minute\n")[0]  # which has figures
ROWS = [line for line in PAGE.splitlines() if line.startswith("| ") and not line.startswith(("| fault", "| attack", "| ---"))]


def test_every_row_names_a_test_that_exists():
    assert len(ROWS) > 10
    for row in ROWS:
        fault, sees, _, shown = (cell.strip() for cell in row.split("|")[1:5])
        assert fault and sees, row
        assert missing_tests(shown) == [], row
