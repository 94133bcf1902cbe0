"""What a model can do in a browser, one module a group; `ACTS` is all of it, in the order it is offered."""

from collections.abc import Sequence

from nodes.browser.acts.going import NAVIGATE
from nodes.browser.port import Act

ACTS: Sequence[Act] = (NAVIGATE,)
