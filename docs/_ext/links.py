"""Check a built site: every link within it leads somewhere, and nothing is loaded from elsewhere."""

import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

LOADED = {("script", "src"), ("img", "src"), ("link", "href"), ("source", "src"), ("iframe", "src")}


class Page(HTMLParser):
    """The ids of a page, its links, and what it loads."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.ids: set[str] = set()
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.without_text: list[str] = []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note what an element has."""
        found = dict(attrs)
        self.ids |= {found[name] for name in ("id", "name") if found.get(name)}
        if tag == "a" and found.get("href"):
            self.links.append(found["href"])
        self.loaded += [found[name] for kind, name in LOADED if kind == tag and found.get(name)]
        if tag == "img" and not found.get("alt"):
            self.without_text.append(found.get("src", ""))


def problems(site: Path) -> tuple[list[str], int]:
    """What is amiss, a line each, and how many links were looked at."""
    pages = {path.resolve(): Page(path) for path in site.rglob("*.html")}
    found, count = [], 0
    for path, page in pages.items():
        here = path.relative_to(site.resolve())
        found += [f"{here}: loads {url}" for url in page.loaded if urlsplit(url).netloc]
        found += [f"{here}: {name} has no alternative text" for name in page.without_text]
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            count += 1
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            if not target.exists():
                found.append(f"{here}: {link} is not there")
            elif parts.fragment and target in pages and unquote(parts.fragment) not in pages[target].ids:
                found.append(f"{here}: {link} leads to no such place")
    return found, count


if __name__ == "__main__":
    amiss, looked_at = problems(Path(sys.argv[1]))
    print("\n".join(sorted(set(amiss))) or f"{looked_at:,} links within the site lead somewhere")
    sys.exit(bool(amiss))
