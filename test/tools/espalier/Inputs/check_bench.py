"""Checks what `espalier bench --json` prints (standard input): its keys, and figures that do not depend on the machine."""
import json
import sys

figures = json.load(sys.stdin)
keys = {"median_ms", "min_ms", "p99_ms", "compile_ms", "gflops", "peak_gflops", "peak_share", "arena_bytes",
        "peak_rss_bytes", "allocations_per_run", "library_allocations_per_run", "threads", "cpu", "precision"}
assert set(figures) == keys, set(figures) ^ keys
assert 0 < figures["min_ms"] <= figures["median_ms"] <= figures["p99_ms"], figures
assert figures["compile_ms"] > 0 and figures["gflops"] > 0 and figures["peak_gflops"] > 0, figures
assert abs(figures["peak_share"] * figures["peak_gflops"] / figures["gflops"] - 1) < 1e-9, figures
assert figures["peak_rss_bytes"] > figures["arena_bytes"] > 0, figures
# Null where a sanitizer has an allocator of its own.
assert figures["allocations_per_run"] in (0, None), figures
assert figures["threads"] >= 1 and figures["cpu"], figures
