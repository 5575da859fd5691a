"""A real SMTP server (aiosmtpd) for the tests: python smtp_server.py [PORT].

Prints one line of JSON when it listens, {"port": N}, and one for each mail that it accepted.
"""

import asyncio
import email
import email.policy
import json
import sys

from aiosmtpd.smtp import SMTP


class Printer:
    async def handle_DATA(self, server, session, envelope):
        message = email.message_from_bytes(envelope.content, policy=email.policy.default)
        plain = message.get_body(("plain",))
        html = message.get_body(("html",))
        say(
            {
                "envelope_from": envelope.mail_from,
                "envelope_to": envelope.rcpt_tos,
                "helo": session.host_name,
                "from": str(message["from"]),
                "to": str(message["to"]),
                "subject": str(message["subject"]),
                "headers": [[name, str(value)] for name, value in message.items()],
                "text": plain.get_content() if plain else None,
                "html": html.get_content() if html else None,
                "raw": envelope.content.decode("utf-8", "replace"),
            }
        )
        return "250 accepted"


def say(value):
    print(json.dumps(value), flush=True)


async def main():
    port = int(sys.argv[1]) if len(sys.argv) > 1 else 0
    handler = Printer()
    server = await asyncio.get_running_loop().create_server(
        lambda: SMTP(handler, hostname="mail.test", ident="ESMTP"), "127.0.0.1", port
    )
    say({"port": server.sockets[0].getsockname()[1]})
    await server.serve_forever()


asyncio.run(main())
