"""httpbin under waitress, as the backend that nobody here wrote: python httpbin_server.py [PREFIX].

Prints one line of JSON when it listens: {"port": N}. What lies under PREFIX is answered by httpbin's /anything, which
shows what arrived; everything else is httpbin as it comes.
"""

import json
import logging
import sys

from httpbin import app
from waitress import create_server

prefix = sys.argv[1] if len(sys.argv) > 1 else None


def mounted(environ, start_response):
    if prefix and environ["PATH_INFO"].startswith(prefix + "/"):
        environ["PATH_INFO"] = "/anything" + environ["PATH_INFO"]
    return app(environ, start_response)


logging.disable(logging.WARNING)
server = create_server(mounted, host="127.0.0.1", port=0, threads=8, ident="httpbin")
print(json.dumps({"port": int(server.effective_port)}), flush=True)
server.run()
