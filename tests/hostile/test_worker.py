"""A real worker calls receivers that do everything wrong, over TCP and TLS: outcome, time, memory, and its life."""

import re
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import trustme
from django.core.management import call_command
from django.db import connection
from pytest_django.plugin import DjangoDbBlocker

from channels_app.transports import Outcome
from channels_app.transports.net.faults import CAME_ALONE
from tests.hostile.cases import CERTIFICATES
from tests.hostile.running import TIMEOUT_SECONDS, TRIALS, Story, Trial, run
from tests.programs import environment_of_programs

# None but `story` touches the database; it is made for tests that say that they want it.
pytestmark = [pytest.mark.slow, pytest.mark.django_db]

TIMEOUT_MS = 1000 * TIMEOUT_SECONDS
LATE_MS = 500  # how long after its deadline an attempt may end
BUSY_MS = 500  # what a machine that is busy with other things may add to that
QUICK_MS = 1500  # what does not wait for the deadline ends well before it
GROWTH_MIB = 32
CERTIFICATE_SENTENCES = {
    "expired": "The certificate of 127.0.0.1 has expired.",
    "not yet valid": "The certificate of 127.0.0.1 is not valid yet.",
    "self-signed": "The certificate of 127.0.0.1 is not signed by a known authority; "
    "an operator can add one with EXTRA_CA_BUNDLE.",
    "of an unknown authority": "The certificate of 127.0.0.1 is not signed by a known authority; "
    f"an operator can add one with EXTRA_CA_BUNDLE. {CAME_ALONE}",
    "without its intermediate": "The certificate of 127.0.0.1 is not signed by a known authority; "
    f"an operator can add one with EXTRA_CA_BUNDLE. {CAME_ALONE}",
    "for each other": "127.0.0.1 port {port} demands a client certificate, and Tidings has none to show.",
    "for another name": "The certificate is for other.example and 127.0.0.2, not for 127.0.0.1.",
}


@pytest.fixture(scope="module")
def story(
    django_db_setup: None,
    django_db_blocker: DjangoDbBlocker,
    ca: trustme.CA,
    ca_bundle: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Story:
    with django_db_blocker.unblock():
        try:
            with environment_of_programs(django_db_blocker, "the worker of a file") as environment:
                return run(environment, ca, ca_bundle, tmp_path_factory.mktemp("hostile"))
        finally:
            call_command("flush", interactive=False, verbosity=0)
            connection.close()


def of(name: str) -> list[Trial]:
    found = [trial for trial in TRIALS if trial.case.name == name]
    assert found
    return found


def status_after(trial: Trial) -> str:
    """Of the delivery: pending where the contract says that it is tried again."""
    if trial.case.outcome == Outcome.SUCCEEDED:
        return "succeeded"
    again = trial.case.outcome == Outcome.HTTP_ERROR and trial.case.status in {500, 503}
    return "pending" if again or trial.case.outcome == Outcome.CONNECTION_ERROR else "failed"


@pytest.mark.parametrize("trial", TRIALS, ids=str)
def test_the_log_says_what_the_contract_says_and_when_it_ended(story: Story, trial: Trial) -> None:
    case, attempt = trial.case, story.attempts[trial][0]

    assert (attempt.outcome, attempt.status_code) == (case.outcome, case.status), attempt.error
    assert (attempt.number, attempt.trigger) == (1, "first")
    assert (attempt.delivery.status, attempt.delivery.attempts_made) == (status_after(trial), 1)
    assert story.paused[trial] is (case.outcome == Outcome.GONE)
    if case.body is not None:
        assert attempt.response_body == case.body
    if case.outcome == Outcome.SUCCEEDED:
        assert attempt.error == ""
    elif case.outcome == Outcome.TIMEOUT:
        assert re.fullmatch(r"The 2 s for one attempt were over while [a-zA-Z ]+\.", attempt.error)
    else:
        assert re.fullmatch(r"(The|127\.0\.0\.1 port \d+) .+\.", attempt.error)
    assert attempt.duration_ms is not None
    if case.outcome == Outcome.TIMEOUT:
        assert TIMEOUT_MS - 5 <= attempt.duration_ms <= TIMEOUT_MS + LATE_MS + BUSY_MS
    else:
        assert attempt.duration_ms <= QUICK_MS


@pytest.mark.parametrize("trial", [trial for trial in TRIALS if trial.case in CERTIFICATES], ids=str)
def test_a_certificate_that_proves_nothing_gets_no_request_and_the_log_says_what_is_wrong(
    story: Story, trial: Trial
) -> None:
    [attempt] = story.attempts[trial]
    sentence = CERTIFICATE_SENTENCES[trial.case.certificate]
    assert attempt.error == sentence.replace("{port}", str(urlsplit(attempt.url).port))
    assert story.requests[trial] == []


@pytest.mark.parametrize("trial", TRIALS, ids=str)
def test_each_receiver_was_called_once_an_attempt(story: Story, trial: Trial) -> None:
    attempts = len(story.attempts[trial])
    # A certificate for another name is looked at once more, without a request, to tell whose it is.
    looks = 1 if trial.case.certificate == "for another name" else 0

    assert attempts == (2 if trial.case.name == "sets cookies" else 1)
    assert story.connections[trial] == (attempts + looks if trial.case.behaviour else 0)
    assert len(story.requests[trial]) <= attempts


def test_no_cookie_comes_back(story: Story) -> None:
    for trial in of("sets cookies"):
        first, second = story.requests[trial]
        for sent in (first, second):
            assert b"hush" not in sent
            assert b"\r\ncookie" not in sent.lower()


def test_a_redirect_target_is_not_asked(story: Story) -> None:
    [over_tcp, over_tls] = of("redirects to itself")
    assert len(story.requests[over_tcp]) == len(story.requests[over_tls]) == 1
    for name in ("redirects to itself", "redirects to metadata", "redirects to a file", "redirects nowhere"):
        for trial in of(name):
            [attempt] = story.attempts[trial]
            assert attempt.error.endswith("; redirects are not followed.")
            assert attempt.url.startswith(f"{'https' if trial.over == 'tls' else 'http'}://127.0.0.1:")


def test_all_that_takes_little_memory(story: Story) -> None:
    if story.memory_before is None or story.memory_after is None:
        pytest.skip("The memory of another process is read from /proc, which this system does not have.")
    assert story.memory_after - story.memory_before <= GROWTH_MIB


def test_no_connection_is_left_open_once_it_was_idle_for_long(story: Story) -> None:
    assert story.files_before > 0
    assert story.files_after <= story.files_before


def test_the_worker_lives_and_delivers_to_whoever_behaves(story: Story) -> None:
    assert story.alive
    assert story.healthy == [("succeeded", 200)] * len(story.healthy)
    assert len(story.healthy) == 18  # over TCP and TLS: eight each before, and one after


def test_the_log_of_the_worker_has_a_line_an_attempt_and_tells_of_no_fault_of_its_own(story: Story) -> None:
    attempts = sum(map(len, story.attempts.values())) + len(story.healthy)

    assert len(re.findall(r"\bevent='attempt'", story.log)) == attempts
    assert "Traceback" not in story.log
    assert "internal_error" not in story.log


def test_every_behaviour_was_tried() -> None:
    assert len({trial.case.name for trial in TRIALS}) >= 70
    assert len(TRIALS) == len({str(trial) for trial in TRIALS}) >= 130
