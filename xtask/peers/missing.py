"""Which packages this Python does not have.

Usage: missing.py PACKAGE…
Prints a JSON list of those of the packages that cannot be imported.
"""

import json
import sys
from importlib.util import find_spec

json.dump([name for name in sys.argv[1:] if find_spec(name) is None], sys.stdout)
