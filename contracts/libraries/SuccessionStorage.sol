// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Stage} from "../interfaces/IClearingHouseSuccession.sol";

/// @title SuccessionStorage
/// @notice What a clearing house keeps of its own end and of its predecessor, at a slot of its own (ERC-7201): the compiler's
/// numbers of the other slots do not depend on it.
library SuccessionStorage {
    /// @dev Two slots, two hashes, one mapping.
    /// @param unbalanced How many of the `differences` are not 0.
    /// @param differences While importing, what is missing: of a program's points in circulation, among balances (its number) or lots
    /// (its number + 2^32); of the funds, among positions (2^64). All are 0 at the end, so nothing of it stays.
    struct Layout {
        Stage stage;
        uint32 unbalanced;
        uint32 imported;
        uint32 leaves;
        uint64 chainId;
        address house;
        bytes32 head;
        bytes32 root;
        mapping(uint256 sum => int256) differences;
    }

    /// @dev keccak256(abi.encode(uint256(keccak256("tongdui.succession")) - 1)) & ~bytes32(uint256(0xff))
    uint256 internal constant SLOT = 0x9d17cf20e46f894ab8539d3c5a191cb373e86af9d77926321afd7b54e4cf200;

    function load() internal pure returns (Layout storage stored) {
        uint256 slot = SLOT;
        assembly ("memory-safe") {
            stored.slot := slot
        }
    }
}
