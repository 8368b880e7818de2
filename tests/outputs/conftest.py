"""The embedded service as a process, as the tests of the service run it."""

from tests.service.conftest import running

__all__ = ["running"]
