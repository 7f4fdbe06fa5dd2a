"""Which operation of Customer Insights and Dataverse answers which request.

Customer Insights is under ``/v1``, by way of its gateway, and under ``/api``, its older address. The documents write
``manage/workflows``, the public client ``workflows``: both are taken.
"""

from __future__ import annotations

from ci_magics.emulator import customer_insights
from ci_magics.emulator.call import Call
from ci_magics.emulator.replies import Reply
from ci_magics.emulator.route import route
from ci_magics.emulator.state import World


def _get_data(world: World, call: Call) -> Reply:
    from ci_magics.emulator import data_pages  # slow to import, and not needed to start

    return data_pages.get_data(world, call)


def _get_partition(world: World, call: Call) -> Reply:
    from ci_magics.emulator import partitions  # slow to import, and not needed to start

    return partitions.get_partition(world, call)


_ROOT = "/(?:v1|api)/instances"
_ONE = f"{_ROOT}/{{instance}}"
_SEGMENTS = f"{_ONE}/manage/segments"

ROUTES = (
    route("GetAllInstances", "GET", _ROOT, customer_insights.get_all_instances),
    route("GetInstance", "GET", _ONE, customer_insights.get_instance),
    route("GetAllSegments", "GET", _SEGMENTS, customer_insights.get_all_segments),
    route("GetData", "GET", f"{_ONE}/data/{{path*}}", _get_data),
    route("GetPartition", "GET", "/storage/{instance}/{entity}/part-{number}.csv", _get_partition),
)
