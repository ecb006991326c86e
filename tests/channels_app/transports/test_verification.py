"""The samples that people copy into their receivers, run as they stand in each language that this machine has."""

import base64
import hmac
import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from channels_app import verification
from channels_app.transports.postback.signature import sign

SECRET, OTHER = (f"whsec_{base64.b64encode(bytes([byte]) * 32).decode()}" for byte in (1, 251))
ID, BODY = "evt_01h455vb4pex5vsknk084sn02q", '{"name":"Zoë","amount":"12.50"}'.encode()
FOLDER = Path(verification.__file__).parent


@dataclass(frozen=True)
class Message:
    """What a receiver gets, and whether it must be believed; `age` in seconds."""

    says: str
    genuine: bool
    signed_with: tuple[str, ...] = (SECRET,)
    secret: str = SECRET
    age: int = 0
    body: bytes = BODY
    headers: tuple[tuple[str, str | None], ...] = ()  # in place of the right ones; None: missing

    def request(self) -> dict[str, object]:
        timestamp = int(time.time()) - self.age
        headers: dict[str, str | None] = {
            "webhook-id": ID,
            "webhook-timestamp": str(timestamp),
            "webhook-signature": " ".join(sign(secret, ID, timestamp, BODY) for secret in self.signed_with),
            **dict(self.headers),
        }
        return {
            "secret": self.secret,
            "headers": {name: value for name, value in headers.items() if value is not None},
            "body": base64.b64encode(self.body).decode(),
        }


def signed_with_nothing() -> str:
    return "v1," + base64.b64encode(hmac.digest(b"", f"{ID}.{int(time.time())}.".encode() + BODY, "sha256")).decode()


MESSAGES = (
    Message("a valid one", True),
    Message("one of four minutes ago", True, age=240),
    Message("one of a clock four minutes ahead", True, age=-240),
    Message("while the secret is rotated: the receiver has the new one", True, signed_with=(SECRET, OTHER)),
    Message("while the secret is rotated: the receiver has the old one", True, signed_with=(OTHER, SECRET)),
    Message("signed with another secret", False, signed_with=(OTHER,)),
    Message("a body that was changed", False, body=BODY.replace(b"12.50", b"92.50")),
    Message("a body that was cut", False, body=BODY[:-1]),
    Message("the id of another", False, headers=(("webhook-id", "evt_other"),)),
    Message("one of ten minutes ago", False, age=600),
    Message("one of a clock ten minutes ahead", False, age=-600),
    Message(
        "another time stamp than the one signed", False, headers=(("webhook-timestamp", str(int(time.time()))),), age=60
    ),
    Message("a time stamp that is no number", False, headers=(("webhook-timestamp", "soon"),)),
    Message("no time stamp", False, headers=(("webhook-timestamp", None),)),
    Message("no signature", False, headers=(("webhook-signature", None),)),
    Message("an empty signature", False, headers=(("webhook-signature", ""),)),
    Message("a signature of another version", False, headers=(("webhook-signature", f"v1a,{'A' * 43}="),)),
    Message("a signature that is not ASCII", False, headers=(("webhook-signature", "v1,ÄÖÜ"),)),
    Message(
        "no headers at all",
        False,
        headers=tuple((f"webhook-{each}", None) for each in ("id", "timestamp", "signature")),
    ),
    Message("a receiver without a secret", False, secret="", headers=(("webhook-signature", signed_with_nothing()),)),
)

NODE = """
const { verify } = require(process.argv[1]);
const requests = JSON.parse(require("node:fs").readFileSync(0));
console.log(JSON.stringify(requests.map((r) => verify(r.secret, r.headers, Buffer.from(r.body, "base64")))));
"""
PYTHON = """
import base64, json, runpy, sys
verify = runpy.run_path(sys.argv[1])["verify"]
print(json.dumps([verify(r["secret"], r["headers"], base64.b64decode(r["body"])) for r in json.load(sys.stdin)]))
"""
PHP = """
require $argv[1];
$answer = fn($r) => verify($r['secret'], $r['headers'], base64_decode($r['body']));
echo json_encode(array_map($answer, json_decode(stream_get_contents(STDIN), true)));
"""
RUBY = """
require "json"
load ARGV[0]
puts JSON.dump(JSON.parse(STDIN.read).map { |r| verify(r["secret"], r["headers"], r["body"].unpack1("m")) })
"""
GO = """
package main

import (
	"encoding/json"
	"os"

	"receiver/postback"
)

func main() {
	var requests []struct {
		Secret  string
		Headers map[string]string
		Body    []byte
	}
	if err := json.NewDecoder(os.Stdin).Decode(&requests); err != nil {
		panic(err)
	}
	answers := []bool{}
	for _, r := range requests {
		header := func(name string) string { return r.Headers[name] }
		answers = append(answers, postback.Verify(r.Secret, header, r.Body))
	}
	json.NewEncoder(os.Stdout).Encode(answers)
}
"""


def program(name: str, folder: str = "") -> str:
    """Where it is; skips the test where it is not on this machine."""
    found = shutil.which(name, path=os.pathsep.join(filter(None, [os.environ["PATH"], folder])))
    if not found:
        pytest.skip(f"{name} is not on this machine.")
    return found


def go(folder: Path) -> list[str]:
    command = program("go", "/usr/local/go/bin")
    (folder / "postback").mkdir()
    (folder / "postback" / "verify.go").write_text((FOLDER / "verify.go").read_text())
    (folder / "main.go").write_text(GO)
    (folder / "go.mod").write_text("module receiver\n\ngo 1.21\n")
    subprocess.run([command, "build", "-o", "receiver", "."], cwd=folder, check=True, timeout=110)
    return [str(folder / "receiver")]


COMMANDS: dict[str, Callable[[Path], list[str]]] = {
    "Python": lambda _folder: [program("python3"), "-c", PYTHON, str(FOLDER / "verify.py")],
    "JavaScript": lambda _folder: [program("node"), "-e", NODE, str(FOLDER / "verify.js")],
    "PHP": lambda _folder: [program("php"), "-r", PHP, "--", str(FOLDER / "verify.php")],
    "Ruby": lambda _folder: [program("ruby"), "-e", RUBY, str(FOLDER / "verify.rb")],
    "Go": go,
}


@pytest.fixture(scope="module", params=COMMANDS)
def believed(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[Message, bool]:
    """What the sample of one language makes of each message."""
    command = COMMANDS[request.param](tmp_path_factory.mktemp("receiver"))
    requests = json.dumps([message.request() for message in MESSAGES])
    answer = subprocess.run(command, input=requests, capture_output=True, text=True, check=True, timeout=60)
    assert answer.stderr == ""
    return dict(zip(MESSAGES, json.loads(answer.stdout), strict=True))


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: message.says)
def test_a_sample_believes_what_is_genuine_and_nothing_else(believed: dict[Message, bool], message: Message) -> None:
    assert believed[message] is message.genuine


def test_there_is_a_sample_for_each_of_five_languages() -> None:
    shown = verification.samples()

    assert [sample.language for sample in shown] == ["Python", "JavaScript", "PHP", "Ruby", "Go"]
    assert set(COMMANDS) == {sample.language for sample in shown}
    for sample in shown:
        assert sample.code == (FOLDER / sample.name).read_text(encoding="utf-8")
        assert max(len(line) for line in sample.code.splitlines()) <= 100
        assert len(sample.code.splitlines()) < 45
