"""Resolves atoms with Portage's own dependency solver and prints the graph as one JSON document.

Runs inside the SDK root. Arguments: the atoms. Environment: ROOT is the target, everything else comes from the profile.
On failure the document holds Portage's reason; the exit status is 0 in both cases, so that a crash stays a crash.
"""

import io
import json
import os
import sys
from contextlib import redirect_stderr, redirect_stdout

os.environ.setdefault("NOCOLOR", "true")

import portage
from portage.dep import use_reduce
from _emerge.actions import load_emerge_config
from _emerge.create_depgraph_params import create_depgraph_params
from _emerge.depgraph import backtrack_depgraph
from _emerge.Package import Package
from _emerge.stdout_spinner import stdout_spinner

KINDS = ("DEPEND", "BDEPEND", "RDEPEND", "PDEPEND", "IDEPEND")


def fetch_list(portdb, package):
    """Distfiles of a package: name, sources in order of preference, size and digests from its Manifest."""
    uris = portdb.getFetchMap(package.cpv, useflags=set(package.use.enabled), mytree=package.root_config.settings.repositories["slipway"].location)
    directory = os.path.dirname(portdb.findname(package.cpv))
    digests = portage.Manifest(directory, None, from_scratch=False, thin=True).getTypeDigests("DIST")
    files = []
    for name, sources in sorted(uris.items()):
        known = digests.get(name)
        files.append(
            {
                "name": name,
                "uris": list(sources),
                "size": int(known["size"]) if known else None,
                "blake2b": known.get("BLAKE2B") if known else None,
                "sha512": known.get("SHA512") if known else None,
            }
        )
    return files


def describe(portdb, package, chosen, tools, implicit):
    """One package with its dependency edges by kind. An edge names the package that Portage chose for an atom.

    `chosen` are the packages of the target, `tools` those for the build machine: what BDEPEND names and the SDK does not provide.
    """
    use = package.use.enabled
    edges = {}
    for kind in KINDS:
        candidates = tools if kind == "BDEPEND" or package in tools else chosen
        atoms = use_reduce(package._metadata.get(kind, ""), uselist=use, eapi=package.eapi, flat=True, token_class=portage.dep.Atom, is_valid_flag=package.iuse.is_valid_flag)
        found = set()
        for atom in atoms:
            if not isinstance(atom, portage.dep.Atom) or atom.blocker:
                continue
            for other in candidates:
                if other.cp == atom.cp and portage.dep.match_from_list(atom.without_use, [other]):
                    found.add(str(other.cpv))
        edges[kind.lower()] = sorted(found)
    inherited = package._metadata.get("INHERITED", "").split()
    return {
        "cpv": str(package.cpv),
        "slot": package.slot,
        "description": package._metadata.get("DESCRIPTION", ""),
        "homepage": package._metadata.get("HOMEPAGE", ""),
        "license": package._metadata.get("LICENSE", ""),
        "restrict": package._metadata.get("RESTRICT", "").split(),
        "use": sorted(flag for flag in use if flag in package.iuse.all),
        "iuse": sorted(package.iuse.all),
        "eclasses": sorted(set(inherited)),
        "edges": edges,
        "implicit": package.cp in implicit,
        "distfiles": fetch_list(portdb, package),
    }


def main():
    config = load_emerge_config()
    target = config.target_config
    # What is provided are tools of the build machine; a package of the target that has the name of one is still to be built.
    built = config.trees[target.root]["porttree"].dbapi.cp_all()
    for settings in (target.settings, config.trees[target.root]["vartree"].settings):
        for name in set(built) & set(settings.pprovideddict):
            del settings.pprovideddict[name]
    opts = {"--pretend": True, "--quiet": True, "--root-deps": True, "--with-bdeps": "n", "--color": "n"}
    atoms = sys.argv[1:]
    implicit = sorted({portage.dep.Atom(atom.lstrip("*")).cp for atom in target.settings.packages})
    params = create_depgraph_params(opts, "")
    spinner = stdout_spinner()
    spinner.update = lambda *_: True
    said = io.StringIO()
    with redirect_stdout(said), redirect_stderr(said):
        success, graph, _ = backtrack_depgraph(target.settings, config.trees, opts, params, "", atoms + list(implicit), spinner)
        if not success:
            graph.display_problems()
    if not success:
        json.dump({"error": said.getvalue()}, sys.stdout)
        return
    merged = [node for node in graph.altlist() if isinstance(node, Package) and node.operation == "merge"]
    chosen = [node for node in merged if node.root == target.root]
    tools = [node for node in merged if node.root != target.root]
    portdb = config.trees[target.root]["porttree"].dbapi
    # A tool is built as a package of the target is, and lies in the sysroot of what needs it: one that is both is built once.
    both = {package.cpv for package in chosen}
    described = chosen + [package for package in tools if package.cpv not in both]
    packages = [describe(portdb, package, chosen, tools, implicit) for package in described]
    missing = [f"{p['cpv']}: {d['name']}" for p in packages for d in p["distfiles"] if d["blake2b"] is None]
    if missing:
        json.dump({"error": "no digest in the Manifest for: " + ", ".join(sorted(missing))}, sys.stdout)
        return
    requested = {}
    for text in atoms:
        for package in chosen:
            if portage.dep.match_from_list(portage.dep.Atom(text), [package]):
                requested[text] = str(package.cpv)
    json.dump({"packages": sorted(packages, key=lambda p: p["cpv"]), "requested": requested}, sys.stdout, sort_keys=True)


main()
