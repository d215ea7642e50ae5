//! The update agent: checks, downloads, verifies, writes the passive slot, and asks for a reboot. docs/updates.md tells the whole.
//!
//! Concepts:
//! - [`Agent`]: one per machine. [`Agent::update`] goes from a check to a reboot that is asked for; [`Status`] is how far it is.
//! - [`decide()`]: which version is taken. The server proposes; signed metadata ([`Trusted`]) and the machine's owner decide.
//! - [`Install`]: writes beside the running version, in an order that leaves a bootable machine at every moment.
//! - [`Disk`] and [`Esp`]: the few operations that the installer needs, so that a test can cut the power between any two.
//! - [`boot_choice`]: the boot loader's choice, as a function.
//! - [`Bus`]: D-Bus as the ancestors had it; [`serve`]: the daemon.

mod agent;
mod backoff;
mod boot;
mod bus;
mod config;
mod decide;
mod disk;
mod fetch;
mod gpt;
mod health;
mod host;
mod install;
mod memory;
mod metrics;
mod service;
mod status;
mod talk;
mod trust;
mod uki;
mod update;

pub use agent::{Agent, AgentError, Files, Folders, Hardware, Report};
pub use backoff::{Backoff, Rate};
pub use boot::{BootError, Outcome, is_on_trial, outcome, roll_back, take_back, ukis};
pub use bus::{Bus, NAME, PATH};
pub use config::{Config, ConfigError, NetworkCheck, Sources, Text, check_channel};
pub use decide::{Candidate, CandidateKind, Facts, Plan, Refusal, decide};
pub use disk::{DirEsp, Disk, Esp, FileDisk};
pub use fetch::{AGENT, Download, FetchError, Fetcher, Place};
pub use gpt::{EMPTY, GptError, Guid, Partition, Table, crc32};
pub use health::{Finding, HealthError, Verdict, check_health};
pub use host::{Host, HostError};
pub use install::{Install, InstallError, Running, Slots, halves};
pub use memory::{Counters, Download as Interrupted, Memory, MemoryError, MemoryFile, Pending};
pub use metrics::text as metrics_text;
pub use service::{Answer, Command, Handle, Reply, serve};
pub use status::{IllegalStep, Stage, Status};
pub use talk::{Asked, Offer, Speaker, TalkError, read_answer};
pub use trust::{TrustError, Trusted};
pub use uki::{TRIES, Tries, Uki, boot_choice};
pub use update::{Ask, Depth, Done, Origin};
