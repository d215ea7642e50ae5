//! Error codes of update clients, in words.

use std::fmt;

/// The bits of a code that say how the update was tried, not why it failed.
const FLAG_BITS: u32 = 0xf000_0000;

/// Codes from here to 2999 are an HTTP status plus 2000.
const HTTP_BASE: u32 = 2000;

/// A circumstance that a client mixes into its codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CodeFlag {
    /// Bit 31: the host is in developer mode.
    DevMode,
    /// Bit 30: the download had been resumed.
    Resumed,
    /// Bit 29: the host runs a test image.
    TestImage,
    /// Bit 28: the server is not the vendor's. Every host with a server of its own sends it.
    TestServer,
}

impl CodeFlag {
    const ALL: [Self; 4] = [Self::DevMode, Self::Resumed, Self::TestImage, Self::TestServer];

    fn bit(self) -> u32 {
        match self {
            Self::DevMode => 1 << 31,
            Self::Resumed => 1 << 30,
            Self::TestImage => 1 << 29,
            Self::TestServer => 1 << 28,
        }
    }

    /// In words for people.
    pub fn words(self) -> &'static str {
        match self {
            Self::DevMode => "developer mode",
            Self::Resumed => "resumed download",
            Self::TestImage => "test image",
            Self::TestServer => "own update server",
        }
    }
}

/// The reason of a failure, as the update engine of CoreOS and Flatcar numbers them
/// (flatcar/update_engine, `action_processor.h`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ErrorCode(u32);

impl ErrorCode {
    /// A new version did not boot, and the old one runs again.
    pub const ROLLED_BACK: Self = Self(44);

    /// By the number on the wire, flags included.
    pub fn new(raw: u32) -> Self {
        Self(raw)
    }

    /// The number on the wire, flags included.
    pub fn raw(self) -> u32 {
        self.0
    }

    /// The number without its flags: what to group, count and show.
    pub fn code(self) -> u32 {
        self.0 & !FLAG_BITS
    }

    /// The flags that were mixed in.
    pub fn flags(self) -> Vec<CodeFlag> {
        CodeFlag::ALL.into_iter().filter(|flag| self.0 & flag.bit() != 0).collect()
    }

    /// The name that logs of the client use, for example `PayloadHashMismatch`.
    pub fn name(self) -> Option<&'static str> {
        self.entry().map(|(_, name, _)| *name)
    }

    /// In words for people, for example `the payload's hash is wrong`; flags do not change them.
    pub fn words(self) -> String {
        if let Some((_, _, words)) = self.entry() {
            return (*words).to_owned();
        }
        match self.code().checked_sub(HTTP_BASE) {
            Some(status @ 100..=999) => format!("the server answered with HTTP status {status}"),
            _ => format!("unknown error {}", self.code()),
        }
    }

    fn entry(self) -> Option<&'static (u32, &'static str, &'static str)> {
        CODES.iter().find(|(code, ..)| *code == self.code())
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (code {})", self.words(), self.code())
    }
}

/// Number, the client's name, words.
const CODES: &[(u32, &str, &str)] = &[
    (0, "Success", "success"),
    (1, "Error", "an error without details"),
    (2, "OmahaRequestError", "the request to the update server failed"),
    (3, "OmahaResponseHandlerError", "the server's answer could not be used"),
    (4, "FilesystemCopierError", "copying the running system failed"),
    (5, "PostinstallRunnerError", "the step after the installation failed"),
    (7, "InstallDeviceOpenError", "the partition to write could not be opened"),
    (8, "KernelDeviceOpenError", "the kernel's place could not be opened"),
    (9, "DownloadTransferError", "the download failed"),
    (10, "PayloadHashMismatchError", "the payload's hash is wrong"),
    (11, "PayloadSizeMismatchError", "the payload's size is wrong"),
    (12, "DownloadPayloadVerificationError", "the payload could not be verified"),
    (13, "DownloadNewPartitionInfoError", "the payload does not describe the new partition"),
    (14, "DownloadWriteError", "the payload could not be written"),
    (15, "NewRootfsVerificationError", "the new system differs from the payload's description"),
    (16, "NewKernelVerificationError", "the new kernel differs from the payload's description"),
    (17, "SignedDeltaPayloadExpectedError", "the payload is not signed"),
    (18, "DownloadPayloadPubKeyVerificationError", "the payload's signature is wrong"),
    (19, "PostinstallBootedFromFirmwareB", "the host booted from its second firmware"),
    (20, "DownloadStateInitializationError", "the download could not begin"),
    (21, "DownloadInvalidMetadataMagicString", "what was downloaded is not a payload"),
    (22, "DownloadSignatureMissingInManifest", "the payload's manifest has no signature"),
    (23, "DownloadManifestParseError", "the payload's manifest cannot be read"),
    (
        24,
        "DownloadMetadataSignatureError",
        "the signature of the payload's metadata cannot be read",
    ),
    (
        25,
        "DownloadMetadataSignatureVerificationError",
        "the signature of the payload's metadata could not be checked",
    ),
    (26, "DownloadMetadataSignatureMismatch", "the signature of the payload's metadata is wrong"),
    (27, "DownloadOperationHashVerificationError", "a part of the payload could not be verified"),
    (28, "DownloadOperationExecutionError", "a part of the payload could not be applied"),
    (29, "DownloadOperationHashMismatch", "the hash of a part of the payload is wrong"),
    (30, "OmahaRequestEmptyResponseError", "the server's answer was empty"),
    (31, "OmahaRequestXMLParseError", "the server's answer is not well-formed"),
    (32, "DownloadInvalidMetadataSize", "the size of the payload's metadata is wrong"),
    (33, "DownloadInvalidMetadataSignature", "the signature of the payload's metadata is not one"),
    (34, "OmahaResponseInvalid", "the server's answer was not understood"),
    (35, "OmahaUpdateIgnoredPerPolicy", "the host's policy ignores the update"),
    (36, "OmahaUpdateDeferredPerPolicy", "the host's policy defers the update"),
    (37, "OmahaErrorInHTTPResponse", "the server answered with an HTTP error"),
    (38, "DownloadOperationHashMissingError", "a part of the payload has no hash"),
    (39, "DownloadMetadataSignatureMissingError", "the payload's metadata is not signed"),
    (40, "OmahaUpdateDeferredForBackoff", "the host waits after failed downloads"),
    (41, "PostinstallPowerwashError", "the host could not be reset"),
    (42, "NewPCRPolicyVerificationError", "the new measurement policy is wrong"),
    (43, "NewPCRPolicyHTTPError", "the new measurement policy could not be delivered"),
    (44, "RollbackError", "the new version did not boot; the host went back"),
    (100, "DownloadIncomplete", "the download was interrupted"),
];
