"""Python reads this file when it starts: a job that is told so lives by the clock of an emulated vendor.

``STAND_IN_CLOCK`` is the address of the vendor's REST service, beside whose stream time passes only when
somebody waits; ``STAND_IN_TESTS`` is where the tests lie that know how to wait.
"""

import os
import sys

if os.environ.get("STAND_IN_CLOCK"):
    sys.path.append(os.environ["STAND_IN_TESTS"])
    from tests.support.worlds.remote_clock import follow

    follow(os.environ["STAND_IN_CLOCK"])
