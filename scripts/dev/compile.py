"""Compiles the contracts into the artifacts that the Python packages ship, and checks that they are current.

Forge and ape compile for their own tests; production runs what this writes. It reads its settings from foundry.toml,
so that all three make the same bytecode.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import solcx
from solcx.exceptions import SolcError

from tongdui.audit.chain.builds import BUILDS, masked_hash

ROOT = Path(__file__).resolve().parents[2]
SHIPPED = ROOT / "clearing" / "chain" / "artifacts"
BUILT = ("ClearingHouse", "ClearingHouseLens", "ClearingHouseSuccession")
TIMELOCK = "node_modules/@openzeppelin/contracts/governance/TimelockController.sol"
NOT_SHIPPED = ROOT / ".build" / "artifacts"
RUNTIME_LIMIT = 24_576  # EIP-170
CODE_SIZE_WARNING = "5574"
IMPORT = re.compile(r'^\s*import\s[^;"]*"([^"]+)"\s*;', re.MULTILINE)

Json = dict[str, Any]


class Target(NamedTuple):
    """A source file and the directory for the artifacts of its contracts."""

    source: str
    directory: Path
    also_answers: tuple[str, ...] = ()
    """Interfaces whose functions the contract answers too, through other contracts to which it passes calls on."""
    is_published: bool = False
    """Whether auditors compare what lies on a chain with it."""


def main() -> int:
    """Writes or checks the artifacts; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing, fail if a shipped artifact is stale")
    check = parser.parse_args().check
    profile = tomllib.loads((ROOT / "foundry.toml").read_text())["profile"]["default"]
    try:
        failures = sum(_process(target, profile, check=check) for target in _targets(check=check))
    except SolcError as error:
        print(error.message, error.stderr_data or "", file=sys.stderr)
        return 1
    except FileNotFoundError as error:
        print(error, file=sys.stderr)
        return 1
    return 1 if failures else 0


def _targets(*, check: bool) -> list[Target]:
    others = tuple(f"contracts/interfaces/I{name}.sol" for name in BUILT[1:])
    shipped = [Target("contracts/ClearingHouse.sol", SHIPPED, others, is_published=True), Target(TIMELOCK, SHIPPED)]
    if check:
        return shipped
    bench = sorted((ROOT / "contracts" / "bench").glob("*.sol"))
    return [*shipped, *(Target(path.relative_to(ROOT).as_posix(), NOT_SHIPPED) for path in bench)]


def _process(target: Target, profile: Json, *, check: bool) -> int:
    """Compiles one target, writes or checks its artifacts, and returns how many of them are stale or too large."""
    failures = 0
    answer = compiled(target, profile)
    if target.is_published:
        failures += _process_build(build_of(answer, profile), check=check)
    for artifact in artifacts_of(target, profile, answer):
        path = target.directory / f"{artifact['contractName']}.json"
        if check:
            failures += not _is_current(path, artifact)
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(_serialise(artifact))
        failures += not _fits(path, artifact)
    return failures


def _process_build(build: Json, *, check: bool) -> int:
    """Writes or checks what auditors compare a contract's code with, and returns 1 if it is stale."""
    published = json.loads(BUILDS.read_text()) if BUILDS.exists() else []
    if any(other["contracts"] == build["contracts"] for other in published):
        return 0
    if check:
        print(f"{_shown(BUILDS)} lacks the build that the sources make. Run `make compile`.", file=sys.stderr)
        return 1
    # Builds of earlier versions stay: their contracts live on.
    others = [other for other in published if other["name"] != build["name"]]
    BUILDS.write_text(json.dumps([*others, build], indent=2) + "\n")
    return 0


def build_of(answer: Json, profile: Json) -> Json:
    """The code of the contract, its lens and its succession as it stands on a chain, without the values from their constructors."""
    names = {str(part["id"]): part["name"] for one in answer["sources"].values() for part in _variables(one["ast"])}
    contracts = {name: contract for found in answer["contracts"].values() for name, contract in found.items()}
    return {
        "name": tomllib.loads((ROOT / "sdk" / "pyproject.toml").read_text())["project"]["version"],
        "solc": _solc_version(profile),
        "contracts": {name: _built(contracts[name]["evm"]["deployedBytecode"], names) for name in BUILT},
    }


def _built(output: Json, names: dict[str, str]) -> Json:
    """The size of a contract's code, its hash with zeros for the immutables, and where these are."""
    code = bytes.fromhex(output["object"])
    places = {
        names[number]: sorted(place["start"] for place in found)
        for number, found in sorted(output["immutableReferences"].items(), key=lambda item: names[item[0]])
    }
    return {"size": len(code), "hash": masked_hash(code, places), "immutables": places}


def _variables(part: Json) -> Iterator[Json]:
    """The state variables of a source or a contract."""
    for node in part.get("nodes", ()):
        if node["nodeType"] == "VariableDeclaration":
            yield node
        yield from _variables(node)


def _is_current(path: Path, artifact: Json) -> bool:
    if path.exists() and path.read_text() == _serialise(artifact):
        return True
    reason = _difference(json.loads(path.read_text()), artifact) if path.exists() else "it is missing"
    print(f"{_shown(path)} does not match the sources: {reason}. Run `make compile`.", file=sys.stderr)
    return False


def _fits(path: Path, artifact: Json) -> bool:
    size = (len(artifact["deployedBytecode"]) - 2) // 2
    print(f"{_shown(path)}: {size:,} of {RUNTIME_LIMIT:,} bytes of runtime code")
    if size > RUNTIME_LIMIT:
        print(f"{_shown(path)}: {size - RUNTIME_LIMIT:,} bytes too large to deploy", file=sys.stderr)
    return size <= RUNTIME_LIMIT


def _serialise(artifact: Json) -> str:
    return json.dumps(artifact, indent=2, sort_keys=True) + "\n"


def _shown(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def _difference(old: Json, new: Json) -> str:
    """Names what changed, to tell a stale artifact from a broken compiler."""
    before, after = old.get("sources", {}), new["sources"]
    files = sorted(name for name in {*before, *after} if before.get(name) != after.get(name))
    return ", ".join(files or sorted(key for key in new if old.get(key) != new[key])) + " changed"


def compiled(target: Target, profile: Json) -> Json:
    """What the compiler makes of a source file and all its imports."""
    outputs: Json = {target.source: {"*": ["abi", "evm.bytecode", "evm.deployedBytecode"]}}
    for interface in target.also_answers:
        outputs[interface] = {"*": ["abi"]}
    if target.is_published:
        outputs["*"] = {"": ["ast"], **{name: ["evm.deployedBytecode"] for name in BUILT}}
    request = {
        "language": "Solidity",
        "sources": {name: {"content": text} for name, text in _sources(target, profile).items()},
        "settings": {**_settings(profile), "outputSelection": outputs},
    }
    answer: Json = solcx.compile_standard(request, solc_binary=ROOT / profile["solc"])
    _print_warnings(answer)
    return answer


def artifacts_of(target: Target, profile: Json, answer: Json) -> list[Json]:
    """The artifact of each deployable contract in a source file, with the ABI of what it also answers."""
    compiler = {"version": _solc_version(profile), "settings": _settings(profile)}
    hashes = {name: hashlib.sha256(text.encode()).hexdigest() for name, text in _sources(target, profile).items()}
    others = [contract for interface in target.also_answers for contract in answer["contracts"][interface].values()]
    more = [item for contract in others for item in contract["abi"]]
    return [
        {
            "contractName": name,
            "abi": contract["abi"] + [item for item in more if item not in contract["abi"]],
            "bytecode": _code(name, contract["evm"]["bytecode"]),
            "deployedBytecode": _code(name, contract["evm"]["deployedBytecode"]),
            "immutableReferences": _immutables(contract["evm"]["deployedBytecode"]),
            "compiler": compiler,
            "sources": hashes,
        }
        for name, contract in sorted(answer["contracts"][target.source].items())
        if contract["evm"]["bytecode"]["object"]
    ]


def _sources(target: Target, profile: Json) -> dict[str, str]:
    return _with_imports(target.source, _remappings(profile))


def _solc_version(profile: Json) -> str:
    return str(solcx.wrapper.get_solc_version(ROOT / profile["solc"], with_commit_hash=True))


def _print_warnings(answer: Json) -> None:
    """Prints the compiler's warnings about our own sources, except the one about size, which `_fits` reports."""
    for problem in answer.get("errors", []):
        place = problem.get("sourceLocation", {}).get("file", "")
        if not place.startswith("node_modules/") and problem.get("errorCode") != CODE_SIZE_WARNING:
            print(problem["formattedMessage"], file=sys.stderr)


def _settings(profile: Json) -> Json:
    """Translates forge's settings into those of the compiler's standard JSON."""
    return {
        "evmVersion": profile["evm_version"],
        "viaIR": profile["via_ir"],
        "optimizer": {"enabled": profile["optimizer"], "runs": profile["optimizer_runs"]},
        "metadata": {"bytecodeHash": profile["bytecode_hash"], "appendCBOR": profile["cbor_metadata"]},
        "remappings": sorted(profile["remappings"]),
    }


def _remappings(profile: Json) -> dict[str, str]:
    return dict(remapping.split("=", 1) for remapping in profile["remappings"])


def _with_imports(source: str, remappings: dict[str, str]) -> dict[str, str]:
    """Reads a source and all its imports, under the names that the compiler uses for them."""
    found: dict[str, str] = {}
    wanted = [source]
    while wanted:
        name = wanted.pop()
        if name in found:
            continue
        found[name] = (ROOT / name).read_text()
        wanted += [_resolve(name, path, remappings) for path in IMPORT.findall(found[name])]
    return dict(sorted(found.items()))


def _resolve(importer: str, path: str, remappings: dict[str, str]) -> str:
    if path.startswith("."):
        return (ROOT / importer).parent.joinpath(path).resolve().relative_to(ROOT).as_posix()
    prefix = max((prefix for prefix in remappings if path.startswith(prefix)), key=len, default="")
    return remappings.get(prefix, "") + path.removeprefix(prefix)


def _code(name: str, output: Json) -> str:
    if output["linkReferences"]:
        raise SystemExit(f"{name} links to libraries; make their functions internal")
    return f"0x{output['object']}"


def _immutables(output: Json) -> list[Json]:
    """Lists where the deployed code holds values from the constructor; masking them lets deployed code be compared."""
    places = [place for places in output.get("immutableReferences", {}).values() for place in places]
    return sorted(places, key=lambda place: int(place["start"]))


if __name__ == "__main__":
    sys.exit(main())
