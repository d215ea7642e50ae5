//! Signatures inside of EFI programs: the Windows Authenticode Portable Executable Signature Format, as UEFI 2.10, section 32.2.4,
//! wants it.

use super::{
    BootError, BootKey, Certificate,
    der::{self, context, element, object, sequence},
    oid,
    pe::{ALIGN, CERTIFICATE_HEADER, Pe, checksum},
    pkcs7::{Signed, content_info, sign_attached},
};

/// `WIN_CERT_REVISION_2_0` and `WIN_CERT_TYPE_PKCS_SIGNED_DATA`.
const REVISION_AND_TYPE: [u8; 4] = [0, 2, 2, 0];

/// The program with a signature added. What it does stays the same, and so do signatures of others. The same program and key
/// give the same bytes, and a second time changes nothing.
///
/// # Errors
/// When it is no program, or the key does not sign.
pub fn sign_program(program: &[u8], key: &BootKey) -> Result<Vec<u8>, BootError> {
    if verify_program(program, key.certificate()).is_ok() {
        return Ok(program.to_vec());
    }
    let mut out = padded(program)?;
    let pe = Pe::parse(&out)?;
    let (directory, field) = (pe.directory, pe.checksum);
    let start = pe.table.start;
    let content = indirect_data(&pe.digest());
    let signature = content_info(&sign_attached(oid::INDIRECT_DATA, &content, key)?);

    let length = CERTIFICATE_HEADER + signature.len();
    // Others may not have padded their signature.
    out.resize(out.len().next_multiple_of(ALIGN), 0);
    out.extend(size(length)?);
    out.extend(REVISION_AND_TYPE);
    out.extend(signature);
    out.resize(out.len().next_multiple_of(ALIGN), 0);
    let table = out.len() - start;
    out[directory..directory + 4].copy_from_slice(&size(start)?);
    out[directory + 4..directory + 8].copy_from_slice(&size(table)?);
    let sum = checksum(&out, field);
    out[field..field + 4].copy_from_slice(&sum.to_le_bytes());
    Ok(out)
}

/// Checks that a program is signed with the key of a certificate, as firmware does that has the certificate in its database.
///
/// # Errors
/// When it is no program, or is not signed so.
pub fn verify_program(program: &[u8], certificate: &Certificate) -> Result<(), BootError> {
    let pe = Pe::parse(program)?;
    let signatures = pe.signatures();
    if signatures.is_empty() {
        return Err(BootError::Unsigned);
    }
    let expected = indirect_data(&pe.digest());
    let mut changed = false;
    for signature in signatures {
        let Some(signed) = Signed::read(signature, oid::INDIRECT_DATA) else { continue };
        if !signed.is_by(certificate, oid::INDIRECT_DATA) {
            continue;
        }
        if digest_info(signed.content()) == digest_info(inside(&expected)) {
            return Ok(());
        }
        changed = true;
    }
    let certificate = certificate.name().to_owned();
    Err(match changed {
        true => BootError::Changed { certificate },
        false => BootError::OtherKey { certificate },
    })
}

/// What signatures of a program are of. It is the same whether the program is signed or not, so that whoever builds a program can
/// tell that a signed one is the same.
///
/// # Errors
/// When it is no program.
pub fn program_digest(program: &[u8]) -> Result<[u8; 32], BootError> {
    Ok(Pe::parse(&padded(program)?)?.digest())
}

/// A program, padded if it is not signed: the padding before a first signature is signed as well.
fn padded(program: &[u8]) -> Result<Vec<u8>, BootError> {
    let mut out = program.to_vec();
    if Pe::parse(program)?.table.start == program.len() {
        out.resize(program.len().next_multiple_of(ALIGN), 0);
    }
    Ok(out)
}

fn size(length: usize) -> Result<[u8; 4], BootError> {
    let length = u32::try_from(length);
    let length = length.map_err(|_| BootError::Program { problem: "it is longer than 4 GiB" })?;
    Ok(length.to_le_bytes())
}

/// `SpcIndirectDataContent`: the digest of a PE file. The name of the file is obsolete, but has to be there.
fn indirect_data(digest: &[u8; 32]) -> Vec<u8> {
    let obsolete: Vec<u8> = "<<<Obsolete>>>".encode_utf16().flat_map(u16::to_be_bytes).collect();
    let file = element(context(2), &[&element(0x80, &[&obsolete])]);
    let image = sequence(&[&[der::BIT_STRING, 1, 0], &element(context(0), &[&file])]);
    sequence(&[
        &sequence(&[&object(oid::PE_IMAGE_DATA), &image]),
        &sequence(&[&der::sha256(), &element(der::OCTET_STRING, &[digest])]),
    ])
}

fn inside(content: &[u8]) -> der::Reader<'_> {
    der::Reader(content).enter(der::SEQUENCE).unwrap_or(der::Reader(&[]))
}

/// The digest in the inside of a `SpcIndirectDataContent`.
fn digest_info(mut content: der::Reader<'_>) -> Option<&[u8]> {
    let _image = content.take(der::SEQUENCE)?;
    let mut info = content.enter(der::SEQUENCE)?;
    info.enter(der::SEQUENCE)?.is(oid::SHA256)?;
    Some(info.take(der::OCTET_STRING)?.content)
}
