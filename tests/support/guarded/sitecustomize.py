"""Found by Python on PYTHONPATH before anything else runs: guards a process that a test starts."""

from tests.support import guard

guard.install()
