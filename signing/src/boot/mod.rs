//! Secure Boot (UEFI specification 2.10, chapter 32): which programs a machine's firmware starts.
//!
//! Concepts:
//! - [`BootKey`]: an RSA key of one of three [`BootRole`]s, with a [`Certificate`] that follows from it.
//! - [`sign_program`], [`verify_program`] and [`program_digest`]: signatures inside of EFI programs (Authenticode).
//! - [`Enrolment`]: the files with which a boot loader hands the certificates to the firmware.
//! - [`BootKeyring`]: where keys, certificates and enrolment files lie.

mod authenticode;
mod certificate;
mod der;
mod error;
mod key;
mod keyring;
mod oid;
mod pe;
mod pkcs7;
mod variable;

pub use authenticode::{program_digest, sign_program, verify_program};
pub use certificate::Certificate;
pub use error::BootError;
pub use key::{BootKey, BootRole};
pub use keyring::BootKeyring;
pub use variable::Enrolment;
