//! What happens while a seed is locked or made, for whoever shows or records it.

use crate::types::PackageName;

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum SeedEvent {
    /// Another process makes an SDK root in the same cache; this one waits for it.
    WaitingForLock,
    /// The remains of a killed bootstrap were removed.
    LeftoverRemoved {
        /// The name of the directory or file.
        name: String,
    },
    /// The remains of a killed bootstrap cannot be removed yet, because something still uses them. They do no harm.
    LeftoverKept {
        /// The name of the directory or file.
        name: String,
        /// Why.
        reason: String,
    },
    /// The mirror's release file was read and its signature is good.
    ReleaseVerified {
        /// The suite's own version, for example `13.1`.
        version: String,
        /// The fingerprint of the key.
        signer: String,
    },
    /// The files of the lock are about to be fetched and unpacked.
    FetchStarted {
        /// How many packages.
        packages: usize,
        /// Their size together.
        bytes: u64,
    },
    /// A package is in the cache.
    Fetched {
        /// The package.
        package: PackageName,
        /// Its size.
        bytes: u64,
        /// Where it came from.
        from: FetchedFrom,
    },
    /// A request failed and is made again.
    Retrying {
        /// The address.
        url: String,
        /// Why.
        reason: String,
    },
    /// The mirror's version is used instead of the locked one, as was asked for.
    NewerTaken {
        /// The package.
        package: PackageName,
        /// The version in the lock.
        locked: String,
        /// The version that is used.
        taken: String,
    },
    /// A package's files are in place.
    Unpacked {
        /// The package.
        package: PackageName,
    },
    /// A command starts in the tree.
    StepStarted {
        /// The name of the step.
        step: String,
    },
    /// A command in the tree is done.
    StepFinished {
        /// The name of the step.
        step: String,
    },
    /// The root is ready.
    Ready {
        /// Its id.
        id: String,
    },
}

/// Where a package came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FetchedFrom {
    /// It was in the cache, and its digest is right.
    Cache,
    /// From the mirror.
    Mirror,
}

/// Receives events. Any function from [`SeedEvent`] is one.
pub trait Events: Send + Sync {
    /// Takes one event; it must not block.
    fn event(&self, event: SeedEvent);
}

impl<F: Fn(SeedEvent) + Send + Sync> Events for F {
    fn event(&self, event: SeedEvent) {
        self(event);
    }
}
