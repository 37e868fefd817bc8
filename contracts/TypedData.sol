// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {MessageHashUtils} from "@openzeppelin/contracts/utils/cryptography/MessageHashUtils.sol";

import {Domain} from "./libraries/Domain.sol";

/// @title TypedData
/// @notice The EIP-712 domain, digests, and the key behind a signature.
/// @dev OpenZeppelin's EIP712 would do, but it supports names of any length, and its code does not fit into the contract.
abstract contract TypedData {
    /// @dev Half of the order of secp256k1, rounded down.
    uint256 private constant HALF_ORDER = 0x7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a0;

    uint256 private immutable CHAIN_ID = block.chainid;
    bytes32 private immutable DOMAIN_SEPARATOR = Domain.separatorOf(address(this));

    /// @dev Computed again if the chain forked and has another id now.
    function _domainSeparator() internal view returns (bytes32) {
        return block.chainid == CHAIN_ID ? DOMAIN_SEPARATOR : Domain.separatorOf(address(this));
    }

    function _digest(bytes32 structHash) internal view returns (bytes32) {
        return MessageHashUtils.toTypedDataHash(_domainSeparator(), structHash);
    }

    /// @dev The key that made the compact signature (ERC-2098), or 0. Every signature has a mirror image with the other of two
    /// possible `s`. Like everything since EIP-2, this accepts only the smaller `s`.
    function _recover(bytes32 digest, bytes32 r, bytes32 vs) internal view returns (address key) {
        uint256 s = uint256(vs) & type(uint256).max >> 1;
        if (s > HALF_ORDER) return address(0);
        assembly ("memory-safe") {
            let input := mload(0x40)
            mstore(input, digest)
            mstore(add(input, 0x20), add(27, shr(255, vs)))
            mstore(add(input, 0x40), r)
            mstore(add(input, 0x60), s)
            mstore(0x00, 0)
            if iszero(staticcall(gas(), 1, input, 0x80, 0x00, 0x20)) { revert(0, 0) }
            key := mload(0x00)
        }
    }
}
