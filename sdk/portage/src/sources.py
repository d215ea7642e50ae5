"""Prints where the sources of packages can be had as one JSON document: those of all versions, whatever the USE flags.

Runs inside the SDK root. Arguments: atoms, whose versions do not matter; none stands for every package of the repository.
What is wrong with an ebuild is in the document; the exit status is 0 in both cases, so that a crash stays a crash.
"""

import json
import os
import sys

os.environ.setdefault("NOCOLOR", "true")

import portage
from _emerge.actions import load_emerge_config


def sources(portdb, name):
    """The files of all versions of a package, each with its addresses in order of preference."""
    files = {}
    for cpv in portdb.cp_list(name):
        for file, uris in portdb.getFetchMap(cpv).items():
            known = files.setdefault(file, [])
            known.extend(uri for uri in uris if uri not in known)
    return {"name": name, "files": [{"name": file, "uris": uris} for file, uris in sorted(files.items())]}


def main():
    config = load_emerge_config()
    portdb = config.trees[config.target_config.root]["porttree"].dbapi
    every = portdb.cp_all()
    names = sorted({portage.dep.Atom(atom).cp for atom in sys.argv[1:]}) or sorted(every)
    missing = [name for name in names if name not in every]
    if missing:
        json.dump({"error": "there is no ebuild of " + ", ".join(missing)}, sys.stdout)
        return
    try:
        packages = [sources(portdb, name) for name in names]
    except (portage.exception.PortageException, KeyError) as error:
        json.dump({"error": f"an ebuild cannot be read: {error}"}, sys.stdout)
        return
    json.dump({"packages": packages}, sys.stdout, sort_keys=True)


main()
