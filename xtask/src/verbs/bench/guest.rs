//! How long a guest takes to come up, and what it needs when nothing runs on it.

use std::time::Instant;

use anyhow::Context as _;
use camino::Utf8Path;
use slipway_machine::Machine;

use super::{Line, itself, spread};
use crate::{cli::BenchArgs, context::Context};

pub(super) fn measure(context: &Context, args: &BenchArgs) -> anyhow::Result<Vec<Line>> {
    let dir = tempfile::tempdir()?;
    let log = dir.path().join("console.log");
    let log = Utf8Path::from_path(&log).context("the temporary folder is not UTF-8")?;
    let (mut firmware, mut boots, mut memory) = (Vec::new(), Vec::new(), Vec::new());
    for n in 0..args.runs {
        let mut command = itself(context)?;
        command.args(["run", "--image", &args.image, "--cores", "2", "--ssh-port", "0", "--state"]);
        command.arg(dir.path().join(n.to_string()));
        command.args(["--credential", "agetty.autologin=core", "--credential", "login.noauth=yes"]);
        let mut machine = Machine::start(&command, log)?;
        let begin = Instant::now();
        machine.take_shell("core@localhost ~")?;
        let all = begin.elapsed().as_secs_f64();
        // Until then systemd says on the console what it starts.
        machine.run("systemctl is-system-running --wait; true")?;
        let reached = machine
            .run("systemctl show --value -p ActiveEnterTimestampMonotonic multi-user.target")?;
        let kernel = reached.parse::<f64>()? / 1e6;
        boots.push(kernel);
        firmware.push(all);
        machine.run("sleep 30")?;
        let used = machine.run("free --mebi | awk '/^Mem:/ { print $2 - $7 }'")?;
        memory.push(used.parse::<f64>()?);
        machine.send("sudo systemctl poweroff\n")?;
        machine.wait_for_end()?;
    }
    memory.sort_by(f64::total_cmp);
    Ok(vec![
        Line::new(
            format!(
                "kernel's start to `multi-user.target` of {}, first boot, QEMU without KVM, 2 cores",
                args.image
            ),
            spread(boots, 2, " s"),
            "≤ 20 s",
        ),
        Line::new("QEMU's start to the prompt, firmware and all", spread(firmware, 2, " s"), "–"),
        Line::new(
            format!("memory in use on an idle {} (total less available)", args.image),
            format!("{:.0} MiB (median of {})", memory[memory.len() / 2], memory.len()),
            "≤ 120 MB",
        ),
    ])
}
