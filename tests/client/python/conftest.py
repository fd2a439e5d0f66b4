"""The client is imported from its sources."""

import support.python_client  # noqa: F401
