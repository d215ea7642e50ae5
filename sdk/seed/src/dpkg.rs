//! dpkg's database for a tree in which all packages are unpacked and none is configured, so that `dpkg --configure -a`
//! can finish the work.

use std::{collections::BTreeMap, io};

use crate::{
    control::paragraphs,
    depends::parse_groups,
    tree::{Meta, Tree, TreePath},
    types::PackageName,
};

/// What dpkg has to know of one unpacked package.
#[derive(Debug)]
pub(crate) struct Record {
    pub(crate) name: PackageName,
    /// The name in file names and triggers: with the architecture where several could be installed side by side.
    pub(crate) qualified: String,
    architecture: String,
    control: String,
    /// The control files but `control`: name, mode, bytes.
    files: Vec<(String, u32, Vec<u8>)>,
    /// The paths that it owns, as dpkg writes them.
    pub(crate) list: Vec<String>,
}

impl Record {
    /// Reads the control archive's files. The error says what is wrong.
    pub(crate) fn new(files: Vec<(String, u32, Vec<u8>)>) -> Result<Self, String> {
        let (control, files): (Vec<_>, Vec<_>) =
            files.into_iter().partition(|(name, ..)| name == "control");
        let control = control.into_iter().next().ok_or("its control archive has no `control`")?.2;
        let control = String::from_utf8(control).map_err(|_| "its `control` is not text")?;
        let paragraph = paragraphs(&control).next().ok_or("its `control` is empty")?;
        let field = |name: &str| {
            paragraph.get(name).ok_or_else(|| format!("its `control` has no field `{name}`"))
        };
        let name: PackageName = field("Package")?.parse().map_err(|error| format!("{error}"))?;
        let architecture = field("Architecture")?.to_owned();
        let same = paragraph.get("Multi-Arch") == Some("same");
        let qualified = if same { format!("{name}:{architecture}") } else { name.to_string() };
        Ok(Self { name, qualified, architecture, control, files, list: Vec::new() })
    }

    fn file(&self, wanted: &str) -> &str {
        let found = self.files.iter().find(|(name, ..)| name == wanted);
        found.and_then(|(_, _, bytes)| std::str::from_utf8(bytes).ok()).unwrap_or("")
    }

    /// The configuration files, with a slash in front.
    pub(crate) fn conffiles(&self) -> impl Iterator<Item = &str> {
        self.file("conffiles").lines().map(str::trim_end).filter(|line| line.starts_with('/'))
    }

    fn status(&self) -> String {
        let mut text = String::new();
        for line in self.control.lines().filter(|line| !line.trim().is_empty()) {
            text += line;
            text += "\n";
            if line.to_ascii_lowercase().starts_with("package:") {
                text += "Status: install ok unpacked\n";
            }
        }
        let mut conffiles = self.conffiles().peekable();
        if conffiles.peek().is_some() {
            text += "Conffiles:\n";
            // The file waits beside its place; dpkg moves it and replaces this word by its digest.
            text.extend(conffiles.map(|path| format!(" {path} newconffile\n")));
        }
        text
    }

    /// Trigger name → this package, with a mark if those who activate it need not wait.
    fn interests(&self) -> impl Iterator<Item = (&str, String)> {
        self.file("triggers").lines().filter_map(|line| {
            let mut words = line.split('#').next()?.split_whitespace();
            let no_wait = match words.next()? {
                "interest" | "interest-await" => "",
                "interest-noawait" => "/noawait",
                _ => return None,
            };
            Some((words.next()?, format!("{}{no_wait}", self.qualified)))
        })
    }

    fn has_preinst(&self) -> bool {
        self.files.iter().any(|(name, ..)| name == "preinst")
    }
}

/// Writes the database. The records are sorted by name.
pub(crate) fn write_database(tree: &Tree, records: &[Record], epoch: u64) -> io::Result<()> {
    let write = |path: String, mode: u32, bytes: &[u8]| {
        let path = TreePath::parse(&path).ok_or(io::ErrorKind::InvalidFilename)?;
        tree.file(&path, &Meta { mtime: epoch, ..Meta::root(mode) }, &mut &*bytes)
    };
    let status: Vec<_> = records.iter().map(Record::status).collect();
    write("var/lib/dpkg/status".to_owned(), 0o644, status.join("\n").as_bytes())?;
    for empty in [
        "available",
        "diversions",
        "statoverride",
        "triggers/Unincorp",
        "lock",
        "lock-frontend",
        "triggers/Lock",
    ] {
        write(format!("var/lib/dpkg/{empty}"), 0o644, b"")?;
    }
    for directory in ["updates", "parts", "alternatives", "info"] {
        let path = TreePath::parse(&format!("var/lib/dpkg/{directory}"))
            .ok_or(io::ErrorKind::InvalidFilename)?;
        tree.directory(&path)?;
    }
    write("var/lib/dpkg/info/format".to_owned(), 0o644, b"1\n")?;
    for record in records {
        let list: String = record.list.iter().map(|path| format!("{path}\n")).collect();
        write(format!("var/lib/dpkg/info/{}.list", record.qualified), 0o644, list.as_bytes())?;
        for (name, mode, bytes) in &record.files {
            write(format!("var/lib/dpkg/info/{}.{name}", record.qualified), *mode, bytes)?;
        }
    }
    write_triggers(records, write)
}

fn write_triggers(
    records: &[Record],
    write: impl Fn(String, u32, &[u8]) -> io::Result<()>,
) -> io::Result<()> {
    let (mut files, mut named) = (String::new(), BTreeMap::<&str, String>::new());
    for (trigger, package) in records.iter().flat_map(Record::interests) {
        if trigger.starts_with('/') {
            files.extend([trigger, " ", &package, "\n"]);
        } else {
            named.entry(trigger).or_default().extend([&package, "\n"]);
        }
    }
    write("var/lib/dpkg/triggers/File".to_owned(), 0o644, files.as_bytes())?;
    named.iter().try_for_each(|(name, text)| {
        write(format!("var/lib/dpkg/triggers/{name}"), 0o644, text.as_bytes())
    })
}

/// A shell script that runs the `preinst` of every package as dpkg would have before unpacking it. The ones that make the
/// users and the merged directories come first; the others keep the order of their names.
pub(crate) fn preinst_script(records: &[Record]) -> String {
    let mut with: Vec<_> = records.iter().filter(|record| record.has_preinst()).collect();
    let rank = |name: &str| {
        ["base-passwd", "base-files"].iter().position(|first| *first == name).unwrap_or(2)
    };
    with.sort_by_key(|record| rank(record.name.as_str()));
    let mut script =
        "set -eu\nexport DPKG_ROOT= DPKG_ADMINDIR=/var/lib/dpkg DPKG_MAINTSCRIPT_NAME=preinst\n\
                      export DPKG_MAINTSCRIPT_PACKAGE_REFCOUNT=1 DPKG_RUNNING_VERSION=1.22\n"
            .to_owned();
    for Record { name, qualified, architecture, .. } in with {
        let line = format!(
            "DPKG_MAINTSCRIPT_PACKAGE={name} DPKG_MAINTSCRIPT_ARCH={architecture} \
             '/var/lib/dpkg/info/{qualified}.preinst' install\n"
        );
        script += &line;
    }
    script
}

/// The names of the essential packages and of all that these need. They are configured first, because every other package
/// may use them without saying so.
pub(crate) fn essential(records: &[Record]) -> Vec<String> {
    let parsed: Vec<_> = records.iter().map(Needs::of).collect();
    let mut chosen: Vec<bool> = parsed.iter().map(|needs| needs.essential).collect();
    let mut queue: Vec<_> = (0..parsed.len()).filter(|&i| chosen[i]).collect();
    while let Some(at) = queue.pop() {
        for relation in &parsed[at].depends {
            for other in (0..parsed.len()).filter(|&other| parsed[other].names.contains(relation)) {
                if !chosen[other] {
                    chosen[other] = true;
                    queue.push(other);
                }
            }
        }
    }
    records
        .iter()
        .zip(chosen)
        .filter(|(_, chosen)| *chosen)
        .map(|(record, _)| record.qualified.clone())
        .collect()
}

/// What a package is called and what it needs. Versions were checked when the lock was made.
struct Needs {
    essential: bool,
    names: Vec<PackageName>,
    depends: Vec<PackageName>,
}

impl Needs {
    fn of(record: &Record) -> Self {
        let paragraph = paragraphs(&record.control).next().unwrap_or_default();
        let names = |field: &str| {
            // A malformed field would not have passed the package list.
            let groups = parse_groups(paragraph.get(field).unwrap_or("")).unwrap_or_default();
            groups.into_iter().flatten().map(|relation| relation.name)
        };
        Self {
            essential: paragraph.get("Essential") == Some("yes"),
            names: std::iter::once(record.name.clone()).chain(names("Provides")).collect(),
            depends: names("Pre-Depends").chain(names("Depends")).collect(),
        }
    }
}

/// The packages in this status file that are not configured.
pub(crate) fn not_configured(status: &str) -> Vec<String> {
    paragraphs(status)
        .filter(|paragraph| paragraph.get("Status") != Some("install ok installed"))
        .map(|paragraph| paragraph.get("Package").unwrap_or("?").to_owned())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(control: &str, files: &[(&str, &str)]) -> Record {
        let mut all = vec![("control".to_owned(), 0o644, control.as_bytes().to_vec())];
        all.extend(
            files.iter().map(|(name, text)| ((*name).to_owned(), 0o755, text.as_bytes().to_vec())),
        );
        Record::new(all).unwrap()
    }

    #[test]
    fn status_and_triggers() {
        let record = record(
            "Package: libx\nArchitecture: amd64\nMulti-Arch: same\nDescription: x\n more\n",
            &[
                ("conffiles", "/etc/x\nremove-on-upgrade /etc/y\n"),
                (
                    "triggers",
                    "# c\ninterest-noawait /usr/x\nactivate-noawait ldconfig\ninterest t # why\n",
                ),
            ],
        );
        assert_eq!(
            record.status(),
            "Package: libx\nStatus: install ok unpacked\nArchitecture: amd64\nMulti-Arch: same\nDescription: x\n more\n\
             Conffiles:\n /etc/x newconffile\n"
        );
        let interests: Vec<_> = record.interests().collect();
        assert_eq!(
            interests,
            [("/usr/x", "libx:amd64/noawait".to_owned()), ("t", "libx:amd64".to_owned())]
        );
        assert_eq!(not_configured(&record.status()), ["libx"]);
        assert!(not_configured("Package: x\nStatus: install ok installed\n").is_empty());
    }

    #[test]
    fn users_are_made_before_other_scripts_run() {
        let control = |name: &str| format!("Package: {name}\nArchitecture: all\n");
        let names = ["adduser", "base-files", "base-passwd", "none"];
        let files: &[_] = &[("preinst", "#!/bin/sh\n")];
        let records: Vec<_> = names
            .map(|name| record(&control(name), if name == "none" { &[] } else { files }))
            .into();
        let script = preinst_script(&records);
        let at = |name: &str| script.find(&format!("/{name}.preinst'")).unwrap();
        assert!(at("base-passwd") < at("base-files") && at("base-files") < at("adduser"));
        assert!(!script.contains("none"));
    }

    #[test]
    fn essential_packages_bring_what_they_need() {
        let control = [
            "Package: base\nArchitecture: all\nEssential: yes\nPre-Depends: awk\n",
            "Package: gawk\nArchitecture: amd64\nMulti-Arch: same\nProvides: awk\nDepends: libc6 (>= 2)\n",
            "Package: libc6\nArchitecture: amd64\nDepends: base\n",
            "Package: tool\nArchitecture: all\nDepends: libc6\n",
        ];
        assert_eq!(
            essential(&control.map(|control| record(control, &[]))),
            ["base", "gawk:amd64", "libc6"]
        );
    }

    #[test]
    fn a_malformed_control_is_refused() {
        assert!(Record::new(vec![]).unwrap_err().contains("no `control`"));
        let error =
            Record::new(vec![("control".into(), 0, b"Package: x/y\nArchitecture: all\n".to_vec())])
                .unwrap_err();
        assert!(error.contains("`x/y`"), "{error}");
    }
}
