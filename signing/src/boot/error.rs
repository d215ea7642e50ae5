//! What can be wrong with programs, certificates and their keys.

use super::BootRole;

/// A program, certificate or enrolment that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum BootError {
    /// No EFI program, or a damaged one.
    #[error("the program is no valid PE file: {problem}")]
    Program {
        /// What is wrong.
        problem: &'static str,
    },
    /// A program without a signature.
    #[error("the program is not signed")]
    Unsigned,
    /// A program that others have signed.
    #[error("the program is signed, but not with the key of `{certificate}`")]
    OtherKey {
        /// The name in the certificate.
        certificate: String,
    },
    /// A program that was changed after it was signed.
    #[error("the program is not what was signed with the key of `{certificate}`")]
    Changed {
        /// The name in the certificate.
        certificate: String,
    },
    /// No certificate, or one with another kind of key.
    #[error("this is no X.509 certificate of an RSA key")]
    Certificate,
    /// The RSA key did not sign.
    #[error("the key of `{role}` cannot sign")]
    Sign {
        /// The key.
        role: BootRole,
        /// Why not.
        #[source]
        source: rsa::signature::Error,
    },
    /// A time that firmware cannot express.
    #[error("{time} cannot be the time of a variable: it has a year from 1900 to 9999")]
    Time {
        /// The time.
        time: jiff::Timestamp,
    },
}
