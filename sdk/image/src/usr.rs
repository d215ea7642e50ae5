//! `/usr`: an erofs file system and its dm-verity hash tree.

use slipway_packages_manifest::Release;

use crate::Tool;

/// Makes `usr.erofs`, `usr.verity` and `roothash` from `/in/usr.tar`.
pub fn usr_tool(release: &Release) -> Tool {
    Tool {
        script: include_str!("usr.sh"),
        args: vec![release.epoch.to_string()],
        files: [].into(),
        outputs: &["usr.erofs", "usr.verity", "roothash"],
    }
}
