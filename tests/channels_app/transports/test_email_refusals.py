"""What a mail server refuses, at each stage and for each recipient: outcome, retry and sentence."""

from typing import Any

import pytest

from channels_app.transports import Answer, Outcome
from tests.channels_app.transports.mailing import ADA, BOB, EVE, PASSWORD, SENDER, USER, mail_goes_to, send_mail
from tests.servers.mailserver import HostileMailServer, MailServer, speaks


def sends(port: int, *to: str, stage: str = "", **options: Any) -> Answer:
    """With credentials where the stage is theirs."""
    credentials = {"user": USER, "password": PASSWORD} if stage == "AUTH" else {}
    with mail_goes_to(port, tls="starttls" if stage == "STARTTLS" else "", **credentials):
        return send_mail(*to, **options)


@pytest.mark.parametrize(
    ("stage", "reply", "retry", "sentence"),
    [
        ("greeting", "421 4.3.2 Busy", True, "takes no mail for now: 421 4.3.2 Busy."),
        ("greeting", "450 4.7.0 Who are you", True, "takes no mail for now: 450 4.7.0 Who are you."),
        ("greeting", "554 5.7.1 Go away.", False, "takes no mail: 554 5.7.1 Go away."),
        ("EHLO", "421 4.3.2 Busy", True, "takes no mail for now: 421 4.3.2 Busy."),
        ("EHLO", "450 4.7.1 No such host", True, "refused EHLO for now: 450 4.7.1 No such host."),
        ("HELO", "550 5.7.1 No such host", False, "refused HELO: 550 5.7.1 No such host."),
        ("STARTTLS", "454 4.7.0 TLS not available", True, "refused STARTTLS for now: 454 4.7.0 TLS not available."),
        ("STARTTLS", "501 5.5.4 No", False, "refused STARTTLS: 501 5.5.4 No."),
        (
            "AUTH",
            "535 5.7.8 Wrong",
            False,
            "refused the user name and password: 535 5.7.8 Wrong. An operator must mend EMAIL_URL.",
        ),
        (
            "AUTH",
            "454 4.7.0 Later",
            True,
            "refused the user name and password for now: 454 4.7.0 Later. "
            "If that stays so, an operator must mend EMAIL_URL.",
        ),
        ("AUTH", "421 4.3.2 Busy", True, "takes no mail for now: 421 4.3.2 Busy."),
        ("MAIL", "451 4.3.0 Later", True, f"refused the sender {SENDER} for now: 451 4.3.0 Later."),
        ("MAIL", "553 5.7.1 Not yours", False, f"refused the sender {SENDER}: 553 5.7.1 Not yours."),
        ("MAIL", "421 4.3.2 Busy", True, "takes no mail for now: 421 4.3.2 Busy."),
        ("RCPT", "421 4.3.2 Busy", True, "takes no mail for now: 421 4.3.2 Busy."),
        ("DATA", "451 4.3.0 Disk full", True, "refused the message for now: 451 4.3.0 Disk full."),
        ("DATA", "554 5.5.1 No", False, "refused the message: 554 5.5.1 No."),
        ("DATA", "421 4.3.2 Busy", True, "takes no mail for now: 421 4.3.2 Busy."),
        ("message", "451 4.7.1 Greylisted", True, "refused the message for now: 451 4.7.1 Greylisted."),
        ("message", "554 5.7.1 Spam", False, "refused the message: 554 5.7.1 Spam."),
        ("message", "421 4.3.2 Busy", True, "takes no mail for now: 421 4.3.2 Busy."),
    ],
)
def test_a_refusal_of_the_whole_mail(stage: str, reply: str, retry: bool, sentence: str) -> None:
    at = {stage: f"{reply}\r\n".encode()}
    if stage == "HELO":
        at["EHLO"] = b"502 5.5.2 What\r\n"
    offers = {"STARTTLS": ["STARTTLS"], "AUTH": ["AUTH PLAIN"]}.get(stage, [])
    with HostileMailServer(speaks(at, offers=offers)) as server:
        answer = sends(server.port, stage=stage)

    assert (answer.outcome, answer.status_code, answer.retry) == (Outcome.REFUSED, int(reply[:3]), retry)
    assert answer.error == f"127.0.0.1 port {server.port} {sentence}"
    assert answer.response_body == reply
    assert answer.reached == ()
    assert server.commands[-1] == "QUIT"
    assert server.contents == [] or stage == "message"


def test_a_reply_of_several_lines_is_kept_whole_and_told_on_one() -> None:
    reply = b"554-5.7.1 Blocked\r\n554-5.7.1 see https://example.com/why\r\n554 5.7.1 and \x00 ask.\r\n"
    with HostileMailServer(speaks({"MAIL": reply})) as server:
        answer = sends(server.port)

    assert (
        answer.response_body
        == "554 5.7.1 Blocked\n5.7.1 see https://example.com/why\n5.7.1 and \N{REPLACEMENT CHARACTER} ask."
    )
    assert answer.error == (
        f"127.0.0.1 port {server.port} refused the sender {SENDER}: "
        "554 5.7.1 Blocked 5.7.1 see https://example.com/why 5.7.1 and \N{REPLACEMENT CHARACTER} ask."
    )


def test_a_long_and_strange_reply_is_cut_and_made_readable() -> None:
    reply = b"554 \xe2\x80\xae\x1b[31m\xff" + b"y" * 30_000 + b"\r\n"
    with HostileMailServer(speaks({"MAIL": reply})) as server:
        answer = sends(server.port)

    assert len(answer.response_body.encode()) == 16 * 1024
    told = answer.error.removeprefix(f"127.0.0.1 port {server.port} refused the sender {SENDER}: ")
    assert told.startswith("554 [31m\N{REPLACEMENT CHARACTER}yyy")
    assert told.endswith("yyy….")
    assert len(told) == 202


def test_a_sole_recipient_that_is_refused() -> None:
    with MailServer(refuse={"RCPT": lambda address: "550 5.1.1 No such user."}) as server:
        answer = sends(server.port)

    assert (answer.outcome, answer.status_code, answer.retry) == (Outcome.REFUSED, 550, False)
    assert answer.error == "ada@example.com was refused: 550 5.1.1 No such user."
    assert answer.response_headers == {ADA: "550 5.1.1 No such user"}
    assert (answer.reached, server.mails) == ((), [])


def test_where_all_recipients_are_refused_no_message_is_sent() -> None:
    replies = {ADA: "550 5.1.1 No such user", BOB: "552 5.2.2 Full"}
    with HostileMailServer(speaks({"RCPT": [f"{reply}\r\n".encode() for reply in replies.values()]})) as server:
        answer = sends(server.port, ADA, BOB)

    assert (answer.outcome, answer.status_code, answer.retry) == (Outcome.REFUSED, 550, False)
    assert answer.error == (
        "ada@example.com was refused: 550 5.1.1 No such user. bob@example.com was refused: 552 5.2.2 Full."
    )
    assert answer.response_headers == replies
    assert [command.split()[0] for command in server.commands] == ["ehlo", "MAIL", "RCPT", "RCPT", "QUIT"]


def test_where_all_are_refused_and_one_for_now_it_is_tried_again() -> None:
    replies = {ADA: "550 5.1.1 No such user", BOB: "452 4.2.2 Full"}
    with MailServer(refuse={"RCPT": replies.get}) as server:
        answer = sends(server.port, ADA, BOB)

    assert (answer.outcome, answer.status_code, answer.retry) == (Outcome.REFUSED, 452, True)
    assert answer.error == (
        "ada@example.com was refused: 550 5.1.1 No such user. bob@example.com was refused for now: 452 4.2.2 Full."
    )
    assert (answer.reached, server.mails) == ((), [])


def test_some_are_refused_for_good_and_the_others_have_it() -> None:
    with MailServer(refuse={"RCPT": {BOB: "550 5.1.1 No such user."}.get}) as server:
        answer = sends(server.port, ADA, BOB, EVE)

    assert (answer.outcome, answer.status_code, answer.retry) == (Outcome.SUCCEEDED, 250, None)
    assert answer.error == "2 of 3 recipients have it. bob@example.com was refused: 550 5.1.1 No such user."
    assert answer.reached == (ADA, EVE)
    assert answer.response_headers == {ADA: "250 2.1.5 OK", BOB: "550 5.1.1 No such user", EVE: "250 2.1.5 OK"}
    (mail,) = server.mails
    assert mail.recipients == [ADA, EVE]


def test_some_are_refused_for_now_and_the_others_have_it_already() -> None:
    with MailServer(refuse={"RCPT": {BOB: "451 4.7.1 Greylisted"}.get}) as server:
        first = sends(server.port, ADA, BOB, EVE)
        server.refuse = {}
        second = sends(server.port, ADA, BOB, EVE, reached=first.reached)

    assert (first.outcome, first.status_code, first.retry) == (Outcome.REFUSED, 451, True)
    assert first.error == (
        "2 of 3 recipients have it: ada@example.com, eve@example.com. "
        "bob@example.com was refused for now: 451 4.7.1 Greylisted."
    )
    assert first.reached == (ADA, EVE)
    assert first.response_body == "250 2.0.0 OK: queued as 1"
    assert (second.outcome, second.status_code, second.error, second.reached) == (Outcome.SUCCEEDED, 250, "", (BOB,))
    assert [mail.recipients for mail in server.mails] == [[ADA, EVE], [BOB]]


def test_one_has_it_one_may_have_it_later_and_one_never() -> None:
    replies = {BOB: "550 5.1.1 No such user", EVE: "452 4.2.2 Full"}
    with MailServer(refuse={"RCPT": replies.get}) as server:
        answer = sends(server.port, ADA, BOB, EVE)

    assert (answer.outcome, answer.status_code, answer.retry) == (Outcome.REFUSED, 452, True)
    assert answer.error == (
        "1 of 3 recipients has it: ada@example.com. bob@example.com was refused: 550 5.1.1 No such user. "
        "eve@example.com was refused for now: 452 4.2.2 Full."
    )
    assert answer.reached == (ADA,)


def test_the_rest_is_refused_for_good_in_a_later_attempt() -> None:
    with MailServer(refuse={"RCPT": lambda address: "550 5.1.1 No such user"}) as server:
        answer = sends(server.port, ADA, BOB, EVE, reached=("ADA@example.com", EVE))

    # As if that had been said at once: the others have it, and nothing is left to be done.
    assert (answer.outcome, answer.status_code, answer.retry) == (Outcome.SUCCEEDED, None, None)
    assert answer.error == "2 of 3 recipients have it. bob@example.com was refused: 550 5.1.1 No such user."
    assert answer.reached == ()


def test_a_sentence_names_the_first_few() -> None:
    recipients = [f"n{number}@example.com" for number in range(8)]
    with MailServer(refuse={"RCPT": lambda address: None if address in recipients[:2] else "450 Later"}) as server:
        answer = sends(server.port, *recipients, reached=("x@example.com",))

    assert answer.error == (
        "2 of 8 recipients have it: n0@example.com, n1@example.com. n2@example.com was refused for now: 450 Later. "
        "n3@example.com was refused for now: 450 Later. n4@example.com was refused for now: 450 Later. "
        "So were 3 more."
    )
    assert answer.response_headers["n7@example.com"] == "450 Later"


def test_part_of_the_rest_is_refused_for_good_in_a_later_attempt() -> None:
    with MailServer(refuse={"RCPT": {EVE: "550 5.1.1 No such user"}.get}) as server:
        answer = sends(server.port, ADA, BOB, EVE, reached=(ADA,))

    assert (answer.outcome, answer.retry, answer.reached) == (Outcome.SUCCEEDED, None, (BOB,))
    assert answer.error == "2 of 3 recipients have it. eve@example.com was refused: 550 5.1.1 No such user."


def test_one_who_had_it_and_is_no_recipient_any_more_is_not_counted() -> None:
    with MailServer(refuse={"RCPT": {BOB: "550 5.1.1 No such user"}.get}) as server:
        answer = sends(server.port, ADA, BOB, reached=("gone@example.com",))

    assert answer.error == "1 of 2 recipients has it. bob@example.com was refused: 550 5.1.1 No such user."


def test_a_message_refused_for_good_is_tried_again_for_those_refused_for_now() -> None:
    with MailServer(refuse={"RCPT": {BOB: "451 4.7.1 Greylisted"}.get, "DATA": lambda to: "554 5.7.1 Spam"}) as server:
        answer = sends(server.port, ADA, BOB, EVE, reached=(EVE,))

    assert (answer.outcome, answer.status_code, answer.retry) == (Outcome.REFUSED, 554, True)
    assert answer.error == (
        f"1 of 3 recipients has it: eve@example.com. 127.0.0.1 port {server.port} refused the message: 554 5.7.1 Spam. "
        "bob@example.com was refused for now: 451 4.7.1 Greylisted."
    )
    assert answer.reached == ()


def test_a_goodbye_while_recipients_are_named_leaves_everybody_without() -> None:
    replies = [b"250 2.1.5 OK\r\n", b"421 4.7.0 Too much\r\n"]
    with HostileMailServer(speaks({"RCPT": replies})) as server:
        answer = sends(server.port, ADA, BOB, EVE)

    assert (answer.outcome, answer.status_code, answer.retry, answer.reached) == (Outcome.REFUSED, 421, True, ())
    assert answer.error == f"127.0.0.1 port {server.port} takes no mail for now: 421 4.7.0 Too much."
    assert server.contents == []


@pytest.mark.parametrize("reply", [b"250 2.1.5 OK\r\n", b"251 2.1.5 Forwarded\r\n", b"252 Perhaps\r\n"])
def test_every_2xx_accepts_a_recipient(reply: bytes) -> None:
    with HostileMailServer(speaks({"RCPT": reply})) as server:
        answer = sends(server.port)

    assert (answer.outcome, answer.reached) == (Outcome.SUCCEEDED, (ADA,))
    assert answer.response_headers == {ADA: reply.decode().strip()}
