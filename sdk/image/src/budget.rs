//! Size budgets: an image that grows too large fails while it is built, not when it is updated in the field.

use std::fmt;

use slipway_packages_manifest::Size;

use crate::{ImageError, PackageSize};

/// How a budget was broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BudgetReport {
    /// The partition.
    pub partition: String,
    /// What its content takes, in bytes.
    pub used: u64,
    /// What it may take.
    pub budget: Size,
    /// The largest packages, largest first.
    pub largest: Vec<PackageSize>,
}

impl fmt::Display for BudgetReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (used, budget) = (mib(self.used), mib(self.budget.bytes()));
        writeln!(
            f,
            "`{}` takes {used:.1} MiB, its budget is {budget:.1} MiB; the largest packages are",
            self.partition
        )?;
        for size in &self.largest {
            writeln!(f, "{:>9.1} MiB  {}", mib(size.bytes), size.package)?;
        }
        write!(
            f,
            "leave files out with `exclude`, or raise the budget, in packages-manifest/images"
        )
    }
}

fn mib(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

/// Compares what a partition holds with its budget.
///
/// # Errors
/// [`ImageError::Budget`] with a table of the ten largest packages.
pub fn check_budget(
    partition: &str,
    used: u64,
    budget: Option<Size>,
    sizes: &[PackageSize],
) -> Result<(), ImageError> {
    let Some(budget) = budget.filter(|budget| used > budget.bytes()) else { return Ok(()) };
    let largest = sizes.iter().take(10).cloned().collect();
    Err(ImageError::Budget(BudgetReport { partition: partition.to_owned(), used, budget, largest }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broken_budget_names_the_largest_packages() {
        let size =
            |package: &str, bytes| PackageSize { package: package.to_owned(), bytes, files: 1 };
        let sizes = [size("sys-apps/systemd-257", 30 << 20), size("sys-libs/glibc-2", 12 << 20)];
        let budget = Some("10M".parse().unwrap());
        check_budget("usr", 10 << 20, budget, &sizes).unwrap();
        check_budget("usr", 99 << 20, None, &sizes).unwrap();
        let error = check_budget("usr", 11 << 20, budget, &sizes).unwrap_err();
        insta::assert_snapshot!(error, @r"
        `usr` takes 11.0 MiB, its budget is 10.0 MiB; the largest packages are
             30.0 MiB  sys-apps/systemd-257
             12.0 MiB  sys-libs/glibc-2
        leave files out with `exclude`, or raise the budget, in packages-manifest/images
        ");
    }
}
