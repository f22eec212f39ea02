"""Waiting for what comes, with a deadline."""

import time


def came(holds, seconds):
    """Waits until it holds, but no longer than this; whether it does."""
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.005)
    return True


def wait_until(holds, what, seconds=60):
    """Waits until it holds; an AssertionError says what never came."""
    assert came(holds, seconds), f"it never came: {what}"
