"""`outlay`, but threads of the web framework's pool end after a moment without work.

They usually do after ten seconds, which is too long for a test to wait for again and again. What is
kept for each thread and not let go with it is found this way.
"""

from anyio._backends._asyncio import WorkerThread

from outlay.cli.main import run

IDLE_SECONDS = 0.02

if __name__ == "__main__":
    WorkerThread.MAX_IDLE_TIME = IDLE_SECONDS  # type: ignore[assignment]  # Final, but read each time
    run()
