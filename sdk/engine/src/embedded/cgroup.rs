//! The control groups of a container: whether they can be used here, what they tell, and their end.
//!
//! libcontainer makes them, at the same place below every hierarchy: `slipway/<id>`.

use camino::{Utf8Path, Utf8PathBuf};
use fs_err as fs;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use rustix::mount::{MountFlags, UnmountFlags, mount, unmount};

use crate::{Failure, Limits};

const ROOT: &str = "/sys/fs/cgroup";
const PARENT: &str = "slipway";

/// The files that say how much of the processors a group gets, what one process outside has, and the most that can be said, in
/// version 1 and 2.
const WEIGHTS: [(&str, u64, u64); 2] = [("cpu.shares", 1024, 262_144), ("cpu.weight", 100, 10_000)];

/// The groups of one run, in every hierarchy that is mounted.
#[derive(Debug)]
pub(super) struct Cgroups {
    id: String,
    hierarchies: Vec<Utf8PathBuf>,
}

impl Cgroups {
    /// Finds the hierarchies. The groups of `id` need not exist.
    pub(super) fn of(id: &str) -> Self {
        let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
        Self { id: id.to_owned(), hierarchies: hierarchies(&mounts) }
    }

    /// Makes the groups, and returns the path that libcontainer is to be told. `None`: it has to do without them.
    pub(super) fn prepare(&self, limits: Limits) -> Result<Option<Utf8PathBuf>, Failure> {
        let Some(message) = self.obstacle() else {
            self.weigh();
            return Ok(Some(Utf8Path::new("/").join(PARENT).join(&self.id)));
        };
        let asked = match limits {
            Limits { memory_bytes: Some(bytes), .. } => Some(format!("{bytes} bytes of memory")),
            Limits { pids: Some(pids), .. } => Some(format!("{pids} processes")),
            Limits { memory_bytes: None, pids: None } => None,
        };
        if let Some(limit) = asked {
            return Err(Failure::LimitUnavailable { limit, message });
        }
        hide().map_err(|error| Failure::namespace("hide the control groups", error))?;
        Ok(None)
    }

    fn obstacle(&self) -> Option<String> {
        if self.hierarchies.is_empty() {
            return Some(format!("none are mounted below {ROOT}"));
        }
        let whole = |path: &Utf8PathBuf| path == ROOT || path.ends_with("devices");
        if !self.hierarchies.iter().any(whole) {
            return Some(format!("the `devices` controller is not mounted below {ROOT}"));
        }
        self.groups()
            .find_map(|group| fs::create_dir_all(group).err())
            .map(|error| error.to_string())
    }

    /// Gives all containers together the weight of as many processes as there are cores. By default the kernel gives them that of
    /// one, and a build next to a compiler starves.
    fn weigh(&self) {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get) as u64;
        for parent in self.hierarchies.iter().map(|path| path.join(PARENT)) {
            for (file, one, most) in WEIGHTS {
                let file = parent.join(file);
                if file.exists() {
                    let _a_smaller_share = fs::write(file, (one * cores).min(most).to_string());
                }
            }
        }
    }

    /// Whether the kernel has killed a process for its memory limit.
    pub(super) fn out_of_memory(&self) -> bool {
        let files = ["memory.oom_control", "memory.events"];
        let texts =
            self.groups().flat_map(|group| files.map(|file| fs::read_to_string(group.join(file))));
        texts.flatten().any(|text| oom_kills(&text) > 0)
    }

    /// Removes the groups. They must be empty.
    pub(super) fn remove(&self) {
        for group in self.groups() {
            let _absent_or_busy = fs::remove_dir(group);
        }
    }

    /// Kills what a dead run has left, and removes the groups.
    pub(super) fn kill_and_remove(&self) {
        for group in self.groups() {
            let members = fs::read_to_string(group.join("cgroup.procs")).unwrap_or_default();
            for pid in members.lines().filter_map(|line| line.parse().ok()).filter(|pid| *pid > 0) {
                let _already_gone = kill(Pid::from_raw(pid), Signal::SIGKILL);
            }
        }
        self.remove();
    }

    fn groups(&self) -> impl Iterator<Item = Utf8PathBuf> {
        self.hierarchies.iter().map(|path| path.join(PARENT).join(&self.id))
    }
}

/// The mount points of the hierarchies that libcontainer uses: all of version 1, or the one of version 2 at the root.
fn hierarchies(mountinfo: &str) -> Vec<Utf8PathBuf> {
    let mut found = Vec::new();
    for line in mountinfo.lines() {
        let Some((left, right)) = line.split_once(" - ") else { continue };
        let Some(point) = left.split(' ').nth(4) else { continue };
        let is_v1 = right.starts_with("cgroup ") && point.starts_with(ROOT);
        let is_v2 = right.starts_with("cgroup2 ") && point == ROOT;
        if is_v1 || is_v2 {
            found.push(Utf8PathBuf::from(point));
        }
    }
    found
}

fn oom_kills(text: &str) -> u64 {
    let count = text.lines().find_map(|line| line.strip_prefix("oom_kill "));
    count.and_then(|count| count.trim().parse().ok()).unwrap_or(0)
}

/// libcontainer insists on control groups. Where they cannot be written, an empty file system takes their place, in
/// the mount namespace of this process only: it looks like a machine with no controller.
fn hide() -> rustix::io::Result<()> {
    let _not_mounted = unmount(ROOT, UnmountFlags::DETACH);
    mount("tmpfs", ROOT, "tmpfs", MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC, None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(mountinfo: &str, expected: &[&str]) {
        assert_eq!(hierarchies(mountinfo), expected);
    }

    #[test]
    fn hierarchies_are_found() {
        let v1 = "30 29 0:26 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory\n";
        let hybrid = "31 29 0:27 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw\n";
        let v2 = "30 29 0:26 / /sys/fs/cgroup rw,relatime shared:4 - cgroup2 cgroup2 rw\n";
        check(&format!("{v1}{hybrid}"), &["/sys/fs/cgroup/memory"]);
        check(v2, &["/sys/fs/cgroup"]);
        check("22 1 254:0 / / rw - ext4 /dev/vda rw\n", &[]);
    }

    #[test]
    fn kills_are_counted() {
        assert_eq!(oom_kills("oom_kill_disable 0\nunder_oom 0\noom_kill 3\n"), 3);
        assert_eq!(oom_kills("low 0\noom 1\noom_kill 1\noom_group_kill 0\n"), 1);
        assert_eq!(oom_kills("anything"), 0);
    }
}
