"""Where the memory limit is looked for, in both versions of cgroups."""

from inference.memory import cgroup_files, limit_bytes, used_bytes


def test_version_two_looks_at_the_group_and_its_parents() -> None:
    assert cgroup_files("0::/kubepods/pod1\n") == [
        "kubepods/pod1/memory.max",
        "kubepods/memory.max",
        "memory.max",
    ]


def test_version_one_looks_at_the_memory_controller_only() -> None:
    groups = "5:cpu,cpuacct:/a\n4:memory:/pod\n"
    assert cgroup_files(groups) == [
        "memory/pod/memory.limit_in_bytes",
        "memory/memory.limit_in_bytes",
    ]


def test_a_configured_limit_wins() -> None:
    assert limit_bytes(1.5) == 1_500_000_000
    assert used_bytes() > 1_000_000
