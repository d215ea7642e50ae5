//! Running a container for an action: its output goes to the action's log.

use slipway_build::{RunContext, RunError};
use slipway_engine::{ContainerSpec, Exit, Stream};
use tokio::sync::mpsc;

use crate::Shared;

/// Runs the container. What it writes goes to the log; with `capture` its standard output is returned instead.
pub(crate) async fn run(
    shared: &Shared,
    cx: &RunContext,
    spec: ContainerSpec,
    capture: bool,
) -> Result<Vec<u8>, RunError> {
    let engine = shared
        .engine
        .get()
        .await
        .map_err(|error| RunError::failed("start the container engine", error))?;
    let (sender, mut output) = mpsc::channel::<slipway_engine::Chunk>(64);
    let log = cx.log.clone();
    let progress = cx.progress.clone();
    let reader = tokio::spawn(async move {
        let mut captured = Vec::new();
        while let Some(chunk) = output.recv().await {
            if capture && chunk.stream == Stream::Stdout {
                captured.extend_from_slice(&chunk.data);
                continue;
            }
            if let Some(phase) = phase(&chunk.data) {
                progress.phase(phase);
            }
            log.write(&chunk.data)?;
        }
        Ok::<_, std::io::Error>(captured)
    });
    let run = engine
        .run(spec, sender, cx.cancel.clone())
        .await
        .map_err(|error| RunError::failed("run the container", error))?;
    let captured =
        reader.await.map_err(|error| RunError::failed("read the container's output", error))?;
    let captured = captured.map_err(|error| RunError::failed("write the log", error))?;
    let status = match run.exit {
        Exit::Code(0) => return Ok(captured),
        Exit::Cancelled => return Err(RunError::Cancelled),
        Exit::OutOfMemory => {
            return Err(RunError::failed(
                "build within the memory limit",
                "the container was out of memory",
            ));
        }
        Exit::Code(status) => status,
        Exit::Signal(signal) => 128 + signal,
    };
    if let Some(kept) = run.kept {
        for line in [
            format!("the container is kept; enter it with: {}", kept.shell_command),
            format!("remove it with: {}", kept.remove_command),
        ] {
            cx.log.line(&line).map_err(|error| RunError::failed("write the log", error))?;
        }
    }
    Err(RunError::Exit { status })
}

/// The phase that a line of Portage tells of.
fn phase(output: &[u8]) -> Option<&'static str> {
    let text = String::from_utf8_lossy(output);
    let line = text.lines().rev().find(|line| line.starts_with(">>> "))?;
    [
        ("Unpacking source", "unpack"),
        ("Preparing source", "prepare"),
        ("Configuring source", "configure"),
        ("Compiling source", "compile"),
        ("Install ", "install"),
        ("Completed installing", "package"),
    ]
    .into_iter()
    .find_map(|(start, phase)| line[4..].starts_with(start).then_some(phase))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phases_are_read_from_what_portage_says() {
        #[track_caller]
        fn check(output: &str, expected: Option<&str>) {
            assert_eq!(phase(output.as_bytes()), expected);
        }
        check(">>> Unpacking source...\n", Some("unpack"));
        check(
            "x\n>>> Source unpacked in /build\n>>> Compiling source in /build ...\n",
            Some("compile"),
        );
        check(">>> Install sys-libs/zlib-1 into /build\n", Some("install"));
        check("checking for gcc... gcc\n", None);
    }
}
