"""S21: what a mail names is never fetched: no picture, no style sheet, no DTD, no link, no unsubscribing."""

from __future__ import annotations

import socket

import pytest
from tests.handlers.office import Office, raw_mail

from mailcase.store.rows.inbox import Outcome

NAMES_A_HOST = """\
<?xml-stylesheet href="{url}/a.xsl"?><!DOCTYPE html SYSTEM "{url}/b.dtd">
<html><head><link rel="stylesheet" href="{url}/c.css"><style>@import url({url}/d.css);</style>
<meta http-equiv="refresh" content="0;url={url}/e"></head>
<body background="{url}/f.png"><img src="{url}/g.png"><iframe src="{url}/h"></iframe><a href="{url}/i">It smokes</a>
</body></html>
"""


async def test_S21_no_host_that_a_mail_names_is_asked(office: Office) -> None:
    with socket.create_server(("127.0.0.1", 0)) as host:
        host.setblocking(False)
        url = f"http://127.0.0.1:{host.getsockname()[1]}"
        headers = [("Content-Type", "text/html"), ("List-Unsubscribe", f"<{url}/j>")]

        mail = await office.receives(raw_mail(text=NAMES_A_HOST.replace("{url}", url), headers=headers))

        assert mail.outcome is Outcome.NEW_CASE
        with pytest.raises(BlockingIOError):
            host.accept()
