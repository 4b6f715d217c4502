"""Everything that can be wrong with a configuration: its exact place, the words and the hint."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from mailcase.config.reader import check as check_file

Check = Callable[..., list[str]]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("storee: x\n", "1:1 storee: the key `storee` is not known | Did you mean `store`?"),
        (
            "queues: {support: {size: 3}}\n",
            "1:20 queues.support.size: the key `size` is not known",
        ),
        (
            "people:\n  ann: {address: ann@example.org, rolle: leader}\n",
            "2:35 people.ann.rolle: the key `rolle` is not known | Did you mean `role`?",
        ),
        ("language: fra\n", "1:11 language: `fra` is not known here | Did you mean `fr`?"),
        ("language: xx\n", "1:11 language: `xx` is not known here | Known here: en, fr."),
        ("language: [en]\n", "1:11 language: `['en']` is not known here | Known here: en, fr."),
        (
            "time_zone: Europe/Pari\n",
            "1:12 time_zone: the time zone `Europe/Pari` is not known | Did you mean `Europe/Paris`?",
        ),
        (
            "time_zone: Moon\n",
            "1:12 time_zone: the time zone `Moon` is not known | Write it as in `Europe/Paris`.",
        ),
        ("time_zone: Europe\n", "1:12 time_zone: the time zone `Europe` is not known | Write it as in `Europe/Paris`."),
        ("time_zone: ../x\n", "1:12 time_zone: the time zone `../x` is not known | Write it as in `Europe/Paris`."),
        ("people:\n", None),
        ("people: [ann]\n", "1:9 people: must be a mapping | Write `name: value` lines below it, each indented."),
        (
            "people: {ann: Ann}\n",
            "1:15 people.ann: must be a mapping | Write `key: value` lines below it, each indented.",
        ),
        ("people: {ann: }\n", "1:10 people.ann.address: is missing | Notices to this person go there."),
        (
            "people: {ann: {address: ann@example.org, name: 12}}\n",
            "1:48 people.ann.name: must be text | Put it in quotes.",
        ),
        (
            "people: {ann: {address: ann@example.org, name: [12]}}\n",
            "1:48 people.ann.name: must be text | Write one word or line of text.",
        ),
        (
            "people: {ann: {address: ann@example.org, login: ''}}\n",
            "1:49 people.ann.login: is empty | Leave the line out for the default.",
        ),
        (
            "people: {ann: {address: }}\n",
            "1:24 people.ann.address: needs a value | Notices to this person go there.",
        ),
        (
            "people: {ann: {address: Ann Lee <ann@example.org>}}\n",
            "1:25 people.ann.address: `ann lee <ann@example.org>` is no e-mail address"
            " | Write it as in `support@example.org`, without name and angle brackets.",
        ),
        (
            "people: {ann: {address: ann@exämple.org}}\n",
            "1:25 people.ann.address: `ann@exämple.org` is no e-mail address"
            " | Write the domain in its xn-- form; letters outside ASCII are not carried by every mail server.",
        ),
        (
            f"people: {{ann: {{address: {'a' * 65}@example.org}}}}\n",
            "1:25 people.ann.address: is longer than an e-mail address may be",
        ),
        (
            "people: {ann: {address: ann@example.org, retired: yes}}\n",
            "1:51 people.ann.retired: must be true or false | Write `true` or `false`.",
        ),
        (
            "people: {ann: {address: ann@example.org, role: leaders}}\n",
            "1:48 people.ann.role: `leaders` is not known here | Did you mean `leader`?",
        ),
        (
            "people: {system: {address: ann@example.org}}\n",
            "1:10 people.system: nobody may be called `system`"
            " | That is what the daemon is called; choose another name.",
        ),
        (
            "people: {Ann Lee: {address: ann@example.org}}\n",
            "1:10 people.Ann Lee: `Ann Lee` cannot be the id of a person"
            " | Use up to 16 small letters, digits and `_`; the full name stands in `name`.",
        ),
        (
            "queues: {a/b: }\n",
            "1:10 queues.a/b: `a/b` cannot be a name | Use up to 40 letters, digits, `_`, `-`, `.`, and spaces inside.",
        ),
        ("store: 3\n", "1:8 store: must be text | Put it in quotes."),
        (
            "calendars: {office: {holidays: fr}}\n",
            "1:32 calendars.office.holidays: the holidays of `fr` are not known | Did you mean `FR`?",
        ),
        (
            "calendars: {office: {holidays: {country: XX}}}\n",
            "1:42 calendars.office.holidays.country: the holidays of `XX` are not known"
            " | Write the two capital letters of the country, as in `FR` or `DE`.",
        ),
        (
            "calendars: {office: {holidays: {country: DE, subdivision: by}}}\n",
            "1:59 calendars.office.holidays.subdivision: `by` is no part of DE with holidays of its own"
            " | Did you mean `BY`?",
        ),
        ("calendars: {office: {holidays: {country: , extra: []}}}\n", None),
        (
            "calendars: {office: {holidays: {subdivision: BY}}}\n",
            "1:46 calendars.office.holidays.subdivision: needs the country it is a part of | Add `country`.",
        ),
        (
            "calendars: {office: {holidays: {country: XX, subdivision: BY}}}\n",
            "1:42 calendars.office.holidays.country: the holidays of `XX` are not known"
            " | Write the two capital letters of the country, as in `FR` or `DE`.",
        ),
        (
            "calendars: {office: {holidays: [24.12.]}}\n",
            "1:33 calendars.office.holidays[0]: `24.12.` is no date | Write year, month and day as in `2026-12-24`.",
        ),
        (
            "calendars: {office: {days: []}}\n",
            "1:28 calendars.office.days: names no day | Write days as in `mon-fri` or `[mon, wed, fri]`.",
        ),
        (
            "calendars: {office: {hours: []}}\n",
            "1:29 calendars.office.hours: there is no working time in this calendar | Write hours as in `09:00-17:00`.",
        ),
        (
            "calendars: {office: {days: mon-fri, hours: {mon: 09:00-12:00}}}\n",
            "1:44 calendars.office.hours: names the days, and so does `days` | Keep one of the two.",
        ),
        (
            "outgoing: stop\n",
            "1:11 outgoing: is not one of the ways mail can go | Write `send`, `hold` or `{redirect: ADDRESS}`.",
        ),
        (
            "outgoing: redirect\n",
            "1:11 outgoing: needs an address to redirect to | Write `send`, `hold` or `{redirect: ADDRESS}`.",
        ),
        (
            "outgoing: {redirect: nobody}\n",
            "1:11 outgoing: `nobody` is no e-mail address"
            " | Write it as in `support@example.org`, without name and angle brackets.",
        ),
        (
            "outgoing: {redirect: SUPPORT@example.org}\n",
            "1:22 outgoing.redirect: `SUPPORT@example.org` is an address of a mailbox here"
            " | Every mail would come back as a new one: write an address outside mailcase.",
        ),
        (
            "people: {ann: {address: support@example.org}}\n",
            "1:25 people.ann.address: `support@example.org` is an address of a mailbox here"
            " | Notices to it would come back as new mail: write the person's own address.",
        ),
        ("limits: {attempts: 0}\n", "1:20 limits.attempts: must be at least 1"),
        ("limits: {attempts: '3'}\n", "1:20 limits.attempts: must be a whole number"),
        ("limits: {attempts: }\n", "1:19 limits.attempts: needs a value | Leave the line out for the default."),
        (
            "limits: {lease: 0 minutes}\n",
            "1:17 limits.lease: must be more than zero | Leave the line out for the default.",
        ),
        ("limits: {lese: 5 minutes}\n", "1:10 limits.lese: the key `lese` is not known | Did you mean `lease`?"),
        (
            "limits: {message_bytes: 25 MiBB}\n",
            "1:25 limits.message_bytes: `25 MiBB` is no size"
            " | Write bytes, or a number and kB, MB, GB, KiB, MiB or GiB, as in `25 MiB`.",
        ),
        (
            "limits: {message_bytes: 0}\n",
            "1:25 limits.message_bytes: must be more than zero"
            " | Write bytes, or a number and kB, MB, GB, KiB, MiB or GiB, as in `25 MiB`.",
        ),
        (
            "limits: {message_bytes: true}\n",
            "1:25 limits.message_bytes: is no size"
            " | Write bytes, or a number and kB, MB, GB, KiB, MiB or GiB, as in `25 MiB`.",
        ),
        (
            "limits: {key_renewal: 500 days}\n",
            "1:23 limits.key_renewal: must be shorter than `key_lifetime` (400 days):"
            " the next key must be made before the last one ends",
        ),
        (
            "limits: {lease: 5 seconds}\n",
            "1:17 limits.lease: must be longer than `read_timeout` (10 seconds):"
            " a mail would be claimed again while it is read",
        ),
        (
            "limits: {pause_first: 1 minute}\n",
            "1:23 limits.pause_first: must be shorter than `pause_longest` (15 seconds):"
            " pauses grow from the one to the other",
        ),
        ("limits: {outbox_batch: 0}\n", "1:24 limits.outbox_batch: must be at least 1"),
    ],
)
def test_a_problem_of_the_whole_file(check: Check, text: str, problem: str | None) -> None:
    assert check(text) == ([problem] if problem else [])


@pytest.mark.parametrize(
    ("process", "problem"),
    [
        ("{queue: suport}", "3:20 processes.enquiry.queue: the queue `suport` is not known | Did you mean `support`?"),
        ("{queue: x}", "3:20 processes.enquiry.queue: the queue `x` is not known | Known here: support."),
        (
            "{allocation: [ann, bob]}",
            "3:31 processes.enquiry.allocation[1]: the person `bob` is not known | Known here: ann.",
        ),
        (
            "{due: {add: 2 days, calendar: offce}}",
            "3:42 processes.enquiry.due.calendar: the calendar `offce` is not known | Did you mean `office`?",
        ),
        (
            "{due: {add: 2 working days}}",
            "3:24 processes.enquiry.due.add: is working time, and no calendar says what that is"
            " | Add `calendar: NAME`.",
        ),
        (
            "{due: 2 working hours}",
            "3:18 processes.enquiry.due: is working time, and no calendar says what that is | Add `calendar: NAME`.",
        ),
        (
            "{due: {add: 2 days, next_morning: true}}",
            "3:46 processes.enquiry.due.next_morning: needs a calendar | Add `calendar: NAME`.",
        ),
        (
            "{due: {add: 2 days, calendar: office, next_morning: true, end_of_day: true}}",
            "3:82 processes.enquiry.due.end_of_day: cannot go with `next_morning` (SL-11) | Keep one of the two.",
        ),
        (
            "{due: {calendar: office}}",
            "3:13 processes.enquiry.due.add: is missing"
            " | Say how long after its start the case is due, as in `add: 2 days`.",
        ),
        ("{due: -2 days}", "3:18 processes.enquiry.due: must be more than zero | Leave the line out for the default."),
        (
            "{due: [2]}",
            "3:18 processes.enquiry.due: must be a mapping | Write `key: value` lines below it, each indented.",
        ),
        (
            "{feedback_window: 5 working days}",
            "3:30 processes.enquiry.feedback_window: is working time, and no calendar says what that is"
            " | Write `{length: 5 working days, calendar: NAME}`, or a calendar in the due rule.",
        ),
        (
            "{feedback_window: {length: 5 days, calendar: office}}",
            "3:57 processes.enquiry.feedback_window.calendar: has no use: the window is counted in days of any kind"
            " | Write working days, or leave the calendar out.",
        ),
        (
            "{feedback_window: 3 hours}",
            "3:30 processes.enquiry.feedback_window: a feedback window is counted in days"
            " | Write days or working days, as in `5 working days`.",
        ),
        (
            "{feedback_window: {length: 0 days}}",
            "3:39 processes.enquiry.feedback_window.length: must be more than zero"
            " | Leave the line out for the default.",
        ),
        (
            "{wait_reasons: [{name: client, ask: customer}]}",
            "3:48 processes.enquiry.wait_reasons[0].ask: `customer` is not known here | Known here: requester.",
        ),
        (
            "{wait_reasons: [client, {name: client}]}",
            "3:43 processes.enquiry.wait_reasons[1].name: the reason `client` already stands in line 3"
            " | Each may stand once only.",
        ),
        (
            "{notices: {reopend: true}}",
            "3:23 processes.enquiry.notices.reopend: `reopend` is not known here | Did you mean `reopened`?",
        ),
        (
            "{notices: {reopened: on}}",
            "3:33 processes.enquiry.notices.reopened: must be true or false | Write `true` or `false`.",
        ),
        ("{wait_reasons: client}", "3:27 processes.enquiry.wait_reasons: must be a list | Write it as in `[a, b]`."),
    ],
)
def test_a_problem_of_a_process(check: Check, process: str, problem: str) -> None:
    text = f"""\
calendars: {{office: {{}}}}
processes:
  enquiry: {process}
people: {{ann: {{address: ann@example.org}}}}
queues: {{support: {{}}}}
mailboxes: {{desk: {{receive: {{kind: smtp, listen: "127.0.0.1:25"}}, addresses: [a@example.org], fallback: enquiry}}}}
"""

    assert check(text, base="") == [problem]


def test_a_secret_has_no_place_elsewhere_either(check: Check) -> None:
    assert check("token: hunter2\n") == ["1:1 token: secrets do not stand in this file | No secret belongs here."]


def test_two_people_cannot_share_a_login_or_an_address(check: Check) -> None:
    found = check("""\
        people:
          ann: {address: ann@example.org, login: ann}
          bob: {address: Ann@Example.org, login: ann}
        """)

    assert found == [
        "3:18 people.bob.address: the address `ann@example.org` already stands in line 2 | Each may stand once only.",
        "3:42 people.bob.login: the login `ann` already stands in line 2 | Each may stand once only.",
    ]


def test_no_control_character_reaches_a_mail_server(check: Check) -> None:
    """I12"""
    text = """\
processes: {enquiry: {}}
people: {ann: {address: ann@example.org, name: "Ann\\nBcc: x"}}
mailboxes:
  desk:
    receive: {kind: imap, host: h, password_file: p, user: "a\\r\\nA1 DELETE INBOX", folder: "a\\x7f"}
    addresses: {support@example.org: {name: "a\\uD800", signature: "one\\ntwo"}, b@example.org: {signature: "a\\e"}}
    fallback: enquiry
queues: {"a\\x00": {}}
"""
    hint = "Leave it out: it could end a command to a mail server or a header."

    found = check(text, base="")

    assert [one for one in found if one.endswith(hint)] == [
        f"2:48 people.ann.name: has a control character | {hint}",
        f"5:60 mailboxes.desk.receive.user: has a control character | {hint}",
        f"5:92 mailboxes.desk.receive.folder: has a control character | {hint}",
        f"6:45 mailboxes.desk.addresses.support@example.org.name: has a control character | {hint}",
        f"6:107 mailboxes.desk.addresses.b@example.org.signature: has a control character | {hint}",
    ]
    assert any(one.startswith(r"8:10 queues.a\x00: `a\x00` cannot be a name") for one in found)


def test_every_process_says_its_queue_when_there_are_several(check: Check) -> None:
    found = check("queues: {a: {}, b: {}}\n")

    assert found == [
        "2:13 processes.enquiry.queue: is missing, and there is more than one queue | Name one of a, b.",
    ]


def test_a_queue_that_nobody_wrote_is_not_known(check: Check) -> None:
    found = check("people: {ann: {address: ann@example.org, queues: [support]}}\n")

    assert found == ["1:51 people.ann.queues[0]: the queue `support` is not known | Known here: main."]


def test_a_person_of_whom_nobody_is_known_is_to_be_written(check: Check) -> None:
    text = """\
processes: {enquiry: {allocation: [ann]}}
mailboxes: {desk: {receive: {kind: smtp, listen: "127.0.0.1:25"}, addresses: [a@example.org], fallback: enquiry}}
"""

    assert check(text, base="") == [
        "1:36 processes.enquiry.allocation[0]: the person `ann` is not known | Write it under `people`."
    ]


def test_a_file_needs_a_process_and_a_mailbox(check: Check) -> None:
    needs = (
        "Write at least one kind of case, as in `processes: {enquiry: {}}`.",
        "Write at least one mailbox that cases come from.",
    )

    assert check("language: en\n", base="") == [
        f"1:1 mailboxes: is missing | {needs[1]}",
        f"1:1 processes: is missing | {needs[0]}",
    ]
    assert check("processes:\nmailboxes: {}\n", base="") == [
        f"1:11 processes: is empty | {needs[0]}",
        f"2:12 mailboxes: is empty | {needs[1]}",
    ]


def test_a_file_is_a_mapping(check: Check) -> None:
    assert check("- a\n", base="") == ["1:1 : must be a mapping | Write `key: value` lines below it, each indented."]


def test_every_problem_is_told_at_once_in_the_order_of_the_file(check: Check) -> None:
    found = check(
        """\
        languge: en
        people:
          ann: {address: ann, login: ann}
          bob: {address: bob@example.org, login: ann, queues: [x]}
        processes:
          enquiry: {due: 2 working days, feedback_window: soon, allocation: [an]}
          billing: {queue: *x}
        mailboxes:
          desk:
            receive: {kind: imap, host: mail.example.org, tls: none, password: x}
            addresses: {support@example.org: {reply_address: minus}}
            routes:
              - {to: sales@example.org, process: billng}
            language: fr
        relay: {host: h, user: u}
        people: {}
        """,
        base="",
    )

    assert [one.partition(" ")[0] for one in found] == [
        "1:1",
        "3:18",
        "4:42",
        "4:56",
        "6:18",
        "6:51",
        "6:70",
        "7:20",
        "9:3",
        "10:5",
        "10:56",
        "10:62",
        "11:54",
        "13:14",
        "13:42",
        "14:5",
        "15:1",
        "16:1",
    ]


def test_what_has_a_problem_already_gets_no_second_one(check: Check) -> None:
    found = check("language: &x en\ntime_zone: *x\n")

    assert found == [
        "2:12 : the alias `*x` (its anchor stands in line 1) is not used here"
        ' | Write the value out in each place; text that begins with * or & stands in quotes: "*@example.org".'
    ]


def test_a_problem_names_the_file_as_the_operator_did(
    write: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    write("x: 1\n")
    monkeypatch.chdir(tmp_path)

    problems = check_file(Path("mailcase.yaml"), environment={})

    assert str(problems[0]).startswith("mailcase.yaml:1:1: mailboxes: is missing\n    Write")
