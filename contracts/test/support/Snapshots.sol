// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IClearingHouse, Role} from "../../interfaces/IClearingHouse.sol";
import {IClearingHouseLens} from "../../interfaces/IClearingHouseLens.sol";
import {IClearingHouseSuccession, Leaf, LeafKind, Predecessor} from "../../interfaces/IClearingHouseSuccession.sol";
import {Network} from "./Network.sol";

/// @notice Makes a snapshot of the small network out of what its tests know of it, and has a new house take it over. It finds slots
/// and builds the tree on its own, as `Network` does.
abstract contract Snapshots is Network {
    uint256 internal constant CHUNK = 256;
    uint256 internal constant PROGRAM_SLOTS = 6;
    uint256 internal constant SIGNERS = 2 + (1 + PROGRAM_SLOTS) * 2 ** 32;
    uint256 internal constant DIGESTS = SIGNERS + 4 + 3 * 2 ** 32;

    IClearingHouse internal old;
    Leaf[] internal leaves;

    // ---------------------------------------------------------------- the snapshot

    /// @dev Lists every fact of `house`. Each balance becomes two lots, of different age.
    function _takeSnapshot() internal {
        delete leaves;
        uint256[5] memory single = [SIGNERS + 3, DIGESTS + 1, DIGESTS + 3, DIGESTS + 5, DIGESTS + 6];
        for (uint256 i = 0; i < single.length; ++i) {
            _keep(LeafKind.Network, i, single[i]);
        }
        for (uint32 merchant = 0; merchant < house.merchantCount(); ++merchant) {
            _keep(LeafKind.Merchant, merchant, 2 + uint256(merchant));
        }
        for (uint32 merchant = 0; merchant < house.merchantCount(); ++merchant) {
            if (keyOf[merchant] != 0) _keepMapped(LeafKind.Signer, uint160(vm.addr(keyOf[merchant])), SIGNERS);
            _keepMapped(LeafKind.Nonces, uint256(merchant) << 40, SIGNERS + 1);
        }
        for (uint256 program = 1; program <= house.programCount(); ++program) {
            for (uint256 field = 0; field < PROGRAM_SLOTS; ++field) {
                _keep(LeafKind.Program, program << 8 | field, 2 + 2 ** 32 + PROGRAM_SLOTS * program + field);
            }
        }
        for (uint256 agreement = 1; agreement <= house.agreementCount(); ++agreement) {
            for (uint256 field = 0; field < 3; ++field) {
                _keep(LeafKind.Agreement, agreement << 8 | field, SIGNERS + 4 + 3 * agreement + field);
            }
        }
        for (uint256 i = 0; i < members.length; ++i) {
            for (uint256 page = 0; page <= (house.programCount() - 1) / 4; ++page) {
                _keepMapped(LeafKind.Balances, page << 160 | uint160(members[i]), DIGESTS + 2);
            }
        }
        for (uint256 i = 1; i <= bankRefs; ++i) {
            _keepMapped(LeafKind.BankReference, i, DIGESTS + 4);
        }
        for (uint40 batch = 1; batch <= closedBatches; ++batch) {
            _keepMapped(LeafKind.Root, batch, DIGESTS + 7);
            for (uint256 i = 0; i < leavesOf[batch].length; ++i) {
                _keepMapped(LeafKind.Reversed, uint256(leavesOf[batch][i]), DIGESTS + 8);
            }
        }
        for (uint32 program = 1; program <= house.programCount(); ++program) {
            for (uint256 i = 0; i < members.length; ++i) {
                _keepLots(program, members[i]);
            }
        }
    }

    function _keepLots(uint32 program, address member) private {
        uint256 points = lens.balanceOf(member, program);
        uint256 key = uint256(program) << 160 | uint160(member);
        if (points > 1) leaves.push(Leaf(LeafKind.Lot, key, 1 << 120 | 20_000 << 56 | 1 << 16));
        if (points > 0) leaves.push(Leaf(LeafKind.Lot, key, (points > 1 ? points - 1 : 1) << 120 | 1 << 16 | 1));
    }

    function _keepMapped(LeafKind kind, uint256 key, uint256 base) private {
        _keep(kind, key, uint256(keccak256(abi.encode(key, base))));
    }

    function _keep(LeafKind kind, uint256 key, uint256 slot) private {
        uint256 word = uint256(vm.load(address(house), bytes32(slot)));
        if (word != 0) leaves.push(Leaf(kind, key, word));
    }

    function _hashes() internal view returns (bytes32[] memory hashes) {
        hashes = new bytes32[](leaves.length);
        for (uint256 i = 0; i < hashes.length; ++i) {
            hashes[i] = keccak256(abi.encode(i, leaves[i].kind, leaves[i].key, leaves[i].word));
        }
    }

    function _predecessor() internal view returns (Predecessor memory) {
        return Predecessor(uint64(block.chainid), address(old), uint32(leaves.length), old.head(), _root(_hashes()));
    }

    function _leavesFrom(uint256 first) internal view returns (Leaf[] memory chunk) {
        uint256 left = leaves.length - first;
        chunk = new Leaf[](left < CHUNK ? left : CHUNK);
        for (uint256 i = 0; i < chunk.length; ++i) {
            chunk[i] = leaves[first + i];
        }
    }

    /// @dev The proof of a leaf's whole chunk: that of any of its leaves, without the part below the chunk's root.
    function _proofFrom(uint256 first) internal view returns (bytes32[] memory) {
        bytes32[] memory hashes = _hashes();
        bytes32[] memory nodes = new bytes32[]((hashes.length + CHUNK - 1) / CHUNK);
        for (uint256 chunk = 0; chunk < nodes.length; ++chunk) {
            uint256 size = _leavesFrom(chunk * CHUNK).length;
            bytes32[] memory own = new bytes32[](size);
            for (uint256 i = 0; i < size; ++i) {
                own[i] = hashes[chunk * CHUNK + i];
            }
            nodes[chunk] = _root(own);
        }
        return _proof(nodes, first / CHUNK);
    }

    // ---------------------------------------------------------------- the two houses

    function _succession() internal view returns (IClearingHouseSuccession) {
        return IClearingHouseSuccession(address(house));
    }

    /// @dev Freezes the house and lists its facts. From then on `house` is a new one, and `old` the frozen one.
    function _freezeAndReplace() internal {
        vm.prank(admin);
        _succession().freeze();
        _takeSnapshot();
        old = house;
        house = IClearingHouse(
            deployCode("ClearingHouse.sol:ClearingHouse", abi.encode(admin, bytes32("Tongdui"), UTC_OFFSET))
        );
        lens = IClearingHouseLens(address(house));
    }

    function _begin() internal {
        Predecessor memory predecessor = _predecessor();
        vm.prank(admin);
        _succession().beginImport(predecessor);
    }

    function _importFrom(uint256 first) internal {
        Leaf[] memory chunk = _leavesFrom(first);
        bytes32[] memory proof = _proofFrom(first);
        vm.prank(stranger);
        _succession().importLeaves(first, chunk, proof);
    }

    function _importAll() internal {
        for (uint256 first = 0; first < leaves.length; first += CHUNK) {
            _importFrom(first);
        }
    }

    function _open() internal {
        vm.prank(admin);
        _succession().open();
    }

    function _grantRoles() internal {
        vm.startPrank(admin);
        house.setRole(Role.Operator, operator, true);
        house.setRole(Role.Sequencer, sequencer, true);
        house.setRole(Role.Treasury, treasury, true);
        house.setRole(Role.Pauser, pauser, true);
        vm.stopPrank();
    }
}
