"""How we prove to an IMAP server or a relay who we are: a password, or an access token that must be had first.

The path of a login: `logins` knows the one of each mailbox and of the relay and gives a `credentials.Credential` when a
connection is made. A password is read from its file. An access token comes from `tokens`, which keeps it until shortly
before its end and asks for a new one: `token_server` (a request by `http`, whose answer `token_answer` reads; a refresh
token that the server replaced is kept by `kept`) or `token_command`. A token that the mail server refuses is renewed
once. What goes wrong says who must act, and stays with its own mailbox (L7, L9).
"""
