"""httpbin under waitress, as the backend that nobody here wrote: python httpbin_server.py.

Prints one line of JSON when it listens: {"port": N}.
"""

import json
import logging

from httpbin import app
from waitress import create_server

logging.disable(logging.WARNING)
server = create_server(app, host="127.0.0.1", port=0, threads=8, ident=None)
print(json.dumps({"port": int(server.effective_port)}), flush=True)
server.run()
