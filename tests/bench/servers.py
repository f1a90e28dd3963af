"""The servers that the bench uses, all on loopback."""

import json
import os
import shlex
import subprocess
import urllib.request
from pathlib import Path


def service(repo, name):
    """Starts one of scripts/services and gives its variables, or None and why not."""
    folder = Path(repo) / "scripts/services" / name
    up = subprocess.run([folder / "up"], capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if up.returncode != 0:
        return None, (up.stdout + up.stderr).strip().splitlines()[-1]
    text = subprocess.run([folder / "env"], capture_output=True, text=True, check=True).stdout
    pairs = (shlex.split(line.removeprefix("export "))[0] for line in text.splitlines() if "=" in line)
    return dict(pair.split("=", 1) for pair in pairs), None


def stop(repo, name):
    """Stops one of scripts/services."""
    subprocess.run([Path(repo) / "scripts/services" / name / "down"], capture_output=True, stdin=subprocess.DEVNULL)


class FastS3:
    """The in-memory S3 server of the tests."""

    def __init__(self, program, *arguments):
        command = [str(program), *arguments]
        self.child = subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True)
        self.endpoint = self.child.stdout.readline().strip()
        assert self.endpoint.startswith("http://127.0.0.1:"), "the fast server did not start"

    def counts(self):
        """Requests by kind since the last call."""
        request = urllib.request.Request(f"{self.endpoint}/_counts", method="DELETE")
        with urllib.request.urlopen(request) as reply:
            return json.load(reply)

    def cpu(self):
        """CPU seconds that the server has used."""
        fields = Path(f"/proc/{self.child.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def make(self, bucket):
        """Creates a bucket; an existing one stays as it is."""
        urllib.request.urlopen(urllib.request.Request(f"{self.endpoint}/{bucket}", method="PUT")).close()

    def remove(self, bucket):
        """Removes a bucket with all that is in it."""
        urllib.request.urlopen(urllib.request.Request(f"{self.endpoint}/{bucket}", method="DELETE")).close()

    def stop(self):
        """Ends it."""
        self.child.terminate()
        self.child.wait()
        self.child.stdout.close()
