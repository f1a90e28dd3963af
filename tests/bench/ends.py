"""Places to copy from and to, as each program names them."""

import os
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class End:
    """A folder, bucket or container."""

    kind: str
    place: str
    settings: dict = field(default_factory=dict)

    def named(self, side):
        """As Cabotage and rclone name it, for the store configured for that side."""
        return self.place if self.kind == "disk" else f"{side}:{self.place}"


def disk(folder):
    """A folder."""
    return End("disk", str(folder))


def azure(variables, container):
    """A container of an Azurite."""
    return End("az", container, variables)


def s3(endpoint, access, secret, bucket):
    """A bucket."""
    return End("s3", bucket, {"endpoint": endpoint, "access": access, "secret": secret})


def rgw(variables, bucket):
    """A bucket of a Ceph RGW."""
    return s3(variables["RGW_ENDPOINT"], variables["RGW_ACCESS_KEY"], variables["RGW_SECRET_KEY"], bucket)


def fast(server, bucket):
    """A bucket of the fast server."""
    return s3(server.endpoint, "key", "secret", bucket)


def clean_environment():
    """This process's environment without anything that configures a store."""
    drop = ("AWS_", "AZURE_", "RCLONE_", "S3_")
    return {name: value for name, value in os.environ.items() if not name.startswith(drop)}


def config_toml(path, source, destination):
    """Cabotage's configuration: one named store for each side, secrets from the environment."""
    text = ""
    for side, end in (("source", source), ("destination", destination)):
        secret = f"BENCH_{side.upper()}"
        if end.kind == "s3":
            text += (
                f'[stores.{side}]\nkind = "s3"\nprovider = "ceph"\nendpoint = "{end.settings["endpoint"]}"\n'
                f'region = "us-east-1"\ncredentials = {{ access_key_id = "{end.settings["access"]}", '
                f'secret_access_key = {{ env = "{secret}" }} }}\n'
            )
        elif end.kind == "az":
            text += (
                f'[stores.{side}]\nkind = "azure"\n'
                f'credentials = {{ connection_string = {{ env = "{secret}" }} }}\n'
            )
    Path(path).write_text(text, encoding="utf-8")


def secrets(source, destination):
    """What that configuration needs of the environment."""
    ends = (("BENCH_SOURCE", source), ("BENCH_DESTINATION", destination))
    known = {name: end.settings.get("secret", end.settings.get("AZURITE_CONNECTION_STRING")) for name, end in ends}
    return {name: value for name, value in known.items() if value}


def rclone_conf(path, source, destination):
    """rclone's configuration, likewise."""
    text = ""
    for side, end in (("source", source), ("destination", destination)):
        known = end.settings
        if end.kind == "s3":
            text += (
                f"[{side}]\ntype = s3\nprovider = Ceph\naccess_key_id = {known['access']}\n"
                f"secret_access_key = {known['secret']}\nendpoint = {known['endpoint']}\nregion = us-east-1\n"
            )
        elif end.kind == "az":
            text += (
                f"[{side}]\ntype = azureblob\naccount = {known['AZURITE_ACCOUNT']}\nkey = {known['AZURITE_KEY']}\n"
                f"endpoint = {known['AZURITE_ENDPOINT']}\n"
            )
    Path(path).write_text(text, encoding="utf-8")
