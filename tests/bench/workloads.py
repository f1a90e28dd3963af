"""What is measured: each workload makes its ends, and its programs run in turn, the first place changing."""

import random
import shutil
import uuid
from pathlib import Path

import ends
import measure
from programs import Cabotage, CabotageAdopting, CabotageComposite, Rclone, S5cmd
from synthetic import synthetic_programs

SMALL = (4 << 10, 16 << 10)


def make_files(folder, sizes, seed=1):
    """Files of those sizes, always the same ones; a folder of that name that is there is taken as it is."""
    folder = Path(folder)
    if (folder / "complete").exists():
        return folder / "files"
    shutil.rmtree(folder, ignore_errors=True)
    noise = random.Random(seed)
    for number, size in enumerate(sizes):
        path = folder / "files" / f"{number // 1000:03}" / f"object-{number:06}.bin"
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(path, "wb") as out:
            while size > 0:
                piece = min(size, 1 << 20)
                out.write(noise.randbytes(piece))
                size -= piece
    (folder / "complete").touch()
    return folder / "files"


def small_sizes(count):
    """Sizes of small objects, always the same."""
    sizes = random.Random(2)
    return [sizes.randint(*SMALL) for _ in range(count)]


class Workload:
    """One thing to do, for several programs."""

    name = title = ""
    programs = (Cabotage, Rclone)
    servers = ()
    pinned = False
    download = False
    # Where one round takes long and has no peer to be compared with.
    rounds_at_most = None

    def __init__(self, bench):
        self.bench = bench

    def source(self):
        """Where the objects are; made once."""
        raise NotImplementedError

    def destination(self):
        """A new, empty place."""
        raise NotImplementedError

    def round(self, kind, source, check):
        """One program's turn: its cost, and requests by kind where they are known."""
        destination = self.destination()
        program = kind(self.bench.tools, self.bench.work / "run" / kind.name, source, destination)
        self.prepare(program)
        program.pin = ["taskset", "-c", "0"] if self.pinned else []
        self.bench.forget_counts()
        cost = program.run()
        requests = self.bench.counts()
        if check:
            self.check(source, destination)
        self.drop(destination)
        return cost, requests

    def prepare(self, program):
        """What the program does before it is measured."""

    def check(self, source, destination):
        """Both ends compared by rclone, by MD5 where both ends publish it, else by reading."""
        folder = self.bench.work / "run" / "check"
        rclone = Rclone(self.bench.tools, folder, source, destination)
        by = ["--download"] if self.download else []
        rclone.other("check", *by, "--checkers", "16", source.named("source"), destination.named("destination"))

    def drop(self, destination):
        """Frees what the destination holds."""
        if destination.kind == "disk":
            shutil.rmtree(destination.place)
        elif self.bench.fast and destination.settings.get("endpoint") == self.bench.fast.endpoint:
            self.bench.fast.remove(destination.place)
        else:
            rclone = Rclone(self.bench.tools, self.bench.work / "run" / "drop", destination, destination)
            rclone.other("purge", destination.named("destination"))

    def upload(self, files, end):
        """Puts files where a workload finds them."""
        rclone = Rclone(self.bench.tools, self.bench.work / "run" / "seed", ends.disk(files), end)
        rclone.other("mkdir", end.named("destination"))
        rclone.run()
        return end

    def new_bucket(self):
        """An empty bucket of the RGW."""
        end = ends.rgw(self.bench.rgw, f"bench-{uuid.uuid4().hex[:12]}")
        rclone = Rclone(self.bench.tools, self.bench.work / "run" / "seed", end, end)
        rclone.other("mkdir", end.named("destination"))
        return end

    def new_fast_bucket(self):
        """An empty bucket of the fast server."""
        bucket = f"bench-{uuid.uuid4().hex[:12]}"
        self.bench.fast.make(bucket)
        return ends.fast(self.bench.fast, bucket)

    def new_folder(self):
        """An empty folder."""
        folder = self.bench.work / "data" / f"to-{uuid.uuid4().hex[:12]}"
        folder.mkdir(parents=True)
        return ends.disk(folder)

    def files(self, count):
        """So many small files."""
        return make_files(self.bench.work / "data" / f"small-{count}", small_sizes(count))


class SmallRgw(Workload):
    name, title = "small-rgw", "2,000 objects of 4 to 16 KiB, Azurite to Ceph RGW"
    servers = ("azurite", "rgw")
    count = 2_000

    def source(self):
        container = ends.azure(self.bench.azurite, f"small-{uuid.uuid4().hex[:8]}")
        return self.upload(self.files(self.count), container)

    def destination(self):
        return self.new_bucket()


class SmallRgw20k(SmallRgw):
    name, title = "small-rgw-20k", "20,000 objects of 4 to 16 KiB, Azurite to Ceph RGW"
    count = 20_000


class SmallFast(Workload):
    name, title = "small-fast", "20,000 objects of 4 to 16 KiB between buckets of the fast server, one core for the client"
    servers = ("fast",)
    pinned = True

    def source(self):
        return ends.fast(self.bench.source_server, "small")

    def destination(self):
        return self.new_fast_bucket()


class LargeRgw(Workload):
    name, title = "large-rgw", "3 objects of 100 MiB and 1 of 2 GiB, Azurite to Ceph RGW"
    servers = ("azurite", "rgw")
    programs = (Cabotage, CabotageComposite, Rclone)
    download = True
    sizes = [100 << 20] * 3 + [2 << 30]

    def source(self):
        files = make_files(self.bench.work / "data" / "large", self.sizes)
        return self.upload(files, ends.azure(self.bench.azurite, f"large-{uuid.uuid4().hex[:8]}"))

    def destination(self):
        return self.new_bucket()


class LargeFast(LargeRgw):
    name, title = "large-fast", "3 objects of 100 MiB and 1 of 2 GiB between buckets of the fast server"
    servers = ("fast",)

    def source(self):
        files = make_files(self.bench.work / "data" / "large", self.sizes)
        self.bench.source_server.make("large")
        return self.upload(files, ends.fast(self.bench.source_server, "large"))

    def destination(self):
        return self.new_fast_bucket()


class DiskToRgw(Workload):
    name, title = "disk-rgw", "20,000 files of 4 to 16 KiB, disk to Ceph RGW"
    servers = ("rgw",)
    programs = (Cabotage, Rclone, S5cmd)

    def source(self):
        return ends.disk(self.files(20_000))

    def destination(self):
        return self.new_bucket()


class RgwToDisk(Workload):
    name, title = "rgw-disk", "20,000 objects of 4 to 16 KiB, Ceph RGW to disk"
    servers = ("rgw",)
    programs = (Cabotage, Rclone, S5cmd)

    def source(self):
        return self.upload(self.files(20_000), self.new_bucket())

    def destination(self):
        return self.new_folder()


class DiskToFast(DiskToRgw):
    name, title = "disk-fast", "20,000 files of 4 to 16 KiB, disk to the fast server, one core for the client"
    servers = ("fast",)
    pinned = True

    def destination(self):
        return self.new_fast_bucket()


class Again(SmallFast):
    name, title = "again", "second pass over 20,000 equal objects, fast server, one core for the client"

    def prepare(self, program):
        program.run()


class Million(Workload):
    name, title = "million", "1,000,000 equal objects listed and decided, fast server, one core for the client"
    servers = ("fast",)
    pinned = True

    def source(self):
        return ends.fast(self.bench.source_server, "million")

    def destination(self):
        return ends.fast(self.bench.fast, "million")

    def prepare(self, program):
        if isinstance(program, Cabotage):
            adopting = CabotageAdopting(self.bench.tools, program.folder, program.source, program.destination)
            adopting.run()
            program.configure()

    def round(self, kind, source, check):
        """Objects adopted for their size end with exit 3 in the second pass too."""
        if kind is Cabotage:
            kind = type("Cabotage", (CabotageAdopting,), {})
        return super().round(kind, source, False)

    def drop(self, destination):
        pass


class Synthetic(Workload):
    """The engine alone, over names that nobody stores: each program is a shape and a number of objects."""

    name, title = "synthetic", "Names that nobody stores: ledgers of up to 10,000,000 rows decided over, 100,000 objects copied"
    programs = synthetic_programs()
    rounds_at_most = 1

    def source(self):
        return None

    def round(self, kind, source, check):
        program = kind(self.bench.tools["synthetic"], self.bench.work / "run" / "synthetic")
        program.prepare()
        cost = program.run()
        program.drop()
        return cost, program.told


# What takes longest comes last.
WORKLOADS = [
    SmallFast, Again, LargeFast, SmallRgw, LargeRgw, Million, DiskToFast, DiskToRgw, RgwToDisk, SmallRgw20k, Synthetic,
]


def measure_all(workload, rounds, say):
    """Median cost and last requests for each program."""
    source = workload.source()
    costs = {kind.name: [] for kind in workload.programs}
    requests = {}
    for number in range(min(rounds, workload.rounds_at_most or rounds)):
        turn = number % len(workload.programs)
        for kind in workload.programs[turn:] + workload.programs[:turn]:
            cost, requests[kind.name] = workload.round(kind, source, number == 0)
            costs[kind.name].append(cost)
            say(f"  round {number + 1} {kind.name:19} {cost.wall:8.2f} s wall {cost.cpu:8.2f} s CPU {cost.peak >> 20:6} MiB")
    if source and source.kind != "disk" and "million" not in source.place and source.place not in ("small",):
        workload.drop(source)
    return {name: measure.median(all_) for name, all_ in costs.items()}, requests
