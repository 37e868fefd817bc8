"""Whether this gateway should get requests. While the chain or the sequencer is away it goes on accepting orders; without the database,
or with tables of another version, it can do nothing, and another gateway may be better off."""

import json
import sys
import urllib.error
import urllib.request

try:
    answer = urllib.request.urlopen("http://127.0.0.1:8080/readyz", timeout=8)
except urllib.error.HTTPError as error:
    answer = error
checks = json.load(answer)["checks"]
sys.exit(not (checks["database"]["ok"] and checks["migrations"]["ok"]))
