//! `/usr/lib/os-release` (os-release(5)): what a system says that it is.

use slipway_packages_manifest::{ImageName, Release};

/// The file of a release of an image. The channel is not in it: the same bits are promoted from channel to channel.
pub fn os_release(release: &Release, image: &ImageName) -> String {
    let version = release.version;
    format!(
        "NAME=\"Slipway Linux\"\n\
         ID=slipway\n\
         ID_LIKE=coreos\n\
         VERSION={version}\n\
         VERSION_ID={version}\n\
         PRETTY_NAME=\"Slipway Linux {version}\"\n\
         ANSI_COLOR=\"38;5;75\"\n\
         CPE_NAME=\"cpe:/o:slipway:slipway_linux:{version}\"\n\
         IMAGE_ID=slipway-{image}\n\
         IMAGE_VERSION={version}\n\
         VARIANT_ID={image}\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_system_says_its_version_and_not_its_channel() {
        let release = Release::parse("release.toml", "version = \"4.2.0\"\nepoch = 7\n").unwrap();
        let text = os_release(&release, &"minimal".parse().unwrap());
        for line in ["ID=slipway", "VERSION_ID=4.2.0", "IMAGE_VERSION=4.2.0", "VARIANT_ID=minimal"]
        {
            assert!(text.lines().any(|l| l == line), "{line}");
        }
        assert!(!text.contains("alpha"));
    }
}
