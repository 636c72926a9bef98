"""Where Parsl runs the jobs of a submission: this machine, or nodes asked of Slurm.

Both encrypt what goes between the submitting side and its workers: without that, whoever reaches the port can hand
objects to be unpickled to either side. A job that ended by itself is not tried again, its failure is recorded; one
whose worker or node died is.
"""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any

import psutil
from lsst.ctrl.bps.parsl import SiteConfig
from lsst.ctrl.bps.parsl.configuration import get_bps_config_value
from lsst.ctrl.bps.parsl.sites import Slurm
from parsl.app.errors import BashExitFailure
from parsl.executors import HighThroughputExecutor
from parsl.launchers import SingleNodeLauncher, SrunLauncher
from parsl.providers import LocalProvider

from pzcenter.errors import ConfigError

if TYPE_CHECKING:
    from lsst.ctrl.bps import BpsConfig
    from parsl.config import Config

__all__ = ["PzLocal", "PzSlurm", "retry_cost"]

LOOPBACK = "127.0.0.1"
NEVER = 1e9
"""A cost that no budget of retries pays."""


def retry_cost(error: Exception, _task: Any) -> float:
    """What a retry after this error costs, of a budget of ``site.NAME.retries``."""
    if isinstance(error, BashExitFailure):
        # A shell tells of a killed child by 128 + the number of the signal.
        return 1.0 if error.exitcode < 0 or error.exitcode > 128 else NEVER
    return 1.0


def _with_retry_cost(config: Config) -> Config:
    config.retry_handler = retry_cost
    return config


class PzLocal(SiteConfig):  # type: ignore[misc]
    """Processes of this machine, which listen to the loopback interface alone.

    Settings: ``cores`` (processes), ``retries`` (1), ``run_dir``.
    """

    def __init__(self, config: BpsConfig) -> None:
        super().__init__(config, resource_list=["priority"])

    def get_executors(self) -> list[Any]:
        """One pool."""
        return [
            HighThroughputExecutor(
                "local",
                provider=LocalProvider(init_blocks=1, min_blocks=0, max_blocks=1),  # type: ignore[no-untyped-call]
                max_workers_per_node=get_bps_config_value(self.site, "cores", int, required=True),
                cores_per_worker=0.01,  # as many processes as are asked for, whatever the machine has
                address=LOOPBACK,
                loopback_address=LOOPBACK,
                heartbeat_period=5,
                heartbeat_threshold=30,
                encrypted=True,
            )
        ]

    def select_executor(self, _job: Any) -> str:
        """The only one."""
        return "local"

    def get_address(self) -> str:
        """Loopback."""
        return LOOPBACK

    def get_parsl_config(self) -> Config:
        """As Rubin's, with our rule of retries; processes of this machine need not be waited for."""
        config = _with_retry_cost(super().get_parsl_config())
        config.strategy_period = 1.0
        return config


class PzSlurm(Slurm):  # type: ignore[misc]
    """Nodes of a Slurm cluster, asked for in blocks that come and go with the work.

    Settings beside those of Rubin's class (``nodes, cores_per_node, mem_per_node, walltime, account, qos, singleton,
    scheduler_options``): ``partition``, ``constraint``, ``workers_per_node`` (all cores), ``mem_per_worker`` (GB),
    ``worker_init`` (shell lines before the workers start), ``init_blocks`` (1), ``min_blocks`` (0), ``max_blocks`` (1),
    ``exclusive`` (true), ``interface`` (network interface of this machine that the nodes reach), ``retries`` (1).
    """

    def get_executors(self) -> list[Any]:
        """One pool of nodes."""
        setting = self._setting
        cores = setting("cores_per_node", int)
        provider: dict[str, Any] = {
            "partition": setting("partition", str),
            "worker_init": setting("worker_init", str, ""),
            "init_blocks": setting("init_blocks", int, 1),
            "min_blocks": setting("min_blocks", int, 0),
            "max_blocks": setting("max_blocks", int, 1),
            "exclusive": setting("exclusive", bool, True),
            "cmd_timeout": setting("cmd_timeout", int, 60),
            "launcher": SrunLauncher() if setting("nodes", int) != 1 else SingleNodeLauncher(),
        }
        executor: dict[str, Any] = {"encrypted": True, "cores_per_worker": 0.01}
        workers = setting("workers_per_node", int, cores)
        if workers is None:
            executor["cores_per_worker"] = 1.0
        else:
            executor["max_workers_per_node"] = workers
        memory = self.site.get("mem_per_worker", None)
        return [
            self.make_executor(
                "slurm",
                constraint=setting("constraint", str),
                mem_per_worker=None if memory is None else float(memory),
                provider_options=provider,
                executor_options=executor,
            )
        ]

    def get_address(self) -> str:
        """Address of this machine at the interface that is set, or by its name."""
        interface = self._setting("interface", str)
        if interface is None:
            return str(super().get_address())
        every = psutil.net_if_addrs()
        found = [entry.address for entry in every.get(interface, ()) if entry.family is socket.AF_INET]
        if not found:
            raise ConfigError(
                f"interface {interface!r} has no IPv4 address; interfaces here: {', '.join(sorted(every))}"
            )
        return str(found[0])

    def get_parsl_config(self) -> Config:
        """As Rubin's, with our rule of retries."""
        return _with_retry_cost(super().get_parsl_config())

    def _setting(self, name: str, kind: type, default: Any = None) -> Any:
        return get_bps_config_value(self.site, name, kind, default)
