"""A real mail server for tests: aiosmtpd, which prints every letter that it takes as a line of JSON.

Arguments: plain, starttls or smtps; the folder for its certificate (ca.pem) and for the file `refuse`, whose text, such
as `450 later` or `slow`, is what letters are answered as long as it is there. With starttls and smtps the user `shop`
logs in with the password `open sesame`; smtps offers AUTH LOGIN alone. It ends with its standard input.
"""

import asyncio
import email
import email.policy
import json
import pathlib
import ssl
import sys

from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword

mode, folder = sys.argv[1], pathlib.Path(sys.argv[2])


def part(message, kind):
    body = message.get_body(preferencelist=(kind,))
    return body.get_content().replace("\r\n", "\n") if body else None


class Takes:
    async def handle_DATA(self, server, session, envelope):
        refuse = folder / "refuse"
        if refuse.exists():
            answer = refuse.read_text().strip()
            if answer != "slow":
                return answer
            await asyncio.sleep(30)
        message = email.message_from_bytes(envelope.content, policy=email.policy.default)
        letter = {
            "from": envelope.mail_from,
            "to": envelope.rcpt_tos[0],
            "subject": str(message["subject"]),
            "text": part(message, "plain"),
            "html": part(message, "html"),
            "connection": session.peer[1],
            "raw": envelope.content.decode("utf-8", "replace"),
        }
        print(json.dumps(letter), flush=True)
        return "250 taken"


def check(server, session, envelope, mechanism, data):
    good = isinstance(data, LoginPassword) and (data.login, data.password) == (b"shop", b"open sesame")
    return AuthResult(success=good, handled=good)


def certificate():
    import trustme

    authority = trustme.CA()
    authority.cert_pem.write_to_path(folder / "ca.pem")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost", "127.0.0.1").configure_cert(context)
    return context


async def serve():
    options, wrapped = {}, None
    if mode != "plain":
        options |= {"authenticator": check, "auth_required": True}
    if mode == "starttls":
        options |= {"tls_context": certificate(), "require_starttls": True}
    elif mode == "smtps":
        options |= {"auth_require_tls": False, "auth_exclude_mechanism": ["PLAIN"]}
        wrapped = certificate()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: SMTP(Takes(), **options), "127.0.0.1", 0, ssl=wrapped)
    print(server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)


asyncio.run(serve())
