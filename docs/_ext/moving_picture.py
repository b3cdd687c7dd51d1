"""Make docs/images/playground.gif: a network that learns in the playground.

python docs/_ext/moving_picture.py
"""

import sys
import tempfile
from io import BytesIO
from pathlib import Path

from PIL import Image

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tests/helpers"))

from browser import Playground, Visitor, browser  # noqa: E402

FRAMES, WIDTH = 28, 640


def main() -> None:
    """Take the pictures, and put them together."""
    playground = Playground(Path(tempfile.mkdtemp()), "--visitors", "2")
    frames = []
    with browser() as chromium:
        page = chromium.new_context(viewport={"width": 1280, "height": 640}).new_page()
        visitor = Visitor(page, playground.address).open("/?guide=two-spirals&hidden_units=8&depth=2")
        page.evaluate("document.querySelector('.guide').remove()")
        visitor.press("A random sample")
        visitor.press("Reset and watch it learn")
        for _ in range(FRAMES):
            page.wait_for_timeout(250)
            frame = Image.open(BytesIO(page.screenshot())).convert("RGB")
            frames.append(frame.resize((WIDTH, WIDTH * frame.height // frame.width), Image.Resampling.LANCZOS))
    playground.end()
    palette = frames[-1].quantize(96)
    first, *rest = [frame.quantize(palette=palette, dither=Image.Dither.NONE) for frame in frames]
    first.save(ROOT / "docs/images/playground.gif", save_all=True, append_images=rest, duration=250, loop=0)


if __name__ == "__main__":
    main()
