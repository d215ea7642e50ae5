//! The signature inside a payload of update_engine (format "CrAU", version 1, as the stock agents of Container Linux and Flatcar
//! check it).
//!
//! A payload is `CrAU`, its version and the length of its manifest (both 64 bits, the greatest byte first), the manifest, data, and
//! last the signatures. The manifest says where the data ends: everything before is signed, by RSA (PKCS #1 v1.5) over SHA-256.
//! Signatures are numbered, so that a key can be replaced; agents look at the first one with the number 2, and so does this server.
//!
//! When unsure, refuse: a payload without a signature, with something behind it, or of another version is as bad as a forged one.

use std::io::{self, Read, Seek};

use aws_lc_rs::{
    digest,
    rsa::PublicEncryptingKey,
    signature::{ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256},
};
use camino::{Utf8Path, Utf8PathBuf};
use prost::Message;
use rustls::pki_types::{SubjectPublicKeyInfoDer, pem::PemObject as _};

const MAGIC: &[u8] = b"CrAU";
const VERSION: u64 = 1;
/// Magic, version, length of the manifest.
const HEADER: usize = 4 + 8 + 8;
/// The longest manifest that is read; that of a real payload has some 100 kB.
const MANIFEST: u64 = 16 << 20;
/// The longest signatures that are read; a signature has 256 bytes.
const SIGNATURES: u64 = 64 << 10;
const PIECE: usize = 1 << 20;
/// The number of the signature that agents look at.
const CURRENT: u32 = 2;

/// What a manifest says of the signatures, of all that it says.
#[derive(Clone, PartialEq, Message)]
struct DeltaArchiveManifest {
    /// Where they begin, counted from the end of the manifest.
    #[prost(uint64, optional, tag = "4")]
    signatures_offset: Option<u64>,
    /// How long they are.
    #[prost(uint64, optional, tag = "5")]
    signatures_size: Option<u64>,
}

/// A payload has several while a key is replaced by another: those by older ones have lower numbers.
#[derive(Clone, PartialEq, Message)]
struct Signatures {
    #[prost(message, repeated, tag = "1")]
    signatures: Vec<Signature>,
}

#[derive(Clone, PartialEq, Message)]
struct Signature {
    #[prost(uint32, optional, tag = "1")]
    version: Option<u32>,
    #[prost(bytes = "vec", optional, tag = "2")]
    data: Option<Vec<u8>>,
}

/// The key that payloads of an upstream are signed with.
#[derive(Clone, Debug)]
pub struct PayloadKey(ParsedPublicKey);

/// Why a payload is not believed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SignatureError {
    /// It cannot be read.
    #[error("it cannot be read")]
    Read {
        /// Why not.
        source: io::Error,
    },
    /// It ends before its header does.
    #[error("it ends too early")]
    Short,
    /// It is nothing that agents would install.
    #[error("it is no payload of update_engine, version 1")]
    Format,
    /// Its manifest is not what it should be.
    #[error("its manifest cannot be read")]
    Manifest,
    /// It has no signature at its end.
    #[error("it is not signed to its end")]
    Unsigned,
    /// Its signature is not by the key.
    #[error("it is signed by another key than that of `sync-key`")]
    Forged,
}

/// Why a key cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("`{file}` is no RSA key of 2048 bits or more, public and as PEM")]
pub struct KeyError {
    file: Utf8PathBuf,
    source: Option<rustls::pki_types::pem::Error>,
}

impl PayloadKey {
    /// Reads a public key, such as `update-payload-key.pub.pem` of a host.
    ///
    /// # Errors
    /// When there is no such file, or no such key in it.
    pub fn read(file: &Utf8Path) -> Result<Self, KeyError> {
        let wrong = |source| KeyError { file: file.to_owned(), source };
        let der =
            SubjectPublicKeyInfoDer::from_pem_file(file).map_err(|error| wrong(Some(error)))?;
        let rejected = |_| wrong(None);
        // The other one takes any length, and refuses later what is signed by a short key.
        PublicEncryptingKey::from_der(der.as_ref()).map_err(rejected)?;
        let key = ParsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, der.as_ref());
        key.map(Self).map_err(rejected)
    }

    /// Reads a payload from its beginning to its end, in pieces of 1 MiB.
    ///
    /// # Errors
    /// When not all of it is signed by this key.
    pub fn verify(&self, payload: &mut (impl Read + Seek)) -> Result<(), SignatureError> {
        let read = |source: io::Error| match source.kind() {
            io::ErrorKind::UnexpectedEof => SignatureError::Short,
            _ => SignatureError::Read { source },
        };
        let length = payload.seek(io::SeekFrom::End(0)).map_err(read)?;
        payload.rewind().map_err(read)?;
        let mut signed = digest::Context::new(&digest::SHA256);
        let mut header = [0; HEADER];
        payload.read_exact(&mut header).map_err(read)?;
        signed.update(&header);
        let manifest = manifest_length(&header, length).ok_or(SignatureError::Format)?;
        let manifest = bytes(payload, manifest).map_err(read)?;
        signed.update(&manifest);
        let rest = length - (HEADER + manifest.len()) as u64;
        let manifest = DeltaArchiveManifest::decode(&*manifest);
        let manifest = manifest.map_err(|_odd| SignatureError::Manifest)?;
        let (data, size) = manifest.data(rest).ok_or(SignatureError::Unsigned)?;
        hash(payload, data, &mut signed).map_err(read)?;
        let signatures = bytes(payload, size).map_err(read)?;
        let signatures =
            Signatures::decode(&*signatures).map_err(|_odd| SignatureError::Unsigned)?;
        let current = signatures.signatures.iter().find(|one| one.version == Some(CURRENT));
        let current =
            current.and_then(|one| one.data.as_deref()).ok_or(SignatureError::Unsigned)?;
        let verified = self.0.verify_digest_sig(&signed.finish(), current);
        verified.map_err(|_wrong| SignatureError::Forged)
    }
}

impl DeltaArchiveManifest {
    /// The lengths of data and signatures, if both together are the rest.
    fn data(&self, rest: u64) -> Option<(u64, u64)> {
        let (data, size) = (self.signatures_offset?, self.signatures_size?);
        (size <= SIGNATURES && data.checked_add(size) == Some(rest)).then_some((data, size))
    }
}

/// The length of the manifest that a header announces, if a file of this length can have it.
fn manifest_length(header: &[u8; HEADER], length: u64) -> Option<u64> {
    let (magic, numbers) = header.split_at(MAGIC.len());
    let (version, manifest) = numbers.split_at(8);
    let number = |bytes: &[u8]| bytes.try_into().ok().map(u64::from_be_bytes);
    let manifest = number(manifest)?;
    let fits = manifest <= MANIFEST && manifest <= length.saturating_sub(HEADER as u64);
    (magic == MAGIC && number(version)? == VERSION && fits).then_some(manifest)
}

/// The next bytes, of which there are few.
fn bytes(from: &mut impl Read, length: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    from.take(length).read_to_end(&mut bytes)?;
    if bytes.len() as u64 == length { Ok(bytes) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
}

fn hash(from: &mut impl Read, mut length: u64, into: &mut digest::Context) -> io::Result<()> {
    let mut piece = vec![0; PIECE];
    while length > 0 {
        let most = length.min(PIECE as u64) as usize;
        from.read_exact(&mut piece[..most])?;
        into.update(&piece[..most]);
        length -= most as u64;
    }
    Ok(())
}
