//! What both engines grant and hide, so that a container cannot tell which of the two runs it.

/// The capabilities of root in a container: the set that Docker grants by default.
pub(crate) const CAPABILITIES: &[&str] = &[
    "CAP_AUDIT_WRITE",
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_FOWNER",
    "CAP_FSETID",
    "CAP_KILL",
    "CAP_MKNOD",
    "CAP_NET_BIND_SERVICE",
    "CAP_NET_RAW",
    "CAP_SETFCAP",
    "CAP_SETGID",
    "CAP_SETPCAP",
    "CAP_SETUID",
    "CAP_SYS_CHROOT",
];

/// Paths that look empty. `/sys` is among them, because a build must not see the machine's hardware.
pub(crate) const MASKED_PATHS: &[&str] = &[
    "/proc/acpi",
    "/proc/asound",
    "/proc/interrupts",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/sys",
];

/// Paths below `/proc` that cannot be written.
pub(crate) const READONLY_PATHS: &[&str] =
    &["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"];

/// The size of `/dev/shm`.
pub(crate) const SHM_BYTES: u32 = 512 << 20;

/// Open files per process, soft and hard. Every kernel grants this many without a privilege.
pub(crate) const OPEN_FILES: u32 = 4_096;

/// Lets every user make files, and nobody remove another's.
pub(crate) const TMP_MODE: u32 = 0o1777;
