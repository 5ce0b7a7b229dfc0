"""Signs of containers on the host. They are said to exist, not looked into: their packages are not this host's."""

from __future__ import annotations

from auditor.collectors.collector import Collector, CollectorResult
from auditor.collectors.linux.script_output import ScriptOutput

SH = r"""
c_containers() {
  for file in /run/docker.sock /run/containerd/containerd.sock /run/podman/podman.sock /run/crio/crio.sock \
    /var/lib/lxc/*/config /run/systemd/machines/* /sys/fs/cgroup/system.slice/docker-*.scope \
    /sys/fs/cgroup/machine.slice/*.scope /sys/fs/cgroup/kubepods.slice /sys/fs/cgroup/kubepods; do
    [ -e "$file" ] && printf "%s\n" "$file"
  done
  :
}
"""


def parse(output: ScriptOutput) -> CollectorResult:
    """`containers`: the paths that were found."""
    return CollectorResult({"containers": tuple(output.good("containers").lines())})


COLLECTOR = Collector(name="containers", sections=("containers",), sh=SH, parse=parse)
