"""What a model can do in a browser, in the names models know from Playwright's MCP server; one module a group.

No act runs code in a page, uploads a file or leaves a dialog open: models need none of it to read and to fill in, and
pages could talk them into it.
"""

from collections.abc import Sequence

from nodes.browser.acts.going import GOING
from nodes.browser.acts.looking import LOOKING
from nodes.browser.acts.pointing import POINTING
from nodes.browser.acts.typing import TYPING
from nodes.browser.port import Act

#: In the order they are offered.
ACTS: Sequence[Act] = (*GOING, *LOOKING, *POINTING, *TYPING)
