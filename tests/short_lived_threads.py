"""`outlay` with short-lived idle threads of the web framework's pool.

They usually end after ten seconds, which is too long for a test to wait for repeatedly. This finds
resources that are kept per thread and not released with it.
"""

from anyio._backends._asyncio import WorkerThread

from outlay.cli.main import run

IDLE_SECONDS = 0.02

if __name__ == "__main__":
    WorkerThread.MAX_IDLE_TIME = IDLE_SECONDS  # type: ignore[assignment]  # Final, but read each time
    run()
