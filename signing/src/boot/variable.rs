//! Variables of the firmware that say what may boot, and the files that set them (UEFI specification 2.10, sections 8.2.2 and 32.4.1).

use jiff::{Timestamp, tz::TimeZone};

use super::{BootError, BootKey, BootRole, Certificate, pkcs7::sign_detached};

/// A GUID as UEFI stores it: three little-endian numbers, then bytes.
const fn guid(first: u32, second: u16, third: u16, rest: [u8; 8]) -> [u8; 16] {
    let (a, b, c) = (first.to_le_bytes(), second.to_le_bytes(), third.to_le_bytes());
    let mut out = [a[0], a[1], a[2], a[3], b[0], b[1], c[0], c[1], 0, 0, 0, 0, 0, 0, 0, 0];
    let mut index = 0;
    while index < 8 {
        out[8 + index] = rest[index];
        index += 1;
    }
    out
}

/// `EFI_GLOBAL_VARIABLE`: whose PK and KEK are.
const GLOBAL: [u8; 16] =
    guid(0x8be4_df61, 0x93ca, 0x11d2, [0xaa, 0x0d, 0x00, 0xe0, 0x98, 0x03, 0x2b, 0x8c]);
/// `EFI_IMAGE_SECURITY_DATABASE_GUID`: whose db is.
const DATABASE: [u8; 16] =
    guid(0xd719_b2cb, 0x3d3a, 0x4596, [0xa3, 0xbc, 0xda, 0xd0, 0x0e, 0x67, 0x65, 0x6f]);
/// `EFI_CERT_X509_GUID`.
const X509: [u8; 16] =
    guid(0xa5c0_59a1, 0x94e4, 0x4aa7, [0x87, 0xb5, 0xab, 0x15, 0x5c, 0x2b, 0xf0, 0x72]);
/// `EFI_CERT_TYPE_PKCS7_GUID`.
const PKCS7: [u8; 16] =
    guid(0x4aaf_d29d, 0x68df, 0x49ee, [0x8a, 0xa9, 0x34, 0x7d, 0x37, 0x56, 0x65, 0xa7]);
/// Who has put a certificate into a variable: this project.
const OWNER: [u8; 16] =
    guid(0x6b1d_40c4, 0x3c52, 0x4d6f, [0x9e, 0x2a, 0x5a, 0x8b, 0x1f, 0x0c, 0x7e, 0x31]);

/// Kept, seen by boot and run time, and set by who has signed, later than before.
const ATTRIBUTES: u32 = 0x27;
/// `WIN_CERT_REVISION_2_0` and `WIN_CERT_TYPE_EFI_GUID`.
const REVISION_AND_TYPE: [u8; 4] = [0x00, 0x02, 0xf1, 0x0e];

/// The files that enrol three certificates: each sets a variable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Enrolment {
    files: [Vec<u8>; 3],
}

impl Enrolment {
    /// Signs the three variables. A machine that has been enrolled takes the files again only if they are of a later `time`.
    ///
    /// # Errors
    /// When a key does not sign, or the year of `time` is none of firmware's.
    pub fn new(
        pk: &BootKey,
        kek: &BootKey,
        db: &Certificate,
        time: Timestamp,
    ) -> Result<Self, BootError> {
        Ok(Self {
            files: [
                set_variable(BootRole::Pk, pk.certificate(), pk, time)?,
                set_variable(BootRole::Kek, kek.certificate(), pk, time)?,
                set_variable(BootRole::Db, db, kek, time)?,
            ],
        })
    }

    pub(super) fn from_files(files: [Vec<u8>; 3]) -> Self {
        Self { files }
    }

    /// Whether the file of a role sets its variable to this certificate, which is what it ends with.
    pub fn enrols(&self, role: BootRole, certificate: &Certificate) -> bool {
        let mut files = BootRole::ALL.into_iter().zip(&self.files);
        files.any(|(own, file)| own == role && file.ends_with(&signature_list(certificate)))
    }

    /// The files by their names in a folder of `loader/keys` on the ESP (systemd-boot(7)).
    pub fn files(&self) -> impl Iterator<Item = (&'static str, &[u8])> {
        ["PK.auth", "KEK.auth", "db.auth"].into_iter().zip(self.files.iter().map(Vec::as_slice))
    }
}

/// The content of a variable: a list of one certificate (`EFI_SIGNATURE_LIST`).
fn signature_list(certificate: &Certificate) -> Vec<u8> {
    let der = certificate.der();
    // A certificate has some hundred bytes.
    let size = (OWNER.len() + der.len()) as u32;
    let head = X509.len() as u32 + 3 * 4;
    [
        &X509[..],
        &(head + size).to_le_bytes(),
        &0_u32.to_le_bytes(),
        &size.to_le_bytes(),
        &OWNER,
        der,
    ]
    .concat()
}

/// What sets a variable to a certificate (`EFI_VARIABLE_AUTHENTICATION_2`, then the content).
fn set_variable(
    role: BootRole,
    certificate: &Certificate,
    signer: &BootKey,
    time: Timestamp,
) -> Result<Vec<u8>, BootError> {
    let (name, time) = (role.to_string(), efi_time(time)?);
    let vendor = if role == BootRole::Db { DATABASE } else { GLOBAL };
    let content = signature_list(certificate);
    let name: Vec<u8> = name.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let message = [&name, &vendor[..], &ATTRIBUTES.to_le_bytes(), &time, &content].concat();
    let signature = sign_detached(&message, signer)?;
    // Length, revision and type, then the type of what follows, are counted, too.
    let length = (8 + PKCS7.len() + signature.len()) as u32;
    Ok([&time[..], &length.to_le_bytes(), &REVISION_AND_TYPE, &PKCS7, &signature, &content]
        .concat())
}

/// `EFI_TIME` in UTC; what is smaller than a second is zero, as section 8.2.2 wants it.
fn efi_time(time: Timestamp) -> Result<[u8; 16], BootError> {
    let civil = time.to_zoned(TimeZone::UTC).datetime();
    let year = u16::try_from(civil.year()).ok().filter(|year| (1900..=9999).contains(year));
    let year = year.ok_or(BootError::Time { time })?.to_le_bytes();
    let rest = [civil.month(), civil.day(), civil.hour(), civil.minute(), civil.second()];
    let mut out = [0; 16];
    out[..2].copy_from_slice(&year);
    for (to, from) in out[2..].iter_mut().zip(rest) {
        // Months, days, hours, minutes and seconds are small and positive.
        *to = from.unsigned_abs();
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_as_the_firmware_has_it() {
        #[track_caller]
        fn check(time: &str, expected: Option<&[u8]>) {
            let time = efi_time(time.parse().unwrap()).ok();
            assert_eq!(time.as_ref().map(|time| &time[..8]), expected);
        }
        check("2026-11-25T22:31:59.7Z", Some(&[0xea, 0x07, 11, 25, 22, 31, 59, 0]));
        check("1900-01-01T00:00:00Z", Some(&[0x6c, 0x07, 1, 1, 0, 0, 0, 0]));
        check("1899-12-31T23:59:59Z", None);
        check("-000001-01-01T00:00:00Z", None);
    }

    #[test]
    fn a_guid_is_stored_as_the_specification_says() {
        let text = [0xa1, 0x59, 0xc0, 0xa5, 0xe4, 0x94, 0xa7, 0x4a, 0x87, 0xb5];
        assert_eq!(X509[..10], text);
    }
}
