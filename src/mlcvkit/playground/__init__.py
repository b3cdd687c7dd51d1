"""The playground: a page in the browser on which one sets up a network, trains it and looks inside it.

Needs NiceGUI: ``pip install 'mlcvlab[play]'``.
"""

from mlcvkit.extras import require

require("play")

from mlcvkit.playground.limits import Limits  # noqa: E402
from mlcvkit.playground.server import serve  # noqa: E402

__all__ = ["Limits", "serve"]
