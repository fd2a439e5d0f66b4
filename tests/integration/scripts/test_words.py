"""scripts/lib/words.py, which scripts/lint runs: private words in prose are findings, with the word to use in their place."""

import subprocess
import sys

import pytest

from support.paths import ROOT

WORDS = ROOT / "scripts" / "lib" / "words.py"


def check(*files):
    return subprocess.run([sys.executable, WORDS, *files], capture_output=True, text=True)


@pytest.mark.parametrize("line, word, instead", [
    ("// Whoever asks is answered.", "Whoever", "the role: client"),
    ("# The session is taken up again.", "taken up", "resume"),
    ("It begins anew.", "anew", "again"),
    ('    << "twice is once";', "twice is once", "idempotent"),
])
def test_a_private_word_is_found(folder, line, word, instead):
    (folder / "page.md").write_text(f"fine\n{line}\n")
    done = check(folder / "page.md")
    assert done.returncode == 1 and done.stderr == ""
    assert done.stdout.startswith(f"{folder}/page.md:2: '{word}': write {instead}")


@pytest.mark.parametrize("text", ["", "It takes up to an hour.\n", "int mailbox_let_go_total;\n", "renewed, and mend() is an identifier\n", "a test named of-somebody-else\n"])
def test_other_words_are_none(folder, text):
    (folder / "page.md").write_text(text)
    done = check(folder / "page.md")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_each_finding_of_a_line_has_a_line(folder):
    (folder / "a.py").write_text("# whoever lets go of it\n")
    (folder / "b.py").write_text("# seldom\n")
    assert [line.split(": write")[0].split("/")[-1] for line in check(folder / "a.py", folder / "b.py").stdout.splitlines()] == \
        ["a.py:1: 'whoever'", "a.py:1: 'lets go'", "b.py:1: 'seldom'"]


def test_a_picture_is_no_prose(folder):
    (folder / "picture.png").write_bytes(b"\x89PNG\xff whoever")
    assert check(folder / "picture.png").returncode == 0


def test_the_repository_has_none():
    done = check()
    assert done.returncode == 0, done.stdout
