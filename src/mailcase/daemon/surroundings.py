"""What the parts of a daemon share, whatever the configuration, and where the next configuration comes from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from mailcase.clock import Clock
from mailcase.config.settings import Settings
from mailcase.daemon.service_manager import ServiceManager
from mailcase.daemon.shift import Crew
from mailcase.offload import Offload
from mailcase.store.port import Store
from mailcase.vitals import Vitals


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What stays as it is for as long as the daemon lives."""

    store: Store
    clock: Clock
    manager: ServiceManager
    offload: Offload
    vitals: Vitals


@dataclass(frozen=True, slots=True, kw_only=True)
class Renewal:
    """How a new configuration is had."""

    #: Reads the configuration again, on a thread. Raises ConfigError with every problem.
    reread: Callable[[], Settings]
    #: Who works under these settings; nobody of them works yet.
    next_crew: Callable[[Settings], Crew]
    #: Told of the settings that come into force.
    on_settings: Callable[[Settings], None]
