//! How busy the cores are (proc(5), `/proc/stat`).

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::Duration,
};

use anyhow::Context as _;

/// A core that idles less than this part of a second counts as busy in it.
const IDLE: f64 = 0.1;

/// Idle and all ticks of each core since boot.
fn ticks() -> anyhow::Result<Vec<(u64, u64)>> {
    let text = fs_err::read_to_string("/proc/stat")?;
    let cores = text.lines().filter(|l| l.starts_with("cpu") && !l.starts_with("cpu "));
    Ok(cores
        .map(|line| {
            let numbers: Vec<u64> =
                line.split_whitespace().skip(1).filter_map(|n| n.parse().ok()).collect();
            // user nice system idle iowait irq softirq steal
            let idle = numbers.iter().skip(3).take(2).sum();
            (idle, numbers.iter().take(8).sum())
        })
        .collect())
}

/// A measurement that goes on.
pub(super) struct Usage {
    begin: Vec<(u64, u64)>,
    stop: Arc<AtomicBool>,
    sampler: JoinHandle<anyhow::Result<(u64, u64)>>,
}

impl Usage {
    pub(super) fn begin() -> anyhow::Result<Self> {
        let begin = ticks()?;
        let stop = Arc::new(AtomicBool::new(false));
        let sampler = std::thread::spawn({
            let (stop, mut last) = (stop.clone(), begin.clone());
            move || {
                let (mut seconds, mut busy) = (0, 0);
                while !stop.load(Ordering::Relaxed) {
                    std::thread::sleep(Duration::from_secs(1));
                    let now = ticks()?;
                    let all = last.iter().zip(&now).all(|(a, b)| {
                        ((b.0 - a.0) as f64) < IDLE * (b.1.saturating_sub(a.1).max(1)) as f64
                    });
                    seconds += 1;
                    busy += u64::from(all);
                    last = now;
                }
                Ok((seconds, busy))
            }
        });
        Ok(Self { begin, stop, sampler })
    }

    /// The percentage of all cores' time that was used, and that of the seconds in which no core was idle.
    pub(super) fn end(self) -> anyhow::Result<(f64, f64)> {
        self.stop.store(true, Ordering::Relaxed);
        let sampled = self.sampler.join().ok().context("the sampler died")??;
        let (mut idle, mut all) = (0, 0);
        for (a, b) in self.begin.iter().zip(ticks()?) {
            idle += b.0 - a.0;
            all += b.1 - a.1;
        }
        let percent = |part: u64, whole: u64| 100.0 * part as f64 / whole.max(1) as f64;
        Ok((100.0 - percent(idle, all), percent(sampled.1, sampled.0)))
    }
}
