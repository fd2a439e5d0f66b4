"""python -m nuropb_gateway_client"""

import sys

from .cli import main

if __name__ == "__main__":
    sys.exit(main())
