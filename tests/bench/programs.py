"""The programs that are measured, each with its own folder, configuration and command line."""

import shutil
from pathlib import Path

import ends
import measure

CONCURRENCY = "32"


class Program:
    """A program with one job: it may run it again."""

    name = ""

    def __init__(self, tools, folder, source, destination):
        self.tools, self.folder, self.source, self.destination = tools, Path(folder), source, destination
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        self.env = ends.clean_environment()
        self.pin = []
        self.configure()

    def configure(self):
        """Writes what it needs."""

    def command(self):
        """Its command line."""
        raise NotImplementedError

    def run(self):
        """Runs it to its end."""
        return measure.run(self.pin + self.command(), self.env, self.folder / "log")


class Cabotage(Program):
    """The product with its defaults: every guarantee on, ledger on."""

    name = "cabotage"
    flags = ()

    def configure(self):
        ends.config_toml(self.folder / "config.toml", self.source, self.destination)
        self.env |= ends.secrets(self.source, self.destination)

    def command(self):
        return [
            str(self.tools["cabotage"]), "migrate", "--quiet", "--config", str(self.folder / "config.toml"),
            "--state", str(self.folder / "state"), "--concurrency", CONCURRENCY, *self.flags,
            self.source.named("source"), self.destination.named("destination"),
        ]


class CabotageComposite(Cabotage):
    """Hashes the bytes of objects in parts once."""

    name = "cabotage, composite"
    flags = ("--digest", "composite")


class CabotageAdopting(Cabotage):
    """Takes equal sizes as moved: fills the ledger of a job without copying."""

    flags = ("--adopt", "size")

    def run(self):
        """Objects without proof end with exit 3, which is no failure here."""
        script = 'status=0; "$@" || status=$?; [ "$status" = 0 ] || [ "$status" = 3 ]'
        return measure.run([*self.pin, "sh", "-c", script, "sh", *self.command()], self.env, self.folder / "log")


class Rclone(Program):
    """rclone as it has to be told to keep as much as it can."""

    name = "rclone"
    verb = "copy"

    def configure(self):
        ends.rclone_conf(self.folder / "rclone.conf", self.source, self.destination)

    def command(self):
        return [
            str(self.tools["rclone"]), self.verb, "--quiet", "--config", str(self.folder / "rclone.conf"),
            "--metadata", "--checksum", "--s3-storage-class", "STANDARD", "--s3-no-check-bucket",
            "--transfers", CONCURRENCY, "--checkers", CONCURRENCY,
            self.source.named("source"), self.destination.named("destination"),
        ]

    def other(self, *arguments):
        """Another command of rclone's, with this configuration."""
        command = [str(self.tools["rclone"]), "--quiet", "--config", str(self.folder / "rclone.conf"), *arguments]
        return measure.run(command, self.env, self.folder / "other.log")


class S5cmd(Program):
    """s5cmd, between disks and S3 alone."""

    name = "s5cmd"

    def configure(self):
        known = (self.source if self.source.kind == "s3" else self.destination).settings
        self.env |= {
            "AWS_ACCESS_KEY_ID": known["access"], "AWS_SECRET_ACCESS_KEY": known["secret"], "AWS_REGION": "us-east-1",
            "S3_ENDPOINT_URL": known["endpoint"],
        }

    def command(self):
        source, destination = self.source, self.destination
        return [
            str(self.tools["s5cmd"]), "--log", "error", "--numworkers", CONCURRENCY, "cp",
            f"{source.place}/*" if source.kind == "disk" else f"s3://{source.place}/*",
            f"{destination.place}/" if destination.kind == "disk" else f"s3://{destination.place}/",
        ]
