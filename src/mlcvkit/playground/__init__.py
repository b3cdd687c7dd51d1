"""The playground: one page in the browser on which a network is set up, trained, drawn for and looked into.

Needs NiceGUI: ``pip install 'mlcvlab[play]'``.
"""

from mlcvkit import require

for _library in ("nicegui", "sklearn", "threadpoolctl"):
    require(_library, extra="play")

from mlcvkit.playground.house import House  # noqa: E402
from mlcvkit.playground.server import serve  # noqa: E402

__all__ = ["House", "serve"]
