"""What the black-box and conformance tests share: jobs on disk, processes as PID 1, roots, an engine."""
