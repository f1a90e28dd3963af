"""The results as Markdown."""

import datetime
import os
import platform
import subprocess

import synthetic

# The most that CPU, wall time and memory of a program may be in a workload, as parts of rclone's.
TARGETS = {
    ("small-rgw", "cabotage"): (0.25, 0.75, 0.4),
    ("small-rgw-20k", "cabotage"): (0.25, 0.75, 0.4),
    ("small-fast", "cabotage"): (0.25, 0.35, 0.4),
    ("large-rgw", "cabotage"): (1.6, 1.0, 0.8),
    ("large-rgw", "cabotage, composite"): (1.2, 1.0, 0.8),
    ("large-fast", "cabotage"): (1.6, 1.0, 0.8),
    ("large-fast", "cabotage, composite"): (1.2, 1.0, 0.8),
    ("again", "cabotage"): (0.3, 0.5, 0.4),
    ("million", "cabotage"): (0.3, 0.3, None),
}

# How many objects a program must get through in a second of a workload, on one core.
RATES = {
    ("small-fast", "cabotage"): (20_000, 3_000),
    ("million", "cabotage"): (1_000_000, 100_000),
}


def version(command):
    """The first line of what a program says of itself."""
    return subprocess.run(command, capture_output=True, text=True).stdout.strip().splitlines()[0]


def machine():
    """Processor, cores, memory and system."""
    with open("/proc/cpuinfo", encoding="utf-8") as text:
        names = [line.split(":", 1)[1].strip() for line in text if line.startswith("model name")]
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") >> 30
    return f"{names[0] if names else platform.machine()}, {os.cpu_count()} cores, {memory} GiB, Linux {platform.release()}"


def markdown(results, rounds, bench):
    """The whole page."""
    tools = bench.tools
    lines = [
        "# Benchmarks",
        "",
        "Written by `scripts/bench`; every number is one that it measured. Run it to repeat them: it builds what it needs, starts the",
        "servers on loopback, checks each program's first copy against the source, and stops what it started.",
        "",
        f"- Date: {datetime.datetime.now(datetime.timezone.utc).date()}, {rounds} rounds, medians; programs in turn, the first place changing.",
        f"- Machine: {machine()}. The servers run on the same machine, and Azurite and Ceph RGW take most of it.",
        f"- Programs: {version([tools['cabotage'], '--version'])}; {version([tools['rclone'], 'version'])}; s5cmd {version([tools['s5cmd'], 'version'])}.",
        "- Cabotage runs with its defaults (every byte checked by the server, attributes read back, ledger on), rclone with",
        "  `--metadata --checksum --s3-storage-class STANDARD`, all with 32 transfers at once.",
        "- The fast server is the tests' own S3 server in memory (`tests/src/fast_s3`). \"One core for the client\" means that the client",
        "  is bound to one core and both servers to another.",
        "- CPU is user and system time of the client alone. Ratios are to rclone in the same run.",
        "- Names that nobody stores (`tests/src/synthetic`): both ends answer from formulas, so that all but the wire is measured: listings,",
        "  decisions, ledger, report. `pass` goes over a ledger that holds every object, and finds nothing to do; `copy` moves objects of up",
        "  to 63 bytes, with verification and ledger. What it means for larger numbers is in [SCALE.md](SCALE.md).",
        *lacking(results, bench),
        "",
    ]
    for workload, medians, requests in results:
        of = synthetic.table if workload.name == "synthetic" else table
        lines += of(workload, medians, requests)
    lines += targets(results)
    return "\n".join(lines) + "\n"


def lacking(results, bench):
    """Which workloads this page doesn't have."""
    measured = {workload.name for workload, _, _ in results}
    names = [name for name in bench.names if name not in measured]
    return [f"- Not measured this time: {', '.join(names)}."] if names else []


def table(workload, medians, requests):
    """One workload's table."""
    peer = medians["rclone"]
    lines = [
        f"## {workload.title}",
        "",
        "| program | wall s | CPU s | peak MiB | wall ratio | CPU ratio | peak ratio | requests |",
        "|---|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for name, cost in medians.items():
        counted = requests.get(name)
        sent = f"{sum(counted.values()):,}" if counted else "not counted"
        lines.append(
            f"| {name} | {cost.wall:.2f} | {cost.cpu:.2f} | {cost.peak / 2**20:.0f} | {cost.wall / peak_safe(peer.wall):.2f} "
            f"| {cost.cpu / peak_safe(peer.cpu):.2f} | {cost.peak / peak_safe(peer.peak):.2f} | {sent} |"
        )
    return [*lines, ""]


def peak_safe(value):
    """Never zero."""
    return value or 1e-9


def targets(results):
    """Which targets are met."""
    lines = ["## Targets", "", "| work | program | figure | target | measured | met |", "|---|---|---|---:|---:|---|"]
    for workload, medians, _ in results:
        for program, ours in medians.items():
            targeted = TARGETS.get((workload.name, program))
            if targeted is None:
                continue
            peer = medians["rclone"]
            measured = (ours.cpu / peak_safe(peer.cpu), ours.wall / peak_safe(peer.wall), ours.peak / peak_safe(peer.peak))
            for figure, most, value in zip(("CPU", "wall", "peak memory"), targeted, measured):
                if most is not None:
                    met = "yes" if value <= most else "**no**"
                    lines.append(f"| {workload.name} | {program} | {figure} | ≤ {most} | {value:.2f} | {met} |")
            if (workload.name, program) in RATES:
                objects, least = RATES[workload.name, program]
                rate = objects / peak_safe(ours.wall)
                met = "yes" if rate >= least else "**no**"
                lines.append(f"| {workload.name} | {program} | objects per second | ≥ {least:,} | {rate:,.0f} | {met} |")
    return lines
