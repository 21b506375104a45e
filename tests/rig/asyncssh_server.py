"""An SSH server that runs git programs: PORT FOLDER MODE PASSWORD.

MODE says how it lets in: `password`; `keyboard` (asks for the password until it is right); `code` (asks for something else);
`both` (a key, then the password); `either` (by password, or by asking for it); `nobody` (without anything);
`parrot` (as `password`, and whoever has another one is told so, word by word).
"""

import asyncio
import subprocess
import sys

import asyncssh

PORT, FOLDER, MODE, PASSWORD = int(sys.argv[1]), sys.argv[2], sys.argv[3], sys.argv[4]
QUESTION = "", "", "", [("Verification code:" if MODE == "code" else "Password: ", False)]


def say(text):
    print(text, flush=True)


class Server(asyncssh.SSHServer):
    def connection_made(self, connection):
        self.connection = connection
        self.has_key = False
        self.welcome = connection.send_userauth_success
        if MODE == "both":
            connection.send_userauth_success = self.not_yet

    def not_yet(self):
        """The key alone is not enough; asyncssh itself has no such servers."""
        if self.has_key:
            self.welcome()
        else:
            self.has_key = True
            self.connection.send_userauth_failure(True)

    def begin_auth(self, username):
        say(f"user {username}")
        if MODE == "both":
            self.connection.set_authorized_keys(f"{FOLDER}/authorized_keys")
        return MODE != "nobody"

    def public_key_auth_supported(self):
        return MODE == "both" and not self.has_key

    def password_auth_supported(self):
        return MODE in ("password", "either", "parrot") or self.has_key

    def validate_password(self, username, password):
        say(f"password {password}")
        if MODE == "parrot" and password != PASSWORD:
            raise asyncssh.ProtocolError(f"not {password}")
        return password == PASSWORD

    def kbdint_auth_supported(self):
        return MODE in ("keyboard", "code", "either")

    def get_kbdint_challenge(self, username, lang, submethods):
        return QUESTION

    def validate_kbdint_response(self, username, responses):
        for response in responses:
            say(f"answered {response}")
        return True if list(responses) == [PASSWORD] else QUESTION


async def run(process):
    child = await asyncio.create_subprocess_shell(
        process.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    await process.redirect(stdin=child.stdin, stdout=child.stdout, stderr=child.stderr)
    process.exit(await child.wait())


async def main():
    await asyncssh.create_server(
        Server, "127.0.0.1", PORT, server_host_keys=[f"{FOLDER}/host"], process_factory=run, encoding=None
    )
    open(f"{FOLDER}/ready", "w").close()
    await asyncio.Event().wait()


asyncio.run(main())
