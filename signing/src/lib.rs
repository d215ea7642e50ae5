//! Keys, roles, and signed metadata: who may say that a release is genuine.
//!
//! Trust is The Update Framework (TUF, specification 1.0), read by the crate `tough`. Concepts:
//! - [`Roles`]: `roles.toml`, validated. Which role has which keys, how many must sign, and for how long a signature holds.
//! - [`KeySource`]: where a private key is. [`Keyring`] opens them. Only this crate touches a private key.
//! - [`BootKey`]: what signs the programs that firmware starts (Secure Boot), apart from the roles.
//! - [`Pending`]: metadata that still lacks signatures; holders add theirs one after the other, on machines of their own.
//! - [`verify`]: a client's view of a repository.
//! - [`Complete`]: metadata that has reached its threshold. Nothing else can be published.

mod boot;
mod client;
mod error;
mod key;
mod keyring;
mod metadata;
mod pem;
mod pending;
mod roles;
mod source;
mod statement;

pub use boot::{
    BootError, BootKey, BootKeyring, BootRole, Certificate, Enrolment, program_digest,
    sign_program, verify_program,
};
pub use client::{ClientConfig, RoleState, Verified, VerifyError, root_version, verify};
pub use error::SigningError;
pub use key::{KeyMark, PublicKey, SecretKey, key_id};
pub use keyring::{Keyring, Passphrase};
pub use metadata::{
    ChannelTargets, Expiry, SPEC_VERSION, new_channel, new_root, new_snapshot, new_targets,
    new_timestamp,
};
pub use pending::{Complete, Pending, RoleKeys, hex};
pub use roles::{BootSources, ChannelName, KeyName, KeySource, Lifetime, Role, RoleName, Roles};
pub use source::TokenUri;
pub use statement::{public_from_hex, public_to_hex, seal, unseal};
pub use tough::{FilesystemTransport, TargetName};
pub use zeroize::Zeroizing;
