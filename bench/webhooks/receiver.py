"""A receiver that hears everything and answers as it is told, on a thread of its own."""

import asyncio
import pathlib
import sys
import threading
import time

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1]))
import listen  # noqa: E402


class Receiver:
    """`answer(number)` gives a status, or None for a connection that is reset."""

    def __init__(self, answer, host="127.0.0.1"):
        self.answer, self.host = answer, host
        self.heard = []  # (time in ms, headers, body, status)
        self.held = 0
        ready = threading.Event()
        threading.Thread(target=lambda: asyncio.run(self._main(ready)), daemon=True).start()
        ready.wait()

    async def _main(self, ready):
        server = await asyncio.start_server(self._serve, self.host, 0, backlog=4096)
        self.port = server.sockets[0].getsockname()[1]
        ready.set()
        await server.serve_forever()

    async def _serve(self, reader, writer):
        try:
            _, _, headers, body = await listen.read_request(reader)
            at = time.time() * 1000
            status = self.answer(len(self.heard))
            self.heard.append((at, headers, body, status))
            if status is None:
                writer.transport.abort()
            elif status == "hold":
                self.held += 1
                await reader.read()
            else:
                writer.write(listen.reply(status, b"", "connection: close"))
                await writer.drain()
        except listen.BROKEN_OFF:
            pass
        finally:
            writer.close()
