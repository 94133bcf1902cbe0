"""Asking once more: what may be gone a moment later, and how often that is tried."""

from collections.abc import Awaitable, Callable

import tenacity

from graph.errors import Failure

_ATTEMPTS = 3


class NotNow(Exception):
    """A failure before the first byte that may be gone a moment later; `failure` is told when it is not."""

    def __init__(self, failure: Failure, *, unreachable: bool) -> None:
        super().__init__(failure.message)
        self.failure = failure
        #: Nothing listens there, or it hung up: another server of the model may do.
        self.unreachable = unreachable


async def patiently(attempt: Callable[[], Awaitable[None]]) -> None:
    """`attempt` until it is no `NotNow`, three times at most and within a second; then its failure is raised."""
    repeated = tenacity.AsyncRetrying(
        retry=tenacity.retry_if_exception_type(NotNow),
        stop=tenacity.stop_after_attempt(_ATTEMPTS),
        wait=tenacity.wait_exponential_jitter(initial=0.1, max=0.5, jitter=0.1),
        reraise=True,
    )
    try:
        async for one in repeated:
            with one:
                await attempt()
    except NotNow as error:
        raise error.failure from error
