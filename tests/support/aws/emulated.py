"""AWS on this machine: an emulator of its own process, and the variables that lead boto3 to it."""

import os
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import boto3
import httpx

from condvest.batch_layer.shared.clients import aws

BUCKET = "condvest-archive"
PREFIX = "archive"
ARCHIVE = f"s3://{BUCKET}/{PREFIX}"

SERVER = Path(__file__).with_name("moto_server.py")
"""Run in a process of its own: what it imports and warns of is not ours."""


@contextmanager
def emulated_aws():
    """Yield the endpoint's URL. The emulator ends with this process, however that ends."""
    process = subprocess.Popen(
        [sys.executable, str(SERVER)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=os.environ | credentials(),
    )
    try:
        yield f"http://127.0.0.1:{int(process.stdout.readline())}"
    finally:
        process.stdin.close()
        process.stdout.close()
        process.wait()


def credentials():
    return {
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def fresh_bucket(endpoint):
    """Empty the emulator and make the archive's bucket."""
    httpx.post(f"{endpoint}/moto-api/reset").raise_for_status()
    s3 = boto3.client("s3")
    s3.create_bucket(Bucket=BUCKET)
    return s3


@contextmanager
def configured(monkeypatch, endpoint):
    """Let boto3 find the emulator, and nothing of the machine's own configuration."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, value in (credentials() | {"AWS_ENDPOINT_URL": endpoint}).items():
        monkeypatch.setenv(name, value)
    aws.client.cache_clear()
    aws.credentials.cache_clear()
    aws.forget_secrets()
    yield
    aws.client.cache_clear()
    aws.credentials.cache_clear()
    aws.forget_secrets()
