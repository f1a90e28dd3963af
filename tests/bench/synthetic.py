"""The engine over namespaces that nobody stores: `tests/src/bin/synthetic.rs`, a process for each figure."""

import json
import os
import shutil

import measure

MILLION = 1_000_000
# What is done, over which shape, with how many objects. Growth is seen in the first three.
RUNS = [
    ("pass", "flat", MILLION),
    ("pass", "flat", 3 * MILLION),
    ("pass", "flat", 10 * MILLION),
    ("pass", "deep", MILLION),
    ("pass", "skewed", MILLION),
    ("pass", "hostile", MILLION),
    ("copy", "flat", 100_000),
]


class SyntheticRun:
    """One figure."""

    name = verb = shape = ""
    objects = 0

    def __init__(self, tool, folder):
        self.tool, self.folder, self.told = str(tool), folder, {}
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)

    def command(self, verb):
        """Its command line."""
        return [self.tool, verb, self.shape, str(self.objects), str(self.folder / "state")]

    def prepare(self):
        """Fills the ledger that a pass goes over."""
        if self.verb == "pass":
            measure.run(self.command("fill"), dict(os.environ), self.folder / "log")

    def run(self):
        """Measures it, and keeps what it told."""
        cost = measure.run(self.command(self.verb), dict(os.environ), self.folder / "log")
        self.told = json.loads((self.folder / "log").read_text(encoding="utf-8"))
        return cost

    def drop(self):
        """Gives the disk back."""
        shutil.rmtree(self.folder)


def synthetic_programs():
    """A class for each run, as the workloads want them."""
    return tuple(
        type("Run", (SyntheticRun,), {"name": f"{verb} {shape} {objects:,}", "verb": verb, "shape": shape, "objects": objects})
        for verb, shape, objects in RUNS
    )


def table(workload, medians, told):
    """Costs by the million, and the ledger's size."""
    lines = [
        f"## {workload.title}",
        "",
        "One round each: filling the ledgers takes longer than what is measured.",
        "",
        "| run | objects | wall s | CPU s | CPU s per million | objects per CPU s | peak MiB | ledger bytes per object |",
        "|---|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for name, cost in medians.items():
        objects, ledger = told[name]["objects"], told[name]["ledger_bytes"]
        lines.append(
            f"| {name} | {objects:,} | {cost.wall:.2f} | {cost.cpu:.2f} | {cost.cpu / objects * MILLION:.2f} "
            f"| {objects / cost.cpu:,.0f} | {cost.peak / 2**20:.0f} | {ledger / objects:.0f} |"
        )
    return [*lines, ""]
