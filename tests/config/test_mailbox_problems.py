"""What can be wrong with mailboxes, routes and the relay: the exact place, the words and the hint."""

from __future__ import annotations

from collections.abc import Callable

import pytest

Check = Callable[..., list[str]]


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (
            "routes: [{to: sales@example.org, process: enquiry}]",
            "6:19 mailboxes.desk.routes[0].to: `sales@example.org` is no address of this mailbox"
            " | Known here: billing@example.org, support@example.org.",
        ),
        (
            "routes: [{to: suport@example.org, process: enquiry}]",
            "6:19 mailboxes.desk.routes[0].to: `suport@example.org` is no address of this mailbox"
            " | Did you mean `support@example.org`?",
        ),
        (
            "routes: [{to: nobody, process: enquiry}]",
            "6:19 mailboxes.desk.routes[0].to: `nobody` is no e-mail address"
            " | Write it as in `support@example.org`, without name and angle brackets.",
        ),
        (
            "routes: [{process: enqiry}]",
            "6:24 mailboxes.desk.routes[0].process: the process `enqiry` is not known | Did you mean `enquiry`?",
        ),
        (
            "routes: [{process: old}]",
            "6:24 mailboxes.desk.routes[0].process: the process `old` is retired and starts no new cases"
            " | Name another process.",
        ),
        (
            "routes: [{to: billing@example.org}]",
            "6:14 mailboxes.desk.routes[0].process: is missing | Name the process that the route starts.",
        ),
        (
            'routes: [{to: "*", process: enquiry}]',
            "6:14 mailboxes.desk.routes[0].from: is missing: a wildcard route must say who writes"
            ' | Name the senders, as in `from: ["*@example.org"]` (EM-33).',
        ),
        (
            'routes: [{to: "*", from: "*", process: enquiry}]',
            "6:30 mailboxes.desk.routes[0].from: may not stand for everybody"
            ' | Name addresses or domains, as in `["*@example.org"]`.',
        ),
        (
            'routes: [{to: "*", from: [a@example.org, "*@*"], process: enquiry}]',
            "6:46 mailboxes.desk.routes[0].from[1]: may not stand for everybody"
            ' | Name addresses or domains, as in `["*@example.org"]`.',
        ),
        (
            "routes: [{from: [], process: enquiry}]",
            "6:21 mailboxes.desk.routes[0].from: is empty | Leave the line out.",
        ),
        (
            "routes: [{importance: urgent, process: enquiry}]",
            "6:27 mailboxes.desk.routes[0].importance: `urgent` is not known here | Known here: high, low, normal.",
        ),
        (
            "routes: [{attachments: [a b], process: enquiry}]",
            "6:29 mailboxes.desk.routes[0].attachments[0]: is no ending of a file name"
            " | Write endings as in `[pdf, xlsx]`.",
        ),
        (
            "routes: [enquiry]",
            "6:14 mailboxes.desk.routes[0]: must be a mapping | Write `key: value` lines below it, each indented.",
        ),
        ("routes: enquiry", "6:13 mailboxes.desk.routes: must be a list | Write it as in `[a, b]`."),
        ("enabled: 1", "6:14 mailboxes.desk.enabled: must be true or false | Write `true` or `false`."),
    ],
)
def test_a_problem_of_a_mailbox(check: Check, line: str, problem: str) -> None:
    text = f"""\
processes: {{enquiry: {{}}, old: {{retired: true}}}}
mailboxes:
  desk:
    receive: {{kind: smtp, listen: "127.0.0.1:2525"}}
    addresses: [support@example.org, billing@example.org]
    {line}
    fallback: enquiry
"""

    assert check(text, base="") == [problem]


@pytest.mark.parametrize(
    ("receive", "problem"),
    [
        ("", "receive: needs a value | Say how mail comes in: `kind` is imap, smtp or lmtp."),
        ("{}", "receive.kind: is missing | Write imap, smtp or lmtp."),
        ("{kind: pop3}", "receive.kind: `pop3` is not known here | Known here: imap, lmtp, smtp."),
        ("{kind: smtp}", "receive.listen: is missing | Write host and port, as in `127.0.0.1:2525`."),
        ("{kind: smtp, listen: 25}", "receive.listen: needs a host before the port | Write host and port"),
        ("{kind: smtp, listen: '*:25'}", "receive.listen: `*:25` is no host and port | Write host and port"),
        ("{kind: smtp, listen: 'a_b:25'}", "receive.listen: `a_b` is no host | Write a name or an IP address"),
        ("{kind: smtp, listen: '127.0.0.1:70000'}", "receive.listen: the port 70000 is above 65535 | Write host"),
        ("{kind: lmtp, listen: '[::1]:24', foldr: x}", "receive.foldr: the key `foldr` is not known | Known here:"),
        ("{kind: imap, password_file: p, host: a b}", "receive.host: `a b` is no host | Write a name or an IP address"),
        ("{kind: imap, password_file: p}", "receive.host: is missing | Write the name of the IMAP server."),
        (
            "{kind: imap, host: h}",
            "receive.password_file: is missing | Write the path of a file that holds the password alone, or"
            " `login` for access tokens.",
        ),
        (
            "{kind: imap, host: h, password_file: p, foldr: x}",
            "receive.foldr: the key `foldr` is not known | Did you mean `folder`?",
        ),
        ("{kind: imap, host: h, password_file: p, port: 70000}", "receive.port: must be at most 65535"),
        (
            "{kind: imap, host: h, password_file: p, tls: ssl}",
            "receive.tls: `ssl` is not known here | Known here: none, starttls, tls.",
        ),
        (
            "{kind: imap, host: h, password_file: p, tls: none}",
            "receive.tls: mail and password would go to `h` for everybody to read | Write tls or starttls",
        ),
        (
            "{kind: imap, host: h, password_file: p, folder: 'a*'}",
            "receive.folder: `a*` is no name of a folder | Write",
        ),
        (
            "{kind: imap, host: h, password_file: p, folder: ' a'}",
            "receive.folder: ` a` is no name of a folder | Write",
        ),
        (
            "{kind: imap, host: h, password_file: p, after: {move: inbox}}",
            "receive.after.move: mail cannot be moved into `inbox`, the folder it is taken from | Name another folder.",
        ),
        (
            "{kind: imap, host: h, password_file: p, after: delete}",
            "receive.after: is not one of the ways to leave a mail behind | Write `move`",
        ),
        (
            "{kind: imap, host: h, password_file: p, start: 2026-01-01}",
            "receive.start: `2026-01-01` is not known here | Known here: all, now.",
        ),
        (
            "{kind: imap, host: h, password: hunter2}",
            "receive.password: secrets do not stand in this file"
            " | Put it alone into a file, `chmod 600` that, and write `password_file: PATH`.",
        ),
    ],
)
def test_a_problem_of_how_mail_comes_in(check: Check, receive: str, problem: str) -> None:
    text = f"""\
mailboxes: {{desk: {{receive: {receive}, addresses: [support@example.org], fallback: enquiry}}}}
processes: {{enquiry: {{}}}}
"""

    found = check(text, base="")

    assert any(problem in one for one in found), found
    assert not any("hunter2" in one for one in found)


@pytest.mark.parametrize(
    ("relay", "problem"),
    [
        ("{}", "1:1 relay.host: is missing | Write the name of your SMTP server."),
        ("smtp.example.org", "1:8 relay: must be a mapping | Write `key: value` lines below it, each indented."),
        (
            "{host: h, user: u}",
            "1:1 relay.password_file: is missing beside `user`"
            " | Write both or none; `login` in its place is for access tokens.",
        ),
        ("{host: h, password_file: p}", "1:1 relay.user: is missing beside `password_file` | Write both or none."),
        (
            "{host: h, tls: none}",
            "1:23 relay.tls: mail and password would go to `h` for everybody to read"
            " | Write tls or starttls; none is for this machine alone (127.0.0.1, ::1, localhost).",
        ),
        (
            "{host: 127.0.0.1, tls: none, port: 2525}",
            "1:43 relay.port: is the port of a listener here: our own mail would come back to us"
            " | Write host and port of the server that sends our mail.",
        ),
        ("{host: 127.0.0.1, port: [25]}", "1:32 relay.port: must be a whole number"),
        ("{host: h, connections: 100}", "1:31 relay.connections: must be at most 20"),
        (
            "{maildir: out, host: h}",
            "1:23 relay.host: has no use beside `maildir`, which sends nothing | Keep one of the two.",
        ),
        (
            "{host: h, Password: hunter2}",
            "1:18 relay.Password: secrets do not stand in this file"
            " | Put it alone into a file, `chmod 600` that, and write `password_file: PATH`.",
        ),
    ],
)
def test_a_problem_of_the_relay(check: Check, relay: str, problem: str) -> None:
    assert check(f"relay: {relay}\n") == [problem]


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST", "127.0.0.1", "127.1.2.3", "'::1'"])
def test_this_machine_may_be_spoken_to_in_the_open(check: Check, host: str) -> None:
    assert check(f"relay: {{host: {host}, tls: none}}\n") == []


def test_an_address_belongs_to_one_mailbox(check: Check) -> None:
    found = check(
        """\
        processes: {enquiry: {}}
        mailboxes:
          desk:
            receive: {kind: smtp, listen: "127.0.0.1:2525"}
            addresses: [support@example.org, Support@Example.org]
            fallback: enquiry
          other:
            receive: {kind: lmtp, listen: "127.0.0.1:2526"}
            addresses:
              support@example.org: {name: Support}
            fallback: enquiry
        """,
        base="",
    )

    assert found == [
        "5:38 mailboxes.desk.addresses[1]: the address `support@example.org` already stands in line 5"
        " | An address belongs to one mailbox.",
        "10:28 mailboxes.other.addresses.support@example.org: the address `support@example.org` already stands in"
        " line 5 | An address belongs to one mailbox.",
    ]


@pytest.mark.parametrize(
    ("second", "is_taken"),
    [
        ("127.0.0.1:2525", True),
        ("0.0.0.0:2525", True),
        ("[::]:2525", True),
        ("127.0.0.2:2525", False),
        ("127.0.0.1:2526", False),
        ("127.0.0.1:x", None),
    ],
)
def test_two_listeners_cannot_share_a_port(check: Check, second: str, is_taken: bool | None) -> None:
    text = f"""\
processes: {{enquiry: {{}}}}
mailboxes:
  a: {{receive: {{kind: smtp, listen: "127.0.0.1:2525"}}, addresses: [a@example.org], fallback: enquiry}}
  b: {{receive: {{kind: lmtp, listen: "{second}"}}, addresses: [b@example.org], fallback: enquiry}}
"""

    found = check(text, base="")

    taken = "4:37 mailboxes.b.receive.listen: the port 2525 already stands in line 3"
    assert any(taken in one for one in found) == (is_taken is True)
    assert (found == []) == (is_taken is False)


def test_free_ports_and_switched_off_listeners_collide_with_nothing(check: Check) -> None:
    text = """\
processes: {enquiry: {}}
mailboxes:
  a: {receive: {kind: smtp, listen: "127.0.0.1:0"}, addresses: [a@example.org], fallback: enquiry}
  b: {receive: {kind: smtp, listen: "127.0.0.1:0"}, addresses: [b@example.org], fallback: enquiry}
  c: {receive: {kind: smtp, listen: "127.0.0.1:25"}, addresses: [c@example.org], fallback: enquiry}
  d: {receive: {kind: smtp, listen: "127.0.0.1:25"}, addresses: [d@example.org], fallback: enquiry, enabled: false}
"""

    assert check(text, base="") == []


def test_a_folder_of_an_account_belongs_to_one_mailbox(check: Check) -> None:
    text = """\
processes: {enquiry: {}}
mailboxes:
  a: {receive: {kind: imap, host: h, password_file: p}, addresses: [a@example.org], fallback: enquiry}
  b: {receive: {kind: imap, host: h, password_file: p, user: a@example.org}, addresses: [b@x.org], fallback: enquiry}
  c: {receive: {kind: imap, host: h, password_file: p, folder: Sales}, addresses: [c@example.org], fallback: enquiry}
"""

    assert check(text, base="") == [
        "4:16 mailboxes.b.receive: this folder of the same account already stands in line 3"
        " | A folder belongs to one mailbox; that may have several addresses."
    ]


@pytest.mark.parametrize(
    ("kind", "local_part", "mode", "is_too_long"),
    [
        ("smtp", "a" * 19, "", False),
        ("smtp", "a" * 20, "", True),
        ("smtp", "a" * 20, "reply_address: plain", False),
        ("imap", "a" * 20, "", False),
        ("imap", "a" * 20, "reply_address: plus", True),
        ("imap", "a" * 20, "reply_address: catch-all", True),
    ],
)
def test_an_address_leaves_room_for_the_signature(
    check: Check, kind: str, local_part: str, mode: str, is_too_long: bool
) -> None:
    source = {"smtp": 'listen: "127.0.0.1:25"', "imap": "host: h, password_file: p"}[kind]
    text = f"""\
processes: {{enquiry: {{}}}}
mailboxes:
  desk:
    receive: {{kind: {kind}, {source}}}
    addresses: {{{local_part}@example.org: {{{mode}}}}}
    fallback: enquiry
"""

    found = check(text, base="")

    problem = (
        f"5:17 mailboxes.desk.addresses.{local_part}@example.org: `{local_part}` is too long for signed reply"
        " addresses, which leave 19 characters | Write `reply_address: plain` for this address."
    )
    assert found == ([problem] if is_too_long else [])


def test_a_mailbox_without_fallback_is_incomplete(check: Check) -> None:
    """EM-3"""
    text = """\
processes: {enquiry: {}, old: {retired: true}}
mailboxes:
  desk:
    receive: {kind: smtp, listen: "127.0.0.1:25"}
    addresses: [a@example.org]
  other:
    receive: {kind: smtp, listen: "127.0.0.1:26"}
    addresses: [b@example.org]
    fallback: old
"""

    assert check(text, base="") == [
        "3:3 mailboxes.desk.fallback: is missing"
        " | Every mailbox names the process that takes what no route takes (EM-3).",
        "9:15 mailboxes.other.fallback: the process `old` is retired and starts no new cases | Name another process.",
    ]


def test_addresses_are_told_one_by_one_in_a_list_too(check: Check) -> None:
    text = """\
processes: {enquiry: {}}
mailboxes:
  desk:
    receive: {kind: smtp, listen: "127.0.0.1:25"}
    addresses: [a@example.org, nonsense]
    fallback: enquiry
  other:
    receive: {kind: smtp, listen: "127.0.0.1:26"}
    addresses: [3]
    fallback: enquiry
  third:
    receive: {kind: smtp, listen: "127.0.0.1:27"}
    addresses: 3
    fallback: enquiry
"""

    assert check(text, base="") == [
        "5:32 mailboxes.desk.addresses[1]: `nonsense` is no e-mail address"
        " | Write it as in `support@example.org`, without name and angle brackets.",
        "9:16 mailboxes.other.addresses: must be a mapping | Write `name: value` lines below it, each indented.",
        "13:16 mailboxes.third.addresses: must be a mapping | Write `name: value` lines below it, each indented.",
    ]
