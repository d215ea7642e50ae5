//! `run`: an image in QEMU, with a console, user networking and an ssh port.

use anyhow::Context as _;
use camino::{Utf8Path, Utf8PathBuf};
use slipway_engine::{Access, CancellationToken, Mount, Network, Stdio};
use slipway_portage::base_spec;

use super::build_image;
use crate::{
    cli::{Arch, BuildImage, Channel, RunArgs},
    context::Context,
    report,
};

/// Builds the image if it is not there, and boots it. Ctrl-A X ends it.
pub(crate) async fn run(context: &Context, args: &RunArgs) -> anyhow::Result<()> {
    let cores = cores(args.cores, args.secure_boot, context.jobs())?;
    let base = match args.state.as_deref().map(Base::of).transpose()?.flatten() {
        Some(base) => base,
        None => Base::new(&disk(context, args).await?)?,
    };
    let mut credentials = args.credentials.clone();
    if let Some(wrong) = credentials.iter().find(|credential| !credential.contains('=')) {
        anyhow::bail!("`--credential {wrong}` is not of the form NAME=VALUE");
    }
    if let Some(path) = &args.ssh_key {
        let key = fs_err::read_to_string(path)?;
        credentials.push(format!("ssh.authorized_keys.core={}", key.trim()));
    }
    if let Some(server) = &args.update_server {
        // systemd-tmpfiles writes it, at every boot.
        let text = format!(r#"server = "{server}"\nchannel = "{}"\n"#, Channel::Alpha.as_str());
        let file = "/run/slipway/update.d/50-run.toml";
        credentials.push(format!("tmpfiles.extra=f {file} 0644 root root - {text}"));
    }
    // Without a folder of the user's, the guest starts anew each time, and two guests do not meet.
    fs_err::create_dir_all(context.cache.join("work"))?;
    let fresh = tempfile::Builder::new().prefix("run-").tempdir_in(context.cache.join("work"))?;
    let state = match &args.state {
        Some(dir) => {
            fs_err::create_dir_all(dir)?;
            base.keep(dir)?;
            dir.canonicalize_utf8()?
        }
        None => Utf8PathBuf::try_from(fresh.path().to_owned())?,
    };

    let shared = context.shared().await?;
    let mut spec = base_spec(&shared.target, "run");
    spec.argv = ["/bin/bash", "-c", include_str!("run.sh"), "run"].map(str::to_owned).to_vec();
    let numbers = [
        args.ssh_port.to_string(),
        args.memory.to_string(),
        format!("{}G", args.disk_size),
        cores.to_string(),
        args.secure_boot.to_string(),
        args.log_writes.to_string(),
    ];
    spec.argv.extend([base.format.clone()].into_iter().chain(numbers).chain(credentials));
    spec.env.remove("LD_PRELOAD");
    spec.env.insert("TERM".to_owned(), "xterm-256color".to_owned());
    spec.network = Network::Host;
    spec.stdio = Stdio::Inherit;
    let mount = |source: &Utf8Path, target: &str, access| Mount {
        source: source.to_owned(),
        target: target.into(),
        access,
    };
    spec.mounts = vec![
        mount(&base.disk, "/in/disk", Access::ReadOnly),
        mount(&state, "/out", Access::ReadWrite),
    ];
    report::say(format_args!(
        "the console follows; Ctrl-A X ends it; ssh -p {} core@localhost",
        args.ssh_port
    ));
    let (sender, _receiver) = tokio::sync::mpsc::channel(1);
    let run = context.engine.get().await?.run(spec, sender, CancellationToken::new()).await?;
    anyhow::ensure!(run.exit.success(), "QEMU ended with {:?}", run.exit);
    Ok(())
}

/// How many processors a guest has on a machine with so many: two unless somebody says otherwise, because each after the first may be
/// one without a timer (`--cores`). Secure Boot needs system management mode, and that, emulated, loses interrupts of all but the first.
fn cores(asked: Option<u8>, secure_boot: bool, machine: usize) -> anyhow::Result<usize> {
    let most = if secure_boot { 1 } else { 2 };
    let cores = asked.map_or(machine.min(most), usize::from);
    anyhow::ensure!(
        cores == 1 || !secure_boot,
        "`--cores {cores}` does not go with `--secure-boot`: emulated, it loses interrupts of all processors but the first"
    );
    Ok(cores)
}

/// The disk that is asked for, built if it has no name.
async fn disk(context: &Context, args: &RunArgs) -> anyhow::Result<Utf8PathBuf> {
    if let Some(disk) = &args.disk {
        return Ok(disk.clone());
    }
    let build = BuildImage {
        image: args.image.clone(),
        channel: Channel::Alpha,
        arch: Arch::Amd64,
        secure_boot: None,
    };
    build_image::build(context, &build).await
}

/// The disk that a guest began from. What the guest writes is kept as what differs from it, so it must stay the same one.
#[derive(Debug, PartialEq, Eq)]
struct Base {
    disk: Utf8PathBuf,
    format: String,
}

/// The file that says so, in the folder of the guest.
const BASE: &str = "base";

impl Base {
    fn new(disk: &Utf8Path) -> anyhow::Result<Self> {
        let format = if disk.extension() == Some("qcow2") { "qcow2" } else { "raw" };
        let disk =
            disk.canonicalize_utf8().with_context(|| format!("there is no disk `{disk}`"))?;
        Ok(Self { disk, format: format.to_owned() })
    }

    /// That of a guest whose folder is there already.
    fn of(state: &Utf8Path) -> anyhow::Result<Option<Self>> {
        let file = state.join(BASE);
        if !file.exists() {
            return Ok(None);
        }
        let text = fs_err::read_to_string(&file)?;
        let (format, disk) = text.trim_end().split_once(' ').unwrap_or_default();
        anyhow::ensure!(
            Utf8Path::new(disk).is_file(),
            "the disk `{disk}` that the guest of `{state}` began from is gone; remove that folder to begin anew"
        );
        Ok(Some(Self { disk: disk.into(), format: format.to_owned() }))
    }

    fn keep(&self, state: &Utf8Path) -> anyhow::Result<()> {
        let aside = state.join("base.new");
        fs_err::write(&aside, format!("{} {}\n", self.format, self.disk))?;
        Ok(fs_err::rename(aside, state.join(BASE))?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guests_have_few_processors() {
        #[track_caller]
        fn check(asked: Option<u8>, secure_boot: bool, machine: usize, expected: Option<usize>) {
            assert_eq!(cores(asked, secure_boot, machine).ok(), expected);
        }
        check(None, false, 16, Some(2));
        check(None, false, 1, Some(1));
        check(Some(4), false, 2, Some(4));
        check(None, true, 16, Some(1));
        check(Some(1), true, 16, Some(1));
        check(Some(2), true, 16, None);
    }

    #[test]
    fn a_guest_stays_with_the_disk_that_it_began_from() {
        let dir = tempfile::tempdir().unwrap();
        let dir = Utf8Path::from_path(dir.path()).unwrap();
        assert_eq!(Base::of(dir).unwrap(), None);
        let (blob, link) = (dir.join("blob"), dir.join("slipway image.qcow2"));
        fs_err::write(&blob, "").unwrap();
        fs_err::os::unix::fs::symlink(&blob, &link).unwrap();
        let base = Base::new(&link).unwrap();
        assert_eq!(base.format, "qcow2");
        base.keep(dir).unwrap();
        // The next build changes the link.
        fs_err::remove_file(&link).unwrap();
        assert_eq!(Base::of(dir).unwrap(), Some(base));
        fs_err::remove_file(&blob).unwrap();
        assert!(Base::of(dir).unwrap_err().to_string().contains("remove that folder"));
    }
}
