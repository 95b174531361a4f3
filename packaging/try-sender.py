#!/usr/bin/python3
"""Asks a mail server whether a login may send as an address. No mail is sent.

    try-sender.py HOST:PORT LOGIN SENDER [RECIPIENT]

LOGIN is - for nobody; else the password is asked for, or read from standard
input, and sent over TLS only (the certificate is not checked: this is for
tries). Prints the server's reply to MAIL FROM and, when that is accepted, to
RCPT TO (SENDER when no RECIPIENT is given). Exit status: 0 accepted, 1 refused
for good (5xx), 75 refused for now (4xx or not reached).
"""

import getpass
import smtplib
import ssl
import sys


def ask(server, login, sender, recipient):
    host, _, port = server.rpartition(":")
    with smtplib.SMTP(host, int(port), local_hostname="client.example.org", timeout=130) as smtp:
        if login != "-":
            context = ssl.create_default_context()
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
            smtp.starttls(context=context)
            smtp.ehlo()
            password = getpass.getpass() if sys.stdin.isatty() else sys.stdin.readline().rstrip("\n")
            smtp.login(login, password)
        code, text = smtp.mail(sender)
        if code < 400:
            code, text = smtp.rcpt(recipient)
        return code, text.decode("utf-8", "replace")


def main(arguments):
    if len(arguments) not in (3, 4) or ":" not in arguments[0]:
        print(__doc__, file=sys.stderr)
        return 64
    server, login, sender = arguments[:3]
    try:
        code, text = ask(server, login, sender, arguments[3] if len(arguments) == 4 else sender)
    except (OSError, smtplib.SMTPException) as error:
        if isinstance(error, smtplib.SMTPResponseException) and error.smtp_code >= 500:
            print("%d %s" % (error.smtp_code, error.smtp_error.decode("utf-8", "replace")))
            return 1
        print("%s: %s" % (server, error), file=sys.stderr)
        return 75
    print(code, text)
    return 0 if code < 400 else 75 if code < 500 else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
