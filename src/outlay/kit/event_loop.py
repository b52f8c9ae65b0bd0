"""A guard that keeps blocking calls off event loops."""

import asyncio


def refuse_on_event_loop(what: str) -> None:
    """Raise RuntimeError if called on an event loop, which would block everything that it serves.

    `what` describes the blocking call. Call it in a thread, with `asyncio.to_thread`.
    """
    try:
        task = asyncio.current_task()
    except RuntimeError:  # no loop runs in this thread
        return
    if task is not None:
        raise RuntimeError(f"{what} was called on a running event loop, by {task.get_name()}")
