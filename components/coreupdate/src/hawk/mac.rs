//! What is signed: the normalised string of a request, the digest of its payload, and a server's time.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::Mac;
use sha2::{Digest, Sha256};

use super::header::Header;
use super::key::HawkKey;

/// The request that a MAC speaks of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Resource<'a> {
    /// The method, in upper case.
    pub method: &'a str,
    /// The target as it stands in the request line: path and query, or a whole URL.
    pub target: &'a str,
    /// The host, without port.
    pub host: &'a str,
    /// The port, said or meant.
    pub port: u16,
}

/// The MAC of a request with this header's attributes; its `mac` is not looked at.
pub(super) fn request_mac(
    key: &HawkKey,
    header: &Header,
    resource: Resource<'_>,
) -> hmac::Hmac<Sha256> {
    let mut mac = key.mac();
    mac.update(normalized(header, resource).as_bytes());
    mac
}

/// The string that is signed: one line for each part, in a fixed order.
fn normalized(header: &Header, resource: Resource<'_>) -> String {
    let hash = header.hash.as_ref().map(|hash| STANDARD.encode(hash)).unwrap_or_default();
    let ext = header.ext.as_deref().unwrap_or_default().replace('\\', "\\\\").replace('\n', "\\n");
    let Resource { method, target, host, port } = resource;
    let mut text = format!(
        "hawk.1.header\n{}\n{}\n{}\n{target}\n{}\n{port}\n{hash}\n{ext}\n",
        header.ts,
        header.nonce,
        method.to_ascii_uppercase(),
        host.to_ascii_lowercase(),
    );
    if let Some(app) = &header.app {
        text.push_str(app);
        text.push('\n');
        text.push_str(header.dlg.as_deref().unwrap_or_default());
        text.push('\n');
    }
    text
}

/// Fills in the `mac` of a header: what a client does.
pub fn sign(key: &HawkKey, mut header: Header, resource: Resource<'_>) -> Header {
    header.mac = request_mac(key, &header, resource).finalize().into_bytes().to_vec();
    header
}

/// The digest of a payload. Parameters of the content type do not count.
pub fn payload_hash(content_type: &str, payload: &[u8]) -> [u8; 32] {
    let media_type = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let mut hash = Sha256::new();
    hash.update(b"hawk.1.payload\n");
    hash.update(media_type.as_bytes());
    hash.update(b"\n");
    hash.update(payload);
    hash.update(b"\n");
    hash.finalize().into()
}

/// The MAC of the server's time, so that a client with a wrong clock can trust the right one.
pub fn timestamp_mac(key: &HawkKey, ts: u64) -> Vec<u8> {
    let mut mac = key.mac();
    mac.update(format!("hawk.1.ts\n{ts}\n").as_bytes());
    mac.finalize().into_bytes().to_vec()
}

#[cfg(test)]
mod tests {
    //! The vectors are those of the specification's README and of its reference implementation's tests.

    use super::*;

    const KEY: &str = "werxhqb98rpaxn39848xrunpaw3489ruxnpa98w4rxn";

    fn header(id: &str, ts: u64, nonce: &str, ext: Option<&str>) -> Header {
        Header {
            id: id.into(),
            ts,
            nonce: nonce.into(),
            mac: Vec::new(),
            hash: None,
            ext: ext.map(str::to_owned),
            app: None,
            dlg: None,
        }
    }

    fn check(key: &str, header: Header, resource: Resource<'_>, expected: &str) {
        let signed = sign(&HawkKey::of_token(key), header, resource);
        assert_eq!(STANDARD.encode(signed.mac), expected);
    }

    #[test]
    fn the_example_of_the_specification() {
        let resource = Resource {
            method: "GET",
            target: "/resource/1?b=1&a=2",
            host: "example.com",
            port: 8000,
        };
        let header = header("dh37fgj492je", 1_353_832_234, "j4h3g2", Some("some-app-ext-data"));
        assert_eq!(
            normalized(&header, resource),
            "hawk.1.header\n1353832234\nj4h3g2\nGET\n/resource/1?b=1&a=2\nexample.com\n8000\n\nsome-app-ext-data\n"
        );
        check(KEY, header, resource, "6R4rV5iE+NPoym+WwjeHzjAGXUtLNIxmo1vpMofpLAE=");
    }

    #[test]
    fn the_example_with_a_payload() {
        let resource = Resource {
            method: "post",
            target: "/resource/1?b=1&a=2",
            host: "Example.COM",
            port: 8000,
        };
        let hash = payload_hash("text/plain", b"Thank you for flying Hawk");
        assert_eq!(STANDARD.encode(hash), "Yi9LfIIFRtBEPt74PVmbTF/xVAwPn7ub15ePICfgnuY=");
        let mut header = header("dh37fgj492je", 1_353_832_234, "j4h3g2", Some("some-app-ext-data"));
        header.hash = Some(hash.to_vec());
        check(KEY, header, resource, "aSe1DERmZuRl3pI36/9BdZmnErTw3sNzOOAUlfeKjVw=");
    }

    #[test]
    fn the_headers_of_the_reference_tests() {
        let mut with_hash = header("123456", 1_357_926_341, "1AwuJD", Some("some-app-data"));
        with_hash.hash =
            Some(STANDARD.decode("qAiXIVv+yjDATneWxZP2YCTa9aHRgQdnH9b3Wc+o3dg=").unwrap());
        let filter = Resource {
            method: "POST",
            target: "/resource/4?filter=a",
            host: "example.com",
            port: 8080,
        };
        check(KEY, with_hash, filter, "UeYcj5UoTVaAWXNvJfLVia7kU3VabxCqrccXP8sUGC4=");

        let query = Resource {
            method: "GET",
            target: "/resource/1?b=1&a=2",
            host: "example.com",
            port: 8000,
        };
        let plain = header("dh37fgj492je", 1_353_832_234, "j4h3g2", Some("some-app-data"));
        check(KEY, plain, query, "m8r1rHbXN6NgO+KIIhjO7sFRyd78RNGVUwehe8Cp2dU=");
    }

    #[test]
    fn the_header_that_a_reference_client_makes() {
        let mut header = header("123456", 1_353_809_207, "Ygvqdz", Some("Bazinga!"));
        header.hash =
            Some(payload_hash("text/plain; charset=utf-8", b"something to write about").to_vec());
        let resource = Resource {
            method: "POST",
            target: "/somewhere/over/the/rainbow",
            host: "example.net",
            port: 443,
        };
        let signed = sign(&HawkKey::of_token("2983d45yun89q"), header, resource);
        assert_eq!(
            signed.to_string(),
            "Hawk id=\"123456\", mac=\"q1CwFoSHzPZSkbIvl0oYlD+91rBUEvFk763nMjMndj8=\", ts=\"1353809207\", \
             nonce=\"Ygvqdz\", hash=\"2QfCt3GuY9HQnHWyWD3wX68ZOKbynqlfYmuO2ZBRqtY=\", ext=\"Bazinga!\""
        );
    }

    #[test]
    fn the_time_of_a_server() {
        let mac = timestamp_mac(&HawkKey::of_token(KEY), 1_365_741_469);
        assert_eq!(STANDARD.encode(mac), "b4Qqhz8OUBq21saghHLV1ktwlXE72T1xtTEZkSlWizA=");
    }

    #[test]
    fn an_application_adds_two_lines() {
        let resource = Resource { method: "GET", target: "/", host: "h", port: 80 };
        let mut header = header("1", 1, "n", None);
        header.app = Some("app".into());
        assert_eq!(
            normalized(&header, resource),
            "hawk.1.header\n1\nn\nGET\n/\nh\n80\n\n\napp\n\n"
        );
        header.dlg = Some("dlg".into());
        assert_eq!(
            normalized(&header, resource),
            "hawk.1.header\n1\nn\nGET\n/\nh\n80\n\n\napp\ndlg\n"
        );
    }
}
