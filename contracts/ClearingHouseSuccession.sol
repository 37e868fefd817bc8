// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";
import {MerkleProof} from "@openzeppelin/contracts/utils/cryptography/MerkleProof.sol";

import {IClearingHouseSuccession, Leaf, LeafKind, Predecessor, Stage} from "./interfaces/IClearingHouseSuccession.sol";
import {MerkleTree} from "./libraries/MerkleTree.sol";
import {StorageLayout} from "./libraries/StorageLayout.sol";
import {SuccessionStorage} from "./libraries/SuccessionStorage.sol";
import {MerchantPosition} from "./types/MerchantPosition.sol";
import {ProgramSide, ProgramSideLib} from "./types/ProgramSide.sol";

/// @title ClearingHouseSuccession
/// @notice Freezes a clearing house, and fills a new one with the state of a frozen one. The house that created it has it work on the
/// house's own storage (`StorageLayout` says what is where); called in any other way it finds an empty storage and does nothing.
contract ClearingHouseSuccession is IClearingHouseSuccession {
    /// @dev A power of two, so that a chunk's root is a node of the tree.
    uint256 private constant CHUNK = 256;

    /// @dev The numbers of sums, see `SuccessionStorage`.
    uint256 private constant LOTS = 2 ** 32;
    uint256 private constant FUNDS = 2 ** 64;

    /// @dev The lowest byte of the newest batch's slot.
    uint256 private constant PAUSED = 1;
    /// @dev What the constructor of a house leaves: one merchant, which is active, and no program.
    uint256 private constant FRESH = 1;

    modifier onlyOwner() {
        if (msg.sender != address(uint160(_word(StorageLayout.OWNER)))) {
            revert Ownable.OwnableUnauthorizedAccount(msg.sender);
        }
        _;
    }

    modifier during(Stage stage) {
        Stage now_ = SuccessionStorage.load().stage;
        if (now_ != stage) revert WrongStage(now_);
        _;
    }

    // ---------------------------------------------------------------- the end

    /// @inheritdoc IClearingHouseSuccession
    /// @dev The pause stops whatever a role may do. Without an owner nobody can give or take a role, nor end the pause.
    function freeze() external override onlyOwner during(Stage.Operating) {
        _store(StorageLayout.OWNER, 0);
        _store(StorageLayout.PENDING_OWNER, 0);
        uint256 newest = _word(StorageLayout.NEWEST_BATCH) | PAUSED;
        _store(StorageLayout.NEWEST_BATCH, newest);
        SuccessionStorage.load().stage = Stage.Frozen;

        uint256 counts = _word(StorageLayout.COUNTS);
        emit Ownable.OwnershipTransferred(msg.sender, address(0));
        emit Frozen(
            uint40(newest >> 8),
            bytes32(_word(StorageLayout.HEAD)),
            int256(_word(StorageLayout.FUNDS)),
            uint32(counts),
            uint32(counts >> 32),
            uint32(_word(StorageLayout.AGREEMENT_COUNT))
        );
    }

    // ---------------------------------------------------------------- the beginning

    /// @inheritdoc IClearingHouseSuccession
    function beginImport(Predecessor calldata predecessor) external override onlyOwner during(Stage.Operating) {
        bool fresh = _word(StorageLayout.COUNTS) == FRESH && _word(StorageLayout.ofMerchant(0)) == FRESH
            && _word(StorageLayout.NEWEST_BATCH) <= PAUSED && _word(StorageLayout.FUNDS) == 0
            && _word(StorageLayout.AGREEMENT_COUNT) == 0;
        SuccessionStorage.Layout storage succession = SuccessionStorage.load();
        if (!fresh || succession.root != 0) revert NotEmpty();
        if (predecessor.house == address(0) || predecessor.leaves == 0 || predecessor.root == 0) {
            revert BadPredecessor();
        }

        // What the constructor wrote comes from the snapshot as well.
        _store(StorageLayout.COUNTS, 0);
        _store(StorageLayout.ofMerchant(0), 0);
        _store(StorageLayout.NEWEST_BATCH, PAUSED);
        succession.stage = Stage.Importing;
        succession.leaves = predecessor.leaves;
        succession.chainId = predecessor.chainId;
        succession.house = predecessor.house;
        succession.head = predecessor.head;
        succession.root = predecessor.root;

        emit ImportBegun(predecessor);
    }

    /// @inheritdoc IClearingHouseSuccession
    function importLeaves(uint256 first, Leaf[] calldata leaves, bytes32[] calldata proof)
        external
        override
        during(Stage.Importing)
    {
        SuccessionStorage.Layout storage succession = SuccessionStorage.load();
        uint256 left = succession.leaves - succession.imported;
        if (first != succession.imported) revert UnexpectedLeaf(first, succession.imported);
        if (leaves.length != (left < CHUNK ? left : CHUNK)) {
            revert BadChunk(leaves.length, left < CHUNK ? left : CHUNK);
        }

        bytes32[] memory hashes = new bytes32[](leaves.length);
        for (uint256 i = 0; i < leaves.length; ++i) {
            hashes[i] = keccak256(abi.encode(first + i, leaves[i]));
        }
        bytes32 node = MerkleTree.root(hashes, hashes.length);
        if (left == 0 || !MerkleProof.verifyCalldata(proof, succession.root, node)) revert BadProof(first);

        for (uint256 i = 0; i < leaves.length; ++i) {
            _import(first + i, leaves[i]);
        }
        succession.imported = uint32(first + leaves.length);
    }

    /// @inheritdoc IClearingHouseSuccession
    function open() external override onlyOwner during(Stage.Importing) {
        SuccessionStorage.Layout storage succession = SuccessionStorage.load();
        if (succession.imported != succession.leaves) revert ImportIncomplete(succession.imported, succession.leaves);
        if (succession.unbalanced != 0) revert TotalsDiffer(succession.unbalanced);
        bytes32 head = bytes32(_word(StorageLayout.HEAD));
        if (head != succession.head) revert HeadDiffers(head, succession.head);

        succession.stage = Stage.Operating;
        uint256 newest = _word(StorageLayout.NEWEST_BATCH) & ~PAUSED;
        _store(StorageLayout.NEWEST_BATCH, newest);

        emit Opened(uint40(newest >> 8), head, int256(_word(StorageLayout.FUNDS)));
    }

    // ---------------------------------------------------------------- leaves

    /// @dev Stores a leaf's word in its slot, which must be empty, and adds it to the sums.
    function _import(uint256 index, Leaf calldata leaf) private {
        if (leaf.kind < LeafKind.Name) {
            uint256 slot = _slotOf(index, leaf.kind, leaf.key);
            // The newest batch shares its slot with the pause, which is on here as it was there.
            uint256 before = slot == StorageLayout.NEWEST_BATCH ? PAUSED : 0;
            if (_word(slot) != before) revert AlreadyImported(index);
            if (leaf.word & before != before) revert BadLeaf(index);
            _store(slot, leaf.word);
        }
        _sum(leaf);
        emit LeafImported(index, leaf.kind, leaf.key, leaf.word);
    }

    /// @dev Where the house keeps what the leaf is about.
    function _slotOf(uint256 index, LeafKind kind, uint256 key) private pure returns (uint256) {
        if (kind == LeafKind.Network && key < 5) return StorageLayout.ofNetwork(key);
        if (kind == LeafKind.Merchant && key <= type(uint32).max) return StorageLayout.ofMerchant(uint32(key));
        if (kind == LeafKind.Program && key >> 8 <= type(uint32).max && uint8(key) < StorageLayout.PROGRAM_SLOTS) {
            return StorageLayout.ofProgram(uint32(key >> 8)) + uint8(key);
        }
        if (kind == LeafKind.Agreement && key >> 8 <= type(uint32).max && uint8(key) < StorageLayout.AGREEMENT_SLOTS) {
            return StorageLayout.ofAgreement(uint32(key >> 8)) + uint8(key);
        }
        if (kind == LeafKind.Signer) return StorageLayout.ofMapping(StorageLayout.SIGNERS, key);
        if (kind == LeafKind.Nonces) return StorageLayout.ofMapping(StorageLayout.NONCES, key);
        if (kind == LeafKind.Terms) return StorageLayout.ofMapping(StorageLayout.DIGESTS, key);
        if (kind == LeafKind.Balances) return StorageLayout.ofMapping(StorageLayout.BALANCES, key);
        if (kind == LeafKind.BankReference) return StorageLayout.ofMapping(StorageLayout.BANK_REFERENCES, key);
        if (kind == LeafKind.Root) return StorageLayout.ofMapping(StorageLayout.ROOTS, key);
        if (kind == LeafKind.Reversed) return StorageLayout.ofMapping(StorageLayout.REVERSED, key);
        revert BadLeaf(index);
    }

    // ---------------------------------------------------------------- sums

    function _sum(Leaf calldata leaf) private {
        if (leaf.kind == LeafKind.Program) {
            _sumTotals(leaf.key >> 8, uint8(leaf.key), ProgramSide.wrap(leaf.word));
        } else if (leaf.kind == LeafKind.Balances) {
            uint256 program = (leaf.key >> 160) << 2 | 1;
            for (uint256 lanes = leaf.word; lanes != 0; lanes >>= 64) {
                _add(program++, -int256(uint256(uint64(lanes))));
            }
        } else if (leaf.kind == LeafKind.Lot) {
            _add(LOTS + (leaf.key >> 160), -int256(leaf.word >> 120));
        } else if (leaf.kind == LeafKind.Merchant) {
            _add(FUNDS, -MerchantPosition.wrap(leaf.word).micros());
        } else if (leaf.kind == LeafKind.Network && leaf.key == StorageLayout.NETWORK_FUNDS) {
            _add(FUNDS, int256(leaf.word));
        }
    }

    /// @dev A program's points in circulation: all that were minted, less all that were burnt or voided.
    function _sumTotals(uint256 program, uint256 side, ProgramSide totals) private {
        int256 points = 0;
        if (side == 0) {
            points = int256(totals.total(ProgramSideLib.MINTED));
        } else if (side == 1) {
            points = -int256(
                totals.total(ProgramSideLib.REDEEMED) + totals.total(ProgramSideLib.SPENT)
                    + totals.total(ProgramSideLib.EXCHANGED_OUT)
            );
        } else if (side == 2) {
            points = -int256(totals.total(ProgramSideLib.EXPIRED) + totals.total(ProgramSideLib.REVOKED));
        }
        _add(program, points);
        _add(LOTS + program, points);
    }

    function _add(uint256 sum, int256 amount) private {
        SuccessionStorage.Layout storage succession = SuccessionStorage.load();
        int256 before = succession.differences[sum];
        int256 difference = before + amount;
        succession.differences[sum] = difference;
        if (before == 0 && difference != 0) ++succession.unbalanced;
        if (before != 0 && difference == 0) --succession.unbalanced;
    }

    // ---------------------------------------------------------------- storage access

    function _word(uint256 slot) private view returns (uint256 word) {
        assembly ("memory-safe") {
            word := sload(slot)
        }
    }

    function _store(uint256 slot, uint256 word) private {
        assembly ("memory-safe") {
            sstore(slot, word)
        }
    }
}
