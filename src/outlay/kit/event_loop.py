"""Keeping work that waits for a disk or a database off event loops."""

import asyncio


def refuse_on_event_loop(what: str) -> None:
    """Raise RuntimeError when called by a task: its event loop, and all it serves, would wait.

    `what` is what was about to be waited for. Call it in a thread, with `asyncio.to_thread`.
    """
    try:
        task = asyncio.current_task()
    except RuntimeError:  # no loop runs in this thread
        return
    if task is not None:
        raise RuntimeError(f"{what} was called on a running event loop, by {task.get_name()}")
