"""What scripts/gpu-check has compared."""


class Check:
    """Says each comparison, and keeps those that did not agree."""

    def __init__(self):
        self.failures = []

    def same(self, what, ours, theirs):
        self.true(f"{what}: {ours}", ours == theirs, f"but it should be {theirs}")

    def true(self, what, holds, otherwise=""):
        text = what if holds else f"{what} {otherwise}".rstrip()
        print(f"gpu-check: {'ok  ' if holds else 'FAIL'} {text}")
        if not holds:
            self.failures.append(text)
