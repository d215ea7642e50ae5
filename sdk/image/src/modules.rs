//! The index of kernel modules (depmod(8)): an image may have modules of several packages, so no package can have it.

use slipway_packages_manifest::Release;

use crate::Tool;

/// Makes `modules.tar` from the trees of packages, `/in/<category>/<package>`.
pub fn modules_tool(release: &Release) -> Tool {
    Tool {
        script: include_str!("modules.sh"),
        args: vec![release.epoch.to_string()],
        files: [].into(),
        outputs: &["modules.tar"],
    }
}
