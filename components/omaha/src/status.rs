//! The words by which a server answers about an application and an update check.

/// The wire words of a status, each with a variant; what is not known is kept as it came.
macro_rules! statuses {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $word:literal,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub enum $name {
            $($(#[$variant_doc])* $variant,)*
            /// A word that this crate does not know.
            Other(String),
        }

        impl $name {
            /// By the word on the wire.
            pub fn from_word(word: &str) -> Self {
                match word {
                    $($word => Self::$variant,)*
                    other => Self::Other(other.to_owned()),
                }
            }

            /// The word on the wire.
            pub fn as_word(&self) -> &str {
                match self {
                    $(Self::$variant => $word,)*
                    Self::Other(word) => word,
                }
            }
        }
    };
}

statuses! {
    /// What a server says about an application. Stock clients do not look at it; people who read logs do.
    AppStatus {
        /// The application is known.
        Ok = "ok",
        /// The client may not have it.
        Restricted = "restricted",
        /// No such application.
        UnknownApplication = "error-unknownApplication",
        /// The identifier is not one.
        InvalidAppId = "error-invalidAppId",
        /// The version is not one (go-omaha).
        InvalidVersion = "error-invalidVersion",
        /// The server failed (go-omaha).
        Internal = "error-internal",
    }
}

statuses! {
    /// What a server says to an update check. Stock clients know the first two; anything else makes them report
    /// error 34 by another request.
    CheckStatus {
        /// There is an update, and a manifest says which.
        Ok = "ok",
        /// There is none, for now or for this client.
        NoUpdate = "noupdate",
        /// The server failed.
        Internal = "error-internal",
        /// The server could not make the hash of the update.
        Hash = "error-hash",
        /// Not for this operating system.
        OsNotSupported = "error-osnotsupported",
        /// Not for this hardware.
        HwNotSupported = "error-hwnotsupported",
        /// Not for this version of the protocol.
        UnsupportedProtocol = "error-unsupportedProtocol",
        /// Not for a plug-in of this host.
        PluginRestrictedHost = "error-pluginRestrictedHost",
        /// The version is not one (CoreUpdate's watch client).
        Version = "error-version",
    }
}
