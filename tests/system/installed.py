# SPDX-License-Identifier: GPL-2.0-only
"""What docs/monitoring.md and docs/cloudwatch.md say is installed, below /usr/share/vxlan-pipeline."""

import glob
import os

from lib import program

DIST = os.path.join(program.ROOT, "dist")
MONITORING = sorted(os.path.relpath(path, DIST) for pattern in ("prometheus/*.yml", "grafana/*.json",
                                                                   "cloudwatch/*")
                    for path in glob.glob(os.path.join(DIST, pattern)))
