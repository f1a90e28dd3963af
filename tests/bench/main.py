"""Measures what is named on the command line, prints it, and writes docs/BENCHMARKS.md when it is everything."""

import argparse
import os
import sys
from pathlib import Path

import report
import servers
from workloads import WORKLOADS, measure_all

FILLS = {"small-fast": "small:20000:4096-16384", "again": "small:20000:4096-16384", "million": "million:1000000:0-64"}


class Bench:
    """Programs, servers and folders of this run."""

    def __init__(self, repo, work, wanted):
        self.repo, self.work = Path(repo), Path(work)
        built, venv = Path(os.environ["CABOTAGE_TARGET"]), self.work / "venv/bin"
        self.tools = {"cabotage": built / "cabotage", "rclone": venv / "rclone", "s5cmd": venv / "s5cmd"}
        self.tools["synthetic"] = built / "synthetic"
        self.azurite = self.rgw = self.fast = self.source_server = None
        self.missing = {}
        self.names = [workload.name for workload in wanted]
        needed = {name for workload in wanted for name in workload.servers}
        for name in ("azurite", "rgw"):
            if name in needed:
                variables, why = servers.service(repo, name)
                setattr(self, name, variables)
                if variables is None:
                    self.missing[name] = why
        if "fast" in needed:
            self.start_fast(built / "fast-s3", wanted)

    def start_fast(self, program, wanted):
        """One server for each side, so that no program can copy within a server."""
        fills = sorted({FILLS[workload.name] for workload in wanted if workload.name in FILLS})
        self.source_server = servers.FastS3(program, *(part for fill in fills for part in ("--fill", fill)))
        own = [fill for fill in fills if fill.startswith("million")]
        self.fast = servers.FastS3(program, *(part for fill in own for part in ("--fill", fill)))
        for server in (self.source_server, self.fast):
            os.sched_setaffinity(server.child.pid, {1 % os.cpu_count()})
            for task in os.listdir(f"/proc/{server.child.pid}/task"):
                os.sched_setaffinity(int(task), {1 % os.cpu_count()})

    def forget_counts(self):
        """Requests are counted from here."""
        self.counts()

    def counts(self):
        """Requests to the fast servers since the last call, or none."""
        if self.fast is None:
            return None
        total = {}
        for server in (self.source_server, self.fast):
            for kind, count in server.counts().items():
                total[kind] = total.get(kind, 0) + count
        return total

    def stop(self):
        """Stops what it started."""
        for server in (self.source_server, self.fast):
            if server is not None:
                server.stop()
        for name in ("azurite", "rgw"):
            if getattr(self, name) is not None:
                servers.stop(self.repo, name)


def arguments():
    """The command line."""
    parser = argparse.ArgumentParser(prog="scripts/bench")
    parser.add_argument("--repo", required=True, help=argparse.SUPPRESS)
    parser.add_argument("--work", required=True, help=argparse.SUPPRESS)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--list", action="store_true")
    parser.add_argument("workload", nargs="*")
    given = parser.parse_args()
    known = {workload.name: workload for workload in WORKLOADS}
    for name in given.workload:
        if name not in known:
            parser.error(f"there is no workload {name}; there are {', '.join(known)}")
    if given.list:
        for workload in WORKLOADS:
            print(f"{workload.name:14} {workload.title}")
        sys.exit(0)
    if given.rounds < 1:
        parser.error("--rounds: at least 1")
    return given, [known[name] for name in given.workload] or WORKLOADS


def main():
    """Runs the workloads."""
    given, wanted = arguments()
    bench = Bench(given.repo, given.work, wanted)
    results = []
    try:
        for workload in wanted:
            lacking = [name for name in workload.servers if name in bench.missing]
            if lacking:
                print(f"{workload.name}: skipped, {lacking[0]}: {bench.missing[lacking[0]]}", flush=True)
                continue
            print(f"{workload.name}: {workload.title}", flush=True)
            medians, requests = measure_all(workload(bench), given.rounds, lambda line: print(line, flush=True))
            results.append((workload, medians, requests))
            # Whoever stops it after an hour keeps what there is.
            keep(given, bench, results)
    finally:
        bench.stop()
    print(keep(given, bench, results))


def keep(given, bench, results):
    """Writes the page when it is about everything; gives its text."""
    text = report.markdown(results, given.rounds, bench)
    if not given.workload:
        (Path(given.repo) / "docs/BENCHMARKS.md").write_text(text, encoding="utf-8")
    return text


if __name__ == "__main__":
    main()
