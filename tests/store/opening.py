"""Opens a store and says what came of it."""

import sys

from sentinel.core.errors import RefusedToStartError
from sentinel.store.client import connect

try:
    connect(sys.argv[1]).close()
    print("opened")
except RefusedToStartError as refused:
    print(refused)
