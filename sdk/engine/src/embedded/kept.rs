//! How to look into the file system of a failed container. The commands need util-linux and nothing of ours.

use super::overlay::{Overlay, escape};
use crate::shell::{join, quote};
use crate::{Access, ContainerSpec, Kept, Network};

/// The commands for an overlay whose layers were kept in the folder `run_dir`.
pub(super) fn commands(spec: &ContainerSpec, run_dir: &str, overlay: &Overlay) -> Kept {
    let namespaces = ["sudo", "unshare", "--mount", "--uts", "--ipc", "--pid", "--fork"];
    let network = (spec.network == Network::None).then_some("--net");
    let shell = ["sh".to_owned(), "-c".to_owned(), script(spec, overlay)];
    let words = namespaces.into_iter().chain(network).map(str::to_owned).chain(shell);
    Kept { shell_command: join(words), remove_command: join(["sudo", "rm", "-rf", run_dir]) }
}

fn script(spec: &ContainerSpec, overlay: &Overlay) -> String {
    let merged = overlay.merged.as_str();
    let layers = format!(
        "lowerdir={},upperdir={},workdir={}",
        escape(&spec.root.dir),
        overlay.upper,
        overlay.work
    );
    let mut steps = vec![join(["mount", "-t", "overlay", "overlay", "-o", &layers, merged])];
    for mount in &spec.mounts {
        let option = if mount.access == Access::ReadOnly { "bind,ro" } else { "bind" };
        steps.push(join([
            "mount",
            "-o",
            option,
            mount.source.as_str(),
            &format!("{merged}{}", mount.target),
        ]));
    }
    steps.push(join(["mount", "-t", "proc", "proc", &format!("{merged}/proc")]));
    steps.push(join(["mount", "--rbind", "/dev", &format!("{merged}/dev")]));
    let environment = spec.env.iter().map(|(name, value)| format!("{name}={value}"));
    let enter = ["exec", "chroot", merged, "env", "-i"].map(str::to_owned);
    let shell =
        ["sh".to_owned(), "-c".to_owned(), format!("cd {}; exec sh", quote(spec.cwd.as_str()))];
    steps.push(join(enter.into_iter().chain(environment).chain(shell)));
    steps.join(" && ")
}
