"""The playground: one page in the browser on which a network is set up, trained, drawn for and looked into.

Needs NiceGUI: ``pip install 'mlcvlab[play]'``.
"""

from mlcvkit.extras import require

require("play")

from mlcvkit.playground.house import House  # noqa: E402
from mlcvkit.playground.server import serve  # noqa: E402

__all__ = ["House", "serve"]
