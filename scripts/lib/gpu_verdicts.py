"""What scripts/gpu-check has compared."""


LARGEST_HELPER_MS = 1000


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


def judge_helper(check, whole_ms, cu_init_ms):
    """The helper holds up the start of every job."""
    more = whole_ms - cu_init_ms
    check.true(f"the helper takes {more:.0f} ms beside what cuInit takes", more < LARGEST_HELPER_MS,
               f"which is not less than {LARGEST_HELPER_MS}")
