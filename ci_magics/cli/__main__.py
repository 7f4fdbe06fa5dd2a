"""``python -m ci_magics.cli``."""

from __future__ import annotations

import sys

from ci_magics.cli import main

sys.exit(main())
