"""
A real server of the S3 API for the tests, from moto, which checks every signature and what a key may read.

Run as a program it says on standard output where it is and with which keys it is reached, puts away each file that
comes as a line on standard input, and ends with that input. So no server outlives its tests, however they end.
"""

from __future__ import annotations

import base64
import json
import logging
import os
import subprocess
import sys
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from tests.keeper import start_keeper

BUCKET = "acme-lists"
"""With a policy: the key may read below `lists/`, and list that folder."""
KEYS_PER_PAGE = 2
_POLICY = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{BUCKET}/lists/*"},
        {"Effect": "Allow", "Action": "s3:ListBucket", "Resource": f"arn:aws:s3:::{BUCKET}"},
    ],
}


@dataclass(frozen=True, slots=True)
class Server:
    """Where it listens, and a key that may read."""

    endpoint: str
    key: str
    secret: str = field(repr=False)
    process: subprocess.Popen[str] = field(repr=False)

    def put(self, key: str, content: bytes) -> None:
        """A file in the bucket."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps([key, base64.b64encode(content).decode()]) + "\n")
        self.process.stdin.flush()
        assert self.process.stdout.readline() == "done\n"

    @property
    def variables(self) -> dict[str, str]:
        """The credentials, under the names that everybody uses."""
        return {"AWS_ACCESS_KEY_ID": self.key, "AWS_SECRET_ACCESS_KEY": self.secret}


@cache
def server() -> Server:
    """The server of this test process, started when it is first asked for."""
    process, said = start_keeper(
        "tests.s3_server",
        {"PATH": os.defpath, "MOTO_S3_DEFAULT_MAX_KEYS": str(KEYS_PER_PAGE), "MOTO_ALLOW_NONEXISTENT_REGION": "1"},
    )
    return Server(process=process, **said)


def main() -> None:
    import boto3
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    moto = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    moto.start()
    endpoint = f"http://127.0.0.1:{moto.get_host_and_port()[1]}"
    access = {"endpoint_url": endpoint, "region_name": "us-east-1", "aws_secret_access_key": "x"}
    iam = boto3.client("iam", aws_access_key_id="x", **access)
    owner = _make_user(iam, "owner", {**_POLICY, "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]})
    reader = _make_user(iam, "reader", _POLICY)
    store = boto3.client(
        "s3",
        endpoint_url=endpoint,
        region_name="us-east-1",
        aws_access_key_id=owner["AccessKeyId"],
        aws_secret_access_key=owner["SecretAccessKey"],
    )
    store.create_bucket(Bucket=BUCKET)
    _check_every_signature()
    _say(json.dumps({"endpoint": endpoint, "key": reader["AccessKeyId"], "secret": reader["SecretAccessKey"]}))
    for line in sys.stdin:
        key, content = json.loads(line)
        store.put_object(Bucket=BUCKET, Key=key, Body=base64.b64decode(content))
        _say("done")
    moto.stop()


def _make_user(iam: Any, name: str, policy: dict[str, Any]) -> dict[str, str]:
    iam.create_user(UserName=name)
    iam.put_user_policy(UserName=name, PolicyName=name, PolicyDocument=json.dumps(policy))
    key: dict[str, str] = iam.create_access_key(UserName=name)["AccessKey"]
    return key


def _check_every_signature() -> None:
    """From now on; moto begins without, so that there can be users."""
    from moto import settings

    settings.INITIAL_NO_AUTH_ACTION_COUNT = 0


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
