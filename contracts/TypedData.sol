// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {MessageHashUtils} from "@openzeppelin/contracts/utils/cryptography/MessageHashUtils.sol";

/// @title TypedData
/// @notice The EIP-712 domain, digests, and the key behind a signature.
/// @dev OpenZeppelin's EIP712 would do, but it supports names of any length, and its code does not fit into the contract.
abstract contract TypedData {
    bytes32 private constant DOMAIN_TYPEHASH =
        keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)");

    /// @dev Half of the order of secp256k1, rounded down.
    uint256 private constant HALF_ORDER = 0x7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a0;

    uint256 private immutable CHAIN_ID = block.chainid;
    bytes32 private immutable DOMAIN_SEPARATOR = _buildDomainSeparator();

    /// @notice The domain, for wallets that ask (ERC-5267).
    /// @dev Not in `IClearingHouse`: it belongs to ERC-5267, whose interface would add an event that is never emitted.
    function eip712Domain()
        external
        view
        returns (bytes1, string memory, string memory, uint256, address, bytes32, uint256[] memory)
    {
        return (hex"0f", "Tongdui", "1", block.chainid, address(this), 0, new uint256[](0));
    }

    /// @dev Computed again if the chain forked and has another id now.
    function _domainSeparator() internal view returns (bytes32) {
        return block.chainid == CHAIN_ID ? DOMAIN_SEPARATOR : _buildDomainSeparator();
    }

    function _buildDomainSeparator() private view returns (bytes32) {
        return
            keccak256(abi.encode(DOMAIN_TYPEHASH, keccak256("Tongdui"), keccak256("1"), block.chainid, address(this)));
    }

    function _digest(bytes32 structHash) internal view returns (bytes32) {
        return MessageHashUtils.toTypedDataHash(_domainSeparator(), structHash);
    }

    /// @dev The key that made the compact signature (ERC-2098), or 0. Every signature has a mirror image with the other of two
    /// possible `s`. Like everything since EIP-2, this accepts only the smaller `s`.
    function _recover(bytes32 digest, bytes32 r, bytes32 vs) internal pure returns (address) {
        uint256 s = uint256(vs) & type(uint256).max >> 1;
        if (s > HALF_ORDER) return address(0);
        unchecked {
            return ecrecover(digest, uint8((uint256(vs) >> 255) + 27), r, bytes32(s));
        }
    }
}
