"""README.md and docs/ as a site: build.py ROOT SOURCE SITE. Run by scripts/docs, in its virtual environment.

SOURCE becomes a copy of all pages that README.md and docs/ lead to, at the places that they have in ROOT, so that relative links
hold. A file that is no page and no picture, like the sample of the settings, becomes a page that shows it.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from check import mistakes_of

FENCE = re.compile(r"(^ *```.*?^ *```$)", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\((?!https?:|mailto:)([^)#\s]+)((?:#[^)\s]*)?)\)")
ENTRY = re.compile(r"^(?:\d+\.|\*) \[([^]]+)\]\(([^)#]+)(#[^)]*)?\)")
PICTURES = {".png", ".svg"}
LANGUAGES = {".py": "python", ".mjs": "js", ".cpp": "cpp", ".html": "html", ".toml": "toml", ".yaml": "yaml", ".cfg": "text", ".conf": "nginx"}


class Source:
    """The pages, copied with their links."""

    def __init__(self, root, folder):
        self.root, self.folder, self.done = root, folder, set()

    def add(self, path):
        """`path` is relative to the root. Follows its links."""
        waiting = [path]
        while waiting:
            path = waiting.pop()
            if path in self.done:
                continue
            self.done.add(path)
            if path.suffix in PICTURES:
                self._write(path, (self.root / path).read_bytes())
            elif path.suffix == ".md":
                text, linked = self._page(path)
                self._write(path, text.encode())
                waiting += linked
            else:
                self._write(shown(path), self._show(path).encode())

    def _write(self, path, content):
        target = self.folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)

    def _show(self, path):
        text = (self.root / path).read_text()
        fence = "`" * max([3, *(len(ticks) + 1 for ticks in re.findall(r"`{3,}", text))])
        return f"# `{path}`\n\n{fence}{LANGUAGES.get(path.suffix, 'text')}\n{text.rstrip()}\n{fence}\n"

    def _page(self, path):
        linked = []

        def follow(link):
            target = Path(os.path.normpath(path.parent / link[1]))
            full = self.root / target
            if full.is_dir():
                target = target / "README.md"
            if not (self.root / target).is_file():
                raise SystemExit(f"docs: {path}: the link {link[1]} leads nowhere")
            linked.append(target)
            instead = target if target.suffix in {".md", *PICTURES} else shown(target)
            return f"]({os.path.relpath(instead, path.parent)}{link[2]})"

        parts = FENCE.split((self.root / path).read_text())
        parts[::2] = [LINK.sub(follow, prose) for prose in parts[::2]]
        return "".join(parts), linked


def shown(path):
    """The page that shows the file."""
    return path.with_name(path.name + ".md")


def navigation(root):
    """The headings of docs/README.md, and the pages below each."""
    sections, entries = [{"Home": "README.md"}, {"All pages": "docs/README.md"}], []
    for line in (root / "docs" / "README.md").read_text().splitlines():
        if line.startswith("## "):
            entries = []
            sections.append({line[3:]: entries})
        elif (entry := ENTRY.match(line)) and not entry[3]:
            path = Path(os.path.normpath(Path("docs") / entry[2]))
            entries.append({re.sub("`", "", entry[1]): str(path if path.suffix == ".md" else shown(path))})
    return [section for section in sections if all(section.values())]


def version_of(root):
    return re.search(r"\bproject\(\S+\s+VERSION (\d+\.\d+\.\d+)", (root / "CMakeLists.txt").read_text(), re.MULTILINE)[1]


def built_from(root):
    """Version, commit and its date, as far as they are known."""
    asked = subprocess.run(["git", "-C", root, "log", "-1", "--format=%h of %cs"], capture_output=True, text=True)
    commit = f", commit {asked.stdout.strip()}" if asked.returncode == 0 and asked.stdout.strip() else ""
    return f"Version {version_of(root)}{commit}"


def config_of(root, source, site):
    settings = {
        "site_name": "NuroPb gateway", "docs_dir": str(source), "site_dir": str(site), "copyright": built_from(root), "use_directory_urls": False,
        "theme": {"name": "material", "font": False, "features": ["navigation.sections", "navigation.footer", "navigation.top", "content.code.copy", "search.highlight", "search.suggest"],
                  "palette": [{"media": "(prefers-color-scheme: light)", "scheme": "default", "primary": "indigo", "toggle": {"icon": "material/weather-night", "name": "Dark"}},
                              {"media": "(prefers-color-scheme: dark)", "scheme": "slate", "primary": "indigo", "toggle": {"icon": "material/weather-sunny", "name": "Light"}}]},
        "plugins": ["search"], "nav": navigation(root),
        "validation": {"omitted_files": "ignore", "absolute_links": "warn", "unrecognized_links": "warn", "anchors": "warn"},
    }
    # JSON is YAML; the rest of it can't be said in JSON.
    return json.dumps(settings)[:-1] + """,
"markdown_extensions": ["tables", "sane_lists", "md_in_html", "pymdownx.superfences", {"pymdownx.highlight": {"use_pygments": true}},
  {"toc": {"permalink": true, "slugify": !!python/object/apply:pymdownx.slugs.slugify {kwds: {case: lower}}}}]}
"""


def main():
    root, source, site = (Path(word).resolve() for word in sys.argv[1:])
    shutil.rmtree(source, ignore_errors=True)
    pages = Source(root, source)
    for page in (root / "README.md", *sorted((root / "docs").rglob("*.md"))):
        pages.add(page.relative_to(root))
    config = source.with_name(source.name + ".yml")
    config.write_text(config_of(root, source, site))
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run([sys.executable, "-m", "mkdocs", "--quiet", "build", "--strict", "--clean", "--config-file", config], env=environment)
    if done.returncode != 0:
        return 1
    mistakes = mistakes_of(site)
    for mistake in mistakes:
        print(f"docs: {mistake}", file=sys.stderr)
    print(f"docs: {len(list(site.rglob('*.html')))} pages in {site}")
    return 1 if mistakes else 0


if __name__ == "__main__":
    sys.exit(main())
